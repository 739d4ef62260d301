"""Atomic file writes: to a temporary file, synced, then renamed.

Belongs here: this one way of writing files, for lake, media and demo alike, and all syncing: data that must survive a
power cut is on disk before anything relies on it (docs/decisions/0013). Does not belong here: what files contain or
where they are.
"""

import hashlib
import os
import uuid
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

SYNCING = 8  # files synced at the same time


@contextmanager
def written_aside(target: Path) -> Iterator[Path]:
    """Yield a path beside `target` to write to. On exit without an error it is synced and replaces `target`."""
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
    """Replace `target` atomically with these bytes."""
    with written_aside(target) as aside:
        aside.write_bytes(data)


def sha256_of(path: Path) -> str:
    """Return the hex SHA-256 of a file, read in chunks. Raises OSError."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def make_folder(folder: Path) -> None:
    """Create a folder and its missing parents; each new entry is synced into its parent."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for made in reversed(missing):
        _sync(made.parent)


def sync_files(files: Iterable[Path], top: Path) -> None:
    """Sync files that another library wrote below `top`, then the folders between them and `top`, inclusive."""
    told = list(files)
    _sync_all(told)
    sync_folders({folder for path in told for folder in path.parents if folder == top or folder.is_relative_to(top)})


def sync_folders(folders: Iterable[Path]) -> None:
    """Sync the entries renamed, linked or removed in these folders, deepest first. Missing folders are skipped."""
    by_depth = sorted((path for path in folders if path.is_dir()), key=lambda path: -len(path.parts))
    for _, level in groupby(by_depth, key=lambda path: len(path.parts)):
        _sync_all(list(level))


def _sync_all(paths: Sequence[Path]) -> None:
    if len(paths) == 1:  # most commits write one file; threads would cost more than they save
        _sync(paths[0])
        return
    with ThreadPoolExecutor(SYNCING) as pool:  # file systems batch concurrent syncs
        list(pool.map(_sync, paths))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
