"""The lake: Delta tables whose rows are replaced by slice, rewritten or appended.

Belongs here: the three ways in which rows get into a table. Does not belong here: opening and reading (tables.py), a
replacement larger than memory (staging.py), upkeep (upkeep/maintenance.py).
"""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from speakervid_dag.failures import TransientFailure
from speakervid_dag.lake.schemas import Table
from speakervid_dag.lake.storage.commits import CONFLICT_ATTEMPTS, ChangingTables
from speakervid_dag.lake.storage.slices import Slice, slice_of_row
from speakervid_dag.lake.storage.staging import Commit, Overtaken, StagedRows


@dataclass(frozen=True)
class DeltaLake(ChangingTables):
    """The Delta tables under one root (a folder, or an object-store URI with `storage_options`)."""

    def replace(
        self, table: Table, frame: pl.DataFrame, parts: Sequence[tuple[Slice, int]], metadata: Mapping[str, str]
    ) -> Commit:
        """Replace exactly the rows of `parts` by `frame`, in one commit.

        Args:
            parts: each slice with its data version.
            metadata: stored in the commit.

        Raises:
            SchemaMismatch: other columns or dtypes (nothing is cast silently), or rows outside the parts.
            TransientFailure: other writers kept changing the slices.
        """
        with StagedRows(self, table) as staged:
            staged.add(frame, [part for part, _ in parts])
            return staged.land(parts, metadata)

    def rewrite(
        self,
        table: Table,
        change: Callable[[pl.DataFrame], pl.DataFrame],
        parts: Sequence[tuple[Slice, int | None]],
        metadata: Mapping[str, str],
    ) -> Commit:
        """Replace the rows of `parts` by `change(rows)`, in one commit.

        If another writer commits meanwhile, `change` is called again with the new rows, so that none are lost.

        Args:
            parts: each slice with its data version; None: keep the present one.

        Raises:
            SchemaMismatch: `change` returned other columns or dtypes, or rows outside the parts.
            TransientFailure: other writers kept committing.
        """
        slices = [part for part, _ in parts]
        inside = pl.any_horizontal(part.where for part in slices)
        for attempt in range(CONFLICT_ATTEMPTS):
            version = self.version(table)
            with StagedRows(self, table) as staged:
                staged.add(change(self.read(table, version=version, where=inside)), slices)
                try:
                    return staged.land(parts, metadata, after=version)
                except Overtaken:
                    time.sleep(random.uniform(0.05, 0.2) * 2**attempt)
        raise TransientFailure("write_conflict", f"{table.name}: other writers kept committing")

    def amend(
        self,
        table: Table,
        where: pl.Expr,
        change: Callable[[pl.DataFrame], pl.DataFrame],
        metadata: Mapping[str, str],
    ) -> Commit | None:
        """Rewrite the slices that have rows for which `where` holds, keeping their data versions.

        Return None if there is no such row. Raises as `rewrite`.
        """
        found = self.read(table, where=where, columns=table.partition_by or table.schema.names()[:1])
        if found.is_empty():
            return None
        slices = {part.app_id: part for part in (slice_of_row(table, row) for row in found.unique().to_dicts())}
        return self.rewrite(table, change, [(part, None) for part in slices.values()], metadata)

    def append(
        self,
        table: Table,
        frame: pl.DataFrame,
        metadata: Mapping[str, str],
        turn: tuple[Slice, int] | None = None,
    ) -> Commit:
        """Add rows in one commit (for a log such as `snapshots`; a batch's rows go through `replace`).

        Args:
            turn: a series (any names and values), and the number of this entry in it. The rows are committed only if
                the series has no entry with this or a later number, since they depend on what the table held before.

        Raises:
            SchemaMismatch: other columns or dtypes.
            Overtaken: the number is taken; nothing was written.
            OperationError: the store failed.
        """
        series, number = turn or (None, 0)

        def is_next(handle: Any) -> None:
            newest = handle.transaction_version(series.app_id) if series is not None else None
            if newest is not None and newest >= number:
                raise Overtaken(f"{table.name}: {number} is taken; the newest is {newest}")

        with StagedRows(self, table) as staged:
            staged.add(
                frame, [slice_of_row(table, row) for row in frame.select(table.partition_by).unique().to_dicts()]
            )
            # of two commits with the same application transaction Delta accepts the first; the other is retried
            return staged.append([turn] if turn else [], metadata, is_next)

    def newest_turn(self, table: Table, series: Slice) -> int:
        """Return the number of the series' newest entry (`append`); 0 if there is none."""
        return self.data_version(table, series) or 0
