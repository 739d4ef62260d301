"""Labels and exported rows joined by file: the input of all figures of hand-labelled conversations.

Belongs here: types, reading, timelines. Does not belong here: figures (speech_scores.py, face_scores.py).

Conventions. Times are seconds, intervals are half-open. `unsure` spans of the labels are cut out. A collar is what is
left out on either side of a labelled edge, as in md-eval and score.py; pyannote.metrics means both sides together.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, NamedTuple

from pyannote.core import Annotation, Segment, Timeline

Row = Mapping[str, Any]
Tables = Mapping[str, Sequence[Row]]
Figures = dict[str, float | None]

ALL = "all"


class Spoken(NamedTuple):
    """A stretch in which somebody speaks, labelled or found."""

    start_s: float
    end_s: float
    who: str


@dataclass(frozen=True)
class Recording:
    """One file's speech: what is labelled, what was found, and the timeline on which both are compared."""

    name: str
    labelled: tuple[Spoken, ...]
    found: tuple[Spoken, ...]
    scored: Timeline

    @property
    def reference(self) -> Annotation:
        """Return all that is labelled, unsure stretches too."""
        return _annotation(self.labelled)

    @property
    def hypothesis(self) -> Annotation:
        """Return all that was found, unsure stretches too."""
        return _annotation(self.found)

    @property
    def sure_reference(self) -> Annotation:
        """Return what is labelled and scored."""
        return self.reference.crop(self.scored, mode="intersection")

    @property
    def sure_hypothesis(self) -> Annotation:
        """Return what was found where it is scored."""
        return self.hypothesis.crop(self.scored, mode="intersection")


@dataclass(frozen=True)
class LabelledVideo:
    """One video's labels (the format of NAME.truth.json) and the exported rows about it."""

    truth: Row
    turns: Sequence[Row]
    tracks: Sequence[Row]
    bindings: Sequence[Row]
    talking: Sequence[Row]


def labelled_videos(truths: Sequence[Row], tables: Tables) -> list[LabelledVideo]:
    """Join labels and rows by the file's name; a video that the lake lacks has no rows."""
    names = ("speech_turns", "face_tracks", "speaker_bindings", "active_speaker")
    return [LabelledVideo(truth, *(rows_of(truth["file"], tables, name) for name in names)) for truth in truths]


def video_recordings(truths: Sequence[Row], tables: Tables) -> list[Recording]:
    """Return the speech of each labelled video; what is unsure of anybody is not scored."""
    return [
        Recording(
            truth["name"],
            tuple(Spoken(turn["start_s"], turn["end_s"], turn["speaker"]) for turn in truth["turns"]),
            _found(truth["file"], tables),
            less(Timeline([Segment(0, truth["duration_s"])]), spans_of(truth.get("unsure", ()))),
        )
        for truth in truths
    ]


def rttm_recordings(rttm: str, tables: Tables, duration_s: float) -> list[Recording]:
    """Return the speech of each file that an RTTM names, scored from 0 to its duration."""
    labelled: dict[str, list[Spoken]] = {}
    for line in filter(None, map(str.split, rttm.splitlines())):
        start_s = float(line[3])
        labelled.setdefault(line[1], []).append(Spoken(start_s, start_s + float(line[4]), line[7]))
    whole = Timeline([Segment(0, duration_s)])
    return [Recording(name, tuple(turns), _found(name, tables), whole) for name, turns in labelled.items()]


def _found(file: str, tables: Tables) -> tuple[Spoken, ...]:
    rows = rows_of(file, tables, "speech_turns")
    return tuple(Spoken(row["start_s"], row["end_s"], row["speaker_id"]) for row in rows)


def rows_of(file: str, tables: Tables, table: str) -> list[Row]:
    """Rows of a table about the video of a file; the suffix does not count."""
    stem = PurePath(file).stem
    ids = {row["video_id"] for row in tables["videos"] if PurePath(row["source_name"]).stem == stem}
    return [row for row in tables[table] if row["video_id"] in ids]


def spans_of(rows: Iterable[Row]) -> Timeline:
    return Timeline([Segment(row["start_s"], row["end_s"]) for row in rows])


def less(timeline: Timeline, cut: Timeline) -> Timeline:
    return cut.support().gaps(support=timeline) if cut else timeline


def _annotation(turns: Iterable[Spoken]) -> Annotation:
    """Return turns as pyannote takes them; turns of one speaker that overlap are one."""
    annotation = Annotation()
    for number, turn in enumerate(turns):
        annotation[Segment(turn.start_s, turn.end_s), number] = turn.who
    return annotation.support()


def ratio(part: float, whole: float) -> float | None:
    return part / whole if whole > 1e-9 else None


def named(prefix: str, figures: Mapping[str, float | None]) -> Figures:
    return {f"{prefix}.{name}": value for name, value in figures.items()}
