"""Where a video's bytes are now: a place in its batch's manifest that still holds exactly them.

Belongs here: finding that place by content, and saying why there is none. Does not belong here: what is in a file
(speakervid_dag.media), changing manifests (batches.py).

A place whose size and time are as they were is taken at its word; any other is hashed. So a file that was copied back,
touched, or replaced by another of the same size is never mistaken.
"""

import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

from speakervid_dag.failures import PermanentFailure
from speakervid_dag.hashing import HashMemory
from speakervid_dag.lake.batches import BatchBook, Place, SourceFile

REASONS = ("missing_file", "changed_file", "unreadable_file")  # why bytes are not at hand
HASHES = HashMemory(None)  # of places that are newer than their manifest, in this process


class Sources:
    """The places of these files. Safe to share between threads."""

    def __init__(self, files: Iterable[SourceFile]) -> None:
        self._files = {file.video_id: file for file in files}

    @classmethod
    def of(cls, book: BatchBook, batches: Sequence[str] | None = None) -> "Sources":
        """Return those of these batches; of all batches when None are named."""
        return cls(file for batch in (book.names() if batches is None else batches) for file in book.read(batch))

    def path(self, video_id: str) -> Path:
        """Return a path that holds the video's bytes. Raises PermanentFailure: see `find`."""
        if video_id not in self._files:
            raise PermanentFailure("missing_file", f"no batch of this lake lists {video_id}")
        return find(self._files[video_id])

    def check_read(self, video_id: str, path: Path) -> None:
        """Raise PermanentFailure (changed_file, …) when what was just read there is not, or no longer, the video's."""
        if self.path(video_id) != path:
            raise PermanentFailure("changed_file", f"{path} was changed while it was read")

    def absent(self) -> dict[str, PermanentFailure]:
        """Return why, by video_id, for every video whose bytes are not at hand."""
        found = {}
        for video_id, file in self._files.items():
            try:
                find(file)
            except PermanentFailure as problem:
                found[video_id] = problem
        return found


def find(file: SourceFile) -> Path:
    """Return the first of a file's places that holds its bytes; of what was never read, its place.

    Raises:
        PermanentFailure: missing_file, changed_file (other bytes are there now), unreadable_file.
    """
    if file.sha256 is None:
        return Path(file.uris[0])
    failures: dict[str, str] = {}
    for place in file.places:
        try:
            if _holds(place, file.size_bytes, file.sha256):
                return Path(place.uri)
            failures.setdefault("changed_file", f"{place.uri} holds other bytes now")
        except (FileNotFoundError, NotADirectoryError):
            failures.setdefault("missing_file", f"{place.uri} is not there")
        except OSError as problem:
            failures.setdefault("unreadable_file", f"{place.uri} cannot be read: {problem.strerror}")
    reason = next(r for r in ("changed_file", "unreadable_file", "missing_file") if r in failures)
    raise PermanentFailure(reason, failures[reason])


def _holds(place: Place, size_bytes: int | None, sha256: str) -> bool:
    """Whether these bytes are at the place. Raises OSError."""
    now = Path(place.uri).lstat()
    if not stat.S_ISREG(now.st_mode) or now.st_size != size_bytes:
        return False
    return now.st_mtime_ns == place.mtime_ns or HASHES.sha256(Path(place.uri)) == sha256
