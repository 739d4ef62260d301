"""Samples of a tracked person: skeleton, hands, expression, and repeated blocks on the face.

Belongs here: where and when body and hands are searched, and the row of poses. Does not belong here: networks
(models/person.py), following faces (faces/tracking.py), clip scores (scores/person.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from speakervid_dag.config.sections import SamplingSettings
from speakervid_dag.curation.clock import PartClock
from speakervid_dag.curation.faces.geometry import Box
from speakervid_dag.curation.faces.tracking import FollowedFace
from speakervid_dag.curation.frames import texture
from speakervid_dag.curation.frames.log import Rhythm, floats
from speakervid_dag.curation.pixels import Image, face_sharpness

Row = dict[str, Any]
Floats = NDArray[np.float32]

COORDINATE_SCALE = 10_000  # skeletons are stored as int16: x and y in 1/10,000 of the picture's width and height
VISIBILITY_SCALE = 100
NOSE, LEFT_WRIST, RIGHT_WRIST = 0, 15, 16
_FINGERS = {LEFT_WRIST: (17, 19), RIGHT_WRIST: (18, 20)}  # pinky and index finger of that wrist's hand
# Body relative to its face (mesh: forehead to chin), in face heights: the middle of the hips lies 4.4 below the top of
# the face; MediaPipe's circle around it is 11 across. Measured on the network's own circles: 9.7-11.4.
_HIPS_BELOW, _CIRCLE = 4.4, 11.0
_HAND_REACH, _HAND_SIDE, _HAND_OF_FACE = 1.2, 5.2, 1.2  # unit: wrist to knuckles; least side in face heights
_FACE_MARGIN = 1.1  # the crop for the expression, in heights of the face


class FoundBody(Protocol):
    @property
    def points_px(self) -> Floats: ...
    @property
    def visibility(self) -> Floats: ...
    @property
    def presence(self) -> float: ...


class FoundHand(Protocol):
    @property
    def points_px(self) -> Floats: ...
    @property
    def presence(self) -> float: ...


class PersonModels(Protocol):
    """See assets.backends.PersonModels. A part whose status is not `ok` is never called."""

    def status(self, part: str) -> str:
        """Return ok, or the reason why `body`, `hands` or `emotion` cannot be measured."""
        ...

    def body(self, image: Image, x: float, y: float, side: float) -> FoundBody: ...
    def hand(self, image: Image, x: float, y: float, side: float) -> FoundHand: ...
    def emotion(self, image: Image, x: float, y: float, side: float) -> Floats: ...


@dataclass(frozen=True, eq=False)
class HandSample:
    points: Floats  # (21, 2), 0-1 of the picture
    sharpness: float


@dataclass(frozen=True, eq=False)
class PersonSample:
    """A person at one time. `body` is (33, 3): x, y in 0-1 of the picture, visibility 0-1."""

    time_s: float
    face_repeat: float
    body: Floats | None
    hands: tuple[HandSample | None, HandSample | None]
    emotion: Floats | None


@dataclass
class PersonSampler:
    """The people of one shot. Feed each frame after the tracker has seen it."""

    models: PersonModels
    sampling: SamplingSettings
    clock: PartClock
    _samples: dict[int, list[PersonSample]] = field(default_factory=dict)
    _before: Image | None = None

    def __post_init__(self) -> None:
        self._rhythm = Rhythm(self.sampling.person_hz)
        self._is_on = {part: self._status(part) == "ok" for part in ("body", "hands", "emotion")}

    def feed(self, time_s: float, image: Image, tracks: Sequence[FollowedFace]) -> None:
        before, self._before = self._before, image
        if not self._rhythm.is_due(time_s):
            return
        for track in tracks:
            self._samples.setdefault(id(track), []).append(self._sample(time_s, image, before, track.box))

    def row(self, track: FollowedFace, until_s: float) -> Row:
        """Return the row of poses of a track, without its ids; samples from `until_s` on are left out."""
        samples = [s for s in self._samples.get(id(track), []) if s.time_s < until_s]
        body = [[] if s.body is None else _quantised(s.body) for s in samples]
        row = {
            "sample_times_s": pl.Series([s.time_s for s in samples], dtype=pl.Float64),
            "face_repeat": floats([s.face_repeat for s in samples]),
            "body": pl.Series(body, dtype=pl.List(pl.Int16)),
            "emotion": pl.Series(
                [[] if s.emotion is None else s.emotion.tolist() for s in samples], dtype=pl.List(pl.Float32)
            ),
            **{f"{part}_status": self._status(part) for part in self._is_on},
        }
        for side, name in enumerate(("left", "right")):
            hands = [s.hands[side] for s in samples]
            points = [[] if h is None else _quantised(h.points) for h in hands]
            row[f"{name}_hand"] = pl.Series(points, dtype=pl.List(pl.Int16))
            row[f"{name}_hand_sharpness"] = floats([np.nan if h is None else h.sharpness for h in hands])
        return row

    def _status(self, part: str) -> str:
        return "off" if self.sampling.is_off(part) else self.models.status(part)

    def _sample(self, time_s: float, image: Image, before: Image | None, box: Box) -> PersonSample:
        with self.clock.timed("face_repeat"):
            repeat = face_repeat(before, image, box)
        body = self._body(image, box) if self._is_on["body"] else None
        hands: tuple[HandSample | None, HandSample | None] = (None, None)
        if body is not None and self._is_on["hands"]:
            hands = (self._hand(image, box, body, LEFT_WRIST), self._hand(image, box, body, RIGHT_WRIST))
        emotion = None
        if self._is_on["emotion"]:
            with self.clock.timed("emotion"):
                x, y, height = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2, box[3] - box[1]
                emotion = self.models.emotion(image, x, y, _FACE_MARGIN * height)
        return PersonSample(time_s, repeat, _relative(body, image), hands, emotion)

    def _body(self, image: Image, face: Box) -> FoundBody | None:
        """Return the body under the face; None unless its nose lies in that face and the network is sure of it."""
        height = face[3] - face[1]
        with self.clock.timed("body"):
            body = self.models.body(image, (face[0] + face[2]) / 2, face[1] + _HIPS_BELOW * height, _CIRCLE * height)
        x, y = body.points_px[NOSE]
        is_same = face[0] <= x <= face[2] and face[1] <= y <= face[3]
        return body if is_same and body.presence >= self.sampling.min_presence else None

    def _hand(self, image: Image, face: Box, body: FoundBody, wrist: int) -> HandSample | None:
        if body.visibility[wrist] < self.sampling.min_visibility:
            return None
        start = body.points_px[wrist]
        reach = body.points_px[list(_FINGERS[wrist])].mean(axis=0) - start
        x, y = start + _HAND_REACH * reach
        side = max(_HAND_SIDE * float(np.hypot(*reach)), _HAND_OF_FACE * (face[3] - face[1]))
        with self.clock.timed("hands"):
            hand = self.models.hand(image, float(x), float(y), side)
            if hand.presence < self.sampling.min_presence:
                return None
            low, high = hand.points_px.min(axis=0), hand.points_px.max(axis=0)
            box = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
            sharpness = face_sharpness(image, box)
        size = np.array([image.shape[1], image.shape[0]], dtype=np.float32)
        return HandSample(hand.points_px / size, sharpness)


def face_repeat(before: Image | None, image: Image, box: Box) -> float:
    """Return texture.repeated_block_share of the face; NaN without a previous frame and for a face below 32 px."""
    import cv2

    if before is None or before.shape != image.shape:
        return float("nan")
    faces = [texture.cut_box(picture, box) for picture in (before, image)]
    if min(faces[0].shape[:2]) < texture.MIN_SIDE_PX:
        return float("nan")
    old, new = (np.asarray(cv2.cvtColor(face, cv2.COLOR_BGR2GRAY)) for face in faces)
    return texture.repeated_block_share(old, new)


def _relative(body: FoundBody | None, image: Image) -> Floats | None:
    if body is None:
        return None
    size = np.array([image.shape[1], image.shape[0]], dtype=np.float32)
    return np.column_stack([body.points_px / size, body.visibility]).astype(np.float32)


def _quantised(points: Floats) -> list[int]:
    """Return (n, 2 or 3) as a flat list of int16 numbers, point after point."""
    scale = np.array([COORDINATE_SCALE, COORDINATE_SCALE, VISIBILITY_SCALE][: points.shape[1]])
    whole = np.clip(np.rint(points * scale), -32768, 32767).astype(np.int16)
    flat: list[int] = whole.ravel().tolist()
    return flat
