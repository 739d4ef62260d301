"""The folder of a release: whether it is free, what it holds and whether that is whole, and how a new one gets there.

Belongs here: --out on disk. Does not belong here: what a release consists of (export, writers), the `releases` table
and manifests (releases).

A release appears whole: it is written beside its place, synced, and renamed. What stands there is never deleted: a
release that a fuller one replaces is set aside under its id.
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

AGAIN = "move the folder away and repeat the command (it is written anew from the clips in the lake)"


@dataclass(frozen=True)
class Held:
    """A release that a folder holds."""

    place: Path
    manifest: Mapping[str, Any]
    digest: str

    @property
    def release_id(self) -> str:
        return releases.id_of(self.digest)


def place_outside(out: Path) -> Path:
    """Return --out as an absolute path. Raises UserError for a place inside a release or a lake's own folders."""
    place = out.expanduser().absolute()
    place = place.resolve() if place.is_symlink() else place  # what a link names can be renamed to, a link cannot
    owner = own_output.owner_of(place.resolve())
    if owner not in (None, place.resolve()):  # itself: it may hold this very release
        raise UserError(f"--out {place} lies in {owner}, which is a lake or a release: give a folder outside it")
    return place


@contextmanager
def claimed(lake_dir: Path, place: Path) -> Iterator[None]:
    """While inside, no other export of this lake writes there. Raises OperationError where one does."""
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
    """Return the release that lies there; None for an empty folder, or none.

    Raises:
        UserError: something else lies there.
        OperationError: its manifest cannot be read as one.
    """
    if not place.exists() or (place.is_dir() and not any(place.iterdir())):
        return None
    path = place / releases.MANIFEST
    if not path.is_file():
        raise UserError(f"{place} is taken: give --out a folder that is not there yet")
    try:
        data = path.read_bytes()
        manifest = json.loads(data)
        releases.requested(manifest)
    except (ValueError, KeyError, TypeError) as problem:
        raise OperationError(f"{path} is damaged: {AGAIN}") from problem
    return Held(place, manifest, hashlib.sha256(data).hexdigest())


def check(found: Held, lake_dir: Path, *, by_hash: bool) -> None:
    """Compare a release's files with its manifest, and that with the lake's copy of it; other files are not looked at.

    Args:
        by_hash: also read every file; else only sizes are compared.

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
    """An empty folder to write to; it goes when something fails. What a killed export left there is begun anew."""
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
    """Takes the mark of half-written output away."""
    (folder / own_output.RELEASE_MARK).unlink()


def sync(folder: Path) -> None:
    """Waits until all that lies in a folder is on disk."""
    found = list(folder.rglob("*"))
    sync_files([path for path in found if path.is_file()], folder)
    sync_folders([path for path in found if path.is_dir()])  # empty ones, too


def set_aside(found: Held) -> Path:
    """Return where a release goes when a fuller one takes its place. Raises UserError where something lies there."""
    target = found.place.with_name(f"{found.place.name}.{found.release_id}")
    if target.exists():
        raise UserError(f"{target} is taken: the release in {found.place} would go there; move it away")
    return target


def put(folder: Path, place: Path) -> None:
    """Renames a written folder to its place, where nothing or an empty folder lies."""
    if place.exists():
        place.rmdir()
    folder.rename(place)
    sync_folders([place.parent])
