"""Profiles: the papers' figures, inheritance, and errors that name the place."""

from pathlib import Path

import pytest

from speakervid_dag.config import sections
from speakervid_dag.config.profile_check import problems
from speakervid_dag.config.profile_files import read_layers
from speakervid_dag.config.profiles import Profile, load_profile, profile_names
from speakervid_dag.failures import UserError
from speakervid_dag.lake.schemas.measures import MEASURES, scores


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


def test_laptop_asks_only_what_the_default_weights_measure() -> None:
    assert not [g for g in load_profile("laptop").gates.values() if MEASURES[g.measure].weights]


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


def test_talkvid_is_the_paper() -> None:
    """REFERENCE: the funnel's order, then average and least score of each head measure."""
    gates = load_profile("talkvid").gates
    assert [(name, g.measure, g.rule) for name, g in gates.items()] == [
        ("duration", "duration_s", ">= 5"),
        ("speech", "speech_share", "> 0"),
        ("video_quality", "dover_technical", ">= 7"),
        ("motion", "cotracker_ratio", "in [0.85, 0.999]"),
        ("head_movement", "head_movement", ">= 80"),
        ("head_movement_min", "head_movement_min", ">= 60"),
        ("head_rotation", "head_rotation", ">= 70"),
        ("head_rotation_min", "head_rotation_min", ">= 60"),
        ("head_orientation", "head_orientation", ">= 70"),
        ("head_orientation_min", "head_orientation_min", ">= 30"),
        ("head_resolution", "head_resolution", ">= 50"),
        ("head_resolution_min", "head_resolution_min", ">= 40"),
        ("head_completeness", "head_completeness", "== 100"),
        ("face_consistency", "face_consistency", ">= 80"),
    ]
    assert {(g.level, g.mode, g.not_evaluated) for g in gates.values()} == {("sft", "enforce", "hold")}


def test_what_needs_further_weights_is_there_and_held() -> None:
    """A gate whose measure is missing neither passes nor rejects anything."""
    for name, needed in (("speakervid-5m", {"dover"}), ("talkvid", {"dover", "cotracker3"})):
        profile = load_profile(name)
        gates = [g for g in profile.gates.values() if MEASURES[g.measure].weights]
        assert {MEASURES[g.measure].weights for g in gates} == needed
        assert {g.not_evaluated for g in gates} == {"hold"}
        assert (profile.scores.video_quality, profile.scores.point_tracks) == ("dover", "cotracker")


def test_laptop_names_what_its_own_measures_stand_for() -> None:
    gates = load_profile("laptop").gates.values()
    assert all(g.stands_for in MEASURES for g in gates if "substitute" in g.source)
    assert any(g.stands_for for g in gates)


def test_every_share_has_a_scale_and_every_packaged_threshold_lies_in_it() -> None:
    assert [n for n, m in MEASURES.items() if "0-1" in m.doc and m.scale[0] is None] == []
    for name in profile_names():
        for gate in load_profile(name).gates.values():
            for value in (gate.threshold, gate.upper_threshold):
                assert value is None or MEASURES[gate.measure].can_be(value)


UNIT_OF_SUFFIX = {"_s": "s", "_ms": "ms", "_px": "px", "_deg": "deg", "_db": "dB", "_frames": "frames", "_per_s": "1/s"}


