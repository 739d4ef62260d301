"""Histories of a lake: what happens to it, what meets its processes, and what must hold after each action.

Belongs here: the rules and invariants of both machines, and the client of the process that does the actions. Does not
belong here: doing them (world.py, reduced.py), the faults (faults.py, power.py).
"""

import hashlib
import json
import random
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from histories import power
from histories.faults import FAULTS
from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

HERE = Path(__file__).resolve().parent
FILMS = 6
LAST_POINT = 150
faults = st.one_of(st.none(), st.tuples(st.sampled_from(FAULTS), st.integers(1, LAST_POINT)))
films = st.integers(0, FILMS - 1)


def body(number: int) -> bytes:
    return f"film {number:03d}".encode()


def video_id(number: int) -> str:
    return "v" + hashlib.sha256(body(number)).hexdigest()[:16]


@dataclass(frozen=True)
class Ended:
    status: int
    said: str
    told: Any


class Processes:
    """The process that forks one for each action, and a folder for histories."""

    def __init__(self, root: Path) -> None:
        self.root, self.count = root, 0
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", str(HERE / "world.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def home(self) -> Path:
        self.count += 1
        home = self.root / f"h{self.count}"
        (home / "films").mkdir(parents=True)
        return home

    def ask(self, home: Path, do: str, *args: Any, fault: tuple[str, int] | None = None, lake: Path) -> Ended:
        """How a process ended that did this. Of a power cut what was not synced is gone then."""
        kind, number = fault or (None, 0)
        before = None
        if kind == "power":
            (home / "journal").unlink(missing_ok=True)
            before = power.Before.of(lake, home / "shadow")
        ended = Ended(**self.tell({"home": str(home), "do": do, "args": args, "fault": kind, "number": number}))
        if before is not None and ended.status == -9 and lake.is_dir():
            for lost in power.cut(before, home / "journal", random.Random(number)):
                note(f"  lost: {lost}")
        note(f"{do} {args} {fault or ''} → {ended.status} {ended.said.strip()[-400:] if ended.status else ''}")
        return ended

    def tell(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


class Machine(RuleBasedStateMachine):
    """What both machines share: films on a disk, a lake that may be moved, and what is known of it."""

    processes: Processes  # set by whoever runs histories

    def __init__(self) -> None:
        super().__init__()
        self.home = self.processes.home()
        self.lake = self.home / "lake"
        self.films: set[int] = set()  # in the folder
        self.published: set[int] = set()  # that readers are known to see
        self.forgotten: set[int] = set()
        self.maybe_forgotten: set[int] = set()  # a forget that was stopped may have come so far
        self.generation = self.seen_generation = 0
        self.snapshot = 0

    def ask(self, do: str, *args: Any, fault: tuple[str, int] | None = None) -> Ended:
        return self.processes.ask(self.home, do, *args, fault=fault, lake=self.lake)

    def put(self, number: int) -> None:
        (self.home / "films" / f"{number}.mp4").write_bytes(body(number))
        self.films.add(number)

    def teardown(self) -> None:
        shutil.rmtree(self.home, ignore_errors=True)


class Reduced(Machine):
    """Three tables, no audits, no Dagster."""

    @initialize()
    def begin(self) -> None:
        self.put(0)
        self.put(1)
        assert self.act("run", 0).status == 0
        self.published = {0, 1}

    def act(self, what: str, *args: Any, fault: tuple[str, int] | None = None) -> Ended:
        return self.ask("reduced", what, str(self.lake), *args, fault=fault)

    @rule(number=films)
    def add(self, number: int) -> None:
        self.put(number)

    @rule(fault=faults)
    def run(self, fault: tuple[str, int] | None) -> None:
        self._ran(self.act("run", self.generation, fault=fault), fault)

    @rule(fault=faults)
    def retier(self, fault: tuple[str, int] | None) -> None:
        self.generation += 1
        self._ran(self.act("run", self.generation, fault=fault), fault)

    def _ran(self, ended: Ended, fault: tuple[str, int] | None) -> None:
        assert ended.status == 0 or fault, f"failed without a fault: {ended.said}"
        if ended.status == 0:
            self.published = self.films - self.forgotten - self.maybe_forgotten
            self.seen_generation = self.generation

    @precondition(lambda self: self.published)
    @rule(chance=st.integers(0, 99), fault=faults)
    def forget(self, chance: int, fault: tuple[str, int] | None) -> None:
        number = sorted(self.published)[chance % len(self.published)]
        ended = self.act("forget", video_id(number), fault=fault)
        self.published.discard(number)
        self.maybe_forgotten.add(number)
        assert ended.status == 0 or fault, f"failed without a fault: {ended.said}"
        if ended.status == 0:
            self.forgotten.add(number)

    @rule(fault=faults)
    def maintain(self, fault: tuple[str, int] | None) -> None:
        ended = self.act("maintain", fault=fault)
        assert ended.status == 0 or fault, f"failed without a fault: {ended.said}"

    @rule()
    def move(self) -> None:
        self.lake = self.lake.rename(self.home / ("lake2" if self.lake.name == "lake" else "lake"))

    @rule()
    def copy(self) -> None:
        """The copy is what goes on."""
        other = self.home / ("lake2" if self.lake.name == "lake" else "lake")
        shutil.copytree(self.lake, other)
        shutil.rmtree(self.lake)
        self.lake = other

    @rule()
    def read(self) -> None:
        ended = self.act("read")
        assert ended.status == 0, ended.said
        counts = set(ended.told.values())
        assert len(counts) == 2 or counts == {0}, ended.told

    @invariant()
    def readers_see_one_snapshot_and_nothing_is_lost(self) -> None:
        ended = self.act("look")
        assert ended.status == 0, f"a reader failed: {ended.said}"
        assert ended.told["snapshot"] >= self.snapshot, "a snapshot that was reported is gone"
        self.snapshot = ended.told["snapshot"]
        if not self.snapshot:
            return
        tables = ended.told["tables"]
        videos = tables["videos"]
        for name, counts in tables.items():
            per_film = 1 if name == "videos" else 4
            assert all(count == per_film for count, _ in counts.values()), f"{name}: {counts}"
            assert {v: told for v, (_, told) in counts.items()} == {v: told for v, (_, told) in videos.items()}
        shown = {number for number in range(FILMS) if video_id(number) in videos}
        assert self.published <= shown, f"lost: {self.published - shown}"
        assert not shown & self.forgotten, "what was forgotten is back"
        generations = {g for _, told in videos.values() for g in told}
        assert generations <= {f"g{self.seen_generation}", *(f"g{g}" for g in range(self.seen_generation, self.generation + 1))}

    def teardown(self) -> None:
        """The fault has gone: one run gives what an undisturbed history has."""
        try:
            for number in self.maybe_forgotten - self.forgotten:
                assert self.act("forget", video_id(number)).status == 0
                self.forgotten.add(number)
            ended = self.act("run", self.generation)
            assert ended.status == 0, ended.said
            found = self.act("look").told["tables"]
            wanted = {video_id(n): [f"g{self.generation}"] for n in self.films - self.forgotten}
            for name, counts in found.items():
                assert {v: told for v, (_, told) in counts.items()} == wanted, f"{name} differs from an undisturbed history"
            self._nothing_of_what_was_forgotten_is_left()
        finally:
            super().teardown()

    def _nothing_of_what_was_forgotten_is_left(self) -> None:
        texts = [path for path in self.lake.rglob("*") if path.is_file()]
        for number in self.forgotten:
            named = video_id(number).encode()
            holding = [p for p in texts if named in p.read_bytes() and "takedowns" not in p.parts]
            assert not holding, f"{video_id(number)} is still in {holding[:3]}"
