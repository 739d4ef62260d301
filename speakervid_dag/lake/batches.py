"""Batches: the files of each ingestion batch, and detecting files that the lake already has.

Belongs here: content identity, batch manifests. Does not belong here: walking folders (walk.py), opening a container,
Dagster, finding a video's file again (sources.py).

A manifest is one JSON file, written to a temporary file and renamed. It lists a batch's files and where they were last
seen; a changed place makes nothing stale. Several processes may ingest the same folder at once: a file is enlisted in
one batch (`BatchBook.enlist`), only one process changes a manifest at a time, and only one runs a batch
(`BatchBook.claim`). All three use locks of the operating system, which are released when a process is killed.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from speakervid_dag.failures import OperationError, UserError
from speakervid_dag.files import sha256_of, write_bytes
from speakervid_dag.lake.schemas import TAKEDOWNS
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.lake.walk import Walk, walk

NAME = re.compile(r"b\d+")  # name of a batch


@dataclass(frozen=True)
class Place:
    """Place where a file was seen, with its modification time then (ns since the epoch); None: not checked.

    `name`: name of the link through which it was found, if any.
    """

    uri: str
    mtime_ns: int | None = None
    name: str | None = field(default=None, compare=False)


@dataclass(frozen=True)
class SourceFile:
    """One file of a batch: its content, and the places where it was seen, latest first.

    `sha256` is None for anything but a regular file (a link, a pipe). It is never read; its place is its identity.
    """

    places: tuple[Place, ...]
    size_bytes: int | None
    sha256: str | None

    @property
    def uris(self) -> tuple[str, ...]:
        return tuple(place.uri for place in self.places)

    @property
    def video_id(self) -> str:
        """Return 'v' + 16 hex digits of the SHA-256 of the content, or of the place if there is no content to read."""
        return "v" + (self.sha256 or hashlib.sha256(os.fsencode(self.uris[0])).hexdigest())[:16]

    @property
    def names(self) -> set[str]:
        """Return the names of the file and of all links to it, in every place."""
        return {Path(uri).name for uri in self.uris} | {place.name for place in self.places if place.name is not None}

    @property
    def name(self) -> str:
        name = self.places[0].name or Path(self.uris[0]).name
        return os.fsencode(name).decode("utf-8", "backslashreplace")

    @property
    def other_names(self) -> list[str]:
        """Return the names of the other files with this content, as they may be printed."""
        names = [place.name or Path(place.uri).name for place in self.places[1:]]
        return [os.fsencode(name).decode("utf-8", "backslashreplace") for name in names]

    def seen_at(self, *places: Place) -> "SourceFile":
        """Return the file with these as its latest places."""
        fresh = {place.uri for place in places}
        return replace(self, places=(*places, *(place for place in self.places if place.uri not in fresh)))


Renewed = Mapping[str, Mapping[str, tuple[Place, ...]]]  # batch → video_id → places


@dataclass(frozen=True)
class Plan:
    """Plan of a run for the paths it was given. The batches' names are final once they are enlisted.

    Args:
        known: uri → batch that already has this content.
        renewed: new places of known files, and places of files that had been given up.
        unread: file or folder → why it could not be read. It is not ingested; the next run tries again.
        forgotten: uris of content that was taken down and stays out.
        found: result of the walk.
    """

    batches: dict[str, list[SourceFile]]
    known: dict[str, str] = field(default_factory=dict)
    renewed: Renewed = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    forgotten: tuple[str, ...] = ()
    found: Walk = field(default_factory=Walk)


class BatchBook:
    """The manifests under `<lake>/batches`."""

    def __init__(self, lake_dir: Path) -> None:
        self.lake_dir = lake_dir
        self.folder = lake_dir / "batches"

    def names(self) -> list[str]:
        return sorted(p.stem for p in self.folder.glob("b*.json") if NAME.fullmatch(p.stem))

    def strangers(self) -> list[Path]:
        """Return files in the folder of manifests that are not manifests (copies of sync tools, for example)."""
        return sorted(p for p in self.folder.glob("[!.]*") if p.suffix != ".json" or not NAME.fullmatch(p.stem))

    def read(self, batch: str) -> list[SourceFile]:
        """Return the batch's files.

        Raises:
            UserError: there is no such batch.
            OperationError: its manifest is damaged.
        """
        return [_file_of(row) for row in self._body(batch)["sources"]]

    def called(self, what: str) -> list[tuple[str, SourceFile]]:
        """Return batch and file of the videos with this id or path, or else with this file name."""
        place = os.path.abspath(what)  # noqa: PTH100 - as `walk` records it: without `..`, with symbolic links
        entries = [(batch, file) for batch in self.names() for file in self.read(batch)]
        exact = [e for e in entries if what == e[1].video_id or what in e[1].uris or place in e[1].uris]
        return exact or [e for e in entries if what in e[1].names]

    def digest(self, batch: str) -> str:
        """Return the hex SHA-256 of the batch's content.

        Forgetting a file, or seeing it in another place, does not change it; giving a file up does.
        """
        body = self._body(batch)
        made_of, given_up = str(body["made_of"]), "\n".join(sorted(body["given_up"]))
        return hashlib.sha256(f"{made_of}\n{given_up}".encode()).hexdigest() if given_up else made_of

    def given_up(self, batch: str) -> frozenset[str]:
        """Return the video_ids whose files are missing and whose loss a user has accepted."""
        return frozenset(self._body(batch)["given_up"])

    def write(self, batch: str, files: Sequence[SourceFile]) -> None:
        self._store({"batch": batch, "sources": [asdict(f) for f in files], "made_of": _made_of(files)})

    def enlist(self, plan: Plan) -> Plan:
        """Write the plan's manifests and new places, and return the plan as written.

        Batches get the next free names. Files that another process has enlisted meanwhile become `known`.
        """
        if not plan.batches and not plan.renewed:
            return plan
        with self._lock("enlist"):
            by_id = self._index().by_id
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
            for batch, places in plan.renewed.items():
                self._renew(batch, places)
        return replace(plan, batches=written, known={**plan.known, **known})

    @contextmanager
    def claim(self, batch: str, *, wait: bool) -> Iterator[bool]:
        """Lock the batch for this process, and yield whether that succeeded; with `wait`, wait until it does."""
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

    def forget(self, batch: str, video_ids: Set[str]) -> None:
        """Remove files and their places from the batch's manifest; the batch's digest does not change."""
        with self._changing(batch) as body:
            body["sources"] = [row for row in body["sources"] if _file_of(row).video_id not in video_ids]

    def give_up(self, batch: str, video_ids: Set[str]) -> None:
        """Record that these files are lost for good: the batch is recomputed without them."""
        with self._changing(batch) as body:
            body["given_up"] = sorted({*body["given_up"], *video_ids})

    def take_back(self, batch: str, video_ids: Set[str]) -> None:
        """Record that files that were given up are available again: the batch is recomputed with them."""
        with self._changing(batch) as body:
            body["given_up"] = sorted(set(body["given_up"]) - video_ids)

    def plan(
        self,
        paths: Iterable[Path],
        *,
        batch_size: int,
        limit: int | None = None,
        follow_links: bool = False,
        takes: Callable[[Path], bool] = lambda _: True,
        report: Callable[[str], None] = lambda _: None,
    ) -> Plan:
        """Find new files under `paths` and group them into batches; nothing is written.

        Folders are walked (`walk`). Two files with the same content are one file with two places. Content of an earlier
        batch is `known`, content that was taken down is `forgotten`.

        Args:
            follow_links: see `walk`.
            takes: returns whether a file is taken now; others are left for a later run.
        """
        found = walk(paths, follow_links=follow_links)
        index = self._index()
        taken_down = set(DeltaLake(str(self.lake_dir)).read(TAKEDOWNS)["video_id"])
        known: dict[str, str] = {}
        renewed: dict[str, dict[str, tuple[Place, ...]]] = {}
        unread = {str(path): why for path, why in found.unread.items()}
        fresh: dict[str, SourceFile] = {}
        forgotten: list[str] = []
        for path in filter(takes, found.taken):
            try:
                file = _stat(path, found.names.get(path))
                (place,) = file.places
                video_id = index.by_place.get((place, file.size_bytes))
                if video_id is None:
                    report(path.name)
                    file = _hashed(file)
            except OSError as problem:
                unread[str(path)] = problem.strerror or str(problem)
                continue
            is_renewed = (video_id is None and file.sha256 is not None) or video_id in index.given_up
            video_id = video_id or file.video_id
            if video_id in taken_down:
                forgotten.append(place.uri)
            elif video_id in index.by_id:
                batch = known[place.uri] = index.by_id[video_id]
                if is_renewed:
                    places = renewed.setdefault(batch, {})
                    places[video_id] = (*places.get(video_id, ()), place)
            else:
                twin = fresh.get(video_id)
                fresh[video_id] = file if twin is None else replace(twin, places=(*twin.places, place))
        chosen = list(fresh.values())[:limit]
        groups = [chosen[i : i + batch_size] for i in range(0, len(chosen), batch_size)]
        return Plan(self._named(groups), known, renewed, unread, tuple(forgotten), found)

    def _renew(self, batch: str, places: Mapping[str, tuple[Place, ...]]) -> None:
        body = self._body(batch)
        files = [_file_of(row) for row in body["sources"]]
        body["sources"] = [asdict(f.seen_at(*places.get(f.video_id, ()))) for f in files]
        body["given_up"] = sorted(set(body["given_up"]) - places.keys())
        self._store(body)

    @contextmanager
    def _changing(self, batch: str) -> Iterator[dict[str, Any]]:
        """Yield the manifest's body and store it on leaving; its record of the batch's content is kept."""
        with self._lock("enlist"):
            body = self._body(batch)
            yield body
            self._store(body)

    def _body(self, batch: str) -> dict[str, Any]:
        path = self.folder / f"{batch}.json"
        if not path.is_file():
            raise UserError(f"there is no batch {batch}; known are {', '.join(self.names()) or 'none'}")
        try:
            body: dict[str, Any] = json.loads(path.read_bytes())
            is_whole = body["batch"] == batch and all(_file_of(row).places for row in body["sources"])
        except (ValueError, KeyError, TypeError):
            is_whole = False
        if not is_whole:
            asked = f"SELECT source_uri, sha256 FROM videos WHERE batch = '{batch}'"
            raise OperationError(
                f"the manifest {path} is damaged ({path.stat().st_size} bytes): restore it from a backup or from a "
                f"sync tool's copy; published data stays readable, also the list of its files: "
                f'`speakervid sql "{asked}"`'
            )
        # manifests of older packages lack these
        return {"given_up": [], "made_of": _made_of([_file_of(row) for row in body["sources"]]), **body}

    def _store(self, body: dict[str, Any]) -> None:
        write_bytes(self.folder / f"{body['batch']}.json", json.dumps(body, indent=1).encode())

    def _named(self, groups: Sequence[list[SourceFile]]) -> dict[str, list[SourceFile]]:
        """Return the groups by name, under the next free names."""
        first = 1 + max((int(n[1:]) for n in self.names()), default=0)
        return {f"b{first + i:06d}": group for i, group in enumerate(groups)}

    def _lock(self, name: str) -> FileLock:
        self.folder.mkdir(parents=True, exist_ok=True)
        return FileLock(self.folder / f".{name}.lock")

    def _index(self) -> "_Index":
        index = _Index()
        for batch in self.names():
            index.given_up |= self.given_up(batch)
            for file in self.read(batch):
                index.by_id[file.video_id] = batch
                if file.sha256 is not None:
                    index.by_place |= {(place, file.size_bytes): file.video_id for place in file.places}
        return index


@dataclass
class _Index:
    """All enlisted files: batch by video_id, and video_id by place and size."""

    by_id: dict[str, str] = field(default_factory=dict)
    by_place: dict[tuple[Place, int | None], str] = field(default_factory=dict)
    given_up: set[str] = field(default_factory=set)


def _file_of(row: Mapping[str, Any]) -> SourceFile:
    """Return a file from its row in a manifest; packages before 0.2 stored one time for all of its places."""
    if "places" in row:
        places = tuple(Place(**place) for place in row["places"])
    else:
        first, *others = row["uris"]
        places = (Place(first, row["mtime_ns"]), *map(Place, others))
    return SourceFile(places, row["size_bytes"], row["sha256"])


def _made_of(files: Sequence[SourceFile]) -> str:
    told = "\n".join(file.sha256 or file.video_id for file in files)
    return hashlib.sha256(told.encode()).hexdigest()


def _stat(path: Path, name: str | None) -> SourceFile:
    stat = path.lstat()
    return SourceFile((Place(str(path), stat.st_mtime_ns, name),), stat.st_size, None)


def _hashed(file: SourceFile) -> SourceFile:
    """Return the file with its content's hash. Raises OSError."""
    path = Path(file.uris[0])
    if path.is_symlink() or not path.is_file():  # a FIFO or a device must not be read
        return file
    return replace(file, sha256=sha256_of(path))
