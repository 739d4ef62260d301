"""The folder of a release: checks of what it holds, and placing a new release.

Belongs here: --out on disk. Does not belong here: contents of a release (export, writers), the `releases` table and
manifests (releases).

A release appears complete: it is written beside its place, synced, and renamed. An existing release is never deleted:
if a fuller one replaces it, it is moved aside under its id.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from speakervid_dag.failures import OperationError, UserError
from speakervid_dag.files import sha256_of, sync_files, sync_folders
from speakervid_dag.lake import own_output
from speakervid_dag.lake.artifacts import kept_manifests
from speakervid_dag.release import releases

AGAIN = "move the folder away and rerun the command (the lake's clips are reused)"


@dataclass(frozen=True)
class Held:
    """The release in a folder."""

    place: Path
    manifest: Mapping[str, Any]
    digest: str

    @property
    def release_id(self) -> str:
        return releases.id_of(self.digest)


def place_outside(out: Path) -> Path:
    """Return --out as an absolute path. Raises UserError for a path inside a release or a lake's own folders."""
    place = out.expanduser().absolute()
    place = place.resolve() if place.is_symlink() else place  # a rename may replace a link's target, not the link
    owner = own_output.owner_of(place.resolve())
    if owner not in (None, place.resolve()):  # itself: it may already hold this release
        raise UserError(f"--out {place} is inside {owner}, a lake or a release: give a folder outside it")
    return place


@contextmanager
def claimed(lake_dir: Path, place: Path) -> Iterator[None]:
    """Keep other exports of this lake from writing there. Raises OperationError if one already does."""
    name = hashlib.sha256(os.fsencode(place)).hexdigest()[:16]
    kept_manifests(lake_dir).mkdir(parents=True, exist_ok=True)
    lock = FileLock(kept_manifests(lake_dir) / f".{name}.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout as problem:
        raise OperationError(f"another export is writing {place}: wait for it, or give another --out") from problem
    try:
        yield
    finally:
        lock.release()


def held(place: Path) -> Held | None:
    """Return the release in `place`; None for an empty or missing folder.

    Raises:
        UserError: it holds something else.
        OperationError: its manifest is damaged.
    """
    if not place.exists() or (place.is_dir() and not any(place.iterdir())):
        return None
    path = place / releases.MANIFEST
    if not path.is_file():
        raise UserError(f"{place} is taken: give --out a folder that does not exist")
    try:
        data = path.read_bytes()
        manifest = json.loads(data)
        releases.requested(manifest)
    except (ValueError, KeyError, TypeError) as problem:
        raise OperationError(f"{path} is damaged: {AGAIN}") from problem
    return Held(place, manifest, hashlib.sha256(data).hexdigest())


def check(found: Held, lake_dir: Path, *, by_hash: bool) -> None:
    """Compare a release's files with its manifest, and the manifest with the lake's copy; other files are ignored.

    Args:
        by_hash: also read and hash every file; else only sizes are compared.

    Raises:
        OperationError: names the first file that is missing or differs.
    """
    if not releases.kept_manifest(lake_dir, found.release_id).is_file():
        raise OperationError(f"{found.place / releases.MANIFEST} is not what this lake wrote: {AGAIN}")
    for name, told in sorted(found.manifest["files"].items()):
        path = found.place / name
        if not path.is_file():
            raise OperationError(f"{path} is missing: {AGAIN}")
        if path.stat().st_size != told["size_bytes"]:
            raise OperationError(f"{path} has {path.stat().st_size} bytes instead of {told['size_bytes']}: {AGAIN}")
        if by_hash and sha256_of(path) != told["sha256"]:
            raise OperationError(f"{path} holds other bytes than were written: {AGAIN}")


@contextmanager
def beside(place: Path) -> Iterator[Path]:
    """Yield an empty folder to write to, removed on failure. Leftovers of a killed export are removed first."""
    name = hashlib.sha256(os.fsencode(place.name)).hexdigest()[:16]
    folder = place.with_name(f".speakervid-{name}.partial")
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    own_output.mark(folder, own_output.RELEASE_MARK)
    with ExitStack() as undo:
        undo.callback(shutil.rmtree, folder, ignore_errors=True)
        yield folder
        undo.pop_all()


def unmark(folder: Path) -> None:
    """Remove the mark of unfinished output."""
    (folder / own_output.RELEASE_MARK).unlink()


def sync(folder: Path) -> None:
    """Sync all files in a folder to disk."""
    found = list(folder.rglob("*"))
    sync_files([path for path in found if path.is_file()], folder)
    sync_folders([path for path in found if path.is_dir()])  # empty ones, too


def set_aside(found: Held) -> Path:
    """Return the path for a release that a fuller one replaces. Raises UserError if that path exists."""
    target = found.place.with_name(f"{found.place.name}.{found.release_id}")
    if target.exists():
        raise UserError(f"{target} is taken: the release in {found.place} would be moved there; remove or rename it")
    return target


def put(folder: Path, place: Path) -> None:
    """Rename a written folder to its place, which is free or an empty folder."""
    if place.exists():
        place.rmdir()
    folder.rename(place)
    sync_folders([place.parent])
