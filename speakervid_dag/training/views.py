"""Training views of the lip network: a face's frames in some order, and sounds with the teacher's opinion of each.

Belongs here: which faces and sounds are put together, and what the teacher says of them. Does not belong here: the
teacher (models/light_asd.py), augmentation, batches.

Per clip: the face as it is under its own sound, its own sound shifted, and other people's; the face in its pauses and
at its stillest, played to and fro under speech; a slow copy. The other faces of the clip listen.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.curation.faces.crops import FACE
from speakervid_dag.curation.speaking.light_asd import grey
from speakervid_dag.curation.speaking.lip_frames import FPS, SAMPLES, LipFrames, lip_frames
from speakervid_dag.models.light_asd import LightASD
from speakervid_dag.training.tracks import TrackedFace

SPEECH = 0.5  # probability of speech that counts
_SHIFTS, _FOREIGN, _QUIET_SOUNDS = 4, 4, 3
_SHIFT_FRAMES = (4, 50)
_STILL_FRAMES, _QUIET_LENGTH, _SLOW = 12, 90, 0.15
_PAUSE_FRAMES = 15  # shortest pause that becomes a view
_QUIET_LOGIT = -2.0  # a face made still gets no higher logit than this
_MIN_FACE_FRAMES = 25

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Sound:
    """A sound for a view: frame k of the view meets frame `start` + k of clip `clip`; the teacher's logits (t,)."""

    clip: int
    start: int
    logits: Floats


@dataclass(frozen=True, eq=False)
class View:
    """Frames of a face in the order in which they are shown.

    Attributes:
        order: (t,) indices into the clip's frames.
        sounds: the first is the clip's own if `is_own`.
        features: (t, 128) the teacher's.
        is_own: the frames are in their natural order, so that the clip's own sound belongs to them.
    """

    order: NDArray[np.intp]
    sounds: list[Sound]
    features: Floats
    is_own: bool


@dataclass(eq=False)
class Example:
    """A clip ready for training.

    Attributes:
        person: who talks.
        copies: the main face at full size and, if there is one, in the reduced copy, frame by frame alike.
        samples: 16 kHz; picture frame i of the copies begins at sample 640 (first + i).
        speech: (frames of sound,) probability of speech.
        offset: by how many frames the clip's sound is late.
        listeners: other faces of the clip, each with its views.
        sides: face side of each copy, px; 0 = as in the file.
    """

    name: str
    person: str
    copies: list[LipFrames]
    samples: Floats
    speech: Floats
    offset: float = 0.0
    views: list[View] = field(default_factory=list)
    listeners: list[tuple[LipFrames, list[View]]] = field(default_factory=list)
    sides: list[int] = field(default_factory=lambda: [0])

    @property
    def frames(self) -> int:
        return len(self.copies[0].is_seen)

    @property
    def first(self) -> int:
        return self.copies[0].first


def frames_of(face: TrackedFace) -> LipFrames:
    """Return a training face on the 25-Hz grid."""
    return lip_frames(face.row, face.crops)


def aligned(frames: LipFrames, first: int, count: int) -> LipFrames:
    """Return the track cut or padded to `count` frames from `first` on; padding is not seen."""
    index = np.arange(first, first + count) - frames.first
    inside = (index >= 0) & (index < len(frames.is_seen))
    index = np.clip(index, 0, len(frames.is_seen) - 1)
    seen = frames.is_seen[index] & inside
    blank = ~seen
    mouths, faces, lips, state = frames.mouths[index], frames.faces[index], frames.lips[index], frames.state[index]
    mouths[blank], faces[blank], lips[blank], state[blank] = 0, 0, 0, 0
    return LipFrames(first, mouths, faces, lips, state, seen)


def speech_of(samples: Floats) -> Floats:
    """Return the probability of speech per frame of 25 Hz."""
    from speakervid_dag.models.vad import speech_probabilities

    probabilities, hop_s = speech_probabilities(samples)
    frames = len(samples) // SAMPLES
    at = np.minimum(((np.arange(frames) + 0.5) / FPS / hop_s).astype(int), len(probabilities) - 1)
    return np.asarray(probabilities[at], np.float32)


def teacher_faces(face: TrackedFace, frames: LipFrames) -> NDArray[np.uint8]:
    """Return the whole face box in grey, (t, 112, 112), for each frame of the grid."""
    wanted = (frames.first + np.arange(len(frames.is_seen))) / FPS
    return grey(face.crops.at(wanted, 2 / FPS, FACE)[0])


