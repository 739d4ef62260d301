"""Light-ASD on a face track: is this face talking, frame by frame? The network is an argument.

Belongs here: the pictures and sound that the network gets, in pieces. Does not belong here: the network
(models/light_asd.py), the choice of backend (assets/backends.py), cutting faces (faces/crops.py), rows
(talking_series.py).
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.curation.faces.crops import FACE, FaceCrops
from speakervid_dag.curation.speaking.lip_frames import FPS, SAMPLES

_CHUNK = 500  # frames; a long track is scored in pieces, to bound memory; measured: pieces of 4 s say the same

Floats = NDArray[np.float32]


class TalkingNetwork(Protocol):
    """The network: models.light_asd.LightASD."""

    def scores(self, faces: NDArray[np.uint8], samples: Floats) -> Floats: ...


class LightASDBackend:
    """Log odds that a face talks, from its pictures and the sound."""

    name = "light_asd"

    def __init__(self, net: TalkingNetwork) -> None:
        self._net = net

    def log_odds(self, crops: FaceCrops, audio: Floats, first: int, count: int) -> Floats:
        """Return log odds that a face talks in `count` frames of 25 Hz from `first` on: (count,), NaN where not seen.

        Args:
            crops: the pictures of its track.
            audio: (n,) float32 mono, 16 kHz; sample 0 at the start of the video.
        """
        found = np.full(count, np.nan, np.float32)
        for at in range(0, count, _CHUNK):
            part = slice(at, at + _CHUNK)
            wanted = np.arange(first + at, first + min(at + _CHUNK, count))
            faces, seen = crops.at(wanted / FPS, 2 / FPS, FACE)
            sound = audio[wanted[0] * SAMPLES : (wanted[-1] + 1) * SAMPLES]
            found[part] = np.where(seen, self._net.scores(grey(faces), sound), np.nan)
        return found


def grey(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return BGR pictures (t, h, w, 3) as grey: (t, h, w) uint8."""
    return np.asarray(np.rint(pictures @ np.array([0.114, 0.587, 0.299], np.float32)), np.uint8)
