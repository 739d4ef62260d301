"""One pass over a video's frames that feeds every clip's looks, and only as far as they ask."""

import gc
import weakref
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.curation.clock import PartClock
from speakervid_dag.curation.scores.looks import ClipModels, Maker

SERIES = [{"shot_id": "s", "frame_times_s": [i / 10 for i in range(100)]}]
NAMES = ("a", "b")


class Seen(NamedTuple):
    time_s: float
    image: NDArray[np.uint8]


class Look:
    """Wants every frame of its clip; answers how many it has seen."""

    part = "test"
    names: tuple[str, ...] = NAMES

    def __init__(self, clip: Any, times: NDArray[np.float64]) -> None:
        self.clip_id = clip["clip_id"]
        self.times_s = frozenset(float(t) for t in times if clip["start_s"] <= t < clip["end_s"])
        self.seen: list[float] = []

    def see(self, time_s: float, image: NDArray[np.uint8]) -> None:
        self.seen.append(time_s)

    def answer(self) -> dict[str, tuple[float | str | None, str]]:
        return dict.fromkeys(NAMES, (float(len(self.seen)), "ok") if self.times_s else (None, "too_few_frames"))


def clip(name: str, start_s: float, end_s: float, shot: str = "s") -> dict[str, Any]:
    return {"clip_id": name, "shot_id": shot, "start_s": start_s, "end_s": end_s}


def frames(count: int = 100, given: list[float] | None = None) -> Iterator[Seen]:
    for i in range(count):
        if given is not None:
            given.append(i / 10)
        yield Seen(i / 10, np.zeros((2, 2, 3), np.uint8))


def planned(*clips: dict[str, Any], maker: Maker = Look, **more: Any) -> ClipModels:
    return ClipModels.plan(clips, SERIES, {NAMES: maker}, **more)


def test_clips_that_overlap_share_one_pass_that_ends_with_the_last() -> None:
    plan, given, clock = planned(clip("x", 1, 3), clip("y", 2, 5)), [], PartClock()
    plan.watch(frames(given=given), clock)
    assert plan.answers == {"x": dict.fromkeys(NAMES, (20.0, "ok")), "y": dict.fromkeys(NAMES, (30.0, "ok"))}
    assert max(given) == 4.9
    assert set(clock.spent_s) == {"clip_frames", "test"}
    assert not plan.is_needed


def test_a_clip_that_is_done_holds_nothing() -> None:
    plan = planned(clip("x", 0, 1), clip("y", 2, 5))
    first = weakref.ref(plan.looks[0])
    alive: dict[float, bool] = {}

    def watched() -> Iterator[Seen]:
        for frame in frames():
            gc.collect() if frame.time_s in (0.5, 2.5) else None
            alive[frame.time_s] = first() is not None
            yield frame

    plan.watch(watched(), PartClock())
    assert (alive[0.5], alive[2.5]) == (True, False)


def test_a_file_that_ends_early_still_answers_for_every_clip() -> None:
    plan = planned(clip("x", 0, 1), clip("y", 2, 5))
    plan.watch(frames(30), PartClock())
    assert plan.answers["y"] == dict.fromkeys(NAMES, (10.0, "ok"))


def test_nothing_is_needed_where_no_frame_could_tell() -> None:
    cases = {
        "weights_missing": planned(clip("x", 0, 1), maker="weights_missing"),
        "off": planned(clip("x", 0, 1), disabled=NAMES),
        "too_few_frames": planned(clip("x", 0, 1, shot="another")),
    }
    for reason, plan in {**cases, "too_few_frames ": planned(clip("x", 20, 21))}.items():
        assert not plan.is_needed
        assert plan.answers == {"x": dict.fromkeys(NAMES, (None, reason.strip()))}
    assert planned(clip("x", 0, 1), disabled=NAMES[:1]).is_needed
    assert not planned().is_needed


def test_frames_that_cannot_be_had_are_the_reason() -> None:
    plan = planned(clip("x", 0, 1), clip("y", 20, 21))
    plan.give_up("decoder_crashed")
    assert plan.answers["x"] == dict.fromkeys(NAMES, (None, "decoder_crashed"))
    assert plan.answers["y"] == dict.fromkeys(NAMES, (None, "too_few_frames"))