def test_every_measure_has_the_unit_its_name_says() -> None:
    for name, measure in MEASURES.items():
        said = [
            unit for suffix, unit in sorted(UNIT_OF_SUFFIX.items(), key=lambda u: len(u[0])) if name.endswith(suffix)
        ]
        assert not said or measure.unit == said[-1], name
    assert {"sync_conf", "clarity", "face_blur"} <= set(scores())


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
        (
            "inherits: laptop\nname: m\ngates: {face_blur: {threshhold: 1}}",
            r"mine\.yaml:3: gates\.face_blur\.threshhold: .*'threshold'",
        ),
        (
            "inherits: laptop\nname: m\ngates: {g: {measure: motion}}",
            r"mine\.yaml:3: gates\.g: .*\bkeep, unit, ",
        ),
        (
            "inherits: laptop\ngates: {face_blurr: {threshold: 0.2}}",
            r"gates\.face_blurr: .*'face_blur'\?$",
        ),
        ("inherits: laptop\ngate: {face_blur: {threshold: 0.2}}", r"gate: .*'gates'\?$"),
        ("inherits: laptop\nscores: {disabled: [snr_dp]}", r"scores\.disabled: .*'snr_dp'.*'snr_db'\?$"),
        ("inherits: laptop\nsampling: {disabled: [cammera]}", r"sampling\.disabled.*'camera'\?$"),
        ("inherit: laptop\nclips: {max_s: 9.0}", r"mine\.yaml:1: inherit: .*'inherits'\?"),
        ("clips: {max_s: 9.0}", r"inherits: .*`inherits: laptop`"),
        (
            "inherits: laptop\ngates: {face_blur: {threshold: -0.5}}",
            r"-0\.5 .*\bface_blur\b.* 0 or more$",
        ),
        ("inherits: laptop\ngates: {asr_confidence: {threshold: 1.5}}", r"1\.5 .* 0 or less$"),
        ("inherits: talkvid\ngates: {motion: {upper_threshold: 1.1}}", r"motion\.upper_threshold: 1\.1 .* 0 to 1$"),
        ("inherits: laptop\nname: m\ngates: {face_blur: {keep: '=>'}}", r"gates\.face_blur\.keep"),
        ("name: m\ninherits: lapptop", r"mine\.yaml:2: inherits: .*'lapptop'.* laptop"),
        ("name: m\ninherits: house.yaml", r"mine\.yaml:2: inherits: .*house\.yaml"),
        ("name: m\ninherits: mine.yaml", r"mine\.yaml:2: inherits: .*itself"),
        ("- a\n- b", r"mine\.yaml: .*mapping"),
        ("a:\n\tb: 1\n", r"mine\.yaml:2: .*YAML"),
        ("inherits: laptop\nclips: {max_s: long}", r"mine\.yaml:2: clips\.max_s: .*number.*'long'"),
        ("inherits: laptop\nclips: {max_s: '14'}", r"mine\.yaml:2: clips\.max_s: .*number.*'14'"),
        ("inherits: laptop\nclips: {max_s: .nan}", r"mine\.yaml:2: clips\.max_s: .*finite"),
        ("inherits: laptop\nclip: {max_s: 1.0}", r"mine\.yaml:2: clip: .*'clips'"),
        ("inherits: laptop\nclips:\n  max_s: 9.0\n  max_s: 8.0", r"mine\.yaml:3: clips\.max_s: .* twice"),
        ("inherits: laptop\nclips: {max_s: 9.0, max_s: 8.0}", r"mine\.yaml:2: clips\.max_s: .* twice"),
        (
            "inherits: laptop\ngates: {face_blur: {threshold: 0.2, threshold: 0.5}}",
            r"mine\.yaml:2: gates\.face_blur\.threshold: .* twice",
        ),
        (
            "inherits: laptop\ngates: {face_blur: {mode: off}, face_blur: {threshold: 0.5}}",
            r"mine\.yaml:2: gates\.face_blur: .* twice",
        ),
        (
            "inherits: laptop\ngates: {face_blurr: null}",
            r"gates\.face_blurr: .*inherited.*'face_blur'",
        ),
        (
            "inherits: laptop\ngates: {face_size: {unit: ms}}",
            r"gates\.face_size\.unit: 'ms' .*face_height_px.*'px'",
        ),
        (
            "inherits: laptop\ngates: {face_size: {measure: face_hight_px}}",
            r"gates\.face_size\.measure: .*'face_hight_px'.*'face_height_px'",
        ),
        ("inherits: laptop\ngates: {face_size: {percentile: 5}}", r"gates\.face_size: .*\bthreshold\b.*\bpercentile\b"),
        (
            "inherits: laptop\ngates: {face_size: {keep: between}}",
            r"gates\.face_size: .*'between'.*\bupper_threshold\b",
        ),
        ("inherits: laptop\ngates: {face_size: {mode: on}}", r"gates\.face_size\.mode: .*'enforce'.*'on'"),
        ("inherits: laptop\ngates: {Face: {mode: off}}", r"gates\.Face"),
        ("inherits: laptop\nname: a/b", r"mine\.yaml:2: name: .*'a/b'"),
        ("inherits: [laptop]", r"mine\.yaml:1: inherits: .*\bpath\b"),
    ],
)
def test_a_wrong_profile_is_told_by_its_place(tmp_path: Path, body: str, message: str) -> None:
    own = tmp_path / "mine.yaml"
    own.write_text(body)
    with pytest.raises(UserError, match=message):
        load_profile(str(own))


