"""Answers on stdout: a query's, a frame's, a value's, as table, JSON or CSV.

Belongs here: printing what was asked for. Does not belong here: what a person may ask (lake/queries/user_sql.py), what
a value becomes (formats.py), drawing (console.py).
"""

import io
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from speakervid_dag.failures import UserError
from speakervid_dag.formats import csv_rows, json_rows, json_text
from speakervid_dag.lake.queries import user_sql
from speakervid_dag.lake.queries.published import open_published


def print_query(lake_dir: Path, query: str, form: str, as_of: str | None = None) -> None:
    """Prints the query's answer on stdout; nothing can be written, nothing outside the lake read."""
    with open_published(lake_dir, as_of) as con:
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
