"""The walk: which files the paths that a person named lead to, and what is not taken of them, and why.

Belongs here: listing folders, and the sentences that say what was passed over. Does not belong here: reading a file,
knowing what the lake holds already (batches.py), recognising own output (own_output.py).

Links are followed only where that is wanted. They are resolved here, once: what is taken is the file that a link led
to at that moment, under the link's name, so that a link that is turned later changes nothing. A folder is listed once,
however many links lead to it. A folder that cannot be listed costs its own files only.
"""

import errno
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from speakervid_dag.lake.own_output import DEMO, LAKE_FILES, LAKE_FOLDERS, is_lake, is_release, owner_of

MEDIA_SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *("mp4", "m4v", "mov", "qt", "mkv", "webm", "avi", "mpg", "mpeg", "mpe", "vob", "ts", "m2ts", "mts", "mxf"),
        *("flv", "f4v", "wmv", "asf", "3gp", "3g2", "ogv", "ogm"),
        *("wav", "mp3", "flac", "m4a", "aac", "ogg", "opus", "wma"),
    )
)  # sound files are taken too: they are listed as rejected rather than passed over in silence
SHOWN = 5  # paths that a sentence names


@dataclass(frozen=True)
class Walk:
    """What the named paths lead to; each file and folder is in one place of it, hidden ones in none.

    Attributes:
        taken: files, in a stable order.
        names: of files taken through a link, the link's name.
        ignored: files in folders that have no media suffix.
        own_output: lakes and releases that were met, and not walked into.
        named_output: paths inside own output that were named, and therefore taken.
        linked_folders: links to folders that were not followed.
        repeated: links to files that are taken under another name already.
        unreadable: folders that could not be listed (to their end), and named paths that could not be reached → why.
        missing: paths that do not exist, as they were named.
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
        """Whatever was named, or lies below it, and could not be read → why."""
        return {**dict.fromkeys(self.missing, os.strerror(errno.ENOENT)), **self.unreadable}

    def passed_over(self) -> list[str]:
        """Return a sentence per kind of thing that was not taken, or was taken only because it was named."""
        names = [path.name for path in self.ignored]
        sentences = {
            "Passed over {}: no media suffix.": (names, "file"),
            "Passed over {}: links are followed with --follow-links.": (self.linked_folders, "linked folder"),
            "Passed over {}: what they lead to is taken already.": ([path.name for path in self.repeated], "link"),
            "Passed over the output of this program in {}: name a path inside to take it.": (self.own_output, "folder"),
            "Took {} inside a lake or a release, as named.": (self.named_output, "path"),
        }
        return [text.format(_counted(found, what)) for text, (found, what) in sentences.items() if found]


def not_read(unread: Mapping[str, str]) -> list[str]:
    """Return the sentence that says what could not be read, and why; none where everything could."""
    told = [f"{path}: {why}" for path, why in unread.items()]
    return [f"Could not read {_counted(told, 'path')}."] if told else []


def walk(paths: Iterable[Path], *, follow_links: bool = False) -> Walk:
    """List what `paths` lead to, in a stable order: files that are named are taken, folders are walked.

    In a walked folder only files with a media suffix are taken; hidden files and folders are not looked at. A lake or
    a release that is met is not entered. A lake that is named is entered, but not its own folders.

    Args:
        follow_links: take the files and walk the folders that links lead to, wherever they are. Without it a linked
            file is taken as the link that it is (nothing opens it), and a linked folder is passed over.
    """
    walker = _Walker(follow_links)
    for path in paths:
        walker.name(path)
    return walker.result()


class _Walker:
    """A walk that is under way; each dict is an ordered set."""

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
        path = Path(os.path.abspath(given))  # noqa: PTH100 - a symbolic link stays what it is; the video stage judges it
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
        is_folder = os.path.isdir(path)  # noqa: PTH112 - Path.is_dir raises where a link's target cannot be reached
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
        """List `top` and the folders below it; `not_in_top`: names that are passed over in `top` itself."""
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
        """Take what a link that was met leads to; a folder is given back, to be walked."""
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
        """Give a file the name of the first link that leads to it; of others it is told that they were passed over."""
        if target not in self.taken:
            self._led[target] = link
            self.names[target] = link.name
        elif self._led.get(target) != link:
            self.repeated[link] = None

    def _target(self, path: Path) -> Path | None:
        """Return what a link leads to, over any number of links; the path itself where it is none."""
        try:
            return Path(os.path.realpath(path, strict=True)) if path.is_symlink() else path
        except OSError as problem:
            self.unreadable[path] = f"a link to nothing: {_why(problem)}"
            return None

    def _is_listed(self, folder: Path) -> bool:
        """Return whether the folder was listed before, by whatever path; from now on it was."""
        real = os.path.realpath(folder)
        is_known = real in self._listed
        self._listed.add(real)
        return is_known

    def _entries(self, folder: Path) -> list[os.DirEntry[str]]:
        """The folder's entries that are not hidden, by name; as far as they could be read."""
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
        if entry.is_symlink():  # it leads to where one may not look
            return False
        raise


def _why(problem: OSError) -> str:
    return problem.strerror or str(problem)


def _counted(found: Sequence[object], what: str) -> str:
    return f"{len(found)} {what}{'s' * (len(found) > 1)} ({_shown(found)})"


def _shown(found: Sequence[object]) -> str:
    """Return the first of them on one line, whatever is in their names."""
    names = ["".join(c if c.isprintable() else repr(c)[1:-1] for c in str(each)) for each in found[:SHOWN]]
    return ", ".join(names) + ", …" * (len(found) > SHOWN)
