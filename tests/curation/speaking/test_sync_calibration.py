"""Calibration: what counts as a mismatch, the threshold that follows, and that few mismatches bind nobody."""

import re

import numpy as np
import polars as pl
import pytest
from conversations import RATE_HZ, Video, binding_settings, lips, loudness, section_values, sound, sync_settings
from hypothesis import given
from hypothesis import strategies as st

from speakervid_dag.config.profiles import load_profile
from speakervid_dag.config.sections import BindingSettings, CalibrationSettings
from speakervid_dag.curation.speaking import sync_calibration as calibration
from speakervid_dag.curation.speaking.bindings import bind_video, threshold_of
from speakervid_dag.curation.speaking.lip_backends import LipRidge
from speakervid_dag.curation.speaking.sync import score_video
from speakervid_dag.lake.schemas import SPEECH_TURNS, SYNC_CALIBRATION

SETTINGS = CalibrationSettings.model_validate(section_values()["calibration"])
TIMES = np.arange(0, 12, 0.04)


def talker(seed: int) -> tuple[Video, np.ndarray]:
    """One face that says what is heard."""
    video, envelope = Video(), loudness(12, seed)
    video.add_track("p00", TIMES, lips(envelope, TIMES, seed=seed))
    video.add_turn("A", 0.2, 5.8)
    video.add_turn("A", 6.2, 11.8)
    return video, sound(envelope, seed)


def mismatched(seed: int, foreign: list[np.ndarray]) -> list[float]:
    video, audio = talker(seed)
    talking = {(t, u): 0.8 for t in video.tracks["track_id"] for u in video.turns["turn_id"]}
    found = []
    for heard in calibration.mismatches(audio, video.turns, foreign, RATE_HZ, SETTINGS):
        told = calibration.trials(
            video.turns, video.tracks, talking, heard, RATE_HZ, LipRidge(), sync_settings(), binding_settings()
        )
        found += [t.score for t in told]
    return found


def test_voices_are_foreign_only_when_surely_another_persons() -> None:
    def turn(video: str, speaker: str, embedding: list[float] | None) -> dict[str, object]:
        span = {"start_s": 0.0, "end_s": 1.0, "has_overlap": False, "speaker_margin": None, "embedding_status": "ok"}
        ids = {"batch": "b", "video_id": video, "turn_id": f"{video}-{speaker}", "speaker_id": speaker}
        return {**span, **ids, "embedding": embedding and embedding + [0.0] * 254}

    rows = [turn("v1", "A", [1.0, 0.0]), turn("v1", "B", [0.0, 1.0]), turn("v2", "A", [0.9, 0.1])]
    rows += [turn("v3", "A", [0.0, 1.0]), turn("v4", "A", None)]
    rows += [{**turn("v5", "A", None), "embedding": [0.6] + [0.8] + [0.0] * 190}]  # another network's: not compared
    found = calibration.foreign_voices(SPEECH_TURNS.frame(rows), SETTINGS)
    assert found["v1", "A"] == [("v3", "A")]  # not its own video's, not its own voice in v2, not the unknown one
    assert found["v1", "B"] == [("v2", "A")]
    assert ("v4", "A") not in found
    assert found["v5", "A"] == []


def test_a_mismatch_changes_the_speakers_turns_and_nothing_else() -> None:
    video, audio = talker(1)
    foreign = np.full(RATE_HZ, 0.5, np.float32)
    made = list(calibration.mismatches(audio, video.turns, [foreign], RATE_HZ, SETTINGS))
    assert len(made) == 1 + SETTINGS.max_shifts
    start, end = round(0.2 * RATE_HZ), round(5.8 * RATE_HZ)
    assert (made[0][start:end] == 0.5).all()
    np.testing.assert_array_equal(made[0][:start], audio[:start])
    own = calibration.speech_of(audio, video.turns, RATE_HZ)
    moved = calibration.speech_of(made[1], video.turns, RATE_HZ)
    np.testing.assert_array_equal(moved, np.roll(own, round(SETTINGS.min_shift_s * RATE_HZ)))


