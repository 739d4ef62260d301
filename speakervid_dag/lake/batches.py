"""Batches: which files belong to an ingestion batch, and which files the lake knows already.

Belongs here: scanning paths, content identity, batch manifests. Does not belong here: opening a container, Dagster.

A manifest is one JSON file, written aside and renamed; its files are data for the `videos` asset. Several processes may
take in the same folder at once: a file is enlisted in one batch (`BatchBook.enlist`), and a batch is run by one of them
(`BatchBook.claim`). Both are locks of the operating system, which a killed process gives back.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from speakervid_dag.failures import PermanentFailure, UserError
from speakervid_dag.files import write_bytes
from speakervid_dag.lake.delta import DeltaLake
from speakervid_dag.lake.schemas import TAKEDOWNS

MEDIA_SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *("mp4", "m4v", "mov", "mkv", "webm", "avi", "mpg", "mpeg", "ts", "m2ts", "mts", "flv", "wmv", "3gp", "ogv"),
        *("wav", "mp3", "flac", "m4a", "aac", "ogg", "opus", "wma"),
    )
)  # sound files are taken too: they are listed as rejected rather than passed over in silence
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class SourceFile:
    """One file of a batch; `sha256` is None where the bytes could not be read (`problem` says why)."""

    uris: tuple[str, ...]
    size_bytes: int | None
    mtime_ns: int | None
    sha256: str | None
    problem: str | None = None

    @property
    def video_id(self) -> str:
        """'v' + 16 hex digits of the content's SHA-256; of the place, where there is no content to read."""
        return "v" + (self.sha256 or hashlib.sha256(os.fsencode(self.uris[0])).hexdigest())[:16]

    def check_unchanged(self) -> None:
        """Raises PermanentFailure (changed_file) when the bytes may no longer be those the identity was taken from.

        A file that is gone or was never there is left to whoever opens it.
        """
        now = _stat(Path(self.uris[0]))
        if now.problem is None and (now.size_bytes, now.mtime_ns) != (self.size_bytes, self.mtime_ns):
            told = f"{self.size_bytes} bytes when it was listed, {now.size_bytes} now, or written since: run again"
            raise PermanentFailure("changed_file", told)

    @property
    def name(self) -> str:
        return os.fsencode(Path(self.uris[0]).name).decode("utf-8", "backslashreplace")


@dataclass(frozen=True)
class Plan:
    """What a run would do with the paths it was given; the batches' names hold once they are enlisted."""

    batches: dict[str, list[SourceFile]]
    known: dict[str, str] = field(default_factory=dict)  # uri → batch that already holds those bytes
    ignored: tuple[str, ...] = ()
    forgotten: tuple[str, ...] = ()  # uris of bytes that were taken down and stay out


