"""Contents of the page for one item: the span to play, outlined people with times, words, scores.

Belongs here: turning rows of the lake into plain values for JSON. Does not belong here: choosing items (queue.py),
media (previews.py), markup (templates/).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from speakervid_dag.failures import UserError
from speakervid_dag.lake.queries.session import Session, query_file
from speakervid_dag.lake.schemas import CLIP_SCORES
from speakervid_dag.rendering.text import figure, one_line, words
from speakervid_dag.review.questions import asked_about, question_of
from speakervid_dag.review.queue import Item

Row = Mapping[str, Any]
_DOCS = {c.name: c.doc for c in CLIP_SCORES.columns}
_BOX = ("x1", "y1", "x2", "y2")


@dataclass(frozen=True)
class Span:
    """The part of a video that is played, in seconds from the container's start."""

    video_id: str
    start_s: float
    end_s: float
    batch: str
    clip_id: str  # the clip an answer is about


@dataclass(frozen=True)
class Subject:
    """A span and `told`, JSON for the page; its times are seconds from the span's start."""

    span: Span
    told: Mapping[str, Any]


def load(con: Session, profile: str, item: Item) -> Subject:
    """Return the item's subject. Raises UserError if it is not, or no longer, in the snapshot."""
    parts, facts = _parts(con, profile, item)
    roles = {clip_id: role for role, clip_id in parts.items() if clip_id}
    rows = query_file(con, "report/gallery_clips", profile=profile, clip_ids=list(roles)).to_dicts()
    clips = {row["clip_id"]: row for row in rows}
    if not roles or set(clips) != set(roles):
        raise UserError(f"{item.subject_id} is not in this snapshot")
    chief = clips[parts.get("responder") or next(iter(roles))]
    start = facts.pop("start_s", min(c["start_s"] for c in rows))
    end = facts.pop("end_s", max(c["end_s"] for c in rows))
    batch = facts.pop("batch", None) or _batch(con, chief["clip_id"])
    span = Span(chief["video_id"], start, end, batch, chief["clip_id"])
    asked = question_of(item.question, item.measure)
    told = {
        "question": asked.text,
        "hint": asked.hint,
        "subject": item.subject_id,
        "source": one_line(chief["source_name"]),
        "start_s": start,
        "duration_s": end - start,
        "facts": [f for f in (facts.pop("told", "")) if f],
        "heard": _shown(facts.pop("heard", None)),
        "sides": [_side(role, clips[clip_id], start, end) for clip_id, role in roles.items()],
        "scores": _scores(con, profile, item, roles),
    }
    return Subject(span, told)


def _parts(con: Session, profile: str, item: Item) -> tuple[dict[str, str | None], dict[str, Any]]:
    """Return role → clip, in the order of the page, and further facts."""
    if item.kind == "clip":
        return {"person": item.subject_id}, {}
    rows = query_file(con, f"review/{item.kind}", profile=profile, subject=item.subject_id).to_dicts()
    if not rows:
        return {}, {}
    row = rows[0]
    if item.kind == "pair":
        gap = row["gap_s"]
        when = f"overlaps by {-gap:.2f} s" if gap < 0 else f"answers after {gap:.2f} s"
        told = [when, "same shot" if row["is_same_shot"] else "over a cut"]
        sides = {"initiator": row["initiator_clip_id"], "responder": row["responder_clip_id"]}
        return sides, {"told": told, "batch": row["batch"]}
    margin = f"margin {figure(row['margin'])}" if row["margin"] is not None else ""
    kept = {name: row[name] for name in ("batch", "start_s", "end_s", "heard")}
    sides = {"listener": row["listener_clip_id"], "speaker": row["speaker_clip_id"]}
    return sides, {"told": [words(row["mode"]), margin], **kept}


def _batch(con: Session, clip_id: str) -> str:
    rows = con.execute("SELECT batch FROM clips WHERE clip_id = $id", {"id": clip_id}).fetchall()
    return str(rows[0][0])


def _side(role: str, clip: Row, start_s: float, end_s: float) -> dict[str, Any]:
    return {
        "role": role,
        "box": [clip[side] for side in _BOX],
        "from_s": max(clip["start_s"], start_s) - start_s,
        "to_s": min(clip["end_s"], end_s) - start_s,
        "person": str(clip["person_id"]).rpartition("-")[2],
        "voice": clip["speaker_id"],
        "tier": clip["tier"],
        "text": _shown(clip["text"]),
    }


def _scores(con: Session, profile: str, item: Item, roles: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return every gate of the clips; first those that the question is about."""
    rows = query_file(con, "review/scores", profile=profile, clip_ids=list(roles)).to_dicts()
    scores = []
    for row in rows:
        about = (item.question, item.measure) == asked_about(row["measure"])
        ends = [v for v in (row["value"], row["threshold"], row["upper_threshold"]) if v is not None]
        low = min([*ends, row["low"]]) if row["low"] is not None else min(ends, default=0.0)
        high = max([*ends, row["high"]]) if row["high"] is not None else max(ends, default=1.0)
        scores.append(
            {
                **{n: row[n] for n in ("gate", "level", "mode", "verdict", "value", "keep", "threshold", "unit")},
                "upper": row["upper_threshold"],
                "role": roles[row["clip_id"]],
                "doc": _DOCS.get(row["measure"], words(row["measure"])),
                "reason": words(row["reason"]) if row["reason"] else None,
                "low": low,
                "high": high,
                "is_asked": about,
            }
        )
    return sorted(scores, key=lambda s: not s["is_asked"])


def _shown(text: str | None) -> str | None:
    return one_line(text) if text else None
