"""Scores that a video model takes from a clip's own pictures, for all clips of one video in one pass over its frames.

Belongs here: which model scores which clip, and passing each frame to the models that need it. Does not belong here:
what a model does with its frames (dover.py, points.py), decoding, loading models.

The pass over the full frames (frames/frame_pass.py) runs before clips are known, so these scores need a decode of their
own. It is done only if such a model is available and a clip needs it. Holds the small pictures of the current clips.
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
    """One model on one clip: call `see` for each of `times_s`, then `answer`.

    `part`: name under which its time is recorded; `names`: its scores; `times_s` is empty if no frame can change the
    answer.
    """

    part: str
    names: tuple[str, ...]
    clip_id: str
    times_s: frozenset[float]

    def see(self, time_s: float, image: Image) -> None: ...
    def answer(self) -> dict[str, Measurement]: ...


# a clip's row and the times of its shot's frames → its model; or why there is none (`off`, `weights_missing` …)
Maker = Callable[[Row, NDArray[np.float64]], ClipModel] | str


@dataclass
class ClipModels:
    """The models on all clips of a video: build with `plan`, `watch` the frames if `is_needed`, read `answers`."""

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
        """Plan which models see which clips.

        Args:
            clips, frame_series: one video's rows.
            makers: by the names of the scores that a model gives.
            disabled: scores that are not wanted; a model is skipped if all of its scores are disabled.
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
        """Return True if any frame must be seen."""
        return bool(self.looks)

    def watch(self, frames: Iterable[TimedImage], clock: PartClock) -> None:
        """Pass each model its frames and store its answer after the last one; stop when no frame is needed any more.

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
        for look in list(self.looks):  # frames that the first decode gave are missing now
            self._take(look)

    def give_up(self, reason: str) -> None:
        """Record `reason` for every score not answered yet, because the frames cannot be decoded."""
        for look in self.looks:
            self.answers[look.clip_id] |= dict.fromkeys(look.names, (None, reason))
        self.looks = []

    def _take(self, look: ClipModel) -> None:
        self.answers[look.clip_id] |= look.answer()
        self.looks.remove(look)
