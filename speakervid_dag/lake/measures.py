"""What a gate can ask: every measure with unit and meaning, also the papers' that no stage makes here.

Belongs here: names, units and meanings of measures. Does not belong here: how one is computed (curation/) and
thresholds (profiles). A column of clip_scores with a `_status` beside it is a measure; its unit stands in schemas.py.
"""

from dataclasses import dataclass

from speakervid_dag.lake.schemas import CLIP_SCORES, CLIPS, FLOAT


@dataclass(frozen=True)
class Measure:
    """One measure; `is_made` says whether a stage of this package computes it."""

    name: str
    unit: str
    doc: str
    is_made: bool


# what the papers ask and nothing here computes: a gate on one of these is never evaluated, and says so
_UNMADE = (
    ("video_quality", "1", "DOVER, technical and aesthetic fused, 0-1"),
    ("dover_technical", "z-score", "DOVER technical, on TalkVid's z-scored scale"),
    ("cotracker_ratio", "1", "steadiness by CoTracker points, 0-1: above 0.999 frozen, below 0.85 shaky"),
)


def made_measures() -> list[str]:
    """What a stage computes: the measurements of clip_scores, and duration_s."""
    return [name for name, measure in MEASURES.items() if measure.is_made]


def scores() -> list[str]:
    """The measurements of clip_scores: its numbers that have a `_status` beside them."""
    schema = CLIP_SCORES.schema
    return [n for n, dtype in schema.items() if dtype == FLOAT and f"{n}_status" in schema]


def _all() -> dict[str, Measure]:
    scored = set(scores())
    made = [c for c in CLIP_SCORES.columns if c.name in scored] + [c for c in CLIPS.columns if c.name == "duration_s"]
    found = {c.name: Measure(c.name, c.unit or "1", c.doc, True) for c in made}
    unmade = {name: Measure(name, unit, doc, False) for name, unit, doc in _UNMADE}
    return {**unmade, **found}


MEASURES = _all()
