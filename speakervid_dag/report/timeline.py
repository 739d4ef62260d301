"""One video's timeline as SVG: shots, voices and the face bound to each turn, faces, clips, pairs.

Belongs here: the pure function from rows to a picture that can be checked against the video. Does not belong here:
queries (report_data), colours (templates/timeline.css).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element

from speakervid_dag.rendering import svg
from speakervid_dag.rendering.text import clock, duration, many, shortened, words

Row = Mapping[str, Any]

GUTTER, MARGIN = 84.0, 12.0
TITLE, AXIS, SHOTS, VOICE, PERSON, LEGEND = 26.0, 20.0, 22.0, 28.0, 46.0, 24.0  # heights of the bands, px
MIN_PLOT_PX, MAX_PLOT_PX, PX_PER_S = 890.0, 6000.0, 18.0
LETTER_PX = 6.0  # a character inside a turn, about
COLOURS = 8
MAX_PEOPLE = 12
TICK_STEPS_S = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)
MIN_TICK_PX = 56.0
LEGEND_ITEMS = (
    ("turn bound c0", "turn bound to a face"),
    ("turn ambiguous", "ambiguous (?)"),
    ("turn off_screen", "off screen (off)"),
    ("turn not_evaluated", "not evaluated"),
    ("seen c0", "face in view"),
    ("clip talking sft", "talking clip"),
    ("clip listening sft", "listening clip"),
)


@dataclass(frozen=True)
class VideoRows:
    """Rows of one video from the queries sql/report/timeline_*.sql and videos.sql."""

    video: Row
    shots: Sequence[Row]
    tracks: Sequence[Row]
    turns: Sequence[Row]
    clips: Sequence[Row]
    pairs: Sequence[Row]

    @property
    def length_s(self) -> float:
        """Return the video's length; the end of the last thing found in it where the length is unknown."""
        ends = [float(row["end_s"]) for row in (*self.shots, *self.turns, *self.tracks)]
        return float(self.video.get("duration_s") or max(ends, default=1.0))

    @property
    def people(self) -> list[str]:
        """Return person_ids in the order of their first appearance."""
        return list(dict.fromkeys(t["person_id"] for t in self.tracks))

    @property
    def voices(self) -> list[str]:
        return sorted({t["speaker_id"] for t in self.turns})


def timeline(rows: VideoRows, *, start_s: float = 0.0, end_s: float | None = None, has_title: bool = False) -> Element:
    """Return the picture of `start_s` … `end_s` (None: the video's end), wide enough to read.

    Args:
        has_title: draw name and length above, for a standalone picture.
    """
    return _Drawing(rows, start_s, end_s, has_title).draw()


