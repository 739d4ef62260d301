"""Files that are either whole or not there: written aside, synced, renamed.

Belongs here: that one way of writing a file, for lake, media and demo alike, and all syncing: what a power cut must not
take is on the disk before anything relies on it (docs/decisions/0013). Does not belong here: what is in
a file or where it lies.
"""

import hashlib
import os
import uuid
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

SYNCING = 8  # files at a time


@contextmanager
def written_aside(target: Path) -> Iterator[Path]:
    """A path beside `target` to write to; on leaving without an error it is synced and takes the target's place."""
    make_folder(target.parent)
    aside = target.with_name(f".tmp-{uuid.uuid4().hex}{target.suffix}")
    try:
        yield aside
        _sync(aside)
        aside.replace(target)
        _sync(target.parent)
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


def make_folder(folder: Path) -> None:
    """Makes a folder and those above it that lack, each synced into the one that holds it."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for made in reversed(missing):
        _sync(made.parent)


def sync_files(files: Iterable[Path], top: Path) -> None:
    """Syncs files that somebody else wrote below `top`, then the folders on the way to them, `top` among them."""
    told = list(files)
    _sync_all(told)
    sync_folders({folder for path in told for folder in path.parents if folder == top or folder.is_relative_to(top)})


def sync_folders(folders: Iterable[Path]) -> None:
    """Makes last what was renamed, linked or removed in these folders, deepest first; what is gone is passed over."""
    by_depth = sorted((path for path in folders if path.is_dir()), key=lambda path: -len(path.parts))
    for _, level in groupby(by_depth, key=lambda path: len(path.parts)):
        _sync_all(list(level))


def _sync_all(paths: Sequence[Path]) -> None:
    if len(paths) == 1:  # most commits write one file: threads would cost more than they save
        _sync(paths[0])
        return
    with ThreadPoolExecutor(SYNCING) as pool:  # file systems gather what is synced at the same time
        list(pool.map(_sync, paths))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
