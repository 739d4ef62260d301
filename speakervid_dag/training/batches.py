"""Batches of training segments: three seconds of a face, its own sound with 15 frames around, and another sound.

Belongs here: choosing clips and moments, tempo, and the arrays of a batch. Does not belong here: what the arrays are
changed by (augmentation.py), losses.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.curation.speaking.lip_frames import SAMPLES, LipFrames
from speakervid_dag.models.lip_layers import MAX_LAG, PICTURE_PX
from speakervid_dag.training import augmentation
from speakervid_dag.training.views import Example, Sound, View

FRAMES = 75
TALKERS, QUIET = 20, 4
_LONGEST_FRAMES, _POWER = 375, 0.7  # clips are drawn in proportion to min(frames, 375) ** 0.7
_SMALL_SHARE, _NO_PICTURES, _NO_LIPS = 0.4, 0.15, 0.30
_TEMPO, _TEMPO_SHARE, _JITTER_FRAMES = (0.85, 1.18), 0.7, 0.4
_MARGIN_SAMPLES = 400

Floats = NDArray[np.float32]
Random = np.random.Generator


@dataclass(frozen=True, eq=False)
class Batch:
    """n segments, of which the first 20 have their own sound.

    Attributes:
        mouths, faces: (n, 75, 48, 48) uint8.
        lips: (n, 75, 40) float32. state: (n, 75, 3). is_seen: (n, 75) bool.
        has_pictures, has_lips: (n,) bool; False: that input is left out.
        sounds: (n, samples of 105 frames) own sound, or for quiet faces another's; `others` likewise (20, ...), another
            sound for each of the first 20, or none.
        logits: (n, 75) the teacher's with `sounds`; other_logits (20, 75) with `others`.
        features: (n, 75, 128) the teacher's.
        speech: (20, 75) probability of speech in the own sound.
        is_valid: (n, 75) bool: inside the clip and seen.
        people: (20,) numbers of people.
    """

    mouths: NDArray[np.uint8]
    faces: NDArray[np.uint8]
    lips: Floats
    state: Floats
    is_seen: NDArray[np.bool_]
    has_pictures: NDArray[np.bool_]
    has_lips: NDArray[np.bool_]
    sounds: Floats
    others: Floats
    logits: Floats
    other_logits: Floats
    features: Floats
    speech: Floats
    is_valid: NDArray[np.bool_]
    people: NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class _Segment:
    parts: dict[str, NDArray[np.generic]]
    positions: NDArray[np.float64]
    view: View
    tempo: float


class BatchMaker:
    """Draws batches from examples with views. Same seed, same batches.

    Args:
        uses_pictures: False: no pictures are made (a network of lip coordinates alone).
        has_others: False: no other sounds are made (training without a teacher).
        quiet: segments with a quiet face or a listener, beside the 20 talkers.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        seed: int,
        *,
        uses_pictures: bool,
        has_others: bool = True,
        quiet: int = QUIET,
    ) -> None:
        self._examples, self._random = list(examples), np.random.default_rng(seed)
        self._uses_pictures, self._has_others, self._quiet = uses_pictures, has_others, quiet
        weights = np.array([min(e.frames, _LONGEST_FRAMES) ** _POWER for e in examples])
        self._weights = weights / weights.sum()
        people = sorted({e.person for e in examples})
        self._people = np.array([people.index(e.person) for e in examples])
        self._listeners = [n for n, e in enumerate(examples) if e.listeners]

    def draw(self) -> Batch:
        random = self._random
        size = min(TALKERS, len(self._examples))
        chosen = random.choice(len(self._examples), size, replace=False, p=self._weights)
        segments, sounds, logits, others, other_logits, speech = [], [], [], [], [], []
        for n in chosen:
            example = self._examples[n]
            view = example.views[0]
            segment = self._segment(example.copies, view)
            own, rest = view.sounds[0], view.sounds[1:]
            segments.append(segment)
            sounds.append(self._heard(own, segment, example.offset + random.uniform(-_JITTER_FRAMES, _JITTER_FRAMES)))
            logits.append(_at(own.logits, segment.positions))
            if self._has_others:
                other = rest[int(random.integers(0, len(rest)))]
                others.append(self._heard(other, segment, self._examples[other.clip].offset))
                other_logits.append(_at(other.logits, segment.positions))
            speech.append(self._speech(example, segment))
        for _ in range(self._quiet):
            copies, view = self._quiet_view()
            segment = self._segment(copies, view)
            sound = view.sounds[int(random.integers(0, len(view.sounds)))]
            segments.append(segment)
            sounds.append(self._heard(sound, segment, self._examples[sound.clip].offset))
            logits.append(_at(sound.logits, segment.positions))
        parts = {name: np.stack([s.parts[name] for s in segments]) for name in segments[0].parts}
        without = random.random(len(segments))
        return Batch(
            **parts,  # type: ignore[arg-type]
            has_pictures=(without >= _NO_PICTURES) & self._uses_pictures,
            has_lips=(without < 1 - _NO_LIPS) | (not self._uses_pictures),
            sounds=np.stack(sounds),
            others=np.stack(others) if others else np.zeros((0, sounds[0].shape[0]), np.float32),
            logits=np.stack(logits),
            other_logits=np.stack(other_logits) if others else np.zeros((0, FRAMES), np.float32),
            speech=np.stack(speech),
            people=self._people[chosen],
        )

    def _quiet_view(self) -> tuple[list[LipFrames], View]:
        """Return a listener (in half of the cases, if there are any), else a pause, a still or a slow face."""
        random = self._random
        if self._listeners and random.random() < 0.5:
            example = self._examples[int(random.choice(self._listeners))]
            frames, views = example.listeners[int(random.integers(0, len(example.listeners)))]
            return [frames], views[0]
        example = self._examples[int(random.integers(0, len(self._examples)))]
        return example.copies, example.views[1 + int(random.integers(0, len(example.views) - 1))]

    def _segment(self, copies: list[LipFrames], view: View) -> _Segment:
        random = self._random
        frames = copies[1] if len(copies) > 1 and random.random() < _SMALL_SHARE else copies[0]
        tempo = random.uniform(*_TEMPO) if random.random() < _TEMPO_SHARE else 1.0
        count = len(view.order)
        spare = count - FRAMES * tempo
        start = random.uniform(0, spare) if spare > 0 else spare / 2
        positions = start + tempo * augmentation.doubled(FRAMES, random)
        nearest = np.round(positions).astype(np.intp)
        is_inside = (nearest >= 0) & (nearest < count)
        index = view.order[np.clip(nearest, 0, count - 1)]
        is_mirrored = bool(random.random() < 0.5)
        lips = frames.lips[index]
        lips = augmentation.mirrored_lips(lips) if is_mirrored else lips
        state = frames.state[index] * np.array([1, 1, -1 if is_mirrored else 1], np.float32)
        blank = np.zeros((FRAMES, PICTURE_PX, PICTURE_PX), np.uint8)
        mouths = faces = blank
        if self._uses_pictures:
            mouths = augmentation.pictures(frames.mouths[index], random, is_mirrored=is_mirrored, span=(52, 68))
            faces = augmentation.pictures(frames.faces[index], random, is_mirrored=is_mirrored, span=(54, 64))
        parts: dict[str, NDArray[np.generic]] = {
            "mouths": mouths,
            "faces": faces,
            "lips": augmentation.moved_lips(lips, random),
            "state": state,
            "is_seen": frames.is_seen[index],
            "features": view.features[np.clip(nearest, 0, count - 1)],
            "is_valid": is_inside & frames.is_seen[index],
        }
        steady = (start + tempo * np.arange(FRAMES)).astype(np.float64)
        return _Segment(parts, steady, view, tempo)

    def _heard(self, sound: Sound, segment: _Segment, offset: float) -> Floats:
        """Return the sound of 105 frames around a segment, in its tempo, augmented."""
        samples = self._examples[sound.clip].samples
        count = (FRAMES + 2 * MAX_LAG) * SAMPLES
        first = (sound.start + segment.positions[0] + offset - MAX_LAG * segment.tempo) * SAMPLES
        at = first + segment.tempo * np.arange(count)
        low = max(0, int(at[0]) - 1)
        part = samples[low : max(low + 2, min(len(samples), int(at[-1]) + 2))]
        heard = np.interp(at - low, np.arange(len(part)), part, left=0, right=0) if len(part) else np.zeros(count)
        voices = [self._examples[int(self._random.integers(0, len(self._examples)))].samples]
        return augmentation.sound(heard.astype(np.float32), voices, self._random)

    def _speech(self, example: Example, segment: _Segment) -> Floats:
        at = np.round(example.first + segment.positions + example.offset).astype(np.intp)
        inside = (at >= 0) & (at < len(example.speech))
        return np.where(inside, example.speech[np.clip(at, 0, max(0, len(example.speech) - 1))], 0).astype(np.float32)


def _at(values: Floats, positions: NDArray[np.float64]) -> Floats:
    return np.interp(positions, np.arange(len(values)), values).astype(np.float32)
