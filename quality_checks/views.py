"""Audit views: a frame and its parents as flat columns that expectations can be run over.

Belongs here: joins, derived check columns, one row of facts per part. Does not belong here: verdicts (the suites) and
what the columns mean (rules). Everything is pure: frames in, frames out.
"""

import polars as pl

from speakervid_dag.lake.schemas import TABLES, Table
from speakervid_dag.quality_checks.catalogue import HUMAN, rules_of
from speakervid_dag.quality_checks.rules import Link, Parents

ROW = "row_nr"  # identifies a row in Great Expectations' results
SHOWN_ITEMS = 20


def audit_frame(table: Table, frame: pl.DataFrame, parents: Parents) -> pl.DataFrame:
    """Return the frame's rows with linked parent columns and every derived check column.

    Floats that are not finite become null; the originals are in `<column>__raw`. A check column is null where its rule
    does not judge the row.
    """
    floats = [n for n, t in frame.schema.items() if t == pl.Float64]
    view = frame.with_row_index(ROW).with_columns(pl.col(n).alias(f"{n}__raw") for n in floats)
    view = view.with_columns(pl.when(pl.col(n).is_finite()).then(n).alias(n) for n in floats)
    for link in HUMAN[table.name].links:
        view = _linked(view, parents[link.table], link)
    derived = [r.check.alias(str(r.kwargs["column"])) for r in rules_of(table.name) if r.check is not None]
    return view.sort(ROW).with_columns(derived)


def flat(view: pl.DataFrame) -> pl.DataFrame:
    """Replace lists by their lengths: pandas and Great Expectations take flat values only."""
    lists = [pl.col(n).list.len() for n, t in view.schema.items() if isinstance(t, pl.List)]
    return view.with_columns(lists)


def facts_frame(table: Table, frame: pl.DataFrame, parents: Parents, scope: pl.DataFrame) -> pl.DataFrame:
    """Return one row per part to be written (`scope`: batch, and profile where there is one), one column per rule.

    A rule that lists violations gives their number; `<rule>__evidence` names the first ones.
    """
    facts = scope.with_row_index(ROW)
    for rule in rules_of(table.name):
        if rule.find is not None:
            found = rule.find(frame, parents, scope)
            facts = _fact(facts, found, rule.name)
    return facts.sort(ROW)


def _fact(facts: pl.DataFrame, found: pl.DataFrame, name: str) -> pl.DataFrame:
    keys = [c for c in ("batch", "profile") if c in found.columns and c in facts.columns]
    if "item" in found.columns:
        items = pl.col("item").cast(pl.String)
        told = items.head(SHOWN_ITEMS).str.join(", ")
        counted = found.group_by(keys).agg(pl.len().alias(name), told.alias(f"{name}__evidence"))
        return facts.join(counted, on=keys, how="left").with_columns(pl.col(name).fill_null(0))
    values = found.select(*keys, pl.col("value").alias(name), pl.col("evidence").alias(f"{name}__evidence"))
    return facts.join(values, on=keys, how="left")


def _linked(view: pl.DataFrame, parent: pl.DataFrame, link: Link) -> pl.DataFrame:
    taken = [pl.col(c).alias(f"{link.name}__{c}") for c in link.take]
    keyed = [pl.col(theirs).alias(mine) for mine, theirs in link.on.items()]
    # a duplicate parent must not double the rows here: the parent's own key rule reports it
    rows = parent.select(*keyed, *taken, pl.lit(True).alias("__here")).unique(list(link.on), keep="first")
    joined = view.join(rows, on=list(link.on), how="left", maintain_order="left")
    points = pl.all_horizontal(pl.col(c).is_not_null() for c in link.on)
    found = pl.when(points).then(pl.col("__here").fill_null(False)).alias(f"{link.name}__found")
    return joined.with_columns(found).drop("__here")


def empty_parent(name: str) -> pl.DataFrame:
    if name in ("manifest", "other_batches"):
        return pl.DataFrame(schema={"batch": pl.String, "video_id": pl.String})
    if name == "asked_gates":
        return pl.DataFrame(schema={"profile": pl.String, "role": pl.String, "gate": pl.String})
    return TABLES["tiers" if name == "earlier_tiers" else name].empty()
