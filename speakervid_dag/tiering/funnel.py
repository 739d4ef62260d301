"""The funnel of one profile, as rows, and the papers' published ones.

Belongs here: choosing the rows. Does not belong here: counting (batch_funnel.sql and published_funnels.sql in
sql/statistics), drawing (report/funnel) and printing.
"""

import shlex

import polars as pl

from speakervid_dag.config.settings import Settings
from speakervid_dag.failures import UserError
from speakervid_dag.lake.queries.published import open_published
from speakervid_dag.lake.queries.session import Session, run_sql
from speakervid_dag.tiering.asked import asked_profile, name_of

SHOWN = [
    "section", "step", "count_in", "kept", "rejected", "not_evaluated", "hours_in", "hours_kept", "is_conserved",
]  # fmt: skip


def funnel_of(settings: Settings, profile: str, batch: str | None = None, as_of: str | None = None) -> pl.DataFrame:
    """Rows of sql/statistics/funnel.sql (of batch_funnel for one batch) of the profile with this name or path.

    A lake without clips has the steps before them, which are no profile's: `profile` is null there.

    Raises:
        UserError: there is no such profile or batch, or nothing in the lake was decided by that profile.
    """
    with open_published(settings.lake_dir, as_of) as con:
        name = name_of(asked_profile(con, profile))
        rows = run_sql(con, "FROM funnel" if batch is None else "FROM batch_funnel")
        if batch is not None:
            rows = _of(rows, "batch", batch, "retier or run it first")
        if rows["profile"].is_null().all():
            return rows
        return _of(rows, "profile", name, f"apply it with `speakervid retier --profile {shlex.quote(profile)}`")


def published(con: Session) -> pl.DataFrame:
    """Rows of sql/statistics/published_funnels.sql."""
    return run_sql(con, "FROM published_funnels")


def _of(rows: pl.DataFrame, column: str, wanted: str, advice: str) -> pl.DataFrame:
    found = rows.filter(pl.col(column) == wanted)
    if found.is_empty():
        there = ", ".join(sorted(rows[column].drop_nulls().unique())) or "none"
        raise UserError(f"there is no {column} '{wanted}' in the funnel (there are: {there}): {advice}")
    return found
