"""Light-ASD backend: is this face talking? The network is an argument.

Belongs here: the pictures and sound that the network gets, and its answer about each pair. Does not belong here: the
network (models/light_asd.py), the choice of backend (assets/backends.py), cutting faces (faces/crops.py), rows.
"""

from collections.abc import Mapping
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.curation.speaking.active_speaker import BackendAnswer, Key, Pair, Row, Scene

FPS = 25  # pictures per second
SIDE_PX = 112
_CHUNK_S = 20.0  # a long track is scored in pieces, to bound memory

Floats = NDArray[np.float32]


class TalkingNetwork(Protocol):
    """The network: models.light_asd.LightASD."""

    def scores(self, faces: NDArray[np.uint8], samples: Floats) -> Floats: ...


class LightASDBackend:
    """Backend for `talking`, from face pictures and sound."""

    name = "light_asd"
    question: Literal["talking"] = "talking"

    def __init__(self, net: TalkingNetwork) -> None:
        self._net = net

    def measure(self, scene: Scene) -> Mapping[Key, BackendAnswer]:
        """Return the share of each pair's pictures in which the face talks."""
        series = {name: self._track(scene, track) for name, track in scene.tracks().items()}
        return {p.key: _answer(scene, p, series[p.track_id]) for p in scene.pairs}

    def _track(self, scene: Scene, track: Row) -> tuple[float, NDArray[np.bool_], NDArray[np.bool_]] | None:
        """Return the time of the first picture, talks (t,), is seen (t,) at 25 Hz; None when no pictures were kept."""
        crops = scene.crops(str(track["track_id"]))
        if crops is None:
            return None
        start, end = float(str(track["start_s"])), float(str(track["end_s"]))
        times = np.arange(start, end, 1 / FPS)
        talks, seen = np.zeros(len(times), bool), np.zeros(len(times), bool)
        step = round(_CHUNK_S * FPS)
        for at in range(0, len(times), step):
            part = slice(at, at + step)
            faces, seen[part] = crops.at(times[part], 2 / FPS)
            first = round(times[at] * scene.rate_hz)
            sound = scene.audio[max(0, first) : first + round(len(faces) / FPS * scene.rate_hz)]
            talks[part] = self._net.scores(middle_grey(faces), sound) > 0
        return start, talks, seen


def middle_grey(crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the middle half of BGR crops (t, 224, 224, 3) as grey: (t, 112, 112) uint8."""
    edge = (crops.shape[1] - SIDE_PX) // 2
    inner = crops[:, edge : edge + SIDE_PX, edge : edge + SIDE_PX]
    return np.asarray(np.rint(inner @ np.array([0.114, 0.587, 0.299], np.float32)), np.uint8)


def _answer(
    scene: Scene, pair: Pair, series: tuple[float, NDArray[np.bool_], NDArray[np.bool_]] | None
) -> BackendAnswer:
    if problem := scene.problem(pair):
        return BackendAnswer(reason=problem)
    if series is None:
        return BackendAnswer(reason="no_face_pictures")
    start, talks, seen = series
    part = slice(max(0, round((pair.start_s - start) * FPS)), max(1, round((pair.end_s - start) * FPS)))
    if not seen[part].any():
        return BackendAnswer(reason="no_face_frames")
    return BackendAnswer(talking=float(talks[part][seen[part]].mean()))
