"""Delta tables: create, replace the rows of a batch, read, and ask what is promoted.

Belongs here: calls to deltalake. Does not belong here: what rows mean, audits, SQL, Dagster, replacements larger than
memory (staging.py), care (maintenance.py).

A batch is *promoted* in a table when a commit carried the Delta application transaction `app_id(batch[, profile])`; its
version is the fingerprint of what made the rows (code, settings, weights, inputs). Rows and mark land in one atomic
commit, also when there are no rows, so "was this batch done, and from what?" needs no second store.
"""

import hashlib
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from speakervid_dag import places
from speakervid_dag.failures import OperationError, TransientFailure
from speakervid_dag.files import make_folder, sync_files
from speakervid_dag.lake import handles, integrity, log
from speakervid_dag.lake.integrity import FileLost, LostFile
from speakervid_dag.lake.schemas import TABLES, Table

MAX_COMMIT_RETRIES = 100  # with the default 15, 8 writers lost 3 of 200 commits
NEWEST_COMMITS = 50  # how far back a write looks for its own commit
LIKELY_COMMITS = 3  # where it mostly is
CHECKPOINT_INTERVAL = "20"  # commits; opening a table reads the log entries since the last one (default 100)
CONFLICT_ATTEMPTS = 8  # whole-write repeats when two writers replace the same partition


class SchemaMismatch(OperationError):
    """A frame does not have exactly the table's columns and dtypes."""


class Overtaken(OperationError):
    """Another writer has committed since this commit was decided: look again, decide again."""


@dataclass(frozen=True)
class Slice:
    """The part of a table that a write replaces: values of its partition columns, `batch` always among them."""

    values: Mapping[str, str]

    @property
    def app_id(self) -> str:
        return "/".join(self.values[k] for k in sorted(self.values))

    @property
    def predicate(self) -> str:
        return " AND ".join(f"{k} = '{_quoted(v)}'" for k, v in sorted(self.values.items()))


ENTRY = Slice({"log": "entry"})  # its mark in a numbered log is the newest entry's number


@dataclass(frozen=True)
class Commit:
    """What a write left: the table's version and the number of rows now in the slices."""

    version: int
    row_count: int


