"""The walk: files found under the paths that a user named, files skipped, and why.

Belongs here: listing folders, the sentences about what was skipped. Does not belong here: reading a file, knowing what
the lake already contains (batches.py), recognising own output (own_output.py).

Links are followed only on request. They are resolved here, once: the file that a link points to now is taken, under
the link's name, so that changing the link later has no effect. A folder is listed once, however many links point to
it. A folder that cannot be listed affects only its own files.
"""

import errno
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from speakervid_dag.formats import quantity
from speakervid_dag.lake.own_output import DEMO, LAKE_FILES, LAKE_FOLDERS, is_lake, is_release, owner_of

MEDIA_SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *("mp4", "m4v", "mov", "qt", "mkv", "webm", "avi", "mpg", "mpeg", "mpe", "vob", "ts", "m2ts", "mts", "mxf"),
        *("flv", "f4v", "wmv", "asf", "3gp", "3g2", "ogv", "ogm"),
        *("wav", "mp3", "flac", "m4a", "aac", "ogg", "opus", "wma"),
    )
)  # sound files are taken too, so that they are listed as rejected instead of being skipped silently
SHOWN = 5  # paths named per sentence


@dataclass(frozen=True)
class Walk:
    """Result of a walk. Each file and folder is in one of its fields, hidden ones in none.

    Attributes:
        taken: files, in a stable order.
        names: file taken through a link → the link's name.
        ignored: files in walked folders without a media suffix.
        own_output: lakes and releases that were found and not entered.
        named_output: paths inside own output that were named, and therefore taken.
        linked_folders: links to folders that were not followed.
        repeated: links to files that are already taken under another name.
        unreadable: folders that could not be listed completely, and named paths that could not be reached → why.
        missing: named paths that do not exist.
    """

    taken: tuple[Path, ...] = ()
    names: dict[Path, str] = field(default_factory=dict)
    ignored: tuple[Path, ...] = ()
    own_output: tuple[Path, ...] = ()
    named_output: tuple[Path, ...] = ()
    linked_folders: tuple[Path, ...] = ()
    repeated: tuple[Path, ...] = ()
    unreadable: dict[Path, str] = field(default_factory=dict)
    missing: tuple[Path, ...] = ()

    @property
    def unread(self) -> dict[Path, str]:
        """Return every path that was named, or lies below a named one, and could not be read → why."""
        return {**dict.fromkeys(self.missing, os.strerror(errno.ENOENT)), **self.unreadable}

    def passed_over(self) -> list[str]:
        """Return a sentence per kind of path that was skipped, or taken only because it was named."""
        names = [path.name for path in self.ignored]
        sentences = {
            "Skipped {}: no media suffix.": (names, "file"),
            "Skipped {}: use --follow-links to follow links.": (self.linked_folders, "linked folder"),
            "Skipped {}: their targets are already taken.": ([path.name for path in self.repeated], "link"),
            "Skipped output of this program in {}: name a path inside to take it.": (self.own_output, "folder"),
            "Took {} inside a lake or a release, as named.": (self.named_output, "path"),
        }
        return [text.format(_counted(found, what)) for text, (found, what) in sentences.items() if found]


def not_read(unread: Mapping[str, str]) -> list[str]:
    """Return a sentence about the paths that could not be read, and why; [] if there are none."""
    told = [f"{path}: {why}" for path, why in unread.items()]
    return [f"Could not read {_counted(told, 'path')}."] if told else []


def walk(paths: Iterable[Path], *, follow_links: bool = False) -> Walk:
    """List the files under `paths` in a stable order: named files are taken, named folders are walked.

    In a walked folder only files with a media suffix are taken; hidden files and folders are ignored. A lake or release
    found on the way is not entered. A named lake is entered, but not its own folders.

    Args:
        follow_links: take the files and walk the folders that links point to, wherever they are. Without it, a link to
            a file is taken as a link (nothing opens it), and a link to a folder is skipped.
    """
    walker = _Walker(follow_links)
    for path in paths:
        walker.name(path)
    return walker.result()


