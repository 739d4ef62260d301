"""Figures of whose face it is: bindings by frame and turn, active speaker, with intervals of confidence.

Belongs here: pure functions from labelled videos to figures. Does not belong here: labels and rows (labelled.py),
speech without faces (speech_scores.py), figures that score.py of the shared folder already gives (turns, pairs,
listening, tracks, shots).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from labelled import Figures, LabelledVideo, Row, named, ratio

FRAMES_HZ = 25
NEAREST_BOX_S = 0.1  # a track without a box this near does not show its face in a frame
EDGE_S = 0.2  # labelled edges are good to 0.1 s, to 0.2 s under music or a second voice
Z95 = 1.959964


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
    tally, inner = tallied(seen), tallied([f for f in seen if f.edge_s >= EDGE_S])
    bound, inner_bound = tally["right"] + tally["wrong"], inner["right"] + inner["wrong"]
    return {
        "frames": len(seen),
        **tally,
        "right_share": ratio(tally["right"], len(seen)),
        **_interval("right_share", tally["right"], len(seen)),
        "wrong_of_bound": ratio(tally["wrong"], bound),
        **_interval("wrong_of_bound", tally["wrong"], bound),
        "abstained_share": ratio(tally["abstained"], len(seen)),
        "yield": ratio(bound, len(seen)),
        "wrong_of_bound_far_from_edges": ratio(inner["wrong"], inner_bound),
        **_interval("wrong_of_bound_far_from_edges", inner["wrong"], inner_bound),
        "off_screen": len(unseen),
        "off_screen_wrong": tallied(unseen)["wrong"],
        "off_screen_wrong_share": ratio(tallied(unseen)["wrong"], len(unseen)),
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
        "right_share": ratio(right, turns),
        **_interval("right_share", right, turns),
        "precision": ratio(right, right + wrong),
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


def tallied(frames: Sequence[Frame]) -> dict[str, int]:
    return {outcome: sum(f.outcome == outcome for f in frames) for outcome in ("right", "wrong", "abstained")}


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


def face_figures(videos: Sequence[LabelledVideo], report: Mapping[str, Any]) -> Figures:
    """Return the figures of bindings and active speakers over all videos.

    Args:
        videos: labels and rows.
        report: what score.py says of the same; its turns are taken over.
    """
    candidates = [candidate for video in videos for candidate in face_candidates(video)]
    return {
        **named("videos.frames", frame_binding([frame for video in videos for frame in sure_frames(video)])),
        **named("videos.turns", turn_binding(report["binding"])),
        "videos.active_speaker.average_precision": average_precision(candidates),
        "videos.active_speaker.chance": ratio(sum(speaks for speaks, _ in candidates), len(candidates)),
    }
