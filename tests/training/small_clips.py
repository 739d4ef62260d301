"""Canned training clips: a mouth that opens with a made-up voice."""

import numpy as np

from speakervid_dag.curation.speaking.lip_frames import FACE_PX, MOUTH_PX, LipFrames
from speakervid_dag.training.views import Example, Sound, View


def frames_like(openness: np.ndarray, seed: int) -> LipFrames:
    """A face whose mouth is as open as told: pictures and lip points agree."""
    random = np.random.default_rng(seed)
    count = len(openness)
    lips = np.tile(random.normal(0, 0.3, 40), (count, 1)).astype(np.float32)
    lips[:, 29] += 0.2 * openness  # the lower inner lip goes down
    mouths = np.full((count, MOUTH_PX, MOUTH_PX), 150, np.uint8)
    faces = np.full((count, FACE_PX, FACE_PX), 140, np.uint8)
    for picture, face, gap in zip(mouths, faces, np.round(10 * openness).astype(int), strict=True):
        picture[36 : 36 + gap, 24:48] = 20
        face[44 : 44 + gap // 2, 24:40] = 20
    state = np.tile(np.array([1.0, 120.0, 5.0], np.float32), (count, 1))
    return LipFrames(0, mouths, faces, lips, state, np.ones(count, bool))


def example_of(number: int, seconds: int = 4) -> Example:
    """A clip of person `number` with its own rhythm; the teacher hears what it sees."""
    random = np.random.default_rng(number)
    count = 25 * seconds
    openness = np.convolve(random.random(count) > 0.6, np.ones(3) / 3, "same").astype(np.float32)
    sound = random.normal(0, 0.2, count * 640) * np.repeat(openness, 640)
    features = random.normal(size=(count, 128)).astype(np.float32)
    logits = (6 * openness - 2).astype(np.float32)
    view = View(np.arange(count), [Sound(number, 0, logits), Sound(0, 10, logits)], features, is_own=True)
    still = View(np.zeros(count, np.intp), [Sound(number, 0, np.full(count, -4, np.float32))], features, is_own=False)
    speech = np.ones(count, np.float32)
    face = frames_like(openness, number)
    clip = Example(f"{number}.mp4", f"p{number}", [face], sound.astype(np.float32), speech, views=[view, still])
    clip.listeners = [(face, [still])]
    return clip
