"""Profiles: the papers' figures, inheritance, and errors that name the place."""

from pathlib import Path

import pytest

from speakervid_dag.config.profiles import Profile, load_profile, profile_names
from speakervid_dag.failures import UserError
from speakervid_dag.lake.session import measures


@pytest.fixture(params=["laptop", "speakervid-5m", "talkvid"])
def named(request: pytest.FixtureRequest) -> Profile:
    return load_profile(request.param)


def test_the_package_brings_three() -> None:
    assert profile_names() == ["laptop", "speakervid-5m", "talkvid"]


def test_every_gate_decides_by_one_number_and_says_where_it_is_from(named: Profile) -> None:
    for name, gate in named.gates.items():
        assert (gate.threshold is None) != (gate.percentile is None), name
        assert len(gate.source) > 10, name


def test_every_role_has_a_gate(named: Profile) -> None:
    assert any(g.applies_to == "all" and g.mode != "off" for g in named.gates.values())


def test_laptop_asks_only_what_is_measured_here() -> None:
    assert {g.measure for g in load_profile("laptop").gates.values()} <= set(measures())


def test_speakervid_5m_is_the_paper() -> None:
    gates = load_profile("speakervid-5m").gates
    found = {name: (g.keep, g.percentile if g.threshold is None else g.threshold, g.level) for name, g in gates.items()}
    assert found == {
        "dark_run": ("<=", 15, "pretrain"),
        "bright_run": ("<=", 15, "pretrain"),
        "video_quality": (">=", 0.25, "pretrain"),
        "clarity": (">=", 5, "pretrain"),
        "face_blur": (">=", 0.1, "pretrain"),
        "hand_blur": (">=", 0.1, "pretrain"),
        "asr_confidence": (">=", -1.5, "pretrain"),
        "no_speech": ("<=", 0.8, "pretrain"),
        "compression": ("<=", 2.5, "pretrain"),
        "language_match": ("==", 1, "pretrain"),
        "lip_sync": (">=", 3, "pretrain"),
        "sft_hand_blur": (">", 0.5, "sft"),
        "sft_face_blur": (">", 0.7, "sft"),
        "sft_video_quality": (">", 0.6, "sft"),
        "sft_motion_degree": (">", 2, "sft"),
        "sft_asr_confidence": (">", -1, "sft"),
    }
    assert gates["clarity"].percentile == 5


def test_talkvid_does_not_inherit_the_other_papers_filters() -> None:
    assert not {"dark_run", "asr_confidence", "face_blur"} & set(load_profile("talkvid").gates)


def test_a_users_profile_changes_one_threshold(tmp_path: Path) -> None:
    own = tmp_path / "mine.yaml"
    own.write_text("inherits: laptop\nname: mine\ngates:\n  face_blur: {threshold: 0.2}\n  clarity: null\n")
    mine, laptop = load_profile(str(own)), load_profile("laptop")
    assert mine.gates["face_blur"].threshold == 0.2
    assert mine.gates["face_blur"].source == laptop.gates["face_blur"].source
    assert "clarity" not in mine.gates
    assert mine.digest("gates") != laptop.digest("gates")
    assert mine.digest("clips", "scores") == laptop.digest("clips", "scores")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("inherits: laptop\nname: m\ngates: {face_blur: {threshhold: 1}}", r"gates\.face_blur\.threshhold: Extra"),
        ("inherits: laptop\nname: m\ngates: {g: {measure: motion}}", r"gates\.g\.keep: Field required"),
        ("inherits: laptop\nname: m\ngates: {face_blur: {keep: '=>'}}", r"gates\.face_blur\.keep"),
        ("inherits: nosuch\nname: m", "there is no profile 'nosuch'; there are laptop"),
        ("- a\n- b", "must be a mapping"),
        ("a: [", "is not YAML"),
    ],
)
def test_a_wrong_profile_is_told_by_its_place(tmp_path: Path, body: str, message: str) -> None:
    own = tmp_path / "mine.yaml"
    own.write_text(body)
    with pytest.raises(UserError, match=message):
        load_profile(str(own))


def test_a_profile_that_inherits_from_itself_is_refused(tmp_path: Path) -> None:
    own = tmp_path / "mine.yaml"
    own.write_text(f"inherits: {own}\nname: m\n")
    with pytest.raises(UserError, match="inherits from itself"):
        load_profile(str(own))
