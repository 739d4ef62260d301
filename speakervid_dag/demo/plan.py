"""The plan of a demo video, and the ground truth computed from it.

Belongs here: turns, shots, panes, and the exact truth computed from them alone. Does not belong here: the choice of
words and faces (videos.py), pixels and files (compose.py). The truth has the fields of a ground-truth kit's
`NAME.truth.json`: seconds from the container's start, half-open spans, normalised boxes x1, y1, x2, y2.
"""

import itertools
from dataclasses import dataclass, field, replace
from typing import Any

from speakervid_dag.demo.acting import FPS, HOP
from speakervid_dag.demo.materials import Samples

MIN_SPAN_S = 0.5  # shorter pieces of listening are not listed
Box = tuple[float, float, float, float]
Span = tuple[float, float]


@dataclass(frozen=True)
class ScriptTurn:
    person: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Pane:
    """One person's part of the picture: (x, y, width, height) px."""

    person: str
    rect: tuple[int, int, int, int]


@dataclass(frozen=True)
class ScriptShot:
    """Frames start to end (half-open) with the same panes; no panes: a still picture without people."""

    start: int
    end: int
    panes: tuple[Pane, ...]

    @property
    def span(self) -> Span:
        return self.start / FPS, self.end / FPS


@dataclass(frozen=True)
class VideoPlan:
    """All inputs of one video. `voices`: each person's own sound; `sound`: their mix."""

    name: str
    kind: str
    variant: str
    size: tuple[int, int]
    shots: tuple[ScriptShot, ...]
    turns: tuple[ScriptTurn, ...]
    sound: Samples
    voices: dict[str, Samples]
    sources: tuple[str, ...]
    blur_px: float = 0.0  # standard deviation of the defocus
    verdict: tuple[str, str | None] = ("ok", None)
    faces: dict[str, Box] = field(default_factory=dict)  # person -> face envelope in the pane, filled when drawn

    @property
    def frames(self) -> int:
        return self.shots[-1].end

    @property
    def duration_s(self) -> float:
        return self.frames / FPS

    def first(self, seconds: float) -> "VideoPlan":
        """Return the same video cut off after `seconds`."""
        end = min(self.frames, round(seconds * FPS))
        end_s = end / FPS
        return replace(
            self,
            shots=tuple(replace(s, end=min(s.end, end)) for s in self.shots if s.start < end),
            turns=tuple(replace(t, end_s=min(t.end_s, end_s)) for t in self.turns if t.start_s < end_s),
            sound=self.sound[: end * HOP],
            voices={person: voice[: end * HOP] for person, voice in self.voices.items()},
        )

    def seen(self, person: str, span: Span) -> list[Span]:
        """Return when the person is in the picture during `span`, one piece per shot."""
        shown = [s.span for s in self.shots if any(p.person == person for p in s.panes)]
        return [cut for cut in (overlap(span, s) for s in shown) if cut[1] > cut[0]]

    def truth(self) -> dict[str, Any]:
        """Return the contents of NAME.truth.json."""
        verdict, reason = self.verdict
        turns = [self._turn(t) for t in self.turns]
        return {
            "name": self.name, "kind": self.kind, "variant": self.variant, "file": f"{self.name}.mp4",
            "fps": FPS, "width": self.size[0], "height": self.size[1], "duration_s": rounded(self.duration_s),
            "shots": [spanned(s.span) for s in self.shots], "turns": turns, "faces": self._faces(),
            "dialogue_pairs": self._pairs(turns), "listening": self._listening(), "pane_jumps": [],
            "av_offset_frames": 0 if any(s.panes for s in self.shots) else None,
            "expected_quality": {"verdict": verdict, "reason": reason}, "sources": list(self.sources),
        }  # fmt: skip

    def _turn(self, turn: ScriptTurn) -> dict[str, Any]:
        visible = self.seen(turn.person, (turn.start_s, turn.end_s))
        panes = [p for s in self.shots for p in s.panes if p.person == turn.person]
        return {
            **spanned((turn.start_s, turn.end_s)), "speaker": turn.person, "on_screen": bool(visible),
            "box": boxed(self._box(panes[0])) if visible else None,
            "visible": [[rounded(a), rounded(b)] for a, b in visible],
        }  # fmt: skip

    def _box(self, pane: Pane) -> Box:
        (x, y, w, h), (width, height) = pane.rect, self.size
        return x / width, y / height, (x + w) / width, (y + h) / height

    def _faces(self) -> list[dict[str, Any]]:
        found = []
        for shot in self.shots:
            for pane in shot.panes:
                x1, y1, x2, y2 = self._box(pane)
                face = self.faces.get(pane.person, (0.0, 0.0, 1.0, 1.0))
                inside = (
                    x1 + face[0] * (x2 - x1),
                    y1 + face[1] * (y2 - y1),
                    x1 + face[2] * (x2 - x1),
                    y1 + face[3] * (y2 - y1),
                )
                found.append({**spanned(shot.span), "person": pane.person,
                              "box": boxed((x1, y1, x2, y2)), "face_box": boxed(inside)})  # fmt: skip
        return found

    def _pairs(self, turns: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return adjacent turns of two visible people; an interjection during another's turn does not count."""
        kept = [i for i, t in enumerate(turns) if not any(
            o is not t and o["start_s"] <= t["start_s"] and t["end_s"] <= o["end_s"] for o in turns)]  # fmt: skip
        return [
            {"initiator": i, "responder": j, "gap_s": rounded(turns[j]["start_s"] - turns[i]["end_s"])}
            for i, j in itertools.pairwise(kept)
            if turns[i]["speaker"] != turns[j]["speaker"] and turns[i]["on_screen"] and turns[j]["on_screen"]
        ]

    def _listening(self) -> list[dict[str, Any]]:
        people = sorted({p.person for s in self.shots for p in s.panes})
        found = []
        for turn in self.turns:
            for shot in self.shots:
                here = {p.person for p in shot.panes}
                for person in (p for p in people if p in here and p != turn.person):
                    span = overlap((turn.start_s, turn.end_s), shot.span)
                    mode = "co_present" if turn.person in here else "non_co_present"
                    for piece in self._silent(person, span):
                        found.append({**spanned(piece), "listener": person, "speaker": turn.person,
                                      "mode": mode, "lips_moving": False})  # fmt: skip
        return found

    def _silent(self, person: str, span: Span) -> list[Span]:
        """Return `span` without the person's own turns."""
        pieces = [span]
        for turn in (t for t in self.turns if t.person == person):
            pieces = [p for a, b in pieces for p in ((a, min(b, turn.start_s)), (max(a, turn.end_s), b))]
        return [(a, b) for a, b in pieces if b - a >= MIN_SPAN_S]


def overlap(a: Span, b: Span) -> Span:
    return max(a[0], b[0]), min(a[1], b[1])


def rounded(value: float) -> float:
    return round(value, 3)


def spanned(span: Span) -> dict[str, float]:
    return {"start_s": rounded(span[0]), "end_s": rounded(span[1])}


def boxed(box: Box) -> list[float]:
    return [round(v, 4) for v in box]
