"""Hand-labelled conversations and meetings of the shared folder through the whole pipeline, scored, with floors.

Run by `make accuracy` after the composites; alone by `pytest -m accuracy -s tests/accuracy/test_real.py`. All figures
are printed, with the bar that some of them have to reach yet. A floor keeps what was measured from being lost: it is no
bar, and nothing is tuned to it.
"""

from pathlib import Path

import pytest
from product_runs import show
from real_runs import RealScores, run_real

pytestmark = [pytest.mark.accuracy, pytest.mark.shared, pytest.mark.weights, pytest.mark.timeout(6000)]


@pytest.fixture(scope="module")
def scores(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> RealScores:
    """Figures of one run with the default profile; the tables are printed."""
    if not (shared / "truth/real").is_dir():
        pytest.skip("the shared folder has no hand-labelled videos")
    found = run_real(shared, tmp_path_factory.mktemp("real"))
    print()  # noqa: T201 - behind pytest's own line
    for table in found.tables():
        show(table)
    return found


def test_who_speaks_when(scores: RealScores) -> None:
    floors = {"der.all": 0.13, "der.miss": 0.02, "der.false_alarm": 0.12, "der.confusion": 0.02}
    floors |= {"der_collar.all": 0.06, "overlap.share_of_single": 0.05}
    assert above(scores, "videos", floors) == {}
    assert scores.figures["videos.speakers.count_right"] >= 13
    assert scores.figures["videos.speakers.files"] == 15


def test_meetings(scores: RealScores) -> None:
    assert len(scores.meetings) == 9
    assert above(scores, "ami", {"der.all": 0.25, "der.confusion": 0.04, "der_collar.all": 0.15, "jer": 0.63}) == {}
    assert below(scores, "ami.overlap", {"precision": 0.95, "recall": 0.5}) == {}
    assert scores.figures["ami.speakers.count_right"] >= 2


def test_bindings(scores: RealScores) -> None:
    assert below(scores, "videos.frames", {"right_share": 0.92, "yield": 0.9}) == {}
    assert above(scores, "videos.frames", {"wrong_of_bound": 0.03, "wrong_of_bound_far_from_edges": 0.02}) == {}
    assert below(scores, "videos.turns", {"right": 45, "precision": 0.95}) == {}
    assert above(scores, "videos.turns", {"wrong": 1}) == {}
    assert below(scores, "videos.active_speaker", {"average_precision": 0.92}) == {}


def test_a_speaker_who_is_not_in_view_is_seldom_somebody_else(scores: RealScores) -> None:
    """Each speaker's face is taken away in turn."""
    assert above(scores, "videos.hidden", {"bound_to_another": 0.13}) == {}
    assert below(scores, "videos.hidden", {"others_still_bound": 0.95, "frames": 2500}) == {}


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


def test_listeners_pairs_tracks_and_shots(scores: RealScores) -> None:
    assert below(scores, "videos.listening", {"precision": 0.87, "recall": 0.7}) == {}
    assert below(scores, "videos.dialogue", {"precision": 0.99, "matched": 2}) == {}
    assert below(scores, "videos", {"tracks.purity": 0.97, "shots.precision": 0.98, "shots.recall": 0.53}) == {}


def below(scores: RealScores, prefix: str, floors: dict[str, float]) -> dict[str, float | None]:
    """Return the figures that are not measured, or less than their floor."""
    found = {name: scores.figures[f"{prefix}.{name}"] for name in floors}
    return {name: value for name, value in found.items() if value is None or value < floors[name]}


def above(scores: RealScores, prefix: str, ceilings: dict[str, float]) -> dict[str, float | None]:
    """Return the figures that are not measured, or more than their ceiling."""
    found = {name: scores.figures[f"{prefix}.{name}"] for name in ceilings}
    return {name: value for name, value in found.items() if value is None or value > ceilings[name]}
