"""Shots of programmes whose cuts, dissolves and fades are known, and of takes without any, with floors.

Run by `make accuracy`; alone by `pytest -m accuracy -s tests/accuracy/test_shots.py`. HALF=tune takes the sources on
which the thresholds were chosen instead of the others, SEED=N other programmes.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from shot_kit import DISTURBANCES, LENGTHS_S, disturbed, encode, programmes
from shot_scores import (
    Outcome,
    boundaries,
    compare,
    edge_errors,
    faded_false,
    false_per_minute,
    mixed_share,
    score,
    shots_of,
)

from speakervid_dag.assets import intake_rows
from speakervid_dag.config.profiles import load_profile
from speakervid_dag.stages.stage import VideoTask

pytestmark = [pytest.mark.accuracy, pytest.mark.shared, pytest.mark.timeout(3000)]

PROFILE = load_profile("laptop")
GRADUAL = ("dissolve", "black", "white")
ENCODED = 4  # programmes that also go through a file and the product's stage


@pytest.fixture(scope="module")
def outcomes(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Outcome]:
    """What is found of every clip of the half; the table is printed."""
    cv2.setNumThreads(1)
    half, seed = os.environ.get("HALF", "report"), int(os.environ.get("SEED", "0"))
    found = []
    for make in (programmes, disturbed):
        for clip in make(shared, half, seed):
            found.append(compare(clip, shots_of(clip, PROFILE.shots)))
            clip.images.clear()  # a programme has some hundred megabytes
    _show(found)
    return found


def test_cuts(outcomes: Sequence[Outcome]) -> None:
    assert score(outcomes, ["cut"]).f1 >= 0.98


def test_dissolves_and_fades(outcomes: Sequence[Outcome]) -> None:
    assert score(outcomes, GRADUAL).f1 >= 0.8
    assert all(score(outcomes, GRADUAL, length_s).recall >= 0.8 for length_s in LENGTHS_S)


def test_fades_at_the_start_and_the_end_are_no_boundary(outcomes: Sequence[Outcome]) -> None:
    boundaries_in_fades, fades = faded_false(outcomes)
    assert boundaries_in_fades <= 0.05 * fades


def test_a_file_through_the_stage_has_the_same_shots(shared: Path, tmp_path: Path) -> None:
    for number, clip in zip(range(ENCODED), programmes(shared, "report"), strict=False):
        path = tmp_path / f"{number}.mp4"
        encode(str(path), clip.images, clip.fps, crf=18)
        rows = intake_rows.rows_of(_task(path), PROFILE)["shots"]
        through_file = boundaries([(row["start_s"], row["end_s"]) for row in rows])
        in_memory = boundaries(shots_of(clip, PROFILE.shots))
        assert len(through_file) == len(in_memory)
        assert np.allclose(through_file, in_memory, atol=0.25)


def _task(path: Path) -> VideoTask:
    row = {"video_id": "v", "status": "ok", "reason": None, "detail": None}
    return VideoTask(row, {}, {}, lambda _: path)


def _show(outcomes: Sequence[Outcome]) -> None:
    cut_clips = [o for o in outcomes if o.clip.transitions]
    lines = ["", "kind | found | precision | recall | F1 | found of " + ", ".join(f"{s} s" for s in LENGTHS_S)]
    for kinds in (["cut"], ["cut, same scene"], ["dissolve"], ["dissolve, same scene"], ["black"], ["white"], GRADUAL):
        whole = score(cut_clips, kinds)
        lengths = [score(cut_clips, kinds, length_s) for length_s in LENGTHS_S]
        by_length = ", ".join(f"{one.found}/{one.wanted}" for one in lengths) if kinds[0][:3] != "cut" else ""
        figures = f"{whole.precision:.3f} | {whole.recall:.3f} | {whole.f1:.3f}"
        lines.append(f"{' + '.join(kinds)} | {whole.found}/{whole.wanted} | {figures} | {by_length}")
    errors = edge_errors(cut_clips)
    quantiles = np.quantile(errors, [0.5, 0.9]) if errors else (float("nan"),) * 2
    lines.append(f"edges of dissolves: median {quantiles[0]:.3f} s, 90 % within {quantiles[1]:.3f} s")
    lines.append(f"time of dissolves that is in a shot: {mixed_share(cut_clips):.2f}")
    lines.append("boundaries in fades at start or end, and fades: {} of {}".format(*faded_false(cut_clips)))
    lines.append(f"false boundaries per minute: programmes {false_per_minute(cut_clips):.2f}")
    for kind in DISTURBANCES:
        of_kind = [o for o in outcomes if o.clip.name == kind]
        count = sum(len(o.false) for o in of_kind)
        lines.append(f"  {kind}: {count} in {len(of_kind)} clips, {false_per_minute(of_kind):.2f} per minute")
    print("\n".join(lines))  # noqa: T201
