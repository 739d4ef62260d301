"""Answers of `speakervid sql`: run a query on the lake's published snapshot, print it as table, JSON or CSV.

Belongs here: opening a lake for a command, the face of a query. Does not belong here: opening DuckDB
(lake/queries/session.py), what a person may ask (lake/queries/user_sql.py), what a value becomes (formats.py), queries
(sql/).
"""

import io
import os
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import polars as pl

from speakervid_dag.config.settings import Settings
from speakervid_dag.failures import OperationError, UserError
from speakervid_dag.formats import csv_rows, json_rows, json_text
from speakervid_dag.lake.queries import analyst_db, session, user_sql
from speakervid_dag.lake.snapshots import snapshots
from speakervid_dag.lake.storage.delta import DeltaLake


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
    from speakervid_dag.cli.console import say

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


def print_query(settings: Settings, query: str, form: str, as_of: str | None = None) -> None:
    """Prints the query's answer on stdout; nothing can be written, nothing outside the lake read."""
    with open_published(settings, as_of) as con:
        found = user_sql.answer(con, _as_typed(query))
        if found.is_plan and form == "table":
            from speakervid_dag.cli.console import print_line

            for _, plan in found.rows:
                print_line(plan)
        else:
            _print(found.names, found.rows, form)


def _as_typed(query: str) -> str:
    """The argument's bytes as UTF-8: in the C locale Python takes each byte beyond ASCII for a letter of its own."""
    try:
        return os.fsencode(query).decode("utf-8")
    except UnicodeDecodeError as problem:
        raise UserError("SQL: the text is not UTF-8") from problem


def print_answer(frame: pl.DataFrame, form: str) -> None:
    """Prints a frame's rows on stdout."""
    _print(frame.columns, frame.iter_rows(), form)


def print_json(value: Any) -> None:
    """Prints one value on stdout as JSON, in UTF-8 whatever the locale is."""
    _write([json_text(value), "\n"])


def _print(names: Sequence[str], rows: Iterable[Sequence[Any]], form: str) -> None:
    if form == "table":
        from speakervid_dag.cli.console import print_rows

        print_rows(names, rows)
    else:
        _write(json_rows(names, rows) if form == "json" else csv_rows(names, rows))


def _write(pieces: Iterable[str]) -> None:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    sys.stdout.writelines(pieces)
