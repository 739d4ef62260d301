"""A clip's sound for export: other voices are silenced, and no sample of the clip's own speaker is changed.

Belongs here: which samples of a clip are kept. Does not belong here: reading, resampling or writing sound.

As in SpeakerVid-5M, the speech of anybody else is replaced by silence. Where the clip's own speaker talks at the same
time, both voices stay: they cannot be separated, and keeping the own speech matters more than removing the other. Sound
that is nobody's speech (room, breath, music) stays.

A half-open time [start_s, end_s) covers the samples [round(start_s * rate), round(end_s * rate)), counted from the
container's start; halves round to the even sample. So neighbouring spans share no sample and lose none.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.curation.intervals import Interval

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class VoiceSpan:
    """A half-open span, s, in which a speaker talks."""

    speaker_id: str
    start_s: float
    end_s: float


def sample_range(span: Interval, rate_hz: int) -> tuple[int, int]:
    """Return the first sample of a half-open time, and the first sample after it."""
    return round(span[0] * rate_hz), round(span[1] * rate_hz)


def clip_sound(
    samples: Floats, rate_hz: int, span: Interval, speaker_id: str | None, turns: Iterable[VoiceSpan]
) -> Floats:
    """Return the samples of one clip, with other voices silenced outside their overlap with the clip's own speaker.

    Args:
        samples: (n,) mono sound of the whole video; sample 0 is the container's start.
        span: of the clip, s from the container's start.
        speaker_id: the clip's own voice; None for a person without one (every voice is silenced).
        turns: of the video; those outside the clip are ignored.

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
    # compare own and other speech in samples, not in seconds, so that rounding never silences an own sample
    is_own, is_other = np.zeros(len(out), np.bool_), np.zeros(len(out), np.bool_)
    for turn in turns:
        low, high = sample_range((turn.start_s, turn.end_s), rate_hz)
        mask = is_own if turn.speaker_id == speaker_id else is_other
        mask[max(0, low - first) : max(0, high - first)] = True
    out[is_other & ~is_own] = 0
    return out