@pytest.mark.parametrize(
    ("body", "key", "words"),
    [
        ("clips: {min_s: -5}", "clips.min_s", "0.*-5"),
        ("clips: {max_s: 0}", "clips.max_s", "0.*0"),
        ("clips: {min_s: 5, max_s: 4}", "clips.max_s", r"\bmin_s\b.*5.*4"),
        ("clips: {min_s: 15}", "clips.min_s", r"\bmax_s\b.*14.*15"),
        ("scores: {languages: [zz]}", "scores.languages.0", "639-1.*'zz'"),
        ("scores: {languages: [en, English]}", "scores.languages.1", "639-1.*'English'"),
        ("scores: {dark_luma: 220}", "scores.dark_luma", "bright_luma.*220"),
        ("scores: {still_speed: 1.0}", "scores.still_speed", "lively_speed"),
        ("scores: {min_frames: 0}", "scores.min_frames", "1"),
        ("sound: {language: [xx1]}", "sound.language.0", "'xx1'"),
        ("transcripts: {weights: dlib_face}", "transcripts.weights", "'whisper-base'.*'dlib_face'"),
        ("transcripts: {weights: whisper-huge}", "transcripts.weights", "'whisper-base'.*'whisper-huge'"),
        ("transcripts: {temperatures: [0, -1]}", "transcripts.temperatures.1", "0.*-1"),
        ("diarization: {offset: 0.6}", "diarization.offset", "onset"),
        ("diarization: {overlap_smoothing_windows: 4}", "diarization.overlap_smoothing_windows", "odd.*4"),
        ("identity: {min_person_cosine: {128: 2}}", "identity.min_person_cosine.128", "1.*2"),
        ("liveness: {lags_s: [-0.4]}", "liveness.lags_s.0", "0.*-0.4"),
        ("liveness: {lags_s: []}", "liveness.lags_s", "value"),
        ("tracking: {min_iou: 30}", "tracking.min_iou", "1.*30"),
        ("shots: {max_unrest: -1}", "shots.max_unrest", "0.*-1"),
    ],
)
def test_an_impossible_value_is_told_with_what_is_allowed(tmp_path: Path, body: str, key: str, words: str) -> None:
    own = tmp_path / "mine.yaml"
    own.write_text(f"inherits: laptop\n{body}\n")
    with pytest.raises(UserError, match=rf"mine\.yaml:2: {key.replace('.', '[.]')}: .*{words}"):
        load_profile(str(own))


def test_every_pair_in_the_wrong_order_is_told_at_the_younger_value(tmp_path: Path) -> None:
    (tmp_path / "house.yaml").write_text("inherits: laptop\nclips:\n  min_s: 9\n  max_s: 12\n")
    own = tmp_path / "mine.yaml"
    own.write_text("inherits: house.yaml\nclips:\n  max_s: 8\nscores:\n  dark_luma: 211\n  lively_speed: 0.01\n")
    found = [(p.place, ".".join(p.path)) for p in problems(read_layers(str(own)), Profile)]
    assert found == [
        (f"{own}:3", "clips.max_s"),
        (f"{own}:5", "scores.dark_luma"),
        (f"{own}:6", "scores.lively_speed"),
    ]