def test_real_pairs_score_above_the_threshold_that_mismatches_set() -> None:
    wrong = [s for seed in (1, 2) for s in mismatched(seed, [talker(seed + 10)[1]])]
    right = []
    for seed in (1, 2, 3):
        video, audio = talker(seed)
        scores = score_video(video.turns, video.tracks, audio, RATE_HZ, sync_settings()).to_dicts()
        people = {(r["track_id"], r["turn_id"]): ("A", "v1-p00") for r in scores}
        told = calibration.trials_of(scores, people, dict.fromkeys(people, 0.8), binding_settings())
        right += [t.score for t in calibration.best_trials(told)]
    row = calibration.calibrate(right, wrong, SETTINGS)
    assert row["status"] == "ok"
    assert row["mismatched_count"] == len(wrong) == 14
    assert np.quantile(wrong, 0.9) < row["threshold"] < min(right)
    assert row["auc"] == 1.0
    SYNC_CALIBRATION.frame([{"batch": "b", "backend": "x", "basis": "y", **row}])
    ends = [row["curve"][0], row["curve"][-1]]
    assert [(e["mismatched_share"], e["matched_share"]) for e in ends] == [(1.0, 1.0), (0.0, pytest.approx(1 / 3))]


def spread(count: int, mean: float, deviation: float) -> calibration.Mismatches:
    return calibration.Mismatches(count, mean, deviation)


def test_fewer_mismatches_ask_for_more_and_too_few_for_all() -> None:
    many = calibration.threshold_of(spread(400, 0.2, 0.2), SETTINGS)
    few = calibration.threshold_of(spread(10, 0.2, 0.2), SETTINGS)
    assert many == pytest.approx(0.2 + 1.65 * 0.2, abs=0.01)
    assert few is not None
    assert few > many
    assert calibration.threshold_of(spread(9, 0.2, 0.2), SETTINGS) is None
    assert calibration.threshold_of(spread(400, -1.0, 0.2), SETTINGS) is None
    none = calibration.calibrate([], [], SETTINGS)
    assert (none["status"], none["reason"], none["threshold"]) == ("not_evaluated", "no_mismatches", None)


@given(st.lists(st.lists(st.floats(-3, 3), max_size=9), max_size=5))
def test_pooled_moments_are_those_of_all_scores(parts: list[list[float]]) -> None:
    found = calibration.pooled(map(calibration.measured, parts))
    wanted = calibration.measured([score for part in parts for score in part])
    assert found.count == wanted.count
    assert found.mean == pytest.approx(wanted.mean, abs=1e-9)
    assert found.deviation == pytest.approx(wanted.deviation, abs=1e-6)


def test_a_label_does_not_hang_on_its_company_and_a_large_lake_has_its_own_threshold() -> None:
    prior = spread(600, 0.17, 0.26)
    alone = calibration.threshold_in_force(prior, [], SETTINGS)
    assert alone == pytest.approx(calibration.threshold_of(prior, SETTINGS))
    beside_few = [spread(6, 0.3, 0.3), spread(40, 0.2, 0.28), spread(0, 0.0, 0.0)]
    assert calibration.threshold_in_force(prior, beside_few, SETTINGS) == alone
    own = calibration.threshold_in_force(prior, [spread(9000, 0.4, 0.4)], SETTINGS)
    assert own == pytest.approx(calibration.threshold_of(spread(9600, 0.39, 0.39), SETTINGS), rel=0.06)
    unknown = spread(0, 0.0, 0.0)
    assert calibration.threshold_in_force(unknown, [spread(9, 0.2, 0.2)], SETTINGS) is None
    assert calibration.threshold_in_force(unknown, [spread(90, 0.2, 0.2)], SETTINGS) == pytest.approx(0.53, rel=0.06)


def calibrations(**columns: object) -> pl.DataFrame:
    row = {"batch": "b", "backend": "lip_ridge", "basis": "x"} | calibration.calibrate([], [], SETTINGS) | columns
    return SYNC_CALIBRATION.frame([row])


