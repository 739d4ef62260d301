"""Figures of hand-labelled conversations: who speaks when, whose face it is, and the bar that each figure has to reach.

Belongs here: pure functions from labels and exported rows to figures, intervals of confidence, the table of bars. Does
not belong here: runs of the pipeline (product_runs.py), floors (test_real.py), figures that score.py of the shared
folder already gives (turns, pairs, listening, tracks, shots).

Conventions. Times are seconds, intervals are half-open. `unsure` spans of the labels are cut out. A collar is what is
left out on either side of a labelled edge, as in md-eval and score.py; pyannote.metrics means both sides together.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import ge, le
from pathlib import PurePath
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from pyannote.core import Annotation, Segment, Timeline

Row = Mapping[str, Any]
Tables = Mapping[str, Sequence[Row]]
Figures = dict[str, float | None]

FRAMES_HZ = 25
NEAREST_BOX_S = 0.1  # a track without a box this near does not show its face in a frame
EDGE_S = 0.2  # labelled edges are good to 0.1 s, to 0.2 s under music or a second voice
COLLAR_S = 0.25
LEAST_SPEECH_S = 1.0  # a speaker who is counted has this much sure speech
ALL = "all"
Z95 = 1.959964

# Figures to be reached, the issue "Right labels on real conversations": at least or at most this value.
Bars = dict[str, tuple[str, float]]
BARS: Bars = {  # with Light-ASD's weights
    "videos.frames.right_share": ("≥", 0.92),
    "videos.frames.wrong_of_bound": ("≤", 0.03),
    "videos.frames.wrong_of_bound_far_from_edges": ("≤", 0.01),
    "videos.frames.yield": ("≥", 0.8),
    "videos.turns.precision": ("≥", 0.95),
    "videos.active_speaker.average_precision": ("≥", 0.85),
    "videos.speakers.count_right": ("≥", 12),
    "videos.der.all": ("≤", 0.15),
    "videos.der.confusion": ("≤", 0.03),
    "videos.overlap.share_of_single": ("≤", 0.05),
    "videos.listening.precision": ("≥", 0.87),
    "videos.listening.recall": ("≥", 0.7),
    "videos.dialogue.matched": ("≥", 2),
    "videos.hidden.bound_to_another": ("≤", 0.13),
    "videos.hidden.others_still_bound": ("≥", 0.95),
    "videos.foreign.bound": ("≤", 0.1),
    "videos.calibration.expected_error_left_out": ("≤", 0.05),
    "ami.der.all": ("≤", 0.27),
    "ami.overlap.recall": ("≥", 0.5),
    "ami.overlap.precision": ("≥", 0.8),
}
PACKAGED_BARS: Bars = BARS | {  # with the packaged lip network
    "videos.frames.right_share": ("≥", 0.86),
    "videos.frames.wrong_of_bound": ("≤", 0.04),
    "videos.frames.yield": ("≥", 0.7),
    "videos.evidence.average_precision": ("≥", 0.93),
    "videos.evidence.choice": ("≥", 0.95),
    "videos.der.all": ("≤", 0.18),
    "videos.der.confusion": ("≤", 0.05),
    "videos.hidden.bound_to_another": ("≤", 0.15),
    "videos.hidden.others_still_bound": ("≥", 0.85),
}
SIDES: dict[str, Callable[[float, float], bool]] = {"≥": ge, "≤": le}


# --------------------------------------------------------------------------- inputs


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


# --------------------------------------------------------------------------- speech


@dataclass(frozen=True)
class SpeechErrors:
    """Seconds of wrong speech, overlap counted, and the labelled speaker seconds that they are a share of."""

    miss_s: float = 0.0
    false_alarm_s: float = 0.0
    confusion_s: float = 0.0
    labelled_s: float = 0.0

    def __add__(self, other: "SpeechErrors") -> "SpeechErrors":
        return SpeechErrors(
            self.miss_s + other.miss_s,
            self.false_alarm_s + other.false_alarm_s,
            self.confusion_s + other.confusion_s,
            self.labelled_s + other.labelled_s,
        )

    def rates(self) -> Figures:
        """Return the diarization error rate and its three parts; null where nothing is labelled."""
        parts = {"miss": self.miss_s, "false_alarm": self.false_alarm_s, "confusion": self.confusion_s}
        return {name: _ratio(value, self.labelled_s) for name, value in {ALL: sum(parts.values()), **parts}.items()}


def speech_errors(recordings: Sequence[Recording], collar_s: float) -> dict[str, SpeechErrors]:
    """Measure each recording by pyannote.metrics, with the best mapping of speakers a file, and their sum as `all`.

    Args:
        recordings: what is labelled and found.
        collar_s: what is left out on either side of a labelled edge; 0 leaves out nothing.
    """
    from pyannote.metrics.diarization import DiarizationErrorRate

    metric = DiarizationErrorRate(collar=2 * collar_s)
    errors = {}
    for recording in recordings:
        found = metric.compute_components(recording.reference, recording.hypothesis, uem=recording.scored)
        parts = (found[name] for name in ("missed detection", "false alarm", "confusion", "total"))
        errors[recording.name] = SpeechErrors(*map(float, parts))
    return {ALL: sum(errors.values(), SpeechErrors()), **errors}


def jaccard_errors(recordings: Sequence[Recording]) -> Figures:
    """Measure the Jaccard error rate of each recording; `all` is the mean over all labelled speakers."""
    from pyannote.metrics.diarization import JaccardErrorRate

    metric = JaccardErrorRate()  # type: ignore[no-untyped-call]
    rates: Figures = {}
    error = count = 0.0
    for recording in recordings:
        found = metric.compute_components(recording.reference, recording.hypothesis, uem=recording.scored)
        rates[recording.name] = _ratio(found["speaker error"], found["speaker count"])
        error, count = error + found["speaker error"], count + found["speaker count"]
    return {ALL: _ratio(error, count), **rates}


def speaker_counts(recordings: Sequence[Recording]) -> dict[str, tuple[int, int]]:
    """Count the speakers with a second of sure speech or more: (labelled, found) of each recording."""
    return {r.name: (_speakers(r.sure_reference), _speakers(r.sure_hypothesis)) for r in recordings}


def _speakers(annotation: Annotation) -> int:
    return sum(annotation.label_duration(who) >= LEAST_SPEECH_S - 1e-9 for who in annotation.labels())


def overlap_scores(recordings: Sequence[Recording]) -> Figures:
    """Measure by time how much of labelled overlap is found, and how much of found overlap is labelled."""
    hit = found = labelled = 0.0
    for recording in recordings:
        true, told = recording.sure_reference.get_overlap(), recording.sure_hypothesis.get_overlap()
        hit += _shared_s(told, true)
        found, labelled = found + told.duration(), labelled + true.duration()
    return {"precision": _ratio(hit, found), "recall": _ratio(hit, labelled), "found_s": found, "labelled_s": labelled}


def overlap_in_single_speech(recordings: Sequence[Recording]) -> Figures:
    """Measure the overlap found where the labels are sure of one voice: seconds, share of that speech and of overlap.

    Overlap that lies where the labels are unsure is not wrong: `found_s` counts it, `in_single_s` does not.
    """
    inside = found = single = 0.0
    for recording in recordings:
        reference = recording.sure_reference
        alone = less(reference.get_timeline().support(), reference.get_overlap())
        told = recording.hypothesis.get_overlap()
        inside += _shared_s(told, alone)
        found, single = found + told.duration(), single + alone.duration()
    return {
        "found_s": found,
        "in_single_s": inside,
        "share_of_found": _ratio(inside, found),
        "share_of_single": _ratio(inside, single),
    }


def _shared_s(one: Timeline, other: Timeline) -> float:
    return float(one.crop(other, mode="intersection").support().duration())


# --------------------------------------------------------------------------- faces


@dataclass(frozen=True)
class Frame:
    """One frame in which the labels are sure of exactly one speaker."""

    time_s: float
    outcome: str  # right, wrong (another face is bound, also beside the right one), abstained
    is_visible: bool  # the labels say that the speaker is seen
    edge_s: float  # distance to the nearest labelled edge of any turn


def sure_frames(video: LabelledVideo) -> list[Frame]:
    """Return what became of each 25-Hz frame with one labelled speaker and nothing unsure.

    The rule of visible frames is that of `binding_frames` in score.py.
    """
    pieces = _bound_pieces(video)
    edges = np.array([turn[key] for turn in video.truth["turns"] for key in ("start_s", "end_s")])
    frames = []
    for time_s, turn in sure_times(video.truth):
        people = {person_of(video.truth, track, time_s) for row, track in pieces if _covers(row, time_s)} - {""}
        outcome = "abstained" if not people else "right" if people == {turn["speaker"]} else "wrong"
        is_visible = any(start <= time_s < end for start, end in turn.get("visible") or ())
        frames.append(Frame(time_s, outcome, is_visible, float(np.abs(edges - time_s).min())))
    return frames


def frame_binding(frames: Sequence[Frame]) -> Figures:
    """Summarise frames: visible speakers, errors far from labelled edges, what is bound while the speaker is unseen."""
    seen, unseen = [f for f in frames if f.is_visible], [f for f in frames if not f.is_visible]
    tally, inner = _tally(seen), _tally([f for f in seen if f.edge_s >= EDGE_S])
    bound, inner_bound = tally["right"] + tally["wrong"], inner["right"] + inner["wrong"]
    return {
        "frames": len(seen),
        **tally,
        "right_share": _ratio(tally["right"], len(seen)),
        **_interval("right_share", tally["right"], len(seen)),
        "wrong_of_bound": _ratio(tally["wrong"], bound),
        **_interval("wrong_of_bound", tally["wrong"], bound),
        "abstained_share": _ratio(tally["abstained"], len(seen)),
        "yield": _ratio(bound, len(seen)),
        "wrong_of_bound_far_from_edges": _ratio(inner["wrong"], inner_bound),
        **_interval("wrong_of_bound_far_from_edges", inner["wrong"], inner_bound),
        "off_screen": len(unseen),
        "off_screen_wrong": _tally(unseen)["wrong"],
        "off_screen_wrong_share": _ratio(_tally(unseen)["wrong"], len(unseen)),
    }


def turn_binding(outcomes: Mapping[str, float]) -> Figures:
    """Summarise the outcomes of turns that score.py counts (`right`, `wrong`, `abstained`, `rightly_abstained`)."""
    right, wrong, turns = outcomes["right"], outcomes["wrong"], outcomes["turns"]
    return {
        "turns": turns,
        "right": right,
        "wrong": wrong,
        "abstained": outcomes["abstained"],
        "off_screen": outcomes["rightly_abstained"],
        "right_share": _ratio(right, turns),
        **_interval("right_share", right, turns),
        "precision": _ratio(right, right + wrong),
        **_interval("precision", right, right + wrong),
    }


def face_candidates(video: LabelledVideo) -> list[tuple[bool, float | None]]:
    """Return (speaks, score) of every labelled face in every sure frame with a visible speaker.

    The score is the greatest talking log odds (`active_speaker`) of the person's tracks then; None where there is none.
    """
    tracks = {track["track_id"]: track for track in video.tracks}
    rows = [row for row in video.talking if row["track_id"] in tracks]
    found: list[tuple[bool, float | None]] = []
    for time_s, turn in sure_times(video.truth):
        if not any(start <= time_s < end for start, end in turn.get("visible") or ()):
            continue
        best: dict[str, float] = {}
        for row in rows:
            odds = _value_at(row, time_s)
            if odds is not None and (who := person_of(video.truth, tracks[row["track_id"]], time_s)):
                best[who] = max(best.get(who, -math.inf), odds)
        people = {face["person"] for face in video.truth["faces"] if _covers(face, time_s)}
        found += [(who == turn["speaker"], best.get(who)) for who in sorted(people)]
    return found


def _value_at(row: Row, time_s: float) -> float | None:
    place = int((time_s - row["start_s"]) * FRAMES_HZ)
    return row["log_odds"][place] if 0 <= place < len(row["log_odds"]) else None


def average_precision(candidates: Sequence[tuple[bool, float | None]]) -> float | None:
    """Return the area under precision over recall; equal scores are one step, missing ones come last."""
    positives = sum(speaks for speaks, _ in candidates)
    if not positives:
        return None
    speaks = np.array([s for s, _ in candidates])
    scores = np.array([-math.inf if score is None else score for _, score in candidates])
    area = last = 0.0
    for level in np.unique(scores)[::-1]:
        taken = speaks[scores >= level]
        recall = float(taken.sum()) / positives
        area, last = area + (recall - last) * float(taken.mean()), recall
    return area


def sure_times(truth: Row) -> list[tuple[float, Row]]:
    """Return the middle of each 25-Hz frame with exactly one labelled turn and nothing unsure, and that turn."""
    found = []
    for index in range(int(truth["duration_s"] * FRAMES_HZ)):
        time_s = (index + 0.5) / FRAMES_HZ
        speaking = [turn for turn in truth["turns"] if _covers(turn, time_s)]
        if len(speaking) == 1 and not any(_covers(span, time_s) for span in truth.get("unsure", ())):
            found.append((time_s, speaking[0]))
    return found


def _bound_pieces(video: LabelledVideo) -> list[tuple[Row, Row]]:
    """Return (binding, track) of all bindings that name a track of the video."""
    tracks = {track["track_id"]: track for track in video.tracks}
    return [(row, tracks[row["track_id"]]) for row in video.bindings if row["track_id"] in tracks]


def _covers(row: Row, time_s: float) -> bool:
    return bool(row["start_s"] <= time_s < row["end_s"])


def person_of(truth: Row, track: Row, time_s: float) -> str | None:
    """Return the person in whose region a track's box lies; None in nobody's, "" if the track has no box then."""
    times = np.asarray(track["frame_times_s"])
    nearest = int(np.abs(times - time_s).argmin())
    if abs(times[nearest] - time_s) >= NEAREST_BOX_S:
        return ""
    left, top, right, bottom = track["boxes"][nearest]
    x, y = (left + right) / 2, (top + bottom) / 2
    for face in truth["faces"]:
        x1, y1, x2, y2 = face["box"]
        if face["start_s"] <= time_s + 1e-6 < face["end_s"] and x1 <= x < x2 + 1e-9 and y1 <= y < y2 + 1e-9:
            return str(face["person"])
    return None


def _tally(frames: Sequence[Frame]) -> dict[str, int]:
    return {outcome: sum(f.outcome == outcome for f in frames) for outcome in ("right", "wrong", "abstained")}


# --------------------------------------------------------------------------- figures


def wilson(hits: float, trials: float) -> tuple[float, float] | None:
    """Return the 95 % interval of a share by Wilson's score; None without trials."""
    if not trials:
        return None
    share, weight = hits / trials, Z95**2 / trials
    centre = share + weight / 2
    half = Z95 * math.sqrt(share * (1 - share) / trials + weight / (4 * trials))
    return max(0.0, (centre - half) / (1 + weight)), min(1.0, (centre + half) / (1 + weight))


