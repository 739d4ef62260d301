"""Talking logits against labelled videos: average precision per frame, and the choice among the faces in view.

Belongs here: the two figures, from a lake's face tracks and `*.truth.json` labels. Does not belong here: logits.

Only frames of 25 Hz count in which exactly one labelled person speaks, is visible, and nothing is unsure.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.curation.speaking.lip_frames import FPS

_NEAR_S = 0.1
SMOOTHED_FRAMES = 11

Floats = NDArray[np.float32]
Row = Mapping[str, Any]


@dataclass(frozen=True)
class FaceLogits:
    """Logits (t,) of one track; frame i is at (first + i) / 25 s."""

    first: int
    logits: Floats


@dataclass(frozen=True)
class TalkingReport:
    """Figures over labelled videos.

    Attributes:
        ap: average precision of (face, frame), all videos together; ap_in_file: mean over videos.
        choice: share of frames with two or more faces in view in which the speaker's has the highest logit.
        frames, choices: their numbers. by_file: right choices and choices of each video.
    """

    ap: float
    ap_in_file: float
    choice: float
    frames: int
    choices: int
    by_file: dict[str, tuple[int, int]]


def read_truths(folder: Path) -> list[dict[str, Any]]:
    """Return the labels of a folder, in order of their names."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.truth.json"))]


def report(
    truths: Sequence[Row], tracks: Mapping[str, Sequence[Row]], logits: Mapping[str, FaceLogits]
) -> TalkingReport:
    """Return the figures. `tracks`: rows of face_tracks by file name; `logits`: by track_id."""
    pooled: list[tuple[bool, float]] = []
    each: list[float] = []
    frames, by_file = 0, {}
    for truth in truths:
        rows = tracks.get(truth["file"], [])
        samples, right, choices = [], 0, 0
        smooth = {row["track_id"]: _smoothed(logits[row["track_id"]]) for row in rows if row["track_id"] in logits}
        for k in range(int(truth["duration_s"] * FPS)):
            speaker = sure_speaker(truth, (k + 0.5) / FPS)
            if speaker is None:
                continue
            seen = _faces_at(truth, k, rows, smooth)
            if speaker not in seen:
                continue
            frames += 1
            samples += [(person == speaker, value) for person, value in seen.items()]
            if len(seen) > 1:
                choices += 1
                right += max(seen, key=lambda p: seen[p]) == speaker
        by_file[truth["name"]] = right, choices
        pooled += samples
        if any(s for s, _ in samples) and not all(s for s, _ in samples):
            each.append(average_precision(samples))
    rights, choices = (sum(pair[i] for pair in by_file.values()) for i in (0, 1))
    return TalkingReport(
        average_precision(pooled), float(np.mean(each)), rights / max(1, choices), frames, choices, by_file
    )


def sure_speaker(truth: Row, time_s: float) -> str | None:
    """Return who speaks at that time, if it is one visible person and nothing is unsure."""
    speaking = [t for t in truth["turns"] if t["start_s"] <= time_s < t["end_s"]]
    unsure = any(u["start_s"] <= time_s < u["end_s"] for u in truth.get("unsure", ()))
    if len(speaking) != 1 or unsure or not any(a <= time_s < b for a, b in speaking[0].get("visible") or ()):
        return None
    return str(speaking[0]["speaker"])


def _faces_at(truth: Row, k: int, rows: Sequence[Row], logits: Mapping[str, FaceLogits]) -> dict[str, float]:
    time_s = (k + 0.5) / FPS
    seen: dict[str, float] = {}
    for row in rows:
        found = logits.get(row["track_id"])
        if found is None or not 0 <= k - found.first < len(found.logits):
            continue
        times = np.asarray(row["frame_times_s"])
        nearest = int(np.abs(times - time_s).argmin())
        if abs(times[nearest] - time_s) >= _NEAR_S:
            continue
        person = person_at(truth, time_s, row["boxes"][nearest])
        if person is not None:
            seen[person] = max(seen.get(person, -np.inf), float(found.logits[k - found.first]))
    return seen


def person_at(truth: Row, time_s: float, box: Sequence[float]) -> str | None:
    """Return the person in whose region the centre of a box lies."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    for face in truth["faces"]:
        x1, y1, x2, y2 = face["box"]
        if face["start_s"] <= time_s + 1e-6 < face["end_s"] and x1 <= x < x2 + 1e-9 and y1 <= y < y2 + 1e-9:
            return str(face["person"])
    return None


def _smoothed(face: FaceLogits) -> FaceLogits:
    from scipy.ndimage import uniform_filter1d

    return FaceLogits(face.first, uniform_filter1d(face.logits.astype(np.float32), SMOOTHED_FRAMES, mode="nearest"))


def average_precision(samples: Sequence[tuple[bool, float]]) -> float:
    """Return the average precision of scores against labels."""
    if not samples:
        return float("nan")
    labels = np.array([label for label, _ in samples])[np.argsort([-score for _, score in samples], kind="stable")]
    precision = np.cumsum(labels) / np.arange(1, len(labels) + 1)
    return float(precision[labels].mean()) if labels.any() else float("nan")
