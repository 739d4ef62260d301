"""Histories: films on a disk, a lake that may be moved, the process that acts on it, and what both machines share.

Belongs here: the client of world.py, and what every history knows and checks. Does not belong here: the rules of the
two machines (whole.py, reduced_machine.py), doing what they say (world.py), the faults (faults.py, power.py).
"""

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from histories import power
from histories.faults import FAULTS
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine

HERE = Path(__file__).resolve().parent
FILMS = 6
OTHER_LAKE = "lake 2 ü#%?"
Fault = tuple[str, int] | None
chances = st.integers(0, 99)
films = st.integers(0, FILMS - 1)


def faults(last_point: int) -> st.SearchStrategy[Fault]:
    """None in half of the cases, else a fault and the point of writing at which it comes."""
    return st.one_of(st.none(), st.tuples(st.sampled_from(FAULTS), st.integers(1, last_point)))


def body(number: int) -> bytes:
    return f"film {number:03d}".encode()


def video_id(number: int) -> str:
    return "v" + hashlib.sha256(body(number)).hexdigest()[:16]


@dataclass(frozen=True)
class Ended:
    """`seen`: what a reader sees afterwards; None when the process did not live to look."""

    status: int
    said: str
    gave: Any
    seen: Any
    lost: list[str] = field(default_factory=list)


class Processes:
    """The process that forks one for each action, and a folder for histories."""

    def __init__(self, root: Path) -> None:
        self.root, self.count = root, 0
        self.known: dict[Any, Any] = {}  # what histories share: undisturbed lakes
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", str(HERE / "world.py"), os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]],
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

    def ask(self, *requests: dict[str, Any]) -> list[Ended]:
        """How these processes ended, that ran at the same time."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        defaults = {"args": [], "fault": None, "number": 0, "looks": True, "lives": False}
        self._process.stdin.write(json.dumps([{**defaults, **request} for request in requests]) + "\n")
        return [Ended(**answer) for answer in json.loads(self._process.stdout.readline())]

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


class Machine(RuleBasedStateMachine):
    """`done` is the history in words."""

    do = ""  # which action of world.py
    steps = 10
    lives = False  # whether one process does it all, until a fault ends it

    def __init__(self, processes: Processes) -> None:
        super().__init__()
        self.processes, self.done = processes, list[str]()
        self.home = processes.home()
        self.lake = self.home / "lake"
        self.forgotten: set[int] = set()
        self.half_forgotten: set[int] = set()  # a forget that was stopped may have come so far
        self.published: set[int] = set()  # that readers have seen, and nobody has asked to forget
        self.snapshot = 0
        self.seen: Any = None

    def act(self, *args: Any, fault: Fault = None) -> Ended:
        """Do it in a process of its own, look, and check what must always hold."""
        kind, number = fault or (None, 0)
        if kind == "power":
            (self.home / "journal").unlink(missing_ok=True)
            before = power.Before.of(self.lake, self.home / "shadow")
        (ended,) = self.processes.ask({**self._request(*args), "fault": kind, "number": number})
        if kind == "power" and ended.status == -9 and self.lake.is_dir():
            ended.lost.extend(power.cut(before, self.home / "journal", random.Random(number)))
        self._tell(args, fault, ended)
        seen = ended.seen
        if seen is None:
            (looked,) = self.processes.ask(self._request(*self.looking()))
            assert looked.seen is not None, f"a reader failed: {looked.said}"
            seen = looked.seen
        self.check(seen)
        return ended

    def act_twice(self, *args: Any) -> list[Ended]:
        """Do it in two processes at the same time."""
        both = self.processes.ask(self._request(*args), self._request(*args))
        for ended in both:
            self._tell(args, "beside another", ended)
        assert both[1].seen is not None, both[1].said
        self.check(max((ended.seen for ended in both if ended.seen), key=lambda seen: int(seen["snapshot"])))
        return both

    def _request(self, *args: Any) -> dict[str, Any]:
        return {"home": str(self.home), "lake": str(self.lake), "do": self.do, "args": args, "lives": self.lives}

    def _tell(self, args: Any, fault: Any, ended: Ended) -> None:
        told = ended.said.strip()[-700:] if ended.status else ""
        self.done += [f"{args} {fault or ''}: {ended.status} {told}", *(f"  lost {path}" for path in ended.lost)]

    def looking(self) -> tuple[Any, ...]:
        """Arguments of an action that changes nothing."""
        raise NotImplementedError

    def check(self, seen: Any) -> None:
        """What must hold whatever happened."""
        assert seen["snapshot"] >= self.snapshot, f"snapshot {self.snapshot} was reported, {seen['snapshot']} is left"
        self.snapshot, self.seen = seen["snapshot"], seen

    def move_lake(self, *, copies: bool) -> None:
        """The lake goes on in another folder; of a copy the original is removed."""
        other = self.home / (OTHER_LAKE if self.lake.name == "lake" else "lake")
        if copies:
            shutil.copytree(self.lake, other)
            shutil.rmtree(self.lake)
        else:
            self.lake.rename(other)
        self.lake = other
        self.done.append(f"the lake is {'copied' if copies else 'moved'} to {other.name}")

    def check_forgotten(self) -> None:
        """Assert that the bytes of the ids that were forgotten stand in no file but the record of takedowns and the
        manifests of releases."""
        kept = ("takedowns", "releases", ".dagster")
        held = [p for p in self.lake.rglob("*") if p.is_file() and not set(kept) & set(p.parts)]
        for number in self.forgotten:
            named = video_id(number)
            holding = [path for path in held if named in path.name or named.encode() in path.read_bytes()]
            assert not holding, f"{named} is still in {holding[:3]}"

    def end(self) -> None:
        """The faults have gone: assert that one run gives what an undisturbed history has."""
        raise NotImplementedError

    def teardown(self) -> None:
        if sys.exc_info()[0] is None:
            self.end()
        shutil.rmtree(self.home, ignore_errors=True)