@dataclass(frozen=True)
class DeltaLake:
    """The Delta tables under one root (a folder, or an object-store URI with `storage_options`)."""

    root: str
    storage_options: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_remote(self) -> bool:
        return places.is_uri(self.root)

    @property
    def readable_root(self) -> str:
        """The lake's folder as polars and DuckDB take it (`places.plain`); an object store's URI as it is."""
        return self.root if self.is_remote else str(places.plain(Path(self.root).absolute()))

    def uri(self, table: Table) -> str:
        """Return the table's folder, or its URI in an object store."""
        return f"{self.root.rstrip('/')}/tables/{table.name}"

    def address(self, table: Table) -> tuple[str, dict[str, str]]:
        """Return the URI and the storage options under which delta-rs finds the table."""
        if self.is_remote:
            return self.uri(table), dict(self.storage_options)
        return places.delta_address(str(Path(self.root).absolute()), table.name)

    def has_own_store(self, table: Table) -> bool:
        """Return whether delta-rs reaches the table through OpenDAL, since it misreads the folder's path."""
        return not self.is_remote and bool(self.address(table)[1])

    @contextmanager
    def writing(self, table: Table) -> Iterator[None]:
        """Hold the table for a commit, where its store cannot refuse a version that is there already.

        A commit must open the table, or bring it up to date, inside. Of most lakes the store itself sees to it.
        """
        if not self.has_own_store(table):
            yield
            return
        from filelock import FileLock

        folder = Path(self.root, "tables")
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{table.name}.lock", is_singleton=True):
            yield

    def exists(self, table: Table) -> bool:
        from deltalake import DeltaTable

        folder = self._log_folder(table)
        if folder is not None and not folder.is_dir():
            return False
        if folder is not None and handles.held(folder) is not None:
            return True
        address, options = self.address(table)
        return bool(DeltaTable.is_deltatable(address, storage_options=options or None))

    def open(self, table: Table, version: int | None = None) -> "object":
        """The deltalake.DeltaTable, created empty first if it is not there (safe against a concurrent first write).

        Raises:
            OperationError: its log is damaged, or holds this version no more.
        """
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError

        folder = self._log_folder(table)
        if version is None and not self.exists(table):
            self._create(table)
        address, options = self.address(table)
        if folder is None:
            return DeltaTable(address, version=version, storage_options=options or None)
        from speakervid_dag.lake.opened import LocalTable

        try:
            return LocalTable(table, address, options, f"{self.readable_root}/tables/{table.name}", version)
        except DeltaError as problem:
            if not folder.is_dir() or not log.mend(folder):
                raise OperationError(
                    f"the log of {table.name} cannot be read, put {folder} back from a backup: {problem}"
                ) from problem
        return self.open(table, version)

    def _create(self, table: Table) -> None:
        from deltalake import DeltaTable

        folder = self._log_folder(table)
        if folder is not None:
            make_folder(folder.parent)
        address, options = self.address(table)
        with self.writing(table):
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
        if folder is not None:
            sync_files(log.unsynced(folder, 0), folder.parent)

    def _newest(self, table: Table) -> Any:
        """A DeltaTable at the newest version, made if need be; the next call moves it on, so it is not to be kept.

        This thread's handle is brought up to date where it has one: of a table of 1,000 batches in a tenth of the time.
        """
        from deltalake.exceptions import DeltaError

        folder = self._log_folder(table)
        handle = None if folder is None else handles.held(folder)
        if folder is not None and handle is not None:
            try:
                handle.update_incremental()
                is_there = (folder / f"{handle.version():020d}.json").is_file()
            except DeltaError:
                is_there = False
            if is_there:  # else its log was cleaned up, or made anew, meanwhile
                return handle
        handle = self.open(table)
        if folder is not None:
            handles.hold(folder, handle)
        return handle

    def _log_folder(self, table: Table) -> Path | None:
        """Of a table in a local folder."""
        return None if self.is_remote else Path(self.uri(table), "_delta_log")

    def version(self, table: Table) -> int | None:
        """Latest version, or None when the table was never written."""
        return int(self._newest(table).version()) if self.exists(table) else None

    def stored_columns(self, table: Table) -> set[str]:
        """Names of the columns it has on disk: fewer than its schema's where an older package wrote it last."""
        return {field.name for field in self.open(table).schema().fields}  # type: ignore[attr-defined]

    def fingerprint(self, table: Table, part: Slice) -> int | None:
        """What the slice was made from, or None when it was never promoted."""
        if not self.exists(table):
            return None
        found = self._newest(table).transaction_version(part.app_id)
        return None if found is None else int(found)

    def fingerprints(self, table: Table, version: int | None = None) -> Callable[[str], int | None]:
        """The same for every slice, by `app_id`, at one version: for who asks for many."""
        if not self.exists(table):
            return lambda _: None
        handle: Any = self.open(table, version)
        folder = self._log_folder(table)
        found = None if folder is None else log.transactions(folder, handle.version())
        if found is not None:
            return found.get
        ask: Callable[[str], int | None] = handle.transaction_version
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
        """Rows as a frame of exactly the table's schema, or `columns` of it; empty when the table was never written.

        Raises:
            FileLost: one of its files is gone or cut off.
        """
        wanted = pl.Schema({name: table.schema[name] for name in columns or table.schema.names()})
        if not self.exists(table):
            return table.empty().select(wanted.names())
        opened = self._newest(table) if version is None else self.open(table, version)
        scan = pl.scan_delta(opened)  # type: ignore[arg-type]
        if batches is not None:
            scan = scan.filter(pl.col("batch").is_in(list(batches)))
        if where is not None:
            scan = scan.filter(where)
        try:
            known = set(scan.collect_schema().names())
            lacking = [pl.lit(None, dtype=t).alias(n) for n, t in wanted.items() if n not in known]
            return scan.with_columns(lacking).select(wanted.names()).cast(wanted).collect()
        except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException):  # it panics at a file cut off
            self.check_files(table, version, batches)
            raise

    def lost_files(
        self, table: Table, version: int | None = None, batches: Sequence[str] | None = None
    ) -> list[LostFile]:
        """Files of one version (None: the latest) that are gone or cut off; none is looked for in an object store."""
        if self.is_remote or not self.exists(table):
            return []
        handle = self._newest(table) if version is None else self.open(table, version)
        return integrity.lost_files(handle, Path(self.uri(table)), table, batches)

    def all_lost_files(self) -> list[tuple[Table, list[LostFile]]]:
        """The same of every table's latest version; tables of which nothing is lost are left out."""
        found = [(table, self.lost_files(table)) for table in TABLES.values()]
        return [(table, lost) for table, lost in found if lost]

    def check_files(self, table: Table, version: int | None = None, batches: Sequence[str] | None = None) -> None:
        """Raises FileLost when a file of this version is gone or cut off."""
        lost = self.lost_files(table, version, batches)
        if lost:
            raise FileLost(integrity.one_line(table, lost))

    def replace(
        self, table: Table, frame: pl.DataFrame, parts: Sequence[tuple[Slice, int]], metadata: Mapping[str, str]
    ) -> Commit:
        """Replaces exactly the rows of `parts` by `frame`, in one commit.

        Args:
            parts: each slice with the fingerprint of what made it.
            metadata: goes into the commit (`run_id` is used to recognise a commit that raised after it had landed).

        Raises:
            SchemaMismatch: other columns or dtypes (nothing is cast silently), or rows outside the parts.
            TransientFailure: the slice stayed contended.
        """
        from speakervid_dag.lake.staging import StagedRows  # it needs this module

        with StagedRows(self, table) as staged:
            staged.add(frame, [part for part, _ in parts])
            return staged.land(parts, metadata)

    def rewrite(
        self,
        table: Table,
        change: Callable[[pl.DataFrame], pl.DataFrame],
        parts: Sequence[tuple[Slice, int]],
        metadata: Mapping[str, str],
    ) -> Commit:
        """Replaces the rows of `parts` by what `change` makes of them, in one commit.

        A writer who commits meanwhile loses nothing: `change` is asked again, with its rows.

        Raises:
            SchemaMismatch: `change` gave other columns or dtypes, or rows outside the parts.
            TransientFailure: others kept committing.
        """
        from speakervid_dag.lake.staging import StagedRows  # it needs this module

        slices = [part for part, _ in parts]
        inside = pl.any_horizontal(pl.all_horizontal(pl.col(k) == v for k, v in s.values.items()) for s in slices)
        for attempt in range(CONFLICT_ATTEMPTS):
            version = self.version(table)
            with StagedRows(self, table) as staged:
                staged.add(change(self.read(table, version=version, where=inside)), slices)
                try:
                    return staged.land(parts, metadata, after=version)
                except Overtaken:
                    time.sleep(random.uniform(0.05, 0.2) * 2**attempt)
        raise TransientFailure("write_conflict", f"{table.name}: others kept committing")

    def _up_to_date(self, table: Table) -> Any:
        """The DeltaTable for writing. One that lacks columns of its schema, made by an older package, is rewritten once
        with null in them: all files of a version agree, and its marks stay.

        Raises:
            OperationError: the store refused.
        """
        from deltalake import write_deltalake
        from deltalake.exceptions import DeltaError

        handle = self._newest(table)
        if set(table.schema) <= {field.name for field in handle.schema().fields}:
            return handle
        try:
            write_deltalake(handle, self.read(table).to_arrow(), mode="overwrite", schema_mode="overwrite")
        except (DeltaError, OSError) as problem:
            raise OperationError(f"adding the new columns of {table.name} failed: {problem}") from problem
        self.sync(table)
        return self._newest(table)

    def append(
        self,
        table: Table,
        frame: pl.DataFrame,
        metadata: Mapping[str, str],
        turn: tuple[Slice, int] | None = None,
    ) -> Commit:
        """Adds rows in one commit (for a log such as `snapshots`; a batch's rows go through `replace`).

        Args:
            turn: a series (any names and values) and the number of this entry in it: the rows were decided from what
                the table held before, and land only while no entry of that number or a later one is there.

        Raises:
            SchemaMismatch: other columns or dtypes.
            Overtaken: there is one; nothing was written.
            OperationError: the store refused.
        """
        from speakervid_dag.lake.staging import StagedRows  # it needs this module

        series, number = turn or (None, 0)

        def is_next(handle: Any) -> None:
            newest = handle.transaction_version(series.app_id) if series is not None else None
            if newest is not None and newest >= number:
                raise Overtaken(f"{table.name}: {number} is taken; the newest is {newest}")

        with StagedRows(self, table) as staged:
            staged.add(
                frame, [slice_of_row(table, row) for row in frame.select(table.partition_by).unique().to_dicts()]
            )
            # of two commits with one application transaction Delta lets the first land: the other is tried anew
            return staged.append([turn] if turn else [], metadata, is_next)

    def newest_turn(self, table: Table, series: Slice) -> int:
        """Return the number of the series' newest turn (`append`); 0 when there was none."""
        return self.fingerprint(table, series) or 0

    def commit(
        self,
        table: Table,
        write: Callable[[Any, dict[str, Any]], None],
        parts: Sequence[tuple[Slice, int]],
        metadata: Mapping[str, str],
    ) -> int:
        """Runs `write(handle, options)` on the newest version until its commit has landed; gives its version.

        The commit carries `metadata` and the marks of `parts`. It is on the disk when this returns, and so is the log
        that it builds on; the files that it names are `write`'s to sync before.

        Raises:
            TransientFailure: the slices stayed contended.
            OperationError: the store refused.
        """
        from deltalake import CommitProperties, Transaction
        from deltalake.exceptions import CommitFailedError, DeltaError

        # a random token tells this very write apart from another by the same run
        token = hashlib.sha256(f"{metadata.get('run_id')}{time.time_ns()}{random.random()}".encode()).hexdigest()[:16]
        properties = CommitProperties(
            custom_metadata={**metadata, "write_token": token},
            max_commit_retries=MAX_COMMIT_RETRIES,
            app_transactions=[Transaction(part.app_id, stamp) for part, stamp in parts],
        )
        for attempt in range(CONFLICT_ATTEMPTS):
            with self.writing(table):
                handle = self._up_to_date(table)
                self._sync_log(table, handle.version())
                try:
                    write(handle, options_of(properties))
                    break
                except (CommitFailedError, DeltaError, OSError) as problem:
                    if self._landed(handle, token) is not None:
                        break
                    if not isinstance(problem, CommitFailedError) and not _is_conflict(problem):
                        raise OperationError(f"writing {table.name} failed: {problem}") from problem
            time.sleep(random.uniform(0.05, 0.2) * 2**attempt)
        else:
            told = [part.app_id for part, _ in parts[:3]]
            raise TransientFailure("write_conflict", f"{table.name}: {told} stayed contended")
        landed = handle.version() if self._is_of(table, handle.version(), token) else self._landed(handle, token)
        if landed is None:
            raise OperationError(f"writing {table.name} reported success but its commit is not in the history")
        self._sync_log(table, landed)
        return landed

    def sync(self, table: Table) -> None:
        """Syncs what delta-rs itself has written: the files that commits of late name, and the log. For changes other
        than `replace` and `append`, whose rows are on the disk before a commit names them."""
        folder = self._log_folder(table)
        if folder is None:
            return
        version = self._newest(table).version()
        entries = log.unsynced(folder, version)
        sync_files(log.added_files(folder, entries), folder.parent)
        log.sync(folder, version)

    def _sync_log(self, table: Table, version: int) -> None:
        folder = self._log_folder(table)
        if folder is not None:
            log.sync(folder, version)

    def history(self, table: Table, version: int) -> list[dict[str, Any]]:
        """Metadata of the commits up to one version that the store still has, newest first."""
        return list(self.open(table, version).history())  # type: ignore[attr-defined]

    def files(self, table: Table, version: int | None = None) -> list[str]:
        """Return the sorted paths of the Parquet files of one version (None: the latest), in an object store the URIs.

        [] when the table was never written.
        """
        if not self.exists(table):
            return []
        opened: Any = self._newest(table) if version is None else self.open(table, version)
        root = self.readable_root
        return sorted(self.root + uri.removeprefix(root) for uri in opened.file_uris())

    def files_by_slice(self, table: Table, version: int) -> list[tuple[Slice, str]]:
        """The same with the partition values that each file's folder says."""
        return [(slice_of(table, uri), uri) for uri in self.files(table, version)]

    def _is_of(self, table: Table, version: int, token: str) -> bool:
        """Whether the log entry of this version is the write's; in an object store nobody knows without `history`."""
        folder = self._log_folder(table)
        entry = None if folder is None else folder / f"{version:020d}.json"
        return entry is not None and entry.is_file() and token in entry.read_text(encoding="utf-8")

    def _landed(self, handle: Any, token: str) -> int | None:
        """The version whose commit carries this write's token, if it is among the newest ones.

        `history` lists the store's newest commits but counts versions down from the one it had loaded: a commit in
        between shifts them, so the answer holds only when nothing was committed meanwhile. The handle moves on to the
        newest version: a tenth of what opening a table of 1,000 batches costs.
        """
        depth = LIKELY_COMMITS
        while True:
            handle.update_incremental()
            loaded = handle.version()
            newest = handle.history(depth)
            found = next((int(e["version"]) for e in newest if e.get("write_token") == token), None)
            handle.update_incremental()
            if found is not None and handle.version() == loaded:
                return found
            if found is None and depth == NEWEST_COMMITS:
                return None
            depth = NEWEST_COMMITS

    def batches(self, table: Table) -> list[str]:
        """Batches that have rows in the table, sorted."""
        if not self.exists(table):
            return []
        found = {str(p["batch"]) for p in self._newest(table).partitions()}
        return sorted(found)


