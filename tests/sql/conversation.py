"""A small conversation as rows, and a profile for it."""

from types import SimpleNamespace
from typing import Any

from rows import PROFILE

from speakervid_dag.config.sections import BranchSettings, Gate

SETTINGS = {
    "dialogue_max_gap_s": 3.0,
    "dialogue_max_overlap_s": 1.0,
    "dialogue_min_palette": 0.2,
    "listening_min_overlap_s": 1.0,
    "listening_min_margin": 1.0,
    "listening_needs_margin": False,
    "listening_max_log_odds": None,
    "listening_needs_words": False,
    "multi_turn_window_s": 30.0,
    "multi_turn_max_gap_s": 3.0,
}


def gate(measure: str = "luminance", **values: Any) -> Gate:
    plain = {
        "keep": ">=",
        "threshold": 1.0,
        "unit": "1",
        "level": "pretrain",
        "not_evaluated": "hold",
        "source": "test",
    }
    return Gate(**{"measure": measure, **plain, **values})


def profile(gates: dict[str, Gate] | None = None, **branches: Any) -> Any:
    """What the queries need of a profile."""
    chosen = {"any": gate(not_evaluated="pass")} if gates is None else gates
    return SimpleNamespace(name=PROFILE, gates=chosen, branches=BranchSettings(**{**SETTINGS, **branches}))


def turn(turn_id: str, speaker: str, start: float, end: float, **more: Any) -> dict[str, Any]:
    return {"turn_id": turn_id, "speaker_id": speaker, "start_s": start, "end_s": end, "is_backchannel": False, **more}


def clip(clip_id: str, person: str, start: float, end: float, turns: list[str], **more: Any) -> dict[str, Any]:
    return {
        "clip_id": clip_id,
        "person_id": person,
        "start_s": start,
        "end_s": end,
        "duration_s": end - start,
        "turn_ids": turns,
        "role": "talking",
        "shot_id": "s1",
        "track_id": f"t-{person}",
        **more,
    }
