"""Rows on their way into a table: written piece by piece, synced, landed in one commit.

Belongs here: Parquet files that no commit names yet, and the commit that puts them in place of the old ones. Does not
belong here: what a commit is (commits.py), audits.

Rows are on the disk before a commit names them: a power cut leaves a table as it was or as it was to be.

A file in a table's folder that no commit names is seen by no reader, whatever the engine. What a killed process leaves
behind is collected by `speakervid maintain` (a full vacuum).
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
    """Another writer has committed since this commit was decided: look again, decide again."""


@dataclass(frozen=True)
class Commit:
    """What a write left: the table's version and the number of rows now in the slices."""

    version: int
    row_count: int


class StagedRows:
    """Rows on their way into a table. A context: on leaving it, files that were never landed are removed."""

    def __init__(self, lake: ChangingTables, table: Table) -> None:
        self.row_count = 0
        self._lake, self._table = lake, table
        self._files: list[tuple[str, int, dict[str, str], int]] = []  # path, bytes, partition values, rows
        self._is_landing = False

    @cached_property
    def _store(self) -> Any:
        """The table's folder, which is there from here on."""
        if not self._lake.exists(self._table):
            self._lake.open(self._table)
        return self._lake.file_system(self._table)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        if not self._is_landing:  # a commit that was tried may name them, whatever it raised
            for path, *_rest in self._files:
                self._store.delete_file(path)

    def add(self, frame: pl.DataFrame, parts: Sequence[Slice]) -> None:
        """Writes a piece: one file for each of `parts` that has rows in it; a part comes whole, in one piece.

        Raises:
            SchemaMismatch: other columns or dtypes, rows outside `parts`, or a part that came before.
            OperationError: the store refused.
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
        """Writes a file; its size in bytes."""
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
        """Puts the staged rows in place of exactly the rows of `parts`, with their marks, in one commit.

        Args:
            parts: each slice with its mark; None: the mark that it has stays.
            after: the version that the rows were made from; None: they depend on none.

        Raises:
            SchemaMismatch: something was staged for another part.
            TransientFailure: the slices stayed contended.
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
        """Adds the staged rows to those that are there, with these marks, in one commit.

        Args:
            check: is given the DeltaTable that the commit builds on; what it raises ends the attempt.
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
            actions = [*removals(handle), *_additions(self._files)]  # before the commit is tried: it may refuse
            self._is_landing = True
            handle.create_write_transaction(
                actions, "append", handle.schema(), list(self._table.partition_by), **options
            )

        return Commit(self._lake.commit(self._table, write, parts, metadata), self.row_count)


def _key(values: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(values[name] for name in sorted(values))


def _removals(handle: Any, table: Table, replaced: set[tuple[str, ...]]) -> list[Any]:
    """Every file that the newest version shows in the slices: `write` runs anew after a conflict."""
    from deltalake.transaction import RemoveAction

    names = {f"partition.{name}": name for name in table.partition_by}
    shown = pl.DataFrame(handle.get_add_actions(flatten=True)).select("path", "size_bytes", *names).rename(names)
    at = int(time.time() * 1000)
    return [  # actions take plain paths and write them as URIs, `get_add_actions` gives the URIs
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