def options_of(properties: Any) -> dict[str, Any]:
    """A commit writes its checkpoint when one is due; looking for log entries past their time is left to `maintain`."""
    from deltalake import PostCommitHookProperties

    hooks = PostCommitHookProperties(create_checkpoint=True, cleanup_expired_logs=False)
    return {"commit_properties": properties, "post_commithook_properties": hooks}


def fingerprint_of(*parts: str) -> int:
    """A positive 63-bit integer that stands for these strings (it fits Delta's transaction version)."""
    digest = hashlib.sha256("\x1f".join(parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def check_schema(table: Table, frame: pl.DataFrame) -> None:
    """Exact columns, order and dtypes; Delta's own merge would cast a wrong type silently."""
    if frame.schema == table.schema:
        return
    wanted, found = dict(table.schema), dict(frame.schema)
    missing, extra = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
    other = [f"{n}: {found[n]} instead of {wanted[n]}" for n in wanted if n in found and found[n] != wanted[n]]
    told = [f"missing {missing}"] * bool(missing) + [f"unknown {extra}"] * bool(extra) + other
    raise SchemaMismatch(f"{table.name}: {'; '.join(told) or 'columns in another order'}")


def slice_of(table: Table, uri: str) -> Slice:
    """Partition values from a file's folders, as Delta and Hive write them: `batch=b000001/profile=laptop`."""
    return Slice(places.partition_values(uri, table.partition_by))


def slice_of_row(table: Table, row: Mapping[str, Any]) -> Slice:
    """The slice that a row belongs to."""
    return Slice({name: str(row[name]) for name in table.partition_by})


def check_inside(table: Table, frame: pl.DataFrame, parts: Sequence[Slice]) -> None:
    """Raises SchemaMismatch for rows outside the slices, or slices that do not name the table's partition columns."""
    names = list(table.partition_by)
    if any(set(part.values) != set(names) for part in parts):
        raise SchemaMismatch(f"{table.name}: a slice must name exactly {names}")
    allowed = {tuple(part.values[n] for n in names) for part in parts}
    stray = [row for row in frame.select(names).unique().iter_rows() if row not in allowed]
    if stray:
        raise SchemaMismatch(f"{table.name}: rows outside what is being replaced: {stray[:3]}")


def _is_conflict(problem: Exception) -> bool:
    return "concurrent" in str(problem).lower() or "conflict" in str(problem).lower()


def _quoted(value: str) -> str:
    return value.replace("'", "''")