def test_values_at_a_limit_and_languages_of_containers_are_taken(tmp_path: Path) -> None:
    own = tmp_path / "mine.yaml"
    own.write_text(
        "inherits: laptop\nclips: {min_s: 4, max_s: 4, pad_s: 0}\nscores: {languages: [en, yue, haw]}\n"
        "sound: {language: [ger, de, pt-BR]}\ntranscripts: {weights: whisper-large-v3}\n"
    )
    mine = load_profile(str(own))
    assert (mine.clips.min_s, mine.scores.languages, mine.sound.language) == (
        4,
        ("en", "yue", "haw"),
        ("ger", "de", "pt-BR"),
    )


def test_numbers_in_sections_have_limits() -> None:
    """But for those that may have any sign."""
    free = {
        "min_step_conf", "listening_min_margin", "listening_max_log_odds",
        "threshold", "upper_threshold", "min_log_odds", "min_log_odds_in_overlap",
        "still_log_odds", "alone_score", "face_score",
    }  # fmt: skip
    kinds = [kind for kind in vars(sections).values() if isinstance(kind, type) and issubclass(kind, sections.Section)]
    numbers = {
        (kind.__name__, name): field
        for kind in kinds
        for name, field in kind.model_fields.items()
        if field.annotation in (int, float, int | None, float | None)
    }
    assert len(numbers) > 150
    assert {name for (_, name), field in numbers.items() if not field.metadata} == free


def test_a_profile_that_inherits_from_itself_is_refused(tmp_path: Path) -> None:
    own = tmp_path / "mine.yaml"
    own.write_text(f"inherits: {own}\nname: m\n")
    with pytest.raises(UserError, match=rf"{own} → {own}"):
        load_profile(str(own))


def test_off_is_a_word(tmp_path: Path) -> None:
    """YAML 1.1 reads a bare `off` as false."""
    own = tmp_path / "mine.yaml"
    own.write_text("inherits: laptop\ngates:\n  face_blur: {mode: off}\n")
    assert load_profile(str(own)).gates["face_blur"].mode == "off"


def test_a_file_without_a_name_is_named_after_itself(tmp_path: Path) -> None:
    """It must not take the place of its parent's rows in a lake."""
    own = tmp_path / "stricter.yaml"
    own.write_text("inherits: laptop\n")
    assert load_profile(str(own)).name == "stricter"


def test_a_path_in_inherits_starts_at_the_files_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "house.yaml").write_text("inherits: laptop\nclips: {max_s: 9.0}\n")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "mine.yaml").write_text("inherits: ../house.yaml\n")
    monkeypatch.chdir(tmp_path / "deep")
    assert (
        load_profile(str(tmp_path / "deep" / "mine.yaml")).clips.max_s == load_profile("mine.yaml").clips.max_s == 9.0
    )


def test_a_value_may_be_null_where_the_parent_has_one(tmp_path: Path) -> None:
    own = tmp_path / "mine.yaml"
    own.write_text(
        "inherits: speakervid-5m\nbranches: {listening_max_log_odds: null}\n"
        "gates: {face_blur: {threshold: null, percentile: 5}}\n"
    )
    mine = load_profile(str(own))
    assert mine.branches.listening_max_log_odds is None
    assert mine.gates["face_blur"].rule == ">= percentile 5"


def test_the_order_of_gates_is_part_of_what_they_are(tmp_path: Path) -> None:
    """It decides which gate takes a clip in the funnel."""
    gate = "{measure: motion, keep: '>', threshold: 1, unit: luma 0-255, level: sft, not_evaluated: hold, source: test}"
    made = []
    for names in ("ab", "ba"):
        own = tmp_path / "mine.yaml"
        own.write_text(f"inherits: laptop\ngates:\n  {names[0]}: {gate}\n  {names[1]}: {gate}\n")
        made.append(load_profile(str(own)))
    assert made[0].digest("gates") != made[1].digest("gates")
    assert made[0].digest("clips") == made[1].digest("clips")
