"""SyncNet backend: does this voice belong to these lips? The network is an argument.

Belongs here: the pictures and sound that the network gets, the distances at every lag, its answer about each pair. Does
not belong here: the network (models/syncnet.py), the choice of backend (assets/backends.py), Sync-C, Sync-D and offset
of a distance curve (sync.py), face crops (faces/crops.py).
"""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.curation.faces.crops import HEAD, FaceCrops
from speakervid_dag.curation.speaking.pairs import MAX_LAG, BackendAnswer, Distances, Key, Pair, Scene

FPS, FRAMES = 25, 5  # pictures per second, and per window of the network
_CHUNK = 256  # windows whose pictures are held at once

Floats = NDArray[np.float32]


class SynchronyNetwork(Protocol):
    """The network: models.syncnet.SyncNet."""

    def embed_faces(self, pictures: NDArray[np.uint8]) -> Floats: ...
    def embed_sound(self, samples: Floats, count: int) -> Floats: ...


class SyncNetBackend:
    """Backend for Sync-C, from face pictures and sound."""

    name = "syncnet_v2"

    def __init__(self, net: SynchronyNetwork) -> None:
        self._net = net

    def measure(self, scene: Scene) -> Mapping[Key, BackendAnswer]:
        """Return distances for each pair, from its own windows alone."""
        kept = {name: scene.crops(name) for name in scene.tracks()}
        return {p.key: self._answer(scene, p, kept[p.track_id]) for p in scene.pairs}

    def _answer(self, scene: Scene, pair: Pair, crops: FaceCrops | None) -> BackendAnswer:
        if problem := scene.problem(pair):
            return BackendAnswer(reason=problem)
        if crops is None:
            return BackendAnswer(reason="no_face_pictures")
        count = int((pair.end_s - pair.start_s) * FPS)
        if count < FRAMES:
            return BackendAnswer(reason="too_short")
        seen, is_seen = self._faces(crops, pair.start_s, count)
        if not is_seen.any():
            return BackendAnswer(reason="too_short")
        heard = self._sound(scene, pair.start_s - MAX_LAG / FPS, len(seen) + 2 * MAX_LAG)
        return BackendAnswer(Distances(lag_distances(seen, heard, is_seen, MAX_LAG)))

    def _faces(self, crops: FaceCrops, start_s: float, count: int) -> tuple[Floats, NDArray[np.bool_]]:
        """Return embeddings of the windows in `count` pictures from `start_s` on, and which windows are complete.

        There is at least one window.
        """
        parts, seen = [], []
        for at in range(0, count - FRAMES + 1, _CHUNK):
            index = np.arange(at, min(at + _CHUNK + FRAMES - 1, count))
            pictures, near = crops.at(start_s + index / FPS, 2 / FPS, HEAD)
            parts.append(self._net.embed_faces(pictures))
            seen.append(np.array([near[i : i + FRAMES].all() for i in range(len(near) - FRAMES + 1)], bool))
        return np.concatenate(parts), np.concatenate(seen)

    def _sound(self, scene: Scene, start_s: float, count: int) -> Floats:
        """Return embeddings of `count` windows of sound from `start_s` on, with silence before and after the file."""
        first, length = round(start_s * scene.rate_hz), round((count + FRAMES) / FPS * scene.rate_hz)
        before = max(0, -first)
        sound = np.pad(scene.audio[max(0, first) : max(0, first + length)], (before, 0))
        return self._net.embed_sound(np.pad(sound, (0, max(0, length - len(sound)))), count)


def lag_distances(seen: Floats, heard: Floats, is_seen: NDArray[np.bool_], max_lag: int) -> NDArray[np.float64]:
    """Return the mean Euclidean distance at lags -max_lag … +max_lag, float64 (2 * max_lag + 1,).

    Args:
        seen: (n, d) embeddings of the pictures.
        heard: (n + 2 * max_lag, d) embeddings of the sound; row i + max_lag belongs to the moment of picture i.
        is_seen: (n,), pictures that count; at least one.
    """
    good = np.flatnonzero(is_seen)
    lags = range(2 * max_lag + 1)
    return np.array([np.linalg.norm(seen[good] - heard[good + lag], axis=1).mean() for lag in lags], np.float64)