def test_only_scores_of_one_backend_under_one_basis_are_pooled() -> None:
    told = {"backend": "lip_ridge", "basis": "x", "count": 600, "mean": 0.17, "deviation": 0.26}
    settings = CalibrationSettings.model_validate(
        {**section_values()["calibration"], "shipped": {told.pop("backend"): told}}
    )
    own = calibrations()
    others = {"mismatched_count": 9000, "mismatched_mean": 0.4, "mismatched_deviation": 0.4}
    alone = calibration.threshold_for(own, own, settings)
    assert alone == calibration.threshold_in_force(spread(600, 0.17, 0.26), [], settings)
    for strange in ({"basis": "y"}, {"backend": "syncnet"}, {"mismatched_mean": None}):
        lake = pl.concat([own, calibrations(**{"batch": "c", **others, **strange})])
        assert calibration.threshold_for(own, lake, settings) == alone
    lake = pl.concat([own, calibrations(batch="c", **others)])
    assert calibration.threshold_for(own, lake, settings) > alone  # type: ignore[operator]
    assert calibration.threshold_for(calibrations(basis="y"), lake, settings) is None
    assert calibration.threshold_for(calibrations(reason="weights_missing"), lake, settings) is None


def test_the_shipped_mismatches_are_scores_of_the_shipped_settings() -> None:
    profile = load_profile("laptop")
    assert profile.calibration.shipped["lip_ridge"].basis == calibration.basis_of(profile, "lip_motion", [])
    moved = profile.model_copy(update={"sync": profile.sync.model_copy(update={"grid_hz": 20})})
    assert calibration.basis_of(moved, "lip_motion", []) != calibration.basis_of(profile, "lip_motion", [])
    assert calibration.basis_of(profile, "light_asd", []) != calibration.basis_of(profile, "lip_motion", [])


def test_without_a_calibration_synchrony_alone_is_ambiguous_and_other_evidence_still_binds() -> None:
    video, audio = talker(1)
    scores = score_video(video.turns, video.tracks, audio, RATE_HZ, sync_settings())

    def status(settings: object) -> list[str]:
        found = bind_video(video.shots, video.turns, video.tracks, scores, settings)  # type: ignore[arg-type]
        return found["status"].unique().to_list()

    assert status(binding_settings()) == ["bound"]
    unsure = calibration.calibrated(binding_settings(), None)
    assert threshold_of(unsure) is None
    assert status(unsure) == ["ambiguous"]
    # a second voice under which the face is still: the talking contrast speaks for it as well
    quiet = pl.concat([video.turns, video.turns.with_columns(turn_id=pl.lit("v1-u0009"), speaker_id=pl.lit("B"))[:1]])
    silent = scores[:1].with_columns(turn_id=pl.lit("v1-u0009"), talking_score=pl.lit(0.0), lag_curve=None)
    found = bind_video(video.shots, quiet, video.tracks, pl.concat([scores, silent.cast(dict(scores.schema))]), unsure)
    assert found.filter(pl.col("speaker_id") == "A")["status"].unique().to_list() == ["bound"]


def test_a_calibration_scales_what_counts_as_evidence() -> None:
    settings = calibration.calibrated(binding_settings(), 0.77)
    assert settings.foreign_deviation * (settings.min_evidence + settings.min_margin) == pytest.approx(0.77)
    assert threshold_of(settings) == pytest.approx(0.77)
    assert settings.max_synchrony is None


def test_an_abstention_tells_its_figures() -> None:
    video, audio = talker(1)
    scores = score_video(video.turns, video.tracks, audio, RATE_HZ, sync_settings())

    def told(scores: pl.DataFrame, settings: BindingSettings) -> list[tuple[str, str, str, float | None]]:
        found = bind_video(video.shots, video.turns, video.tracks, scores, settings)
        return found.select("status", "reason", "detail", "threshold").unique().rows()

    ((status, reason, detail, threshold),) = told(scores, calibration.calibrated(binding_settings(), 50.0))
    assert (status, reason, threshold) == ("ambiguous", "weak_evidence", pytest.approx(50.0))
    evidence, asked = map(float, re.findall(r"\d+\.\d+", detail))
    assert evidence < asked == 5.5
    still = scores.with_columns(talking_score=pl.lit(0.05))
    ((status, reason, detail, _),) = told(still, binding_settings())
    assert (status, reason) == ("off_screen", "lips_still")
    assert "0.05" in detail
