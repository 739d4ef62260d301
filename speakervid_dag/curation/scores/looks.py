"""Scores that a video model takes from a clip's own pictures, for all clips of one video in one pass over its frames.

Belongs here: which clip is looked at by which model, handing each frame to those that want it. Does not belong here:
what a look consists of (dover_views.py, point_tracks.py), decoding, loading models.

The one pass through the full frames (face_pass.py) comes before clips are known, so these scores cost a decode of their
own: only when such a model is there and a clip asks for it. Held are the small pictures of the clips that are on.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.curation.clock import PartClock
from speakervid_dag.curation.frames.log import TimedImage
from speakervid_dag.curation.pixels import Image
from speakervid_dag.curation.scores.measurement import Measurement

Row = Mapping[str, Any]
Answers = dict[str, dict[str, Measurement]]  # by clip_id, then by score


class ClipModel(Protocol):
    """One model's look at one clip: `see` each of `times_s`, then `answer`.

    `part`: as whose its cost is told; `names`: its scores; `times_s` is empty when no frame can change the answer.
    """

    part: str
    names: tuple[str, ...]
    clip_id: str
    times_s: frozenset[float]

    def see(self, time_s: float, image: Image) -> None: ...
    def answer(self) -> dict[str, Measurement]: ...


# a clip's row and the times of its shot's frames → a look; or why nothing looks (`off`, `weights_missing` …)
Maker = Callable[[Row, NDArray[np.float64]], ClipModel] | str


@dataclass
class ClipModels:
    """Build with `plan`, `watch` the frames where `is_needed`; then `answers` holds every score of every clip."""

    answers: Answers = field(default_factory=dict)
    looks: list[ClipModel] = field(default_factory=list)

    @classmethod
    def plan(
        cls,
        clips: Sequence[Row],
        frame_series: Sequence[Row],
        makers: Mapping[tuple[str, ...], Maker],
        disabled: Collection[str] = (),
    ) -> "ClipModels":
        """What is to be looked at.

        Args:
            clips, frame_series: one video's rows.
            makers: by the scores that a look gives.
            disabled: scores that are not asked for; a look is left out when all of its own are.
        """
        plan = cls({str(clip["clip_id"]): {} for clip in clips})
        times = {s["shot_id"]: np.asarray(s["frame_times_s"], np.float64) for s in frame_series}
        for names, maker in makers.items():
            for clip in clips:
                shot = times.get(clip["shot_id"])
                if isinstance(maker, str) or shot is None or set(names) <= set(disabled):
                    reason = maker if isinstance(maker, str) else "too_few_frames" if shot is None else "off"
                    plan.answers[str(clip["clip_id"])] |= dict.fromkeys(names, (None, reason))
                    continue
                plan.looks.append(maker(clip, shot))
        for look in [each for each in plan.looks if not each.times_s]:
            plan._take(look)
        return plan

    @property
    def is_needed(self) -> bool:
        """Whether any frame must be seen."""
        return bool(self.looks)

    def watch(self, frames: Iterable[TimedImage], clock: PartClock) -> None:
        """Gives each look its frames and takes its answer after the last one; stops when nothing is wanted any more.

        Args:
            frames: of the whole video in rising time, at full size.
        """
        wanted: dict[float, list[ClipModel]] = {}
        for look in self.looks:
            for time_s in look.times_s:
                wanted.setdefault(time_s, []).append(look)
        left = {id(look): len(look.times_s) for look in self.looks}
        iterator = iter(frames)
        while wanted:
            with clock.timed("clip_frames"):
                frame = next(iterator, None)
            if frame is None:
                break
            for look in wanted.pop(frame.time_s, ()):
                with clock.timed(look.part):
                    look.see(frame.time_s, frame.image)
                    left[id(look)] -= 1
                    if not left[id(look)]:
                        self._take(look)
        for look in list(self.looks):  # the file lacks frames that it had when it was first read
            self._take(look)

    def give_up(self, reason: str) -> None:
        """The frames cannot be had: what has not been answered says why."""
        for look in self.looks:
            self.answers[look.clip_id] |= dict.fromkeys(look.names, (None, reason))
        self.looks = []

    def _take(self, look: ClipModel) -> None:
        self.answers[look.clip_id] |= look.answer()
        self.looks.remove(look)
