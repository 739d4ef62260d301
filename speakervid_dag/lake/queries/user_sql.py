"""SQL entered by a user: allowed statements, the answer as rows of Python values, DuckDB's errors as one line.

Belongs here: everything between the user's text and the rows. Does not belong here: connections and their lock-down
(session.py), printing (cli/output.py, formats.py).
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import duckdb

from speakervid_dag.failures import OperationError, SpeakervidError, UserError
from speakervid_dag.lake.queries.view_sql import quoted_name
from speakervid_dag.lake.schemas import SECOND_NAMES
from speakervid_dag.lake.storage import integrity

CHUNK_ROWS = 10_000  # rows held in memory at once
_EXPLAIN = re.compile(r"EXPLAIN(\s+ANALYZE\b|\s*\([^()]*\))*", re.IGNORECASE)
_TO_A_FILE = 'to write the answer to a file: `speakervid sql "SELECT …" --format csv > answer.csv`'
_ADVICE = {
    duckdb.StatementType.COPY: _TO_A_FILE,
    duckdb.StatementType.EXPORT: _TO_A_FILE,
    duckdb.StatementType.CREATE: "name a step inside the query: `WITH step AS (SELECT …) FROM step`",
}
# Python's types would lose part of these (an interval's months, a time's nanoseconds), so DuckDB converts them to text
_AS_TEXT = ("interval", "time_ns", "timestamp_ns", "timestamptz_ns")


@dataclass(frozen=True)
class Answer:
    """Unique column names, and the rows, which are read while the query runs."""

    names: Sequence[str]
    rows: Iterator[tuple[Any, ...]]

    @property
    def is_plan(self) -> bool:
        """Return whether this is the output of EXPLAIN."""
        return list(self.names) == ["explain_key", "explain_value"]


def answer(con: duckdb.DuckDBPyConnection, text: str) -> Answer:
    """Run a user's query. The first rows are read at once, so that most errors occur before anything is printed.

    Raises:
        UserError: not exactly one read-only statement, or DuckDB rejects it; reading `rows` may raise it too.
        OperationError: a data file of a table that it reads is lost.
    """
    query = allowed(con, text)
    try:
        con.execute(query)
        names = [name for name, *_ in con.description or []]
        kinds = [_text_kind(kind) for _, kind, *_ in con.description or []]
        if any(kinds):
            con.abort()
            con.execute(_with_casts(query, kinds))
        first = con.fetchmany(CHUNK_ROWS)
    except duckdb.Error as problem:
        raise _ended(con, problem, text) from problem
    return Answer(_each_once(names), _rows(con, first, text))


def allowed(con: duckdb.DuckDBPyConnection, text: str) -> str:
    """Return the text's only statement, without semicolon; it must be a query, or EXPLAIN of one.

    Raises:
        UserError: no statement, several, one that would change something, or not SQL.
    """
    try:
        found = con.extract_statements(text)
    except duckdb.Error as problem:
        raise refusal(problem, text) from problem
    if not found:
        raise UserError("SQL: the text has no statement; try `FROM funnel`, or `SHOW TABLES` to list the tables")
    if len(found) > 1:
        raise UserError(f"SQL: run one statement at a time; the text has {len(found)}")
    query = _bare(found[0].query)
    if not _is_query(con, _EXPLAIN.sub("", query, count=1) if _EXPLAIN.match(query) else query):
        advice = _ADVICE.get(found[0].type, "use SELECT, FROM, PIVOT, DESCRIBE, SUMMARIZE, SHOW or EXPLAIN")
        raise UserError(f"SQL: nothing can be changed or written here; {advice}")
    return query


def refusal(problem: duckdb.Error, text: str = "") -> SpeakervidError:
    """Return DuckDB's message in one line, without the quoted source, with its suggestions for a misspelt name.

    Return an OperationError if the query is not at fault: a file of a table that it reads is lost.

    Args:
        text: the query, if a user wrote it.
    """
    lost = integrity.told_by(problem)
    if lost:
        return OperationError(lost)
    told = " ".join(str(problem).partition("\nLINE ")[0].split())
    reserved = [name for name in SECOND_NAMES if re.search(rf'(?<!")\b{name}\b(?!")', text, re.IGNORECASE)]
    if isinstance(problem, duckdb.ParserException) and reserved:
        told += f" ({', '.join(f'{n} is an SQL keyword: write {SECOND_NAMES[n]}' for n in reserved)})"
    return UserError(f"SQL: {told}")


def _bare(query: str) -> str:
    """Return the statement up to its semicolon. DuckDB's positions are in bytes."""
    raw = query.encode()
    ends = [
        at for at, kind in duckdb.tokenize(query) if kind == duckdb.token_type.operator and raw[at : at + 1] == b";"
    ]
    return raw[: ends[0]].decode() if ends else query


def _is_query(con: duckdb.DuckDBPyConnection, query: str) -> bool:
    """Return whether it is valid in parentheses after EXISTS, where only read-only queries are."""
    try:
        return len(con.extract_statements(f"SELECT EXISTS ({query}\n)")) == 1
    except duckdb.Error:
        return False


def _with_casts(query: str, kinds: Sequence[str | None]) -> str:
    columns = [f"c{i}" for i in range(len(kinds))]
    cast = ", ".join(f"CAST({c} AS {kind})" if kind else c for c, kind in zip(columns, kinds, strict=True))
    return f"SELECT {cast} FROM ({query}\n) AS asked({', '.join(columns)})"


def _text_kind(kind: Any) -> str | None:
    """Return the type with VARCHAR in place of types that Python cannot represent; None if it has none of them."""
    changed = _castable(kind)
    return None if changed == str(kind) else changed


def _castable(kind: Any) -> str:
    if kind.id in _AS_TEXT:
        return "VARCHAR"
    if kind.id in ("list", "array"):
        (_, inner), *size = kind.children
        return f"{_castable(inner)}[{size[0][1] if size else ''}]"
    if kind.id == "map":
        (_, key), (_, value) = kind.children
        return f"MAP({_castable(key)}, {_castable(value)})"
    if kind.id in ("struct", "union", "tuple"):
        parts = kind.children[1:] if kind.id == "union" else kind.children  # a union's first child is its tag
        named = [
            _castable(inner) if kind.id == "tuple" else f"{quoted_name(n)} {_castable(inner)}" for n, inner in parts
        ]
        return f"{kind.id.upper()}({', '.join(named)})" if any(_text_kind(inner) for _, inner in parts) else str(kind)
    return str(kind)


def _each_once(names: Sequence[str]) -> list[str]:
    """Return unique names: a second `i` becomes `i_1`, as in DuckDB's subqueries (JSON objects need unique names)."""
    out: list[str] = []
    for name in names:
        number, free = 0, name
        while free in out:
            number += 1
            free = f"{name}_{number}"
        out.append(free)
    return out


def _rows(con: duckdb.DuckDBPyConnection, first: list[tuple[Any, ...]], text: str) -> Iterator[tuple[Any, ...]]:
    rows = first
    while rows:
        yield from rows
        try:
            rows = con.fetchmany(CHUNK_ROWS)
        except duckdb.Error as problem:
            raise _ended(con, problem, text) from problem


def _ended(con: duckdb.DuckDBPyConnection, problem: duckdb.Error, text: str) -> SpeakervidError:
    """Return the error, and roll back the transaction that an error leaves open while rows are read."""
    with suppress(duckdb.TransactionException):  # there was none
        con.rollback()
    return refusal(problem, text)
