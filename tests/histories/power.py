"""A power cut: what was written below a folder and not synced is gone, or half there.

Belongs here: remembering what was there (`Before`), what was synced (`watched`), and undoing the rest (`cut`). Does not
belong here: when the power goes (faults.py), what must hold afterwards.

The model: a file's bytes are safe once it was synced; a name in a folder (made, renamed, removed) is safe once the
folder was synced after that. What was there when the action began is safe. Everything else is lost, or each change by
itself is kept or lost by chance, and a file whose name was kept and whose bytes were not is empty or cut in half.
SQLite syncs in C, where nobody can watch it: the folders of databases are left as they are.
"""

import json
import os
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

LEFT_ALONE = frozenset({".dagster"})
Listing = dict[str, int]  # name → inode


@contextmanager
def watched(journal: Path) -> Iterator[None]:
    """Inside, this process writes down what it syncs: its inode and size, or of a folder what is in it."""
    told, real = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT), os.fsync

    def fsync(descriptor: int) -> None:
        real(descriptor)
        place = Path(f"/proc/self/fd/{descriptor}").resolve()
        row = listing(place) if place.is_dir() else os.fstat(descriptor).st_size
        os.write(told, (json.dumps([os.fstat(descriptor).st_ino, row]) + "\n").encode())

    os.fsync = fsync
    try:
        yield
    finally:
        os.fsync = real
        os.close(told)


def listing(folder: Path) -> Listing:
    """Return what is in a folder."""
    return {entry.name: entry.inode() for entry in os.scandir(folder)} if folder.is_dir() else {}


@dataclass(frozen=True)
class Before:
    """A folder as it was when an action began: hard links to its files in a shadow beside it."""

    root: Path
    shadow: Path

    @classmethod
    def of(cls, root: Path, shadow: Path) -> "Before":
        """Make the shadow anew. Files are never written in place but in folders that are left alone."""
        shutil.rmtree(shadow, ignore_errors=True)
        shadow.mkdir()
        if root.is_dir():
            for folder, names, files in os.walk(root):
                names[:] = [name for name in names if name not in LEFT_ALONE]
                at = shadow / Path(folder).relative_to(root)
                at.mkdir(exist_ok=True)
                for name in files:
                    (at / name).hardlink_to(Path(folder) / name)
        return cls(root, shadow)


@dataclass
class _Cut:
    before: Before
    chance: random.Random
    kept_share: float
    sizes: dict[int, int] = field(default_factory=dict)  # inode → bytes that are safe
    listings: dict[int, Listing] = field(default_factory=dict)  # inode of a folder → what was in it when it was synced
    paths: dict[int, Path] = field(default_factory=dict)  # inode → where its bytes are now
    lost: list[str] = field(default_factory=list)

    def folder(self, now: Path, then: Path | None, target: Path) -> None:
        """Makes `target` what is left of a folder: `now`, and `then` where it was there before."""
        target.mkdir()
        present = listing(now)
        base = self.listings.get(now.stat().st_ino) if now.is_dir() else None
        if base is None:
            base = listing(then) if then is not None else {}
            base = {name: self._inode_now(now / name, inode) for name, inode in base.items()}
        for name in sorted(base.keys() | present.keys()):
            inode = present.get(name)
            if name in LEFT_ALONE:
                if inode is not None:
                    (now / name).rename(target / name)
                continue
            if base.get(name) != inode and self.chance.random() >= self.kept_share:
                self.lost.append(str(now / name))
                inode = base.get(name)
            if inode is not None:
                self._entry(now / name, then / name if then is not None else None, inode, target / name)

    def _inode_now(self, path: Path, inode: int) -> int:
        """A folder's own inode: that of its shadow is another."""
        return path.stat().st_ino if path.is_dir() else inode

    def _entry(self, now: Path, then: Path | None, inode: int, target: Path) -> None:
        was_there = then if then is not None and then.exists() else None
        if now.is_dir() or (was_there is not None and was_there.is_dir()):
            self.folder(now, was_there, target)
            return
        path = self.paths.get(inode)
        if path is None:
            return  # it was synced under a name, and removed since: nobody can tell its bytes
        safe = self.sizes.get(inode, 0)
        if safe >= path.stat().st_size:
            target.hardlink_to(path)
            return
        data = path.read_bytes()
        torn = self.chance.choice([safe, (safe + len(data)) // 2])
        self.lost.append(f"{now}: {torn} of {len(data)} bytes")
        target.write_bytes(data[:torn])


def cut(before: Before, journal: Path, chance: random.Random) -> list[str]:
    """Leave of the folder what a power cut leaves; return what was lost. Half of the time all that can be is lost."""
    work = _Cut(before, chance, chance.choice([0.0, 0.5]))
    for path in _files(before.root):
        work.paths[path.stat().st_ino] = path
    for path in _files(before.shadow):
        work.paths[path.stat().st_ino] = path
        work.sizes[path.stat().st_ino] = path.stat().st_size
    for line in journal.read_text().splitlines() if journal.exists() else []:
        inode, told = json.loads(line)
        if isinstance(told, dict):
            work.listings[inode] = told
        else:
            work.sizes[inode] = max(told, work.sizes.get(inode, 0))
    aside = before.root.with_name(f"{before.root.name}.left")
    work.folder(before.root, before.shadow, aside)
    shutil.rmtree(before.root)
    aside.rename(before.root)
    return work.lost


def _files(root: Path) -> Iterator[Path]:
    for folder, names, files in os.walk(root):
        names[:] = [name for name in names if name not in LEFT_ALONE]
        yield from (Path(folder) / name for name in files)
