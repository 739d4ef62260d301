"""Files that are either whole or not there: written aside, synced, renamed.

Belongs here: that one way of writing a file, for lake, media and demo alike. Does not belong here: what is in
a file or where it lies.
"""

import hashlib
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_aside(target: Path) -> Iterator[Path]:
    """A path beside `target` to write to; on leaving without an error it is synced and takes the target's place."""
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".tmp-{uuid.uuid4().hex}{target.suffix}")
    try:
        yield aside
        with aside.open("rb") as stream:
            os.fsync(stream.fileno())
        aside.replace(target)
        _sync_folder(target.parent)
    finally:
        aside.unlink(missing_ok=True)


def write_bytes(target: Path, data: bytes) -> None:
    """Atomically replaces `target` by these bytes."""
    with written_aside(target) as aside:
        aside.write_bytes(data)


def sha256_of(path: Path) -> str:
    """Return the hex SHA-256 of a file, read in pieces. Raises OSError."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
