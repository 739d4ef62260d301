"""Source files: a video's current path, a place in its batch's manifest that still has exactly its content.

Belongs here: finding that place by content, and the reason if there is none. Does not belong here: what is in a file
(speakervid_dag.media), changing manifests (batches.py).

A file whose size and time are unchanged is trusted; any other is hashed. So a file that was copied back, touched, or
replaced by another of the same size is always recognised correctly.
"""

import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

from speakervid_dag.failures import PermanentFailure
from speakervid_dag.hashing import HashMemory
from speakervid_dag.lake.batches import BatchBook, Place, SourceFile

REASONS = ("missing_file", "changed_file", "unreadable_file")  # why a video's content is not available
HASHES = HashMemory(None)  # hashes of places that changed since their manifest was written, in this process


class Sources:
    """The places of these files. Safe to share between threads."""

    def __init__(self, files: Iterable[SourceFile]) -> None:
        self._files = {file.video_id: file for file in files}

    @classmethod
    def of(cls, book: BatchBook, batches: Sequence[str] | None = None) -> "Sources":
        """Return the files of these batches (None: of all batches)."""
        return cls(file for batch in (book.names() if batches is None else batches) for file in book.read(batch))

    def path(self, video_id: str) -> Path:
        """Return a path with the video's content. Raises PermanentFailure: see `find`."""
        if video_id not in self._files:
            raise PermanentFailure("missing_file", f"no batch of this lake lists {video_id}")
        return find(self._files[video_id])

    def check_read(self, video_id: str, path: Path) -> None:
        """Raise PermanentFailure (changed_file, …) if the file just read is not, or no longer, the video's."""
        if self.path(video_id) != path:
            raise PermanentFailure("changed_file", f"{path} changed while it was being read")

    def absent(self) -> dict[str, PermanentFailure]:
        """Return the reason by video_id for every video whose content is not available."""
        found = {}
        for video_id, file in self._files.items():
            try:
                find(file)
            except PermanentFailure as problem:
                found[video_id] = problem
        return found


def find(file: SourceFile) -> Path:
    """Return the first of a file's places that has its content; of a file that was never read, its place.

    Raises:
        PermanentFailure: missing_file, changed_file (it has other content now), unreadable_file.
    """
    if file.sha256 is None:
        return Path(file.uris[0])
    failures: dict[str, str] = {}
    for place in file.places:
        try:
            if _holds(place, file.size_bytes, file.sha256):
                return Path(place.uri)
            failures.setdefault("changed_file", f"{place.uri} has other content now")
        except (FileNotFoundError, NotADirectoryError):
            failures.setdefault("missing_file", f"{place.uri} does not exist")
        except OSError as problem:
            failures.setdefault("unreadable_file", f"{place.uri} cannot be read: {problem.strerror}")
    reason = next(r for r in ("changed_file", "unreadable_file", "missing_file") if r in failures)
    raise PermanentFailure(reason, failures[reason])


def _holds(place: Place, size_bytes: int | None, sha256: str) -> bool:
    """Return whether the place has this content. Raises OSError."""
    now = Path(place.uri).lstat()
    if not stat.S_ISREG(now.st_mode) or now.st_size != size_bytes:
        return False
    return now.st_mtime_ns == place.mtime_ns or HASHES.sha256(Path(place.uri)) == sha256
