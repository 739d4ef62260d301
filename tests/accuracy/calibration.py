"""Is a stored probability as often right as it says: reliability of `turn_faces.probability` over labelled frames.

Belongs here: samples, the expected calibration error, the curve, the error of a map that was fitted without the file.
Does not belong here: labels (labelled.py), frames (face_scores.py), runs (product_runs.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl
from face_scores import person_of, sure_times
from labelled import Figures, Row, Tables, rows_of
from numpy.typing import NDArray

BINS = (0.0, 0.5, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 1.0)
SURE = 0.99  # a posterior from which on the map is flat in practice: its value there is fitted

Doubles = NDArray[np.float64]
Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Reliability:
    """Frames in which the labels say who speaks, and a stretch with a face says who does.

    Attributes:
        files: (n,) the file of each.
        said: (n,) the probability of its stretch.
        is_right: (n,) its face is the speaker's.
    """

    files: NDArray[np.str_]
    said: Doubles
    is_right: NDArray[np.bool_]

    def curve(self) -> pl.DataFrame:
        """Return what is said and what is right in each bin of probability."""
        place = np.digitize(self.said, BINS[1:-1])
        rows = [
            {
                "said": f"{low:g} to {high:g}",
                "frames": int((place == k).sum()),
                "mean said": round(float(self.said[place == k].mean()), 3),
                "right": round(float(self.is_right[place == k].mean()), 3),
            }
            for k, (low, high) in enumerate(pairwise(BINS))
            if (place == k).any()
        ]
        return pl.DataFrame(rows)

    def figures(self, points: Points) -> Figures:
        """Return expected calibration errors, 0-1: as stored, as the model says it, with a map fitted without the file.

        Args:
            points: the profile's map from the posterior to what is stored.
        """
        xs, ys = (np.array(side) for side in zip(*points, strict=True))
        posterior = np.interp(self.said, ys, xs)
        left_out = np.empty(len(posterior))
        for file in np.unique(self.files):
            own = self.files == file
            others = self.is_right[~own & (posterior >= SURE)]
            last = float(others.mean()) if len(others) else float(ys[-1])
            left_out[own] = np.interp(posterior[own], xs, [*ys[:-1], max(last, ys[-2])])
        return {
            "frames": len(self.said),
            "expected_error": expected_error(self.said, self.is_right),
            "expected_error_unmapped": expected_error(posterior, self.is_right),
            "expected_error_left_out": expected_error(left_out, self.is_right),
        }


def reliability(truths: Sequence[Row], tables: Tables) -> Reliability:
    """Return the sure frames of labelled videos with a stretch of `turn_faces` whose track shows a labelled person."""
    found: list[tuple[str, float, bool]] = []
    for truth in truths:
        tracks = {row["track_id"]: row for row in rows_of(truth["file"], tables, "face_tracks")}
        stretches = [r for r in rows_of(truth["file"], tables, "turn_faces") if r["talking"] is not None]
        for time_s, turn in sure_times(truth):
            for stretch in _at(stretches, time_s):
                who = person_of(truth, tracks[stretch["track_id"]], time_s)
                if who != "":
                    found.append((truth["name"], float(stretch["probability"]), who == turn["speaker"]))
    files, said, right = zip(*found, strict=True) if found else ((), (), ())
    return Reliability(np.array(files, np.str_), np.array(said, np.float64), np.array(right, np.bool_))


def _at(rows: Sequence[Mapping[str, float]], time_s: float) -> list[Row]:
    return [row for row in rows if row["start_s"] <= time_s < row["end_s"]]


def expected_error(said: Doubles, is_right: NDArray[np.bool_]) -> float:
    """Return the expected calibration error over ten bins of equal width (Guo et al. 2017)."""
    place = np.clip((said * 10).astype(int), 0, 9)
    bins = [place == k for k in range(10) if (place == k).any()]
    return float(sum(abs(is_right[own].mean() - said[own].mean()) * own.mean() for own in bins))