class BatchBook:
    """The manifests under `<lake>/batches`."""

    def __init__(self, lake_dir: Path) -> None:
        self.lake_dir = lake_dir
        self.folder = lake_dir / "batches"

    def names(self) -> list[str]:
        return sorted(p.stem for p in self.folder.glob("b*.json"))

    def read(self, batch: str) -> list[SourceFile]:
        """The batch's files. Raises UserError when there is no such batch."""
        return [SourceFile(**{**row, "uris": tuple(row["uris"])}) for row in self._body(batch)["sources"]]

    def digest(self, batch: str) -> str:
        """Hex SHA-256 of the files the batch was made of; a file forgotten later does not make the batch stale."""
        kept = self._body(batch).get("made_of")
        return str(kept or hashlib.sha256(repr(self.read(batch)).encode("utf-8", "surrogateescape")).hexdigest())

    def write(self, batch: str, files: Sequence[SourceFile]) -> None:
        self._store({"batch": batch, "sources": [asdict(f) for f in files]})

    def enlist(self, plan: Plan) -> Plan:
        """Writes the plan's manifests, and gives the plan as written: under the next free names, without the files that
        another process has enlisted since it was made (those are `known`).
        """
        if not plan.batches:
            return plan
        with self._lock("enlist"):
            _, by_id = self._index()
            known = {
                uri: by_id[f.video_id]
                for files in plan.batches.values()
                for f in files
                if f.video_id in by_id
                for uri in f.uris
            }
            fresh = [[f for f in files if f.video_id not in by_id] for files in plan.batches.values()]
            written = self._named([files for files in fresh if files])
            for batch, files in written.items():
                self.write(batch, files)
        return replace(plan, batches=written, known={**plan.known, **known})

    @contextmanager
    def claim(self, batch: str, *, wait: bool) -> Iterator[bool]:
        """Whether the batch is this process's to run while inside; with `wait` it is, once no other process has it."""
        lock = self._lock(batch)
        try:
            lock.acquire(blocking=wait)
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def forget(self, batch: str, video_id: str) -> None:
        """Takes a file out of the batch's manifest, with its places; the batch's digest stays what it was."""
        kept = [asdict(f) for f in self.read(batch) if f.video_id != video_id]
        self._store({"batch": batch, "sources": kept, "made_of": self.digest(batch)})

    def _body(self, batch: str) -> dict[str, Any]:
        path = self.folder / f"{batch}.json"
        if not path.is_file():
            raise UserError(f"there is no batch {batch}; known are {', '.join(self.names()) or 'none'}")
        body: dict[str, Any] = json.loads(path.read_text())
        return body

    def _store(self, body: dict[str, Any]) -> None:
        write_bytes(self.folder / f"{body['batch']}.json", json.dumps(body, indent=1).encode())

    def plan(
        self,
        paths: Iterable[Path],
        *,
        batch_size: int,
        limit: int | None = None,
        report: Callable[[str], None] = lambda _: None,
    ) -> Plan:
        """Finds what is new in paths and groups it into batches (nothing is written yet).

        Folders are walked; in them only files with a media suffix are taken, files named directly always are. The same
        bytes twice are one file with two places; bytes of an earlier batch are `known`, those that were taken down
        are `forgotten`.
        """
        found, ignored = scan(paths)
        by_place, by_id = self._index()
        taken_down = set(DeltaLake(str(self.lake_dir)).read(TAKEDOWNS)["video_id"])
        known: dict[str, str] = {}
        fresh: dict[str, SourceFile] = {}
        forgotten: list[str] = []
        for path in found:
            file = _stat(path)
            place = (file.uris[0], file.size_bytes, file.mtime_ns)
            if place in by_place:
                known[file.uris[0]] = by_place[place]
                continue
            report(path.name)
            file = _hashed(file)
            if file.video_id in taken_down:
                forgotten.append(file.uris[0])
                continue
            if file.video_id in by_id:
                known[file.uris[0]] = by_id[file.video_id]
                continue
            twin = fresh.get(file.video_id)
            fresh[file.video_id] = file if twin is None else _with_place(twin, file.uris[0])
        chosen = list(fresh.values())[:limit]
        groups = [chosen[i : i + batch_size] for i in range(0, len(chosen), batch_size)]
        return Plan(self._named(groups), known, tuple(map(str, ignored)), tuple(forgotten))

    def _named(self, groups: Sequence[list[SourceFile]]) -> dict[str, list[SourceFile]]:
        """The groups under the next free names."""
        first = 1 + max((int(n[1:]) for n in self.names()), default=0)
        return {f"b{first + i:06d}": group for i, group in enumerate(groups)}

    def _lock(self, name: str) -> FileLock:
        self.folder.mkdir(parents=True, exist_ok=True)
        return FileLock(self.folder / f".{name}.lock")

    def _index(self) -> tuple[dict[tuple[str, int | None, int | None], str], dict[str, str]]:
        """Batch by place and by video_id of every file that is enlisted."""
        by_place: dict[tuple[str, int | None, int | None], str] = {}
        by_id: dict[str, str] = {}
        for batch in self.names():
            for file in self.read(batch):
                by_place |= {(uri, file.size_bytes, file.mtime_ns): batch for uri in file.uris}
                by_id[file.video_id] = batch
        return by_place, by_id


def scan(paths: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """Files to take and files passed over, both in a stable order; hidden files and folders are not looked at.

    A path that does not exist is kept: it becomes a status row.
    """
    taken: dict[Path, None] = {}
    ignored: list[Path] = []
    for path in paths:
        path = Path(os.path.abspath(path))  # noqa: PTH100 - a symbolic link stays what it is; the video stage judges it
        if not path.is_dir():
            taken[path] = None
            continue
        for folder, names, files in os.walk(path):
            names[:] = sorted(n for n in names if not n.startswith("."))
            for name in sorted(f for f in files if not f.startswith(".")):
                file = Path(folder) / name
                if file.suffix.lower() in MEDIA_SUFFIXES:
                    taken[file] = None
                else:
                    ignored.append(file)
    return list(taken), ignored


def _stat(path: Path) -> SourceFile:
    try:
        stat = path.lstat()
    except OSError as problem:
        return SourceFile((str(path),), None, None, None, problem.strerror or str(problem))
    return SourceFile((str(path),), stat.st_size, stat.st_mtime_ns, None)


def _hashed(file: SourceFile) -> SourceFile:
    path = Path(file.uris[0])
    if file.problem is not None or path.is_symlink() or not path.is_file():  # a FIFO or a device must not be read
        return file
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(CHUNK_BYTES):
                digest.update(chunk)
    except OSError as problem:
        return SourceFile(file.uris, file.size_bytes, file.mtime_ns, None, problem.strerror or str(problem))
    return SourceFile(file.uris, file.size_bytes, file.mtime_ns, digest.hexdigest())


def _with_place(file: SourceFile, uri: str) -> SourceFile:
    return SourceFile((*file.uris, uri), file.size_bytes, file.mtime_ns, file.sha256, file.problem)