def _interval(name: str, hits: float, trials: float) -> Figures:
    low, high = wilson(hits, trials) or (None, None)
    return {f"{name}_low": low, f"{name}_high": high}


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole > 1e-9 else None


def _named(prefix: str, figures: Mapping[str, float | None]) -> Figures:
    return {f"{prefix}.{name}": value for name, value in figures.items()}


def speech_figures(prefix: str, recordings: Sequence[Recording]) -> Figures:
    """Return the figures of speech alone over all recordings, their names after a prefix."""
    counts = speaker_counts(recordings).values()
    return {
        **_named(f"{prefix}.der", speech_errors(recordings, 0)[ALL].rates()),
        **_named(f"{prefix}.der_collar", speech_errors(recordings, COLLAR_S)[ALL].rates()),
        f"{prefix}.jer": jaccard_errors(recordings)[ALL],
        f"{prefix}.speakers.count_right": sum(true == found for true, found in counts),
        f"{prefix}.speakers.files": len(counts),
        f"{prefix}.speakers.mean_abs_error": _ratio(sum(abs(true - found) for true, found in counts), len(counts)),
    }


def overlap_figures(videos: Sequence[Recording], meetings: Sequence[Recording]) -> Figures:
    """Return how overlap is found: where it is labelled (meetings), and where it is not (videos)."""
    return {
        **_named("videos.overlap", overlap_in_single_speech(videos)),
        **_named("ami.overlap", overlap_scores(meetings)),
    }


