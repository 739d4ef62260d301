"""The packaged lip network as a backend of Sync-C: the distance of lips and sound at every lag. The network is an
argument.

Belongs here: its distances for each pair. Does not belong here: the network (models/lip_network.py), its input
(lip_frames.py), Sync-C of distances (sync.py), its answers frame by frame, by which faces are bound (lip_scores.py).
"""

from collections.abc import Mapping

import numpy as np

from speakervid_dag.curation.speaking.lip_frames import FPS, SAMPLES, LipFrames, lip_frames
from speakervid_dag.curation.speaking.lip_scores import ZERO_FRAMES, Floats, LipModel
from speakervid_dag.curation.speaking.pairs import BackendAnswer, Distances, Key, Pair, Scene

# Sync-C of 3, the customary cut, is a margin of .15: 19 of 20 foreign sounds of 5 s have less
_SCALE = 20.0
_MIN_FRAMES = 5  # as SyncNet needs


class LipSynchrony:
    """Backend for Sync-C, from face pictures, lip landmarks and sound."""

    name = "lip_network"

    def __init__(self, net: LipModel) -> None:
        self._net = net

    def measure(self, scene: Scene) -> Mapping[Key, BackendAnswer]:
        """Return distances of 20 * (1 - cosine) for each pair, the mean over its own frames."""
        sound = self._net.sound(scene.audio, max(1, len(scene.audio) // SAMPLES))
        found: dict[Key, BackendAnswer] = {}
        for name, track in scene.tracks().items():
            own = [pair for pair in scene.pairs if pair.track_id == name]
            crops = scene.crops(name)
            seen = None if crops is None else lip_frames(track, crops)
            near = None
            if seen is not None and seen.is_seen.any():
                mouth = self._net.mouth(seen.mouths, seen.faces, seen.lips, seen.state, seen.is_seen)
                near = self._net.synchrony(mouth, sound, seen.first)
            for pair in own:
                found[pair.key] = _answer(scene, pair, seen, near)
        return found


def _answer(scene: Scene, pair: Pair, seen: LipFrames | None, near: Floats | None) -> BackendAnswer:
    if problem := scene.problem(pair):
        return BackendAnswer(reason=problem)
    if seen is None:
        return BackendAnswer(reason="no_face_pictures")
    first, last = (max(0, round(moment * FPS) - seen.first) for moment in (pair.start_s, pair.end_s))
    frames = np.flatnonzero(seen.is_seen[first:last]) + first
    if near is None or len(frames) < _MIN_FRAMES:
        return BackendAnswer(reason="too_short")
    return BackendAnswer(Distances(_SCALE * (1 - near[frames].mean(axis=0, dtype=np.float64)), ZERO_FRAMES))
