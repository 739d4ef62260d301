"""Light-ASD on a face track: is this face talking, frame by frame? The network is an argument.

Belongs here: the pictures and sound that the network gets, in pieces. Does not belong here: the network
(models/light_asd.py), the choice of backend (assets/backends.py), cutting faces (faces/crops.py), rows
(talking_series.py).
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.curation.faces.crops import FACE, FaceCrops
from speakervid_dag.curation.speaking.active_speaker import Row

FPS = 25  # pictures per second
_CHUNK_S = 20.0  # a long track is scored in pieces, to bound memory; measured: pieces of 4 s say the same

Floats = NDArray[np.float32]


class TalkingNetwork(Protocol):
    """The network: models.light_asd.LightASD."""

    def scores(self, faces: NDArray[np.uint8], samples: Floats) -> Floats: ...


class LightASDBackend:
    """Log odds that a face talks, from its pictures and the sound."""

    name = "light_asd"

    def __init__(self, net: TalkingNetwork) -> None:
        self._net = net

    def log_odds(self, track: Row, crops: FaceCrops, audio: Floats, rate_hz: int) -> Floats:
        """Return log odds that a track's face talks, FPS a second from its start on: (t,) float32, NaN where not seen.

        Args:
            track: row of face_tracks.
            crops: its pictures.
            audio: (n,) float32 mono; sample 0 at the start of the video.
        """
        times = np.arange(float(str(track["start_s"])), float(str(track["end_s"])), 1 / FPS)
        found = np.full(len(times), np.nan, np.float32)
        step = round(_CHUNK_S * FPS)
        for at in range(0, len(times), step):
            part = slice(at, at + step)
            faces, seen = crops.at(times[part], 2 / FPS, FACE)
            first = round(times[at] * rate_hz)
            sound = audio[max(0, first) : first + round(len(faces) / FPS * rate_hz)]
            found[part] = np.where(seen, self._net.scores(grey(faces), sound), np.nan)
        return found


def grey(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return BGR pictures (t, h, w, 3) as grey: (t, h, w) uint8."""
    return np.asarray(np.rint(pictures @ np.array([0.114, 0.587, 0.299], np.float32)), np.uint8)
