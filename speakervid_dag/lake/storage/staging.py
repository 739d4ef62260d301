"""Staged rows: written piece by piece, synced, then added to a table in one commit.

Belongs here: Parquet files that no commit names yet, and the commit that replaces the old files by them. Does not
belong here: committing itself (commits.py), audits.

Rows are on disk before a commit names them: a power cut leaves a table either as it was, or fully updated.

No reader, in any engine, sees a file that no commit names. `speakervid maintain` (a full vacuum) removes what a killed
process leaves behind.
"""

import json
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import polars as pl

from speakervid_dag.failures import OperationError
from speakervid_dag.files import sync_files
from speakervid_dag.lake.schemas import Table
from speakervid_dag.lake.storage.commits import ChangingTables
from speakervid_dag.lake.storage.slices import SchemaMismatch, Slice, check_inside, check_schema
from speakervid_dag.places import inside_table, partition_folder


class Overtaken(OperationError):
    """Another writer has committed since this commit was prepared: read again and decide again."""


@dataclass(frozen=True)
class Commit:
    """Result of a write: the table's version, and the number of rows now in the slices."""

    version: int
    row_count: int


class StagedRows:
    """Rows staged for a table. A context manager: files that were not committed are removed on leaving it."""

    def __init__(self, lake: ChangingTables, table: Table) -> None:
        self.row_count = 0
        self._lake, self._table = lake, table
        self._files: list[tuple[str, int, dict[str, str], int]] = []  # path, bytes, partition values, rows
        self._is_landing = False

    @cached_property
    def _store(self) -> Any:
        """Return the file system of the table's folder, which is created if it is missing."""
        if not self._lake.exists(self._table):
            self._lake.open(self._table)
        return self._lake.file_system(self._table)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        if not self._is_landing:  # an attempted commit may name the files, whatever it raised
            for path, *_rest in self._files:
                self._store.delete_file(path)

    def add(self, frame: pl.DataFrame, parts: Sequence[Slice]) -> None:
        """Write a piece: one file per slice of `parts` that has rows in it. A slice must come whole, in one piece.

        Raises:
            SchemaMismatch: other columns or dtypes, rows outside `parts`, or a slice that was added before.
            OperationError: the store failed.
        """
        check_schema(self._table, frame)
        check_inside(self._table, frame, parts)
        names = list(self._table.partition_by)
        known = {tuple(values.values()) for _, _, values, _ in self._files}
        pieces = frame.partition_by(names, as_dict=True, include_key=False) if names else {(): frame}
        for key, rows in pieces.items():
            if rows.is_empty():
                continue
            if key in known:
                raise SchemaMismatch(f"{self._table.name}: rows of {key} came in two pieces")
            values = {name: str(value) for name, value in zip(names, key, strict=True)}
            path = f"{partition_folder(values)}/part-{uuid.uuid4()}.parquet".lstrip("/")
            self._files.append((path, self._write(rows, path), values, rows.height))
        self.row_count += frame.height

    def _write(self, rows: pl.DataFrame, path: str) -> int:
        """Write a file and return its size in bytes."""
        import pyarrow.parquet as pq

        try:
            # store_schema=False: readers see Parquet's types, not the Arrow flavours they were written from
            pq.write_table(rows.to_arrow(), path, filesystem=self._store, store_schema=False)
            return int(self._store.get_file_info(path).size)
        except OSError as problem:
            raise OperationError(f"writing {self._table.name} failed: {problem}") from problem

    def land(
        self, parts: Sequence[tuple[Slice, int | None]], metadata: Mapping[str, str], *, after: int | None = None
    ) -> Commit:
        """Replace exactly the rows of `parts` by the staged rows, and set their data versions, in one commit.

        Args:
            parts: each slice with its data version; None: keep the present one.
            after: the table version that the rows were computed from; None: they depend on none.

        Raises:
            SchemaMismatch: rows were staged for another slice.
            TransientFailure: other writers kept changing the slices.
            Overtaken: the table is at another version; nothing was committed.
        """
        staged, replaced = self._files, {_key(part.values) for part, _ in parts}
        stray = [path for path, _, values, _ in staged if _key(values) not in replaced]
        if stray:
            raise SchemaMismatch(f"{self._table.name}: staged outside what is being replaced: {stray[:3]}")

        def removals(handle: Any) -> list[Any]:
            if after is not None and handle.version() != after:
                raise Overtaken(f"{self._table.name}: version {handle.version()} was committed after {after}")
            return _removals(handle, self._table, replaced)

        return self._commit(removals, [(part, mark) for part, mark in parts if mark is not None], metadata)

    def append(
        self, parts: Sequence[tuple[Slice, int]], metadata: Mapping[str, str], check: Callable[[Any], None]
    ) -> Commit:
        """Append the staged rows, and set these data versions, in one commit.

        Args:
            check: called with the DeltaTable that the commit builds on; an exception ends the attempt.
        """

        def no_removals(handle: Any) -> list[Any]:
            check(handle)
            return []

        return self._commit(no_removals, parts, metadata)

    def _commit(
        self, removals: Callable[[Any], list[Any]], parts: Sequence[tuple[Slice, int]], metadata: Mapping[str, str]
    ) -> Commit:
        if not self._lake.is_remote:
            top = Path(self._lake.uri(self._table))
            try:
                sync_files([top / path for path, *_ in self._files], top)
            except OSError as problem:
                raise OperationError(f"syncing {self._table.name} failed: {problem}") from problem

        def write(handle: Any, options: dict[str, Any]) -> None:
            actions = [*removals(handle), *_additions(self._files)]  # before the commit: `removals` may raise
            self._is_landing = True
            handle.create_write_transaction(
                actions, "append", handle.schema(), list(self._table.partition_by), **options
            )

        return Commit(self._lake.commit(self._table, write, parts, metadata), self.row_count)


def _key(values: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(values[name] for name in sorted(values))


def _removals(handle: Any, table: Table, replaced: set[tuple[str, ...]]) -> list[Any]:
    """Return the removal of every file of the newest version in these slices; called again after a conflict."""
    from deltalake.transaction import RemoveAction

    names = {f"partition.{name}": name for name in table.partition_by}
    shown = pl.DataFrame(handle.get_add_actions(flatten=True)).select("path", "size_bytes", *names).rename(names)
    at = int(time.time() * 1000)
    return [  # actions take plain paths and write them as URIs; `get_add_actions` returns the URIs
        RemoveAction(inside_table(row["path"]), True, at, row["size_bytes"], values)
        for row in shown.iter_rows(named=True)
        if _key(values := {name: row[name] for name in table.partition_by}) in replaced
    ]


def _additions(staged: Sequence[tuple[str, int, dict[str, str], int]]) -> list[Any]:
    from deltalake.transaction import AddAction

    at = int(time.time() * 1000)
    return [
        AddAction(path, size, values, at, True, json.dumps({"numRecords": rows})) for path, size, values, rows in staged
    ]