def face_figures(videos: Sequence[LabelledVideo], report: Mapping[str, Any]) -> Figures:
    """Return the figures of bindings and active speakers over all videos.

    Args:
        videos: labels and rows.
        report: what score.py says of the same; its turns are taken over.
    """
    candidates = [candidate for video in videos for candidate in face_candidates(video)]
    return {
        **_named("videos.frames", frame_binding([frame for video in videos for frame in sure_frames(video)])),
        **_named("videos.turns", turn_binding(report["binding"])),
        "videos.active_speaker.average_precision": average_precision(candidates),
        "videos.active_speaker.chance": _ratio(sum(speaks for speaks, _ in candidates), len(candidates)),
    }


def is_reached(value: float | None, bar: tuple[str, float]) -> bool:
    """Return whether a figure reaches its bar; one that is not measured does not."""
    side, least = bar
    return value is not None and SIDES[side](value, least)


def below(figures: Figures, floors: Mapping[str, float]) -> Figures:
    """Return the figures that are not measured, or less than their floor."""
    found = {name: figures[name] for name in floors}
    return {name: value for name, value in found.items() if value is None or value < floors[name]}


def above(figures: Figures, ceilings: Mapping[str, float]) -> Figures:
    """Return the figures that are not measured, or more than their ceiling."""
    found = {name: figures[name] for name in ceilings}
    return {name: value for name, value in found.items() if value is None or value > ceilings[name]}


