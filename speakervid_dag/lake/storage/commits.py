"""Changes of Delta tables: one commit at a time, on the disk before it is reported, checkpoints and old log.

Belongs here: calls to deltalake that change a table. Does not belong here: which rows are written (staging.py,
delta.py), when a table needs care (maintenance.py), audits.
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

MAX_COMMIT_RETRIES = 100  # with the default 15, 8 writers lost 3 of 200 commits
NEWEST_COMMITS = 50  # how far back a write looks for its own commit
LIKELY_COMMITS = 3  # where it mostly is
CONFLICT_ATTEMPTS = 8  # repeats of a whole write when two writers replace the same partition


@dataclass(frozen=True)
class ChangingTables(DeltaTables):
    """The Delta tables of one lake, for who changes them."""

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
        likely = (handle.version() + 1, handle.version())  # delta-rs does not move the handle on
        landed = next((v for v in likely if self._is_of(table, v, token)), None) or self._landed(handle, token)
        if landed is None:
            raise OperationError(f"writing {table.name} reported success but its commit is not in the history")
        self._sync_log(table, landed)
        return landed

    def change(self, table: Table, change: Callable[[Any, dict[str, Any]], object], run_id: str) -> None:
        """Lets delta-rs itself change a table, by `change(DeltaTable, options)`; `options` are for its own method.

        What it wrote is on the disk when this returns: the files that commits of late name, and the log.

        Raises:
            OperationError: the store refused, or another process wrote meanwhile.
        """
        from deltalake import CommitProperties
        from deltalake.exceptions import DeltaError

        options = options_of(CommitProperties({"run_id": run_id}, MAX_COMMIT_RETRIES))
        try:
            with self.writing(table):
                change(self._newest(table), options)
                self._sync(table)
        except DeltaError as problem:
            raise OperationError(f"{table.name} could not be changed, repeat the command: {problem}") from problem

    def write_checkpoint(self, table: Table, version: int | None = None) -> None:
        """Writes the checkpoint of one version (None: the latest), from which that version can be opened without the
        log before it. It is on the disk when this returns.

        Raises:
            OperationError: the store refused.
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
        """Removes log entries that are past the table's retention and that no version from `oldest` on needs.

        delta-rs keeps what the newest checkpoint needs, which knows of no snapshot: one made after `oldest` would leave
        that version unreadable.

        Raises:
            OperationError: the store refused.
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
        """Syncs what delta-rs itself has written: the files that commits of late name, and the log."""
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
        self._sync(table)
        return self._newest(table)

    def _is_of(self, table: Table, version: int, token: str) -> bool:
        """Whether the log entry of this version is the write's; in an object store nobody knows without `history`."""
        folder = self.log_folder(table)
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


def options_of(properties: Any) -> dict[str, Any]:
    """A commit writes its checkpoint when one is due; what is past its time in the log is left to `drop_old_log`."""
    from deltalake import PostCommitHookProperties

    hooks = PostCommitHookProperties(create_checkpoint=True, cleanup_expired_logs=False)
    return {"commit_properties": properties, "post_commithook_properties": hooks}


def _is_conflict(problem: Exception) -> bool:
    return "concurrent" in str(problem).lower() or "conflict" in str(problem).lower()
