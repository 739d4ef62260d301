"""Cards of the gallery: clips, pairs, listeners, sessions.

Belongs here: pure functions from rows to cards. Does not belong here: queries (report_data), posters, markup
(templates/report.html.jinja).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from speakervid_dag.rendering.text import clock, many, words
from speakervid_dag.report.posters import Poster
from speakervid_dag.report.report_data import ReportData

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Face:
    """One clip on a card: its poster, person, time and words."""

    clip_id: str
    poster: Poster
    alt: str
    heading: str
    when: str
    text: str | None
    language: str | None
    tier: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Card:
    """One sample of a branch: one face, or several in their order."""

    title: str
    tier: str
    facts: tuple[str, ...]
    faces: tuple[Face, ...]
    text: str | None = None


def branches(data: ReportData, posters: Mapping[str, Poster]) -> list[tuple[str, str, list[Card]]]:
    """Return (branch, description of its samples, cards) in the order of the page."""

    def face(clip_id: str, heading: str = "") -> Face:
        return _face(data.clips[clip_id], posters, heading)

    single = [
        Card(f"{c['duration_s']:.1f} s", c["tier"], (), (face(c["clip_id"]),))
        for c in data.single
        if c["clip_id"] in data.clips
    ]
    dialogue = [
        Card(
            "initiator → responder",
            p["tier"],
            (_gap(p["gap_s"]), "same shot" if p["is_same_shot"] else "over a cut", f"{p['duration_s']:.1f} s"),
            (face(p["initiator_clip_id"], "initiator"), face(p["responder_clip_id"], "responder")),
        )
        for p in data.dialogue
    ]
    listening = [
        Card(
            f"hears {_short(c['speaker_person_id']) if c['speaker_person_id'] else 'a voice off screen'}",
            c["tier"],
            (
                words(c["mode"]),
                f"{c['duration_s']:.1f} s",
                *([f"margin {c['margin']:.1f}"] if c["margin"] is not None else []),
            ),
            (face(c["listener_clip_id"], "listener"),),
            c["heard"],
        )
        for c in data.listening
    ]
    return [
        ("single", "a talking clip by itself", single),
        ("dialogue", "a clip and the clip that answers it", dialogue),
        ("listening", "a silent listener, and what is heard meanwhile", listening),
        ("multi_turn_contextual", "clips with the words said before them", _sessions(data, "contextual", face)),
        ("multi_turn_sequential", "clips that follow one another", _sessions(data, "sequential", face)),
    ]


def _sessions(data: ReportData, mode: str, face: Any) -> list[Card]:
    cards = []
    for _, group in groupby(data.sessions[mode], key=lambda r: r["session_id"]):
        turns = list(group)
        worst = max((t["tier"] for t in turns), key=("sft", "pretrain", "rejected").index)
        more = turns[0]["turns"] - len(turns)
        facts = (
            many(turns[0]["turns"], "turn"),
            f"{turns[0]['session_s']:.1f} s",
            *([f"{more} more not shown"] if more else []),
        )
        faces = tuple(face(t["clip_id"], f"{t['turn_index'] + 1}.") for t in turns)
        cards.append(Card("session", worst, facts, faces, turns[0]["history"]))
    return cards


def _face(clip: Row, posters: Mapping[str, Poster], heading: str) -> Face:
    who = _short(clip["person_id"])
    voice = f", voice {clip['speaker_id']}" if clip["speaker_id"] else ""
    when = f"{clock(clip['start_s'])}–{clock(clip['end_s'])}"
    return Face(
        clip["clip_id"],
        posters[clip["clip_id"]],
        f"{who}{voice}, {clip['role']}, in {clip['source_name']} at {when}",
        f"{heading} {who}".strip(),
        f"{clip['source_name']} {when}",
        clip["text"],
        clip["language"],
        clip["tier"],
        tuple(clip["reasons"]),
    )


def _gap(gap_s: float) -> str:
    return f"overlaps by {-gap_s:.2f} s" if gap_s < 0 else f"after {gap_s:.2f} s"


def _short(identifier: str) -> str:
    return identifier.rpartition("-")[2]
