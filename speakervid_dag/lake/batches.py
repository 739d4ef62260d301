"""Batches: which files belong to an ingestion batch, and which files the lake knows already.

Belongs here: content identity, batch manifests. Does not belong here: walking folders (walk.py), opening a container,
Dagster, finding a video's bytes again (sources.py).

A manifest is one JSON file, written aside and renamed. It holds what a batch is made of, and where those files were
seen last: places change, and nothing is stale for that. Several processes may take in the same folder at once: a file
is enlisted in one batch (`BatchBook.enlist`), a manifest is changed by one of them at a time, and a batch is run by one
of them (`BatchBook.claim`). All are locks of the operating system, which a killed process gives back.
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

NAME = re.compile(r"b\d+")  # of a batch


@dataclass(frozen=True)
class Place:
    """Where a file was seen, and when it was last written then (ns since the epoch); None: nobody looked.

    `name`: of the link that led to it, if one did.
    """

    uri: str
    mtime_ns: int | None = None
    name: str | None = field(default=None, compare=False)


@dataclass(frozen=True)
class SourceFile:
    """One file of a batch: its content, and the places it was seen at, the latest first.

    `sha256` is None for what is no regular file and is never read (a link, a pipe): its identity is its place.
    """

    places: tuple[Place, ...]
    size_bytes: int | None
    sha256: str | None

    @property
    def uris(self) -> tuple[str, ...]:
        return tuple(place.uri for place in self.places)

    @property
    def video_id(self) -> str:
        """'v' + 16 hex digits of the content's SHA-256; of the place, where there is no content to read."""
        return "v" + (self.sha256 or hashlib.sha256(os.fsencode(self.uris[0])).hexdigest())[:16]

    @property
    def name(self) -> str:
        name = self.places[0].name or Path(self.uris[0]).name
        return os.fsencode(name).decode("utf-8", "backslashreplace")

    def seen_at(self, *places: Place) -> "SourceFile":
        """Return the file with these as its latest places."""
        fresh = {place.uri for place in places}
        return replace(self, places=(*places, *(place for place in self.places if place.uri not in fresh)))


Renewed = Mapping[str, Mapping[str, tuple[Place, ...]]]  # batch → video_id → places


@dataclass(frozen=True)
class Plan:
    """What a run would do with the paths it was given; the batches' names hold once they are enlisted.

    Args:
        known: uri → batch that already holds those bytes.
        renewed: new places of known files, and places of files that had been given up.
        unread: file or folder → why it could not be read. It is no input: the next run looks again.
        forgotten: uris of bytes that were taken down and stay out.
        found: what the paths led to.
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
        """Return files that lie among the manifests and are none: copies of sync tools, say. They are left alone."""
        return sorted(p for p in self.folder.glob("[!.]*") if p.suffix != ".json" or not NAME.fullmatch(p.stem))

    def read(self, batch: str) -> list[SourceFile]:
        """The batch's files.

        Raises:
            UserError: there is no such batch.
            OperationError: its manifest is damaged.
        """
        return [_file_of(row) for row in self._body(batch)["sources"]]

    def digest(self, batch: str) -> str:
        """Return the hex SHA-256 of what the batch is made of.

        A file that is forgotten, or seen in another place, does not change it; one that is given up does.
        """
        body = self._body(batch)
        made_of, given_up = str(body["made_of"]), "\n".join(sorted(body["given_up"]))
        return hashlib.sha256(f"{made_of}\n{given_up}".encode()).hexdigest() if given_up else made_of

    def given_up(self, batch: str) -> frozenset[str]:
        """Return the video_ids whose bytes are gone, and whose loss a person accepted."""
        return frozenset(self._body(batch)["given_up"])

    def write(self, batch: str, files: Sequence[SourceFile]) -> None:
        self._store({"batch": batch, "sources": [asdict(f) for f in files], "made_of": _made_of(files)})

    def enlist(self, plan: Plan) -> Plan:
        """Writes the plan's manifests and new places, and gives the plan as written: under the next free names, without
        the files that another process has enlisted since it was made (those are `known`).
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

    def forget(self, batch: str, video_ids: Set[str]) -> None:
        """Takes files out of the batch's manifest, with their places; the batch's digest stays what it was."""
        with self._changing(batch) as body:
            body["sources"] = [row for row in body["sources"] if _file_of(row).video_id not in video_ids]

    def give_up(self, batch: str, video_ids: Set[str]) -> None:
        """Notes that these files are gone for good: the batch is made anew without them."""
        with self._changing(batch) as body:
            body["given_up"] = sorted({*body["given_up"], *video_ids})

    def take_back(self, batch: str, video_ids: Set[str]) -> None:
        """Notes that files that were given up are there again: the batch is made anew with them."""
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
        """Finds what is new in paths and groups it into batches (nothing is written yet).

        Folders are walked (`walk`). The same bytes twice are one file with two places; bytes of an earlier batch are
        `known`, those that were taken down are `forgotten`.

        Args:
            follow_links: see `walk`.
            takes: whether a file that was found is taken now; one that is not is left for another time.
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
        """The manifest's body, stored as it is left; what the batch was made of stays in it."""
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
                f"the manifest {path} is damaged ({path.stat().st_size} bytes): put it back from a backup, or from "
                f"the copy that a sync tool left; what is published stays readable, the files it named too: "
                f'`speakervid sql "{asked}"`'
            )
        # manifests of older packages lack these
        return {"given_up": [], "made_of": _made_of([_file_of(row) for row in body["sources"]]), **body}

    def _store(self, body: dict[str, Any]) -> None:
        write_bytes(self.folder / f"{body['batch']}.json", json.dumps(body, indent=1).encode())

    def _named(self, groups: Sequence[list[SourceFile]]) -> dict[str, list[SourceFile]]:
        """The groups under the next free names."""
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
    """Every file that is enlisted: its batch by video_id, and its video_id by place and size."""

    by_id: dict[str, str] = field(default_factory=dict)
    by_place: dict[tuple[Place, int | None], str] = field(default_factory=dict)
    given_up: set[str] = field(default_factory=set)


def _file_of(row: Mapping[str, Any]) -> SourceFile:
    """A file from its row in a manifest; packages before 0.2 kept one time for all of its places."""
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
    """The file with its content's hash. Raises OSError."""
    path = Path(file.uris[0])
    if path.is_symlink() or not path.is_file():  # a FIFO or a device must not be read
        return file
    return replace(file, sha256=sha256_of(path))
