"""Cached SHA-256 of files, recomputed only when a file changes.

Belongs here: the cache and its detection of changed files. Does not belong here: the hash that a file should have
(models/registry.py).
"""

import json
import threading
import time
from pathlib import Path

from speakervid_dag.files import sha256_of, write_bytes

RACY_NS = 2_000_000_000  # a file changed this recently could change again without a new timestamp

Seen = tuple[int, int, int, int, str]  # size, mtime ns, ctime ns, inode, SHA-256


class HashMemory:
    """Cache of file hashes by size, times and inode: a file is read again when one of them differs.

    The cache is kept in a JSON file for later processes. Where that cannot be written, each process hashes once. A
    lost, truncated or concurrently written JSON file only costs another hash.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._seen: dict[str, Seen] | None = None
        self._lock = threading.Lock()

    def sha256(self, path: Path, *, afresh: bool = False) -> str:
        """Return the hex SHA-256 of a file; `afresh` bypasses the cache. Raise OSError."""
        with self._lock:
            if self._seen is None:
                self._seen = self._stored()
            before, known = _state(path), self._seen.get(str(path))
        if known is not None and known[:4] == before and not afresh:
            return known[4]
        found = sha256_of(path)  # outside the lock: hashing may take long
        with self._lock:
            self._seen.pop(str(path), None)
            if _state(path) == before and abs(time.time_ns() - max(before[1:3])) >= RACY_NS:
                self._seen[str(path)] = (*before, found)
                if known != self._seen[str(path)]:
                    self._store(path)
        return found

    def _stored(self) -> dict[str, Seen]:
        if self._file is None:
            return {}
        try:
            told = json.loads(self._file.read_bytes())
            return {str(place): (*map(int, seen[:4]), str(seen[4])) for place, seen in told.items()}  # type: ignore[misc]
        except (OSError, ValueError, TypeError, AttributeError, IndexError):
            return {}

    def _store(self, path: Path) -> None:
        """Add one file to the entries that other processes have stored meanwhile; drop files that no longer exist."""
        if self._file is None or self._seen is None:
            return
        merged = {**self._stored(), str(path): self._seen[str(path)]}
        try:
            kept = {place: seen for place, seen in merged.items() if Path(place).exists()}
            write_bytes(self._file, json.dumps(kept, indent=0).encode())
        except OSError:  # a read-only or missing home: only this process remembers
            return


def _state(path: Path) -> tuple[int, int, int, int]:
    told = path.stat()
    return told.st_size, told.st_mtime_ns, told.st_ctime_ns, told.st_ino
