"""Answers of `speakervid sql`: run a query on the lake's published snapshot, print it as table, JSON or CSV.

Belongs here: the face of a query. Does not belong here: opening DuckDB (lake/session.py) or queries (sql/).
"""

import json
import sys
from datetime import date, datetime
from functools import cache
from typing import Any

import polars as pl

from speakervid_dag.config.settings import Settings
from speakervid_dag.failures import OperationError, UserError
from speakervid_dag.lake import analyst_db, session, snapshots
from speakervid_dag.lake.delta import DeltaLake


def open_lake(settings: Settings) -> DeltaLake:
    """The lake of these settings; its `lake.duckdb` is made anew where the lake was moved or copied.

    Raises UserError when there is no lake.
    """
    if not (settings.lake_dir / "tables").is_dir():
        raise UserError(
            f"there is no lake in {settings.lake_dir}: make one with `speakervid run PATH…` or `speakervid demo`"
        )
    opened = DeltaLake(str(settings.lake_dir))
    try:
        analyst_db.remake_elsewhere(opened, settings.lake_dir)
    except (OSError, OperationError) as problem:  # a lake that can only be read answers all the same
        _say_once(f"{analyst_db.NAME} was made for another place or version and cannot be made anew: {problem}")
    return opened


@cache
def _say_once(text: str) -> None:
    from speakervid_dag.console import say

    say(text)


def open_published(settings: Settings, as_of: str | None = None) -> session.Session:
    """A read-only session over a published snapshot: the newest, or the one `as_of` a number or an ISO time.

    Raises:
        UserError: there is no lake, nothing is published, or no such snapshot.
    """
    opened = open_lake(settings)
    snapshot = snapshots.latest(opened) if as_of is None else snapshots.as_of(opened, as_of)
    if snapshot is None:
        raise UserError("nothing is published in this lake yet: `speakervid run PATH…` ends with publishing a snapshot")
    return session.open_session(opened, snapshot, read_only_user_sql=True)


def ask(settings: Settings, query: str, as_of: str | None = None) -> pl.DataFrame:
    """The query's rows, from a published snapshot; nothing can be written, nothing outside the lake read."""
    return session.run_sql(open_published(settings, as_of), query)


def print_query(settings: Settings, query: str, form: str, as_of: str | None = None) -> None:
    """Prints the query's answer on stdout."""
    print_answer(ask(settings, query, as_of), form)


def print_answer(frame: pl.DataFrame, form: str) -> None:
    """Prints rows on stdout; `json` is one array, in `csv` a cell that a spreadsheet would run is quoted."""
    if form == "json":
        json.dump(frame.to_dicts(), sys.stdout, default=_jsonable, ensure_ascii=False)
        sys.stdout.write("\n")
    elif form == "csv":
        sys.stdout.write(_flat(frame).write_csv())
    else:
        from speakervid_dag.console import print_frame

        print_frame(frame)


def _jsonable(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime | date) else str(value)


def _flat(frame: pl.DataFrame) -> pl.DataFrame:
    """Nested columns as JSON text; a leading formula sign gets an apostrophe: a spreadsheet shows it as text."""
    nested = [n for n, t in frame.schema.items() if t.is_nested()]
    as_json = [pl.Series(n, [json.dumps(v, default=_jsonable) for v in frame[n].to_list()]) for n in nested]
    texts = pl.col(pl.String)
    escaped = pl.when(texts.str.contains(r"^[=+\-@\t\r]")).then(pl.lit("'") + texts).otherwise(texts)
    return frame.with_columns(as_json).with_columns(escaped.name.keep())
