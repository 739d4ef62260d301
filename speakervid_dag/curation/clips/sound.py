"""A clip's sound for export: other voices silenced, the clip's own speaker untouched to the sample.

Belongs here: which samples of a clip are kept. Does not belong here: reading, resampling or writing sound.

SpeakerVid-5M replaces the speech of anybody else by silence. Where the own speaker talks at the same time both are
heard: samples cannot be told apart, and the own speech is worth more than the other's absence. Sound that is nobody's
speech (room, breath, music) stays.

A half-open time [start_s, end_s) is the half-open range of samples [round(start_s * rate), round(end_s * rate)),
counted from the container's start; halves round to the even sample. So neighbouring spans share no
sample and lose none.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.curation.intervals import Interval

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class VoiceSpan:
    """Somebody speaks, s, half-open."""

    speaker_id: str
    start_s: float
    end_s: float


def sample_range(span: Interval, rate_hz: int) -> tuple[int, int]:
    """First sample, and first sample after, of a half-open time."""
    return round(span[0] * rate_hz), round(span[1] * rate_hz)


def clip_sound(
    samples: Floats, rate_hz: int, span: Interval, speaker_id: str | None, turns: Iterable[VoiceSpan]
) -> Floats:
    """The samples of one clip with other voices silenced outside their overlap with the clip's own speaker.

    Args:
        samples: (n,) mono sound of the whole video; sample 0 is the container's start.
        span: of the clip, s from the container's start.
        speaker_id: the clip's own voice, None for a person without one (then every voice is silenced).
        turns: of the video; those outside the clip do not matter.

    Returns:
        A new array of exactly round(end_s * rate_hz) - round(start_s * rate_hz) samples; zeros beyond the sound's end.

    Raises:
        ValueError: the span is empty or begins before the container.
    """
    first, after = sample_range(span, rate_hz)
    if not 0 <= first < after:
        raise ValueError(f"no samples in [{span[0]}, {span[1]}) at {rate_hz} Hz")
    out = np.zeros(after - first, samples.dtype)
    inside = samples[first:after]
    out[: len(inside)] = inside
    # own samples are decided on the grid, not in seconds: rounding must never silence one
    is_own, is_other = np.zeros(len(out), np.bool_), np.zeros(len(out), np.bool_)
    for turn in turns:
        low, high = sample_range((turn.start_s, turn.end_s), rate_hz)
        mask = is_own if turn.speaker_id == speaker_id else is_other
        mask[max(0, low - first) : max(0, high - first)] = True
    out[is_other & ~is_own] = 0
    return out
