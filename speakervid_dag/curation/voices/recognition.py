"""Speech recognised in a file: words with times, segments with their confidence figures.

Belongs here: the values that a recogniser returns. Does not belong here: recognising (models/asr.py).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Word:
    """One recognised word; `text` keeps its leading space where the language writes one."""

    text: str
    start_s: float
    end_s: float
    probability: float


@dataclass(frozen=True)
class Segment:
    """One unit of the decoder's output, with its confidence figures."""

    start_s: float
    end_s: float
    text: str
    words: tuple[Word, ...]
    avg_logprob: float
    no_speech_prob: float
    compression_ratio: float


@dataclass(frozen=True)
class Recognition:
    """All segments of one file in order of time.

    `language` is None when there is no speech. `language_probability` is None when it was not measured: no speech, or
    weights for one language only.
    """

    language: str | None
    language_probability: float | None
    segments: tuple[Segment, ...]
