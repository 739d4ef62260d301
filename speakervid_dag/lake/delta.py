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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import polars as pl

from speakervid_dag.failures import OperationError, TransientFailure
from speakervid_dag.lake import handles, integrity, log
from speakervid_dag.lake.integrity import FileLost, LostFile
from speakervid_dag.lake.schemas import Table

MAX_COMMIT_RETRIES = 100  # with the default 15, 8 writers lost 3 of 200 commits
NEWEST_COMMITS = 50  # how far back a write looks for its own commit
LIKELY_COMMITS = 3  # where it mostly is
CHECKPOINT_INTERVAL = "20"  # commits; opening a table reads the log entries since the last one (default 100)
CONFLICT_ATTEMPTS = 8  # whole-write repeats when two writers replace the same partition


class SchemaMismatch(OperationError):
    """A frame does not have exactly the table's columns and dtypes."""


class NumberTaken(OperationError):
    """Another writer has added this entry of a numbered log."""


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

    def uri(self, table: Table) -> str:
        return f"{self.root.rstrip('/')}/tables/{table.name}"

    @property
    def _options(self) -> dict[str, str] | None:
        return dict(self.storage_options) or None

    def exists(self, table: Table) -> bool:
        from deltalake import DeltaTable

        folder = self._log_folder(table)
        if folder is None:
            return bool(DeltaTable.is_deltatable(self.uri(table), storage_options=self._options))
        if not folder.is_dir():
            return False
        return handles.held(folder) is not None or bool(DeltaTable.is_deltatable(self.uri(table)))

    def open(self, table: Table, version: int | None = None) -> "object":
        """The deltalake.DeltaTable, created empty first if it is not there (safe against a concurrent first write).

        Raises:
            OperationError: its log is damaged, or holds this version no more.
        """
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError

        if version is None and not self.exists(table):
            if "://" not in self.root:
                Path(self.uri(table)).mkdir(parents=True, exist_ok=True)
            DeltaTable.create(
                self.uri(table),
                schema=table.empty().to_arrow().schema,
                mode="ignore",
                partition_by=list(table.partition_by),
                name=table.name,
                description=table.doc,
                configuration={"delta.checkpointInterval": CHECKPOINT_INTERVAL},
                storage_options=self._options,
            )
        try:
            return DeltaTable(self.uri(table), version=version, storage_options=self._options)
        except DeltaError as problem:
            log_folder = f"{self.uri(table)}/_delta_log"
            raise OperationError(
                f"the log of {table.name} cannot be read, put {log_folder} back from a backup: {problem}"
            ) from problem

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
        return None if "://" in self.root else Path(self.uri(table), "_delta_log")

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
        if "://" in self.root or not self.exists(table):
            return []
        handle = self._newest(table) if version is None else self.open(table, version)
        return integrity.lost_files(handle, Path(self.uri(table)), table, batches)

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
        from deltalake import write_deltalake

        pairs, data = list(parts), frame.to_arrow()
        check_schema(table, frame)
        check_inside(table, frame, [part for part, _ in pairs])
        predicate = " OR ".join(f"({part.predicate})" for part, _ in pairs)

        def write(handle: Any, properties: Any) -> None:
            write_deltalake(handle, data, mode="overwrite", predicate=predicate, **_options_of(properties))

        return Commit(self.commit(table, write, pairs, metadata), frame.height)

    def rewrite(
        self,
        table: Table,
        change: Callable[[pl.DataFrame], pl.DataFrame],
        parts: Sequence[tuple[Slice, int]],
        metadata: Mapping[str, str],
    ) -> Commit:
        """Replaces the rows of `parts` by what `change` makes of them, in one commit.

        A writer who replaces one of the parts meanwhile loses nothing: `change` is asked again, with its rows.

        Raises:
            SchemaMismatch: `change` gave other columns or dtypes, or rows outside the parts.
            TransientFailure: the slices stayed contended.
        """
        from deltalake import write_deltalake

        slices = [part for part, _ in parts]
        inside = pl.any_horizontal(pl.all_horizontal(pl.col(k) == v for k, v in s.values.items()) for s in slices)
        predicate = " OR ".join(f"({part.predicate})" for part in slices)
        count = 0

        def write(handle: Any, properties: Any) -> None:
            nonlocal count
            frame = change(self.read(table, version=handle.version(), where=inside))
            check_schema(table, frame)
            check_inside(table, frame, slices)
            count = frame.height
            write_deltalake(handle, frame.to_arrow(), mode="overwrite", predicate=predicate, **_options_of(properties))

        return Commit(self.commit(table, write, parts, metadata), count)

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
        return self._newest(table)

    def append(
        self, table: Table, frame: pl.DataFrame, metadata: Mapping[str, str], number: int | None = None
    ) -> Commit:
        """Adds rows in one commit (for a log such as `snapshots`; a batch's rows go through `replace`).

        Args:
            number: of this entry, in a log whose entries are numbered upwards: it lands only as the newest one.

        Raises:
            SchemaMismatch: other columns or dtypes.
            NumberTaken: another writer has used this number or a later one; nothing was written.
            OperationError: the store refused.
        """
        from deltalake import write_deltalake

        check_schema(table, frame)
        data = frame.to_arrow()

        def write(handle: Any, properties: Any) -> None:
            newest = handle.transaction_version(ENTRY.app_id)
            if number is not None and newest is not None and newest >= number:
                raise NumberTaken(f"{table.name}: {number} is taken; the newest is {newest}")
            write_deltalake(handle, data, mode="append", **_options_of(properties))

        # of two commits with one application transaction Delta lets the first land: the other comes back to `write`
        mark = [] if number is None else [(ENTRY, number)]
        return Commit(self.commit(table, write, mark, metadata), frame.height)

    def newest_number(self, table: Table) -> int:
        """The largest number that `append` was given for this table; 0 when it never was."""
        return self.fingerprint(table, ENTRY) or 0

    def commit(
        self,
        table: Table,
        write: Callable[[Any, Any], None],
        parts: Sequence[tuple[Slice, int]],
        metadata: Mapping[str, str],
    ) -> int:
        """Runs `write(handle, commit_properties)` on the newest version until its commit has landed; gives its version.

        The commit carries `metadata` and the marks of `parts`.

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
            handle = self._up_to_date(table)
            try:
                write(handle, properties)
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
        return landed

    def history(self, table: Table, version: int) -> list[dict[str, Any]]:
        """Metadata of the commits up to one version that the store still has, newest first."""
        return list(self.open(table, version).history())  # type: ignore[attr-defined]

    def files(self, table: Table, version: int | None = None) -> list[str]:
        """URIs of the Parquet files of one version (None: the latest), sorted; [] when the table was never written."""
        if not self.exists(table):
            return []
        opened: Any = self._newest(table) if version is None else self.open(table, version)
        return sorted(str(u) for u in opened.file_uris())

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


def _options_of(properties: Any) -> dict[str, Any]:
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
    folders = uri.rsplit("/", len(table.partition_by) + 1)[1:-1]
    return Slice({name: unquote(value) for name, _, value in (folder.partition("=") for folder in folders)})


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
