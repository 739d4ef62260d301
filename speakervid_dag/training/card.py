"""The card of a trained lip network: material, licences, seed and figures, as JSON beside the weights.

Belongs here: its fields. Does not belong here: measuring. Nothing in it names a machine or a folder.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from speakervid_dag.training.clips import Clip
from speakervid_dag.training.evaluation import SynchronyReport
from speakervid_dag.training.loop import TrainingPlan
from speakervid_dag.training.talk_evaluation import TalkReport


def card(
    clips: Sequence[Clip],
    offsets: dict[str, float],
    held_out: Sequence[Clip],
    plans: dict[str, TrainingPlan],
    figures: dict[str, SynchronyReport],
    talking: TalkReport | None,
    teacher_sha256: str,
    weights_sha256: str,
) -> dict[str, Any]:
    """Return the card.

    Args:
        clips: trained on. offsets: of them, by file hash, frames by which the sound is late.
        held_out: never trained on.
        figures: synchrony on held-out people, by the group or face size they are of. talking: likewise.
    """
    stated = [clip for clip in clips if clip.is_licence_stated]
    return {
        "what": "talking and lip/sound synchrony per frame of 25 Hz, from a face track and sound",
        "weights_sha256": weights_sha256,
        "licence": "Apache-2.0 for the weights as such; see is_commercial_ok",
        "is_commercial_ok": len(stated) == len(clips) and all(clip.is_commercial_ok for clip in clips),
        "why": f"{len(clips) - len(stated)} of {len(clips)} clips state no licence"
        if len(stated) < len(clips)
        else "every clip states a licence",
        "teacher": {"name": "Light-ASD, AVA weights", "licence": "MIT", "sha256": teacher_sha256},
        "training": {part: asdict(plan) for part, plan in plans.items()},
        "synchrony_on_held_out_people": {name: _without_nan(asdict(report)) for name, report in figures.items()},
        "talking_on_held_out_people": None if talking is None else _without_nan(asdict(talking)),
        "people": len({clip.person for clip in clips}),
        "held_out_people": sorted({clip.person for clip in held_out}),
        "clips": [_entry(clip) | {"offset_frames": round(offsets[clip.sha256], 2)} for clip in clips],
        "held_out_clips": [_entry(clip) for clip in held_out],
    }


def _without_nan(value: Any) -> Any:
    """Return a figure, or figures by name, with None where nothing was measured, rounded to four places."""
    if isinstance(value, dict):
        return {name: _without_nan(each) for name, each in value.items()}
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, 4)
    return value


def _entry(clip: Clip) -> dict[str, Any]:
    return {"sha256": clip.sha256, "person": clip.person, "source": clip.source, "licence": clip.licence}


def write_card(content: dict[str, Any], path: Path) -> None:
    """Write a card as JSON, one clip a line."""
    from speakervid_dag.files import write_bytes

    text = json.dumps({k: v for k, v in content.items() if not k.endswith("clips")}, indent=1, ensure_ascii=False)
    for name in ("clips", "held_out_clips"):
        lines = ",\n  ".join(json.dumps(entry, ensure_ascii=False) for entry in content[name])
        text = _with(text, name, lines)
    write_bytes(path, (text + "\n").encode("utf-8"))


def _with(text: str, name: str, lines: str) -> str:
    return text.removesuffix("\n}") + f',\n "{name}": [\n  {lines}\n ]\n}}'
