"""Delta tables: creating, opening and reading them, and finding which batches are promoted.

Belongs here: calls to deltalake that read. Does not belong here: those that change a table (commits.py), the meaning
of rows, SQL.

A batch is *promoted* in a table once a commit carries the Delta application transaction `app_id(batch[, profile])`. The
transaction's version is the batch's data version: a hash of the code, settings, weights and inputs that made the rows.
Rows and data version are written in one atomic commit, even if there are no rows, so no second store is needed to know
whether a batch was computed, and from what.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from speakervid_dag.failures import OperationError
from speakervid_dag.files import make_folder, sync_files
from speakervid_dag.lake.schemas import TABLES, Table
from speakervid_dag.lake.storage import handles, integrity, log
from speakervid_dag.lake.storage.integrity import FileLost, LostFile
from speakervid_dag.lake.storage.location import Location
from speakervid_dag.lake.storage.slices import Slice, slice_of

CHECKPOINT_INTERVAL = "20"  # commits; opening a table reads the log entries since the last one (default 100)


@dataclass(frozen=True)
class DeltaTables(Location):
    """The Delta tables of one lake."""

    def exists(self, table: Table) -> bool:
        from deltalake import DeltaTable

        folder = self.log_folder(table)
        if folder is not None and not folder.is_dir():
            return False
        if folder is not None and handles.held(folder) is not None:
            return True
        address, options = self.address(table)
        return bool(DeltaTable.is_deltatable(address, storage_options=options or None))

    def open(self, table: Table, version: int | None = None) -> "object":
        """Return the deltalake.DeltaTable, created empty if it is missing (safe against a concurrent first write).

        Raises:
            OperationError: its log is damaged, or no longer has this version.
        """
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError

        folder = self.log_folder(table)
        if version is None and not self.exists(table):
            self._create(table)
        address, options = self.address(table)
        if folder is None:
            return DeltaTable(address, version=version, storage_options=options or None)
        from speakervid_dag.lake.storage.opened import LocalTable

        try:
            return LocalTable(table, address, options, f"{self.readable_root}/tables/{table.name}", version)
        except DeltaError as problem:
            if not folder.is_dir() or not log.mend(folder):
                raise OperationError(
                    f"the log of {table.name} cannot be read; restore {folder} from a backup: {problem}"
                ) from problem
        return self.open(table, version)

    def _create(self, table: Table) -> None:
        from deltalake import DeltaTable
        from deltalake.exceptions import CommitFailedError

        folder = self.log_folder(table)
        if folder is not None:
            make_folder(folder.parent)
        address, options = self.address(table)
        with self.writing(table):
            try:
                DeltaTable.create(
                    address,
                    schema=table.empty().to_arrow().schema,
                    mode="ignore",
                    partition_by=list(table.partition_by),
                    name=table.name,
                    description=table.doc,
                    configuration={"delta.checkpointInterval": CHECKPOINT_INTERVAL},
                    storage_options=options or None,
                )
            except CommitFailedError:  # another process created it between delta-rs's check and its commit
                if not self.exists(table):
                    raise
        if folder is not None:
            sync_files(log.unsynced(folder, 0), folder.parent)

    def _newest(self, table: Table) -> Any:
        """Return a DeltaTable at the newest version, created if missing. Do not keep it: the next call updates it.

        This thread's cached handle is updated if there is one: a tenth of the time for a table of 1,000 batches.
        """
        from deltalake.exceptions import DeltaError

        folder = self.log_folder(table)
        handle = None if folder is None else handles.held(folder)
        if folder is not None and handle is not None:
            try:
                handle.update_incremental()
                is_there = (folder / f"{handle.version():020d}.json").is_file()
            except DeltaError:
                is_there = False
            if is_there:  # else its log was cleaned up or recreated meanwhile
                return handle
        handle = self.open(table)
        if folder is not None:
            handles.hold(folder, handle)
        return handle

    def _at(self, table: Table, version: int | None) -> Any:
        """Return a DeltaTable at this version (None: the newest) of an existing table. Do not keep or update it."""
        if version is None:
            return self._newest(table)
        folder = self.log_folder(table)
        handle = None if folder is None else handles.held(folder, version)
        if handle is None:
            handle = self.open(table, version)
            if folder is not None:
                handles.hold(folder, handle, is_pinned=True)
        return handle

    def version(self, table: Table) -> int | None:
        """Return the latest version, or None if the table was never written."""
        return int(self._newest(table).version()) if self.exists(table) else None

    def stored_columns(self, table: Table, version: int | None = None) -> set[str]:
        """Return the columns that a version (None: the latest) has on disk. An older package may have written fewer."""
        return {field.name for field in self._at(table, version).schema().fields}

    def data_version(self, table: Table, part: Slice) -> int | None:
        """Return the slice's data version, or None if it was never promoted."""
        if not self.exists(table):
            return None
        found = self._newest(table).transaction_version(part.app_id)
        return None if found is None else int(found)

    def data_versions(self, table: Table, version: int | None = None) -> Callable[[str], int | None]:
        """Return a lookup of data versions by `app_id` at one version (None: the latest): faster for many slices."""
        if not self.exists(table):
            return lambda _: None
        folder = self.log_folder(table)
        at = self._newest(table).version() if version is None else version
        found = None if folder is None else log.transactions(folder, at)
        if found is not None:
            return found.get
        ask: Callable[[str], int | None] = self.open(table, at).transaction_version  # type: ignore[attr-defined]
        return ask

    def read(
        self,
        table: Table,
        *,
        batches: Sequence[str] | None = None,
        version: int | None = None,
        where: pl.Expr | None = None,
        columns: Sequence[str] | None = None,
    ) -> pl.DataFrame:
        """Return rows with exactly the table's schema, or `columns` of it; empty if the table was never written.

        Raises:
            FileLost: one of its files is missing or truncated.
        """
        wanted = pl.Schema({name: table.schema[name] for name in columns or table.schema.names()})
        if not self.exists(table):
            return table.empty().select(wanted.names())
        opened = self._at(table, version)
        scan = pl.scan_delta(opened)  # type: ignore[arg-type]
        if batches is not None:
            scan = scan.filter(pl.col("batch").is_in(list(batches)))
        if where is not None:
            scan = scan.filter(where)
        try:
            known = set(scan.collect_schema().names())
            lacking = [pl.lit(None, dtype=t).alias(n) for n, t in wanted.items() if n not in known]
            return scan.with_columns(lacking).select(wanted.names()).cast(wanted).collect()
        except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException):  # it panics on a truncated file
            self.check_files(table, version, batches)
            raise

    def lost_files(
        self, table: Table, version: int | None = None, batches: Sequence[str] | None = None
    ) -> list[LostFile]:
        """Return missing or truncated files of one version (None: the latest); an object store is not checked."""
        if self.is_remote or not self.exists(table):
            return []
        handle = self._at(table, version)
        return integrity.lost_files(handle, Path(self.uri(table)), table, batches)

    def all_lost_files(self) -> list[tuple[Table, list[LostFile]]]:
        """Return each table's lost files at its latest version, without tables that lost none."""
        found = [(table, self.lost_files(table)) for table in TABLES.values()]
        return [(table, lost) for table, lost in found if lost]

    def check_files(self, table: Table, version: int | None = None, batches: Sequence[str] | None = None) -> None:
        """Raise FileLost if a file of this version is missing or truncated."""
        lost = self.lost_files(table, version, batches)
        if lost:
            raise FileLost(integrity.one_line(table, lost))

    def history(self, table: Table, version: int) -> list[dict[str, Any]]:
        """Return the metadata of the commits up to one version that the log still has, newest first."""
        return list(self._at(table, version).history())

    def files(self, table: Table, version: int | None = None) -> list[str]:
        """Return the sorted paths (URIs in an object store) of the Parquet files of one version (None: the latest).

        Return [] if the table was never written.
        """
        if not self.exists(table):
            return []
        opened: Any = self._at(table, version)
        root = self.readable_root
        return sorted(self.root + uri.removeprefix(root) for uri in opened.file_uris())

    def files_by_slice(self, table: Table, version: int) -> list[tuple[Slice, str]]:
        """Return `files`, each with the partition values in its path."""
        return [(slice_of(table, uri), uri) for uri in self.files(table, version)]

    def batches(self, table: Table) -> list[str]:
        """Return the batches that have rows in the table, sorted."""
        if not self.exists(table):
            return []
        found = {str(p["batch"]) for p in self._newest(table).partitions()}
        return sorted(found)
