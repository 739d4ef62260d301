"""What the talking network reaches on held-out people, to choose its steps without the labelled videos.

Belongs here: talking against pausing, quiet and foreign faces. Does not belong here: synchrony (evaluation.py).

Truth is the voice: a face talks while its own clip has speech. Quiet faces are pauses, stills and listeners under
another's speech; foreign ones are talking faces under another's speech, as in crosstalk.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from speakervid_dag.curation.speaking.lip_frames import LipFrames
from speakervid_dag.models.lip_network import LipNetwork
from speakervid_dag.training.evaluation import area_under_curve
from speakervid_dag.training.views import SPEECH, Example, View

_PAUSE = 0.2  # probability of speech below which a face pauses

Floats = NDArray[np.float32]


SMOOTHED_FRAMES = 11


@dataclass(frozen=True)
class TalkReport:
    """Probability that a talking frame's logit is above another's: of pauses, quiet faces, foreign talking faces.

    `teacher_r`: correlation with the teacher's logits under the own sound.
    """

    over_pauses: float
    over_quiet: float
    over_foreign: float
    teacher_r: float
    frames: int


def talk_report(network: LipNetwork, examples: Sequence[Example], offsets: Sequence[float]) -> TalkReport:
    """Return the figures; `offsets`: by how many frames the sound of each clip is late."""
    sounds = [network.sound(e.samples, max(1, len(e.samples) // 640)) for e in examples]
    talks: list[float] = []
    pauses: list[float] = []
    quiet: list[float] = []
    foreign: list[float] = []
    both: list[Floats] = []
    for number, example in enumerate(examples):
        for index, view in enumerate(example.views):
            frames = shown(example.copies[0], view)
            mouth = network.mouth(frames.mouths, frames.faces, frames.lips, frames.state, frames.is_seen)
            for sound in view.sounds[:1] + [s for s in view.sounds[1:] if s.clip != number]:
                lag = round(offsets[sound.clip])
                logits = smoothed(network.talking(mouth, sounds[sound.clip], sound.start, lag))
                speech = _speech(examples[sound.clip], sound.start + lag, len(logits))
                if index == 0 and sound.clip == number:
                    talks += logits[(speech >= SPEECH) & frames.is_seen].tolist()
                    pauses += logits[(speech < _PAUSE) & frames.is_seen].tolist()
                    both.append(np.stack([logits, smoothed(sound.logits)])[:, frames.is_seen])
                else:
                    (foreign if index == 0 else quiet).extend(logits[(speech >= SPEECH) & frames.is_seen].tolist())
        for face, views in example.listeners:
            mouth = network.mouth(face.mouths, face.faces, face.lips, face.state, face.is_seen)
            sound = views[0].sounds[0]
            logits = smoothed(network.talking(mouth, sounds[number], sound.start, round(offsets[number])))
            quiet += logits[face.is_seen].tolist()
    student, teacher = np.concatenate(both, axis=1)
    return TalkReport(
        area_under_curve(talks, pauses),
        area_under_curve(talks, quiet),
        area_under_curve(talks, foreign),
        teacher_r=float(np.asarray(np.corrcoef(student, teacher))[0, 1]),
        frames=len(talks),
    )


def shown(frames: LipFrames, view: View) -> LipFrames:
    """Return the frames in the order of a view."""
    order = view.order
    parts = (frames.mouths[order], frames.faces[order], frames.lips[order], frames.state[order], frames.is_seen[order])
    return LipFrames(frames.first, *parts)


def smoothed(logits: Floats) -> Floats:
    return np.asarray(uniform_filter1d(logits.astype(np.float32), SMOOTHED_FRAMES, mode="nearest"), np.float32)


def _speech(example: Example, first: int, count: int) -> Floats:
    at = np.arange(first, first + count)
    inside = (at >= 0) & (at < len(example.speech))
    return np.where(inside, example.speech[np.clip(at, 0, len(example.speech) - 1)], 0)
