"""Backchannels: short words of a listener ("mhm") that do not take the floor.

Belongs here: which turns are such words. Does not belong here: turns (diarization.py, curation/joint), who answers whom
(sql/branches/dialogue.sql).
"""

from collections.abc import Sequence

from speakervid_dag.curation.voices.overlaps import SpeechTurn


def backchannels(turns: Sequence[SpeechTurn], max_s: float) -> list[bool]:
    """Return of each turn whether it is a backchannel.

    It is shorter than `max_s`, and lies inside somebody else's turn, or between two longer turns of one other speaker.

    Args:
        turns: of one video, in order of time.
        max_s: turns of this length and longer hold the floor.
    """
    is_short = [turn.end_s - turn.start_s < max_s for turn in turns]
    is_inside, reached_s = [], float("-inf")
    for turn in turns:
        is_inside.append(reached_s >= turn.end_s)
        reached_s = max(reached_s, turn.end_s)
    holders = [
        None if short or inside else turn.speaker_id
        for turn, short, inside in zip(turns, is_short, is_inside, strict=True)
    ]
    before, after = _last_known(holders), _last_known(holders[::-1])[::-1]
    return [
        short and (inside or (one is not None and one == other != turn.speaker_id))
        for turn, short, inside, one, other in zip(turns, is_short, is_inside, before, after, strict=True)
    ]


def _last_known(names: Sequence[str | None]) -> list[str | None]:
    """Return the last name before each place; None where none was."""
    found: list[str | None] = []
    last = None
    for name in names:
        found.append(last)
        last = last if name is None else name
    return found
