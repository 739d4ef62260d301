"""Commits to Delta tables: one at a time, on disk before it is reported; checkpoints; removal of old log entries.

Belongs here: calls to deltalake that change a table. Does not belong here: choosing the rows (staging.py, delta.py),
deciding when a table needs upkeep (upkeep/maintenance.py), audits.
"""

import hashlib
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from speakervid_dag.failures import OperationError, TransientFailure
from speakervid_dag.files import sync_files
from speakervid_dag.lake.schemas import Table
from speakervid_dag.lake.storage import log
from speakervid_dag.lake.storage.slices import Slice
from speakervid_dag.lake.storage.tables import DeltaTables

MAX_COMMIT_RETRIES = 100  # with the default of 15, 8 writers lost 3 of 200 commits
NEWEST_COMMITS = 50  # commits that a write searches for its own
LIKELY_COMMITS = 3  # commits searched first: it is usually among them
CONFLICT_ATTEMPTS = 8  # attempts of a whole write when two writers replace the same partition


@dataclass(frozen=True)
class ChangingTables(DeltaTables):
    """The Delta tables of one lake, with the operations that change them."""

    def commit(
        self,
        table: Table,
        write: Callable[[Any, dict[str, Any]], None],
        parts: Sequence[tuple[Slice, int]],
        metadata: Mapping[str, str],
    ) -> int:
        """Run `write(handle, options)` on the newest version until its commit succeeds; return the commit's version.

        The commit carries `metadata` and the data versions of `parts`. The commit and the log before it are on disk
        when this returns; the caller must have synced the data files.

        Raises:
            TransientFailure: other writers kept changing the slices.
            OperationError: the store failed.
        """
        from deltalake import CommitProperties, Transaction
        from deltalake.exceptions import CommitFailedError, DeltaError

        # a random token distinguishes this write from others of the same run
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
        likely = (handle.version() + 1, handle.version())  # delta-rs does not update the handle
        landed = next((v for v in likely if self._is_of(table, v, token)), None) or self._landed(handle, token)
        if landed is None:
            raise OperationError(f"writing {table.name} reported success but its commit is not in the history")
        self._sync_log(table, landed)
        return landed

    def change(self, table: Table, change: Callable[[Any, dict[str, Any]], object], run_id: str) -> None:
        """Change a table by a method of delta-rs: call `change(DeltaTable, options)`, with the method's `options`.

        What it wrote (the log, and the files of recent commits) is on disk when this returns.

        Raises:
            OperationError: the store failed, or another process wrote meanwhile.
        """
        from deltalake import CommitProperties
        from deltalake.exceptions import DeltaError

        options = options_of(CommitProperties({"run_id": run_id}, MAX_COMMIT_RETRIES))
        try:
            with self.writing(table):
                change(self._newest(table), options)
                self._sync(table)
        except DeltaError as problem:
            raise OperationError(f"{table.name} could not be changed; rerun the command: {problem}") from problem

    def write_checkpoint(self, table: Table, version: int | None = None) -> None:
        """Write the checkpoint of one version (None: the latest), so that it can be opened without the earlier log.

        The checkpoint is on disk when this returns.

        Raises:
            OperationError: the store failed.
        """
        from deltalake.exceptions import DeltaError

        try:
            with self.writing(table):
                handle: Any = self.open(table, version)
                handle.create_checkpoint()
                folder = self.log_folder(table)
                if folder is not None:
                    self._sync(table)
                    log.sync_checkpoint(folder, handle.version())
        except DeltaError as problem:
            raise OperationError(f"the checkpoint of {table.name} could not be written: {problem}") from problem

    def drop_old_log(self, table: Table, oldest: int) -> None:
        """Remove log entries that are past the table's retention and that no version from `oldest` on needs.

        delta-rs keeps only what the newest checkpoint needs. A checkpoint later than `oldest` would leave that version
        unreadable, so one is written for `oldest` first.

        Raises:
            OperationError: the store failed.
        """
        from deltalake.exceptions import DeltaError

        self.write_checkpoint(table, oldest)
        try:
            with self.writing(table):
                self.open(table, oldest).cleanup_metadata()  # type: ignore[attr-defined]
        except DeltaError as problem:
            raise OperationError(f"the old log of {table.name} could not be removed: {problem}") from problem
        if self.version(table) != oldest:
            self.write_checkpoint(table)

    def _sync(self, table: Table) -> None:
        """Sync what delta-rs has written: the files of recent commits, and the log."""
        folder = self.log_folder(table)
        if folder is None:
            return
        version = self._newest(table).version()
        entries = log.unsynced(folder, version)
        sync_files(log.added_files(folder, entries), folder.parent)
        log.sync(folder, version)

    def _sync_log(self, table: Table, version: int) -> None:
        folder = self.log_folder(table)
        if folder is not None:
            log.sync(folder, version)

    def _up_to_date(self, table: Table) -> Any:
        """Return the DeltaTable for writing.

        A table of an older package that lacks columns is rewritten once, with nulls in them, so that all files of a
        version have the same columns. Data versions are kept.

        Raises:
            OperationError: the store failed.
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
        self._sync(table)
        return self._newest(table)

    def _is_of(self, table: Table, version: int, token: str) -> bool:
        """Return whether the log entry of this version has the write's token; False in an object store."""
        folder = self.log_folder(table)
        entry = None if folder is None else folder / f"{version:020d}.json"
        return entry is not None and entry.is_file() and token in entry.read_text(encoding="utf-8")

    def _landed(self, handle: Any, token: str) -> int | None:
        """Return the version of the commit with this write's token, if it is among the newest ones.

        `history` lists the store's newest commits but counts versions down from the one it had loaded. A commit in
        between shifts them, so the result is used only if nothing was committed meanwhile. The handle is updated to the
        newest version: a tenth of the cost of opening a table of 1,000 batches.
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


def options_of(properties: Any) -> dict[str, Any]:
    """Return delta-rs's options of a commit: write a checkpoint when one is due, leave old log to `drop_old_log`."""
    from deltalake import PostCommitHookProperties

    hooks = PostCommitHookProperties(create_checkpoint=True, cleanup_expired_logs=False)
    return {"commit_properties": properties, "post_commithook_properties": hooks}


def _is_conflict(problem: Exception) -> bool:
    return "concurrent" in str(problem).lower() or "conflict" in str(problem).lower()
