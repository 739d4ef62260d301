"""Calibration: what counts as a mismatch, the threshold that follows, and that few mismatches bind nobody."""

import numpy as np
import polars as pl
import pytest
from conversations import RATE_HZ, Video, binding_settings, lips, loudness, section_values, sound, sync_settings

from speakervid_dag.config.sections import CalibrationSettings
from speakervid_dag.curation import sync_calibration as calibration
from speakervid_dag.curation.bindings import bind_video
from speakervid_dag.curation.lip_backends import LipRidge
from speakervid_dag.curation.sync import score_video
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
        return {**span, **ids, "embedding": embedding}

    rows = [turn("v1", "A", [1.0, 0.0]), turn("v1", "B", [0.0, 1.0]), turn("v2", "A", [0.9, 0.1])]
    rows += [turn("v3", "A", [0.0, 1.0]), turn("v4", "A", None)]
    found = calibration.foreign_voices(SPEECH_TURNS.frame(rows), SETTINGS)
    assert found["v1", "A"] == [("v3", "A")]  # not its own video's, not its own voice in v2, not the unknown one
    assert found["v1", "B"] == [("v2", "A")]
    assert ("v4", "A") not in found


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
    row = calibration.calibrate(right, wrong, {}, SETTINGS, binding_settings())
    assert row["status"] == "ok"
    assert row["pooled_count"] == len(wrong) == 14
    assert np.quantile(wrong, 0.9) < row["threshold"] < min(right)
    assert row["auc"] == 1.0
    SYNC_CALIBRATION.frame([{"batch": "b", "backend": "x", "basis": "y", **row}])
    ends = [row["curve"][0], row["curve"][-1]]
    assert [(e["mismatched_share"], e["matched_share"]) for e in ends] == [(1.0, 1.0), (0.0, pytest.approx(1 / 3))]


def test_fewer_mismatches_ask_for_more_and_too_few_for_all() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(0.2, 0.2, 400)
    scores = (scores - scores.mean()) / scores.std() * 0.2 + 0.2
    many = calibration.calibrate([], list(scores), {}, SETTINGS, binding_settings())
    assert many["threshold"] == pytest.approx(0.2 + 1.65 * 0.2, abs=0.01)
    assert (scores >= many["threshold"]).mean() == pytest.approx(0.05, abs=0.02)
    few = calibration.calibrate([], [0.0, 0.4] * 5, {}, SETTINGS, binding_settings())
    assert few["threshold"] > many["threshold"]
    none = calibration.calibrate([], [0.2] * 9, {}, SETTINGS, binding_settings())
    assert (none["status"], none["reason"], none["threshold"]) == ("not_evaluated", "too_few_mismatches", None)
    earlier = {"b3": [0.0, 0.4], "b2": [], "b1": [0.1]}
    pooled = calibration.calibrate([], [0.2] * 9, earlier, SETTINGS, binding_settings())
    assert (pooled["status"], pooled["mismatched_count"], pooled["pooled_count"]) == ("ok", 9, 12)
    assert pooled["pooled_batches"] == ["b3", "b1"]
    full = SETTINGS.model_copy(update={"max_pool": 10})
    nearest = calibration.calibrate([], [0.2] * 9, earlier, full, binding_settings())
    assert (nearest["pooled_count"], nearest["pooled_batches"]) == (10, ["b3"])
    own = calibration.calibrate([], [0.2] * 9, earlier, full.model_copy(update={"max_pool": 9}), binding_settings())
    assert own["pooled_batches"] == []


def test_without_a_calibration_synchrony_alone_is_ambiguous_and_other_evidence_still_binds() -> None:
    video, audio = talker(1)
    scores = score_video(video.turns, video.tracks, audio, RATE_HZ, sync_settings())
    row = calibration.calibrate([], [], {}, SETTINGS, binding_settings())

    def status(settings: object) -> list[str]:
        found = bind_video(video.shots, video.turns, video.tracks, scores, settings)  # type: ignore[arg-type]
        return found["status"].unique().to_list()

    assert status(binding_settings()) == ["bound"]
    assert status(calibration.calibrated(binding_settings(), row)) == ["ambiguous"]
    # a second voice under which the face is still: the talking contrast speaks for it as well
    quiet = pl.concat([video.turns, video.turns.with_columns(turn_id=pl.lit("v1-u0009"), speaker_id=pl.lit("B"))[:1]])
    silent = scores[:1].with_columns(turn_id=pl.lit("v1-u0009"), talking_score=pl.lit(0.0), lag_curve=None)
    settings = calibration.calibrated(binding_settings(), row)
    found = bind_video(
        video.shots, quiet, video.tracks, pl.concat([scores, silent.cast(dict(scores.schema))]), settings
    )
    assert found.filter(pl.col("speaker_id") == "A")["status"].unique().to_list() == ["bound"]


def test_a_calibration_scales_what_counts_as_evidence() -> None:
    row = calibration.calibrate(
        [], list(np.random.default_rng(1).normal(2.0, 2.0, 500)), {}, SETTINGS, binding_settings()
    )
    settings = calibration.calibrated(binding_settings(), row)
    assert settings.foreign_deviation * (settings.min_evidence + settings.min_margin) == pytest.approx(row["threshold"])
    assert settings.max_synchrony is None