def figure_table(columns: Mapping[str, tuple[Figures, Bars]]) -> pl.DataFrame:
    """Return a row per figure; for each run its value, and its bar with * where that is not reached."""
    names = list(dict.fromkeys(name for figures, _ in columns.values() for name in figures))
    return pl.DataFrame([{"figure": name} | _cells(name, columns) for name in names])


def _cells(name: str, columns: Mapping[str, tuple[Figures, Bars]]) -> dict[str, str]:
    cells = {}
    for run, (figures, bars) in columns.items():
        value, bar = figures.get(name), bars.get(name)
        cells[run] = _shown(value)
        cells[f"{run}: bar"] = (
            "" if bar is None else f"{bar[0]} {_shown(bar[1])}{'' if is_reached(value, bar) else ' *'}"
        )
    return cells


def file_table(recordings: Sequence[Recording], videos: Sequence[LabelledVideo] = ()) -> pl.DataFrame:
    """Return a row per file: error rates without and with collar, speakers, and bound frames of videos."""
    plain, collar = speech_errors(recordings, 0), speech_errors(recordings, COLLAR_S)
    jaccard, counts = jaccard_errors(recordings), speaker_counts(recordings)
    frames = {video.truth["name"]: _tally([f for f in sure_frames(video) if f.is_visible]) for video in videos}
    return pl.DataFrame(
        [
            {
                "file": r.name,
                "DER 0 (miss, false, confused)": _split(plain[r.name]),
                "DER .25 (miss, false, confused)": _split(collar[r.name]),
                "JER": _shown(jaccard[r.name]),
                "speakers: labelled, found": ", ".join(map(str, counts[r.name])),
                **(
                    {"frames right, wrong, abstained": ", ".join(map(str, frames[r.name].values()))}
                    if r.name in frames
                    else {}
                ),
            }
            for r in recordings
        ]
    )


def _split(errors: SpeechErrors) -> str:
    whole, *parts = errors.rates().values()
    return "-" if whole is None else f"{_shown(whole)} ({', '.join(map(_shown, parts))})"


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)
