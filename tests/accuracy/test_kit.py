"""The ground-truth kit of the shared folder: its composites through the whole pipeline, scored, with floors.

Run by `make accuracy` (SEED=N makes other composites); not part of the default tests, because it takes minutes. One
table of all metrics is printed, with a column for the embedded default and one for each stronger backend that is
present; the floors are the default's, and keep what was reached from being lost.
"""

from pathlib import Path
from typing import Any

import pytest
from kit_runs import KitRuns, can_compose, composites
from product_runs import DEFAULT, show, side_by_side

pytestmark = [pytest.mark.accuracy, pytest.mark.shared, pytest.mark.weights, pytest.mark.timeout(6000)]


@pytest.fixture(scope="module")
def reports(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What score.py says of each backend's run; the table is printed."""
    if not can_compose():
        pytest.skip("the kit needs the package imageio-ffmpeg")
    kit = composites(shared, tmp_path_factory.mktemp("kit"))
    found = KitRuns.of(kit, shared, tmp_path_factory.mktemp("accuracy")).all()
    show(side_by_side(found))
    return found


@pytest.fixture(scope="module")
def report(reports: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return reports[DEFAULT]


def test_shots_and_speech(report: dict[str, Any]) -> None:
    assert report["shots"]["f1"] >= 0.98
    assert report["speech"]["der"] <= 0.08
    assert report["speech"]["der"] <= report["speech"]["by_sound_alone"]["der"]  # faces help, or keep still
    assert report["tracks"]["purity"] >= 0.98


def test_bindings(report: dict[str, Any]) -> None:
    binding = report["binding"]
    easy, hard = binding["by_variant"]["split_easy"], binding["by_variant"]["split_hard"]
    assert easy["precision_when_bound"] >= 0.95
    assert easy["accuracy"] >= 0.90
    assert hard["precision_when_bound"] >= 0.80
    assert hard["accuracy"] >= 0.50
    assert binding["wrong"] <= 0.03 * binding["turns"]


def test_a_probability_is_as_often_right_as_it_says(report: dict[str, Any]) -> None:
    assert report["calibration"]["frames"] > 1000
    assert report["calibration"]["expected_error"] <= 0.05


def test_offsets(report: dict[str, Any]) -> None:
    assert report["offset"]["mean_abs_error_frames"] <= 2
    assert report["offset"]["without_offset"] <= report["offset"]["videos"]  # at least half are evaluated
    assert not report["offset"]["sign_looks_reversed"]


def test_pairs_and_listeners(report: dict[str, Any]) -> None:
    assert report["dialogue"]["precision"] >= 0.95
    assert report["dialogue"]["recall"] >= 0.90
    assert report["listening"]["precision"] >= 0.95
    assert report["listening"]["recall"] >= 0.85


def test_what_must_not_talk_does_not(report: dict[str, Any]) -> None:
    assert report["verdicts"]["by_verdict"]["no_talking"] == 1.0


def test_degraded_composites_give_nothing_to_train_on(report: dict[str, Any]) -> None:
    """Dark, blurred, starved, shaken, frozen: one of the five may slip through with other sources, not two."""
    assert report["verdicts"]["by_verdict"]["reject"] >= 0.8, report["verdicts"]["wrong"]