class _Walker:
    """A walk in progress; each dict is an ordered set."""

    def __init__(self, follow_links: bool) -> None:
        self._follows = follow_links
        self._listed: set[str] = set()  # real paths of folders, when links are followed
        self._led: dict[Path, Path] = {}  # file taken through a link → the link
        self.taken: dict[Path, None] = {}
        self.names: dict[Path, str] = {}
        self.ignored: dict[Path, None] = {}
        self.own_output: dict[Path, None] = {}
        self.named_output: dict[Path, None] = {}
        self.linked_folders: dict[Path, None] = {}
        self.repeated: dict[Path, None] = {}
        self.unreadable: dict[Path, str] = {}
        self.missing: dict[Path, None] = {}
        self._owner = cache(lambda folder: owner_of(Path(os.path.realpath(folder))))  # thousands of files may be named

    def result(self) -> Walk:
        return Walk(
            taken=tuple(self.taken),
            names=self.names,
            ignored=tuple(p for p in self.ignored if p not in self.taken),
            own_output=tuple(self.own_output),
            named_output=tuple(self.named_output),
            linked_folders=tuple(self.linked_folders),
            repeated=tuple(self.repeated),
            unreadable=self.unreadable,
            missing=tuple(self.missing),
        )

    def name(self, given: Path) -> None:
        """Take a path that was named."""
        path = Path(os.path.abspath(given))  # noqa: PTH100 - symbolic links are kept; the video stage judges them
        try:
            os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            self.missing[given] = None
            return
        except OSError as problem:
            self.unreadable[path] = _why(problem)
            return
        if self._follows and (target := self._target(path)) is not None:
            if target != path and not target.is_dir():
                self._name_by(path, target)
            path = target
        is_folder = os.path.isdir(path)  # noqa: PTH112 - Path.is_dir raises if a link's target cannot be reached
        if self._owner(path if is_folder else path.parent) is not None:
            self.named_output[path] = None
        if not is_folder:
            self.taken[path] = None
        elif is_lake(path):
            self.own_output[path] = None
            self._walk(path, LAKE_FOLDERS | LAKE_FILES | {DEMO})
        else:
            self._walk(path, ())

    def _walk(self, top: Path, not_in_top: Collection[str]) -> None:
        """List `top` and the folders below it; `not_in_top`: names to skip in `top` itself."""
        waiting = [top]
        while waiting:
            folder = waiting.pop()
            if folder != top and (is_lake(folder) or is_release(folder)):
                self.own_output[folder] = None
                continue
            if self._follows and self._is_listed(folder):
                continue
            below = []
            for entry in self._entries(folder):
                path = folder / entry.name
                if folder == top and entry.name in not_in_top:
                    continue
                try:
                    is_folder, is_link = _is_folder(entry), entry.is_symlink()
                except OSError as problem:
                    self.unreadable[path] = _why(problem)
                    continue
                if is_link and self._follows:
                    below += self._followed(path)
                elif not is_folder:
                    kind = self.taken if path.suffix.lower() in MEDIA_SUFFIXES else self.ignored
                    kind[path] = None
                elif is_link:
                    self.linked_folders[path] = None
                else:
                    below.append(path)
            waiting += reversed(below)

    def _followed(self, link: Path) -> list[Path]:
        """Take the target of a link found in a folder; return the target if it is a folder, to be walked."""
        target = self._target(link)
        if target is None:
            return []
        is_folder = target.is_dir()
        owner = self._owner(target if is_folder else target.parent)
        if owner is not None:
            self.own_output[owner] = None
        elif is_folder:
            return [target]
        elif link.suffix.lower() in MEDIA_SUFFIXES:
            self._name_by(link, target)
            self.taken[target] = None
        else:
            self.ignored[link] = None
        return []

    def _name_by(self, link: Path, target: Path) -> None:
        """Name a file after the first link that points to it; record other links as repeated."""
        if target not in self.taken:
            self._led[target] = link
            self.names[target] = link.name
        elif self._led.get(target) != link:
            self.repeated[link] = None

    def _target(self, path: Path) -> Path | None:
        """Return the final target of a link; the path itself if it is not a link; None if the target is missing."""
        try:
            return Path(os.path.realpath(path, strict=True)) if path.is_symlink() else path
        except OSError as problem:
            self.unreadable[path] = f"broken link: {_why(problem)}"
            return None

    def _is_listed(self, folder: Path) -> bool:
        """Return whether the folder was listed before, by any path, and record it as listed."""
        real = os.path.realpath(folder)
        is_known = real in self._listed
        self._listed.add(real)
        return is_known

    def _entries(self, folder: Path) -> list[os.DirEntry[str]]:
        """Return the folder's visible entries by name, as far as they could be read."""
        found = []
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if not entry.name.startswith("."):
                        found.append(entry)
        except OSError as problem:
            self.unreadable[folder] = _why(problem)
        return sorted(found, key=lambda entry: entry.name)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Return whether the entry is a folder, or a link to one."""
    try:
        return entry.is_dir()
    except OSError:
        if entry.is_symlink():  # its target is not accessible
            return False
        raise


def _why(problem: OSError) -> str:
    return problem.strerror or str(problem)


def _counted(found: Sequence[object], what: str) -> str:
    return f"{quantity(len(found), what)} ({_shown(found)})"


def _shown(found: Sequence[object]) -> str:
    """Return the first names on one line, with unprintable characters escaped."""
    names = ["".join(c if c.isprintable() else repr(c)[1:-1] for c in str(each)) for each in found[:SHOWN]]
    return ", ".join(names) + ", …" * (len(found) > SHOWN)
