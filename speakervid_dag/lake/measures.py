"""What a gate can ask: every measure with unit and meaning.

Belongs here: names, units and meanings of measures, and which of them rest on weights that are not pulled by default.
Does not belong here: how one is computed (curation/) and thresholds (profiles). A column of clip_scores with a
`_status` beside it is a measure; its unit stands in schemas/clips.py.
"""

from dataclasses import dataclass

from speakervid_dag.lake.schemas import CLIP_SCORES, CLIPS, FLOAT

# measure → registry name of weights that a user pulls on purpose; without them it is `weights_missing` in every clip
_RESTS_ON = {"video_quality": "dover", "dover_technical": "dover", "cotracker_ratio": "cotracker3"}


@dataclass(frozen=True)
class Measure:
    """One measure; `weights`: what it rests on beyond the default weights."""

    name: str
    unit: str
    doc: str
    weights: str | None = None


def scores() -> list[str]:
    """The measurements of clip_scores: its numbers that have a `_status` beside them."""
    schema = CLIP_SCORES.schema
    return [n for n, dtype in schema.items() if dtype == FLOAT and f"{n}_status" in schema]


def _all() -> dict[str, Measure]:
    scored = set(scores())
    columns = [c for c in CLIP_SCORES.columns if c.name in scored] + [
        c for c in CLIPS.columns if c.name == "duration_s"
    ]
    return {c.name: Measure(c.name, c.unit or "1", c.doc, _RESTS_ON.get(c.name)) for c in columns}


MEASURES = _all()