class Labeller:
    """Puts faces and sounds together and asks the teacher.

    Args:
        sounds: (samples, speech, person) of every clip.
    """

    def __init__(self, teacher: LightASD, sounds: Sequence[tuple[Floats, Floats, str]], seed: int) -> None:
        self._teacher, self._sounds = teacher, list(sounds)
        self._random = np.random.default_rng(seed)

    def talker(self, number: int, faces: NDArray[np.uint8], frames: LipFrames) -> list[View]:
        """Return the views of the main face of clip `number`; the first is the face as it is."""
        count, features = len(faces), self._teacher.features(faces)
        whole = np.arange(count)
        own = self._sound(features, number, frames.first)
        shifts = self._random.integers(*_SHIFT_FRAMES, _SHIFTS) * self._random.choice([-1, 1], _SHIFTS)
        sounds = [self._sound(features, number, frames.first + int(shift)) for shift in shifts]
        sounds += [self._sound(features, *other) for other in self._others(number, count, _FOREIGN)]
        views = [View(whole, [own, *sounds], features, is_own=True)]
        speech = self._sounds[number][1]
        orders = [*self._pauses(speech, frames), _still(frames), _slow(count)]
        for order in orders:
            shown = self._teacher.features(faces[order])
            heard = [self._sound(shown, *other) for other in self._others(number, len(order), _QUIET_SOUNDS)]
            quiet = [Sound(s.clip, s.start, np.minimum(s.logits, _QUIET_LOGIT)) for s in heard]
            views.append(View(order, quiet, shown, is_own=False))
        return views

    def listener(self, number: int, faces: NDArray[np.uint8], frames: LipFrames) -> list[View]:
        """Return the view of another face of the clip, under the clip's sound and others'."""
        features = self._teacher.features(faces)
        sounds = [self._sound(features, number, frames.first)]
        sounds += [self._sound(features, *other) for other in self._others(number, len(faces), 2)]
        return [View(np.arange(len(faces)), sounds, features, is_own=False)]

    def _sound(self, features: Floats, clip: int, start: int) -> Sound:
        samples = cut_sound(self._sounds[clip][0], start * SAMPLES, len(features) * SAMPLES + 400)
        return Sound(clip, start, self._teacher.log_odds(features, samples))

    def _others(self, number: int, count: int, how_many: int) -> list[tuple[int, int]]:
        """Return clips of other people, and the frame from which their sound is taken."""
        person = self._sounds[number][2]
        others = [n for n, (_, _, who) in enumerate(self._sounds) if who != person]
        found = []
        for n in self._random.permutation(others)[:how_many]:
            spare = len(self._sounds[n][1]) - count
            found.append((int(n), int(self._random.integers(0, spare + 1)) if spare > 0 else 0))
        return found

    def _pauses(self, speech: Floats, frames: LipFrames) -> list[NDArray[np.intp]]:
        """Return the longest pauses of the face's own sound, up to two, each to and fro."""
        at = np.clip(np.arange(len(frames.is_seen)) + frames.first, 0, max(0, len(speech) - 1))
        quiet = (speech[at] < 0.2) & frames.is_seen if len(speech) else np.zeros(len(at), bool)
        edges = np.flatnonzero(np.diff(np.concatenate([[0], quiet.astype(int), [0]])))
        runs = sorted(zip(edges[::2], edges[1::2], strict=True), key=lambda run: run[0] - run[1])
        trimmed = [(a + 3, b - 4) for a, b in runs if b - a >= _PAUSE_FRAMES + 7]
        return [_to_and_fro(a, b) for a, b in trimmed[:2]]


def cut_sound(samples: Floats, first: int, count: int) -> Floats:
    """Return `count` samples from `first` on, silence where there are none."""
    out = np.zeros(count, np.float32)
    start, end = max(0, first), min(len(samples), first + count)
    if end > start:
        out[start - first : end - first] = samples[start:end]
    return out


def _to_and_fro(first: int, last: int) -> NDArray[np.intp]:
    length = last - first
    phase = np.arange(_QUIET_LENGTH) % max(1, 2 * length - 2)
    return np.asarray(first + np.minimum(phase, 2 * length - 2 - phase).clip(0), np.intp)


def _still(frames: LipFrames) -> NDArray[np.intp]:
    """Return the half second in which the mouth's pictures change least, to and fro."""
    steps = np.abs(np.diff(frames.mouths.astype(np.int16), axis=0)).mean(axis=(1, 2))
    steps = np.concatenate([steps, steps[-1:]]) if len(steps) else np.zeros(1)
    steps = np.where(frames.is_seen, steps, 1e3)
    length = min(_STILL_FRAMES, len(steps))
    sums = np.convolve(steps, np.ones(length), "valid")
    first = int(np.argmin(sums))
    return _to_and_fro(first, first + length)


def _slow(count: int) -> NDArray[np.intp]:
    return np.minimum((np.arange(_QUIET_LENGTH) * _SLOW).astype(np.intp) + count // 3, count - 1)


def is_usable(frames: LipFrames) -> bool:
    """Return whether a face is seen long enough to learn from."""
    return int(frames.is_seen.sum()) >= _MIN_FACE_FRAMES
