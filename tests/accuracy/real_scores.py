"""The bar that each figure of the hand-labelled conversations has to reach, and tables of figures.

Belongs here: bars, comparing with them, rows per figure and per file. Does not belong here: how a figure is computed
(speech_scores.py, face_scores.py), runs of the pipeline (real_runs.py), floors (test_real.py).
"""

from collections.abc import Callable, Mapping, Sequence
from operator import ge, le

import polars as pl
from face_scores import sure_frames, tallied
from labelled import Figures, LabelledVideo, Recording
from speech_scores import COLLAR_S, SpeechErrors, jaccard_errors, speaker_counts, speech_errors

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
    frames = {video.truth["name"]: tallied([f for f in sure_frames(video) if f.is_visible]) for video in videos}
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
