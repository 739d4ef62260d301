"""Histories of three tables without audits and Dagster.

Belongs here: their rules and what must hold. Does not belong here: doing it (reduced.py).
"""

from typing import Any

from histories.machine import FILMS, Fault, Machine, Processes, body, chances, faults, films, video_id
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

met = faults(40)


class Reduced(Machine):
    do = "reduced"

    def __init__(self, processes: Processes) -> None:
        super().__init__(processes)
        self.films: set[int] = set()
        self.generation = self.oldest = 0  # asked for; the oldest that readers may still see

    @initialize(number=films, how=st.integers(0, 7))
    def begin(self, number: int, how: int) -> None:
        self.lives = bool(how)  # in one of eight histories each action is a process, as commands are
        self.put(number)
        self.run(None)

    def put(self, number: int) -> None:
        (self.home / "films" / f"{number}.mp4").write_bytes(body(number))
        self.films.add(number)
        self.done.append(f"film {number} is put")

    def looking(self) -> tuple[Any, ...]:
        return ("read", str(self.lake))

    @rule(fault=met)
    def run(self, fault: Fault) -> None:
        self._ran(self.act("run", str(self.lake), self.generation, fault=fault).status, fault)

    @rule(number=films, fault=met)
    def grow(self, number: int, fault: Fault) -> None:
        self.put(number)
        self.run(fault)

    @rule(fault=met)
    def retier(self, fault: Fault) -> None:
        self.generation += 1
        self.run(fault)

    def _ran(self, status: int, fault: Fault) -> None:
        assert status == 0 or fault, "failed without a fault"
        if status == 0:
            shown = self._shown(self.seen)
            assert shown >= self.films - self.forgotten - self.half_forgotten, f"only {shown} of {self.films}"
            assert shown <= self.films, f"{shown}"
            self.published = shown - self.half_forgotten
            self.oldest = self.generation

    @precondition(lambda self: self.published)
    @rule(chance=chances, fault=met)
    def forget(self, chance: int, fault: Fault) -> None:
        number = sorted(self.published)[chance % len(self.published)]
        self.published.discard(number)
        self.half_forgotten.add(number)
        status = self.act("forget", str(self.lake), video_id(number), fault=fault).status
        assert status == 0 or fault, "failed without a fault"
        if status == 0:
            self.half_forgotten.discard(number)
            self.forgotten.add(number)
            assert number not in self._shown(self.seen)

    @rule(fault=met)
    def maintain(self, fault: Fault) -> None:
        assert self.act("maintain", str(self.lake), fault=fault).status == 0 or fault, "failed without a fault"

    @rule(copies=st.booleans())
    def move(self, copies: bool) -> None:
        self.move_lake(copies=copies)

    @rule()
    def read(self) -> None:
        ended = self.act("read", str(self.lake))
        assert ended.status == 0, ended.said
        assert len(set(ended.gave.values())) == 2 or set(ended.gave.values()) == {0}, ended.gave

    @rule()
    def write_beside_another(self) -> None:
        self.generation += 1
        for ended in self.act_twice("run", str(self.lake), self.generation):
            self._ran(ended.status, None)

    def _shown(self, seen: Any) -> set[int]:
        return {n for n in range(FILMS) if video_id(n) in seen["tables"].get("videos", {})}

    def check(self, seen: Any) -> None:
        super().check(seen)
        videos = seen["tables"].get("videos", {})
        for name, counts in seen["tables"].items():
            each = 1 if name == "videos" else 4
            assert all(count == each for count, _ in counts.values()), f"{name} is doubled or torn: {counts}"
            told = {video: generations for video, (_, generations) in counts.items()}
            assert told == {video: g for video, (_, g) in videos.items()}, (
                f"{name} is of another snapshot than videos: {told}, {videos}"
            )
            known = {f"g{generation}" for generation in range(self.oldest, self.generation + 1)}
            assert {g for generations in told.values() for g in generations} <= known, f"{name} tells of {told}"
        shown = self._shown(seen)
        assert self.published <= shown, f"lost: {self.published - shown}"
        assert not shown & self.forgotten, f"back again: {shown & self.forgotten}"

    def end(self) -> None:
        for number in sorted(self.half_forgotten):
            self.half_forgotten.discard(number)
            assert self.act("forget", str(self.lake), video_id(number)).status == 0
            self.forgotten.add(number)
        self.run(None)
        wanted = {video_id(n): [f"g{self.generation}"] for n in self.films - self.forgotten}
        for name, counts in self.seen["tables"].items():
            found = {video: generations for video, (_, generations) in counts.items()}
            assert found == wanted, f"{name} differs from that of an undisturbed history"
        self.check_forgotten()
