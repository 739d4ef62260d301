"""One person's region of the picture: luma and motion around the face, and the face's sharpness at source pixels.

Belongs here: the region that represents a person, and the series over it. Does not belong here: following faces
(faces/tracking.py), formulas over pixels (curation/pixels.py), the whole picture (log.py), clip scores.

A clip is cut to its person. Bars around the picture or a slide beside the person are not part of the clip and must not
affect its scores.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from speakervid_dag.curation.clock import PartClock
from speakervid_dag.curation.faces.geometry import Box
from speakervid_dag.curation.faces.tracking import FollowedFace
from speakervid_dag.curation.frames.log import SampledFrame, floats
from speakervid_dag.curation.pixels import Image, face_sharpness, motion, small_luma

Row = dict[str, Any]


@dataclass(frozen=True)
class RegionLook:
    """One person in one frame. Luma and motion are 0-255; NaN where a value cannot be measured."""

    luma: float
    motion: float
    sharpness: float


def person_region(face: Box, picture: Box, margin: float) -> tuple[int, int, int, int]:
    """Return the face with a margin on each side, limited to the picture: x1, y1, x2, y2 in whole px.

    Args:
        face, picture: px; `picture` is the area between the bars.
        margin: share of the face's own width and height.
    """
    dx, dy = margin * (face[2] - face[0]), margin * (face[3] - face[1])
    low = (max(picture[0], face[0] - dx), max(picture[1], face[1] - dy))
    high = (min(picture[2], face[2] + dx), min(picture[3], face[3] + dy))
    return round(low[0]), round(low[1]), round(high[0]), round(high[1])


@dataclass
class RegionWatch:
    """The people of one shot. Feed every frame that the tracker got, with the tracks seen in it; then `series`.

    Args:
        margin: of the region, see `person_region`.

    Holds one frame, and three numbers per track and frame.
    """

    margin: float
    clock: PartClock
    _before: Image | None = None
    _looks: dict[int, dict[float, RegionLook]] = field(default_factory=dict)

    def feed(self, frame: SampledFrame, tracks: Sequence[FollowedFace], picture: Box) -> None:
        """Sample the tracks in a frame; `picture` is the area between the bars, 0-1."""
        height, width = frame.image.shape[:2]
        inside = (picture[0] * width, picture[1] * height, picture[2] * width, picture[3] * height)
        with self.clock.timed("region"):
            for track in tracks:
                self._looks.setdefault(id(track), {})[frame.time_s] = self._look(frame, track.box, inside)
        self._before = frame.image

    def series(self, track: FollowedFace) -> Row:
        """Return luma and motion of the track's region per tracked frame, and the face's sharpness where a frame came
        at full size (no such column if none did). A frame in which the face was not seen is null."""
        looks = self._looks.get(id(track), {})
        nothing = RegionLook(np.nan, np.nan, np.nan)
        kept = [looks.get(s.time_s, nothing) for s in track.kept()]
        row = {"region_luma": floats([k.luma for k in kept]), "region_motion": floats([k.motion for k in kept])}
        sharpness = [k.sharpness for k in kept]
        return row | ({"face_sharpness": floats(sharpness)} if np.isfinite(sharpness).any() else {})

    def _look(self, frame: SampledFrame, face: Box, picture: Box) -> RegionLook:
        sharpness = np.nan
        if frame.full is not None:
            scale_x, scale_y = (frame.full.shape[i] / frame.image.shape[i] for i in (1, 0))
            full = (face[0] * scale_x, face[1] * scale_y, face[2] * scale_x, face[3] * scale_y)
            sharpness = face_sharpness(frame.full, full)
        x1, y1, x2, y2 = person_region(face, picture, self.margin)
        if x2 <= x1 or y2 <= y1:
            return RegionLook(np.nan, np.nan, sharpness)
        now = small_luma(frame.image[y1:y2, x1:x2])
        before = self._before
        is_same = before is not None and before.shape == frame.image.shape
        earlier = small_luma(before[y1:y2, x1:x2]) if before is not None and is_same else None
        return RegionLook(float(now.mean()), motion(earlier, now), sharpness)