class _Drawing:
    """Bands from top to bottom; `x` maps seconds to px."""

    def __init__(self, rows: VideoRows, start_s: float, end_s: float | None, has_title: bool) -> None:
        self.rows, self.start, self.has_title = rows, start_s, has_title
        whole = rows.length_s
        self.end = max(min(whole if end_s is None else end_s, whole), start_s + 0.1)
        self.plot = min(max((self.end - self.start) * PX_PER_S, MIN_PLOT_PX), MAX_PLOT_PX)
        seen: dict[str, float] = {}
        for track in rows.tracks:
            seen[track["person_id"]] = seen.get(track["person_id"], 0.0) + track["end_s"] - track["start_s"]
        most_seen = set(sorted(seen, key=lambda p: -seen[p])[:MAX_PEOPLE])
        self.people = [p for p in rows.people if p in most_seen]
        self.colour = {person: f"c{i % COLOURS}" for i, person in enumerate(rows.people)}
        self.lane_y: dict[str, float] = {}
        self.top = TITLE if has_title else 0.0
        self.bottom = self.top + AXIS + SHOTS + VOICE * len(rows.voices) + PERSON * len(self.people)

    def draw(self) -> Element:
        hidden = len(self.rows.people) - len(self.people)
        height = self.bottom + LEGEND + (16.0 if hidden else 0.0)
        self.picture = svg.canvas(GUTTER + self.plot + MARGIN, height, self._label())
        self.picture.set("class", "timeline")
        if self.has_title:
            name = shortened(self.rows.video["source_name"], 90)
            told = (
                f"{name}  ·  {clock(self.start)} to {clock(self.end)} of {duration(self.rows.video['duration_s'] or 0)}"
            )
            svg.add(self.picture, "text", told, x=8, y=17, class_="title")
        self._axis()
        y = self._shots(self.top + AXIS)
        for voice in self.rows.voices:
            y = self._voice(y, voice)
        for person in self.people:
            y = self._person(y, person)
        self._pairs()
        if hidden:
            svg.add(
                self.picture,
                "text",
                f"and {many(hidden, 'person', 'people')} more, seen for less time",
                x=8,
                y=y + 12,
                class_="name",
            )
        self._legend(height - 8)
        return self.picture

    def x(self, seconds: float) -> float:
        inside = min(max(seconds, self.start), self.end)
        return GUTTER + (inside - self.start) / (self.end - self.start) * self.plot

    def span(self, row: Row) -> tuple[float, float]:
        """Return x and width of a row's time span; the width is 0 outside the picture."""
        left = self.x(row["start_s"])
        return left, self.x(row["end_s"]) - left

    def _inside(self, rows: Sequence[Row]) -> list[Row]:
        return [r for r in rows if r["end_s"] > self.start and r["start_s"] < self.end]

    def _label(self) -> str:
        r = self.rows
        return (
            f"Timeline of {r.video['source_name']}: {many(len(r.shots), 'shot')}, {many(len(r.voices), 'voice')} with "
            f"{many(len(r.turns), 'turn')}, {many(len(r.people), 'person', 'people')}, {many(len(r.clips), 'clip')}, "
            f"{many(len(r.pairs), 'dialogue pair')}"
        )

    def _axis(self) -> None:
        step = next(
            (s for s in TICK_STEPS_S if s / (self.end - self.start) * self.plot >= MIN_TICK_PX), TICK_STEPS_S[-1]
        )
        tick = -(-self.start // step) * step
        while tick <= self.end:
            x = self.x(tick)
            svg.add(self.picture, "line", x1=x, x2=x, y1=self.top + AXIS - 4, y2=self.bottom, class_="grid")
            told = clock(tick) if tick == int(tick) else f"{clock(tick)}.5"
            svg.add(self.picture, "text", told, x=x, y=self.top + 12, class_="tick", text_anchor="middle")
            tick += step

    def _name(self, y: float, text: str) -> None:
        svg.add(self.picture, "text", text, x=8, y=y, class_="name")

    def _shots(self, y: float) -> float:
        self._name(y + 13, "shots")
        for shot in self._inside(self.rows.shots):
            x, width = self.span(shot)
            number = shot["shot_index"] + 1
            kind = "shot" if number % 2 else "shot even"
            svg.box(self.picture, x, y + 2, width, SHOTS - 8, kind, f"shot {number}, {_when(shot)}")
            if width > 9 + LETTER_PX * len(str(number)):
                svg.add(self.picture, "text", str(number), x=x + 5, y=y + 13, class_="word")
            if shot["start_s"] > self.start:
                svg.add(self.picture, "line", x1=x, x2=x, y1=y + 2, y2=self.bottom, class_="cut")
        return y + SHOTS

    def _voice(self, y: float, voice: str) -> float:
        self._name(y + 16, f"voice {voice}")
        for turn in self._inside([t for t in self.rows.turns if t["speaker_id"] == voice]):
            x, width = self.span(turn)
            colour = self._of_turn(turn)
            svg.box(self.picture, x, y + 3, width, VOICE - 8, f"turn {colour}", _turn_tip(turn))
            for part in self._inside(_parts(turn)):
                if self._of_turn(part) != colour:  # where its face is another one, or not sure
                    svg.box(self.picture, *_band(self.span(part), y + 3, VOICE - 8), f"turn {self._of_turn(part)}")
            text = shortened(f"{_mark(turn)} {turn['text'] or ''}", int((width - 8) / LETTER_PX))
            if text:
                svg.add(self.picture, "text", text, x=x + 4, y=y + 17, class_=f"word in {colour}")
        return y + VOICE

    def _of_turn(self, turn: Row) -> str:
        """Return the classes of a turn, or of a part of it: its status, and the colour of its face."""
        colour = f" {self.colour.get(turn['person_id'], 'c0')}" if turn["status"] == "bound" else ""
        return f"{turn['status']}{colour}"

    def _person(self, y: float, person: str) -> float:
        self.lane_y[person] = y + 30
        colour = self.colour[person]
        turns = [t for t in self.rows.turns if any(p["person_id"] == person for p in _parts(t))]
        voices = sorted({t["speaker_id"] for t in turns})
        self._name(y + 18, f"{_short(person)}{' = ' + ', '.join(voices) if voices else ''}")
        for track in self._inside([t for t in self.rows.tracks if t["person_id"] == person]):
            tip = f"{_short(person)} in view, {_when(track)}"
            svg.box(self.picture, *_band(self.span(track), y + 5, 16), f"seen {colour}", tip)
        for turn in turns:
            for part in self._inside([p for p in _parts(turn) if p["person_id"] == person]):
                svg.box(self.picture, *_band(self.span(part), y + 9, 8), f"speaks {colour}", _turn_tip(turn))
        for clip in self._inside([c for c in self.rows.clips if c["person_id"] == person]):
            why = f": {', '.join(clip['reasons'])}" if clip["reasons"] else ""
            tip = f"{clip['role']} clip {_short(clip['clip_id'])}, {_when(clip)}, {clip['tier']}{why}"
            svg.box(self.picture, *_band(self.span(clip), y + 25, 10), f"clip {clip['role']} {clip['tier']}", tip)
        return y + PERSON

    def _pairs(self) -> None:
        for pair in self.rows.pairs:
            people = pair["initiator_person_id"], pair["responder_person_id"]
            if not self.start <= pair["responder_start_s"] < self.end or any(p not in self.lane_y for p in people):
                continue
            x1, x2 = self.x(pair["initiator_end_s"]), self.x(pair["responder_start_s"])
            y1, y2 = (self.lane_y[p] for p in people)
            bend = 14.0
            path = f"M{x1:.1f} {y1:.1f}C{x1 + bend:.1f} {y1:.1f} {x2 - bend:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"
            made = svg.add(self.picture, "path", d=path, class_="pair")
            tip = f"{_short(people[1])} answers {_short(people[0])} after {pair['gap_s']:.2f} s ({pair['tier']})"
            svg.add(made, "title", tip)
            svg.add(self.picture, "circle", cx=x1, cy=y1, r=2.5, class_="pair end")
            svg.add(self.picture, "path", d=f"M{x2:.1f} {y2:.1f}l-7 -4v8z", class_="pair end")

    def _legend(self, y: float) -> None:
        x = 8.0
        for kind, text in LEGEND_ITEMS:
            svg.box(self.picture, x, y - 9, 14, 10, kind)
            svg.add(self.picture, "text", text, x=x + 19, y=y, class_="tick")
            x += 19 + len(text) * LETTER_PX + 16
        svg.add(self.picture, "path", d=f"M{x:.1f} {y - 4:.1f}h16", class_="pair")
        svg.add(self.picture, "path", d=f"M{x + 20:.1f} {y - 4:.1f}l-7 -4v8z", class_="pair end")
        svg.add(self.picture, "text", "answers", x=x + 26, y=y, class_="tick")


def _band(span: tuple[float, float], y: float, height: float) -> tuple[float, float, float, float]:
    return span[0], y, span[1], height


def _parts(turn: Row) -> Sequence[Row]:
    """Return the stretches of a turn by its bindings; the whole turn where there are none yet."""
    return turn.get("parts") or [turn]


def _short(identifier: str) -> str:
    """Return 'p00' for 'v0123456789abcdef-p00'."""
    return identifier.rpartition("-")[2]


def _when(row: Row) -> str:
    return f"{_exact(row['start_s'])} to {_exact(row['end_s'])}"


def _exact(seconds: float) -> str:
    return f"{clock(seconds)}.{int(seconds * 10) % 10}"


def _mark(turn: Row) -> str:
    """Return the mark before the words of a turn: its face, or why it has none."""
    if turn["status"] == "bound":
        return _short(turn["person_id"])
    return {"ambiguous": "?", "off_screen": "off"}.get(turn["status"], "–")


def _turn_tip(turn: Row) -> str:
    whose = f"bound to {_short(turn['person_id'])}" if turn["status"] == "bound" else words(turn["status"])
    why = f" ({words(turn['reason'])})" if turn["reason"] else ""
    margin = f", margin {turn['margin']:.1f}" if turn["margin"] is not None else ""
    return f"voice {turn['speaker_id']}, {_when(turn)}, {whose}{why}{margin}: {turn['text'] or 'no words'}"
