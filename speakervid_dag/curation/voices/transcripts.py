"""Assignment of recognised words to turns, and the transcript rows that follow.

Belongs here: words and turns in, rows out. Does not belong here: recognition (models/asr.py), gates on the
confidence figures.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from speakervid_dag.config.sections import TranscriptSettings
    from speakervid_dag.curation.voices.recognition import Recognition, Word


@dataclass(frozen=True)
class TurnSpan:
    """The fields of a turn that this module needs; half-open, s."""

    turn_id: str
    speaker_id: str
    start_s: float
    end_s: float


def turn_of(word: "Word", turns: Sequence[TurnSpan], max_distance_s: float) -> TurnSpan | None:
    """Return the turn that shares most time with the word; else the nearest one within max_distance_s; else None.

    Recognisers place words some tenths of a second off, so a word just outside a turn still belongs to it.
    """

    def rank(turn: TurnSpan) -> tuple[float, float]:
        shared = min(turn.end_s, word.end_s) - max(turn.start_s, word.start_s)
        middle = (word.start_s + word.end_s) / 2
        return shared, -abs(middle - min(max(middle, turn.start_s), turn.end_s))

    best = max(turns, key=rank, default=None)
    return best if best is not None and rank(best)[0] >= -max_distance_s else None


def transcript_rows(
    recognition: "Recognition", turns: Sequence[TurnSpan], backend: str, settings: "TranscriptSettings"
) -> tuple[list[dict[str, Any]], int]:
    """Return rows of the table `transcripts` (without batch and video_id): segments cut where the turn changes.

    A row's text and times come from the words in it. Its confidence figures are those of the segment it was cut from,
    because Whisper gives them for whole segments only.

    Args:
        turns: turns of one video on the same time line as the recognition.
        backend: name of the weights.

    Returns:
        (rows in order of time, number of words left out because no turn is near).
    """
    rows: list[dict[str, Any]] = []
    count: dict[str, int] = {}
    unassigned = 0
    for segment in recognition.segments:
        owned = [(turn_of(w, turns, settings.max_word_distance_s), w) for w in segment.words]
        for turn, group in groupby(owned, key=lambda pair: pair[0]):
            words = [w for _, w in group]
            text = "".join(w.text for w in words).strip()
            if turn is None:
                unassigned += len(words)
            elif text:
                start_s, end_s = _within(words, turn, settings.max_word_distance_s)
                index = count[turn.turn_id] = count.get(turn.turn_id, -1) + 1
                rows.append(
                    {
                        "transcript_id": f"{turn.turn_id}-x{index:02d}",
                        "turn_id": turn.turn_id,
                        "speaker_id": turn.speaker_id,
                        "start_s": start_s,
                        "end_s": end_s,
                        "text": text,
                        "language": recognition.language,
                        "language_probability": recognition.language_probability,
                        "avg_logprob": segment.avg_logprob,
                        "no_speech_prob": segment.no_speech_prob,
                        "compression_ratio": segment.compression_ratio,
                        "words": [_word(w) for w in words],
                        "backend": backend,
                    }
                )
    return sorted(rows, key=lambda row: (row["start_s"], row["transcript_id"])), unassigned


def _within(words: Sequence["Word"], turn: TurnSpan, reach_s: float) -> tuple[float, float]:
    """Return the span from the first word to the last, limited to `reach_s` around the turn; words keep their times."""
    start_s = max(words[0].start_s, turn.start_s - reach_s)
    return start_s, max(start_s + 0.01, min(max(w.end_s for w in words), turn.end_s + reach_s))


def _word(word: "Word") -> dict[str, Any]:
    return {"word": word.text.strip(), "start_s": word.start_s, "end_s": word.end_s, "probability": word.probability}
