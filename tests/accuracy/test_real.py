"""Hand-labelled conversations and meetings of the shared folder through the whole pipeline, scored, with floors.

Run by `make accuracy` after the composites; alone by `pytest -m accuracy -s tests/accuracy/test_real.py`. All figures
are printed, with the bar that some of them have to reach yet. A floor keeps what was measured from being lost: it is no
bar, and nothing is tuned to it.
"""

from pathlib import Path

import pytest
from product_runs import show
from real_runs import LIGHT_ASD, NETWORKS, RealScores, run_real
from real_scores import BARS, PACKAGED_BARS, above, below, figure_table

from speakervid_dag.curation.speaking.talking_series import LIP_NETWORK

pytestmark = [pytest.mark.accuracy, pytest.mark.shared, pytest.mark.weights, pytest.mark.timeout(6000)]


Floors = dict[str, dict[str, float]]
LEAST: Floors = {  # by network
    LIP_NETWORK: {
        "videos.frames.right_share": 0.85,
        "videos.frames.yield": 0.82,
        "videos.turns.precision": 0.92,
        "videos.active_speaker.average_precision": 0.92,
        "videos.speakers.count_right": 13,
        "videos.hidden.others_still_bound": 0.85,
        "videos.listening.precision": 0.85,
        "videos.listening.recall": 0.7,
    },
    LIGHT_ASD: {
        "videos.frames.right_share": 0.84,
        "videos.frames.yield": 0.85,
        "videos.turns.precision": 0.95,
        "videos.active_speaker.average_precision": 0.92,
        "videos.speakers.count_right": 13,
        "videos.hidden.others_still_bound": 0.95,
        "videos.listening.precision": 0.87,
        "videos.listening.recall": 0.7,
    },
}
MOST: Floors = {
    LIP_NETWORK: {
        "videos.der.all": 0.15,
        "videos.der.confusion": 0.04,
        "videos.der_collar.all": 0.08,
        "videos.overlap.share_of_single": 0.05,
        "videos.frames.wrong_of_bound": 0.04,
        "videos.frames.wrong_of_bound_far_from_edges": 0.02,
        "videos.hidden.bound_to_another": 0.13,
        "videos.foreign.bound": 0.1,
        "videos.calibration.expected_error_left_out": 0.05,
    },
    LIGHT_ASD: {
        "videos.der.all": 0.13,
        "videos.der.confusion": 0.02,
        "videos.der_collar.all": 0.06,
        "videos.overlap.share_of_single": 0.05,
        "videos.frames.wrong_of_bound": 0.03,
        "videos.frames.wrong_of_bound_far_from_edges": 0.02,
        "videos.hidden.bound_to_another": 0.13,
        "videos.foreign.bound": 0.1,
        "videos.calibration.expected_error_left_out": 0.05,
    },
}


@pytest.fixture(scope="module")
def runs(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, RealScores]:
    """Figures under each talking network; the tables are printed."""
    if not (shared / "truth/real").is_dir():
        pytest.skip("the shared folder has no hand-labelled videos")
    found = run_real(shared, tmp_path_factory.mktemp("real"))
    print()  # noqa: T201 - behind pytest's own line
    bars = {LIP_NETWORK: PACKAGED_BARS, LIGHT_ASD: BARS}
    show(figure_table({name: (scores.figures, bars[name]) for name, scores in found.items()}))
    for scores in found.values():
        for table in scores.files():
            show(table)
    return found


@pytest.fixture(params=NETWORKS)
def network(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def scores(runs: dict[str, RealScores], network: str) -> RealScores:
    return runs[network]


def test_what_was_reached_is_kept(scores: RealScores, network: str) -> None:
    """Frames, turns, speakers; each speaker's face taken away in turn; each video under another's sound."""
    assert below(scores.figures, LEAST[network]) == {}
    assert above(scores.figures, MOST[network]) == {}
    assert scores.figures["videos.speakers.files"] == 15
    hidden = scores.figures["videos.hidden.frames"]
    assert hidden is not None
    assert hidden > 2500


def test_meetings(scores: RealScores) -> None:
    assert len(scores.meetings) == 9
    most = {"ami.der.all": 0.25, "ami.der.confusion": 0.04, "ami.der_collar.all": 0.15, "ami.jer": 0.63}
    assert above(scores.figures, most) == {}
    assert (
        below(scores.figures, {"ami.overlap.precision": 0.95, "ami.overlap.recall": 0.5, "ami.speakers.count_right": 2})
        == {}
    )


def test_wrongly_merged_face_ids_merge_no_voices(scores: RealScores) -> None:
    """Pairs of videos end to end, with the face ids of the halves mixed up."""
    true, merged = (scores.figures[f"videos.merged.{name}"] for name in ("true_ids", "merged_ids"))
    assert true is not None
    assert merged is not None
    assert merged <= true + 0.01


def test_frames_are_those_of_score_py(scores: RealScores) -> None:
    """The rule is written twice, because the default tests have no shared folder; both count the same."""
    for name in ("frames", "right", "wrong", "abstained"):
        assert scores.figures[f"videos.frames.{name}"] == scores.figures[f"videos.binding_frames.{name}"]


def test_pairs_tracks_and_shots(scores: RealScores) -> None:
    least = {"dialogue.precision": 0.99, "dialogue.matched": 2, "tracks.purity": 0.97, "shots.precision": 0.98}
    assert below(scores.figures, {f"videos.{name}": value for name, value in least.items()}) == {}
    assert below(scores.figures, {"videos.shots.recall": 0.53}) == {}
