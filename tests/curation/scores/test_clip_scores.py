"""Measurements of a clip, from series whose answer is known."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rows import frame

from speakervid_dag.config.profiles import load_profile
from speakervid_dag.curation.scores.clip import SPEECH, score_clips
from speakervid_dag.curation.scores.picture import longest_run_s, sharpness_index
from speakervid_dag.lake.schemas import (
    CLIP_SCORES,
    CLIPS,
    FACE_TRACKS,
    FRAME_SERIES,
    POSES,
    SHOTS,
    SPEECH_TURNS,
    SYNC_SCORES,
    TRANSCRIPTS,
    VIDEOS,
)

SETTINGS = load_profile("speakervid-5m").scores
RATE_HZ = 16_000
FPS = 25
TIMES = [i / FPS for i in range(250)]  # one shot of 10 s; the clip is 2 … 6 s


def clip(**change: Any) -> dict[str, Any]:
    row = {"clip_id": "c", "track_id": "t", "shot_id": "s", "role": "talking", "turn_ids": ["u1", "u2"]}
    return {**row, "start_s": 2.0, "end_s": 6.0, **change}


def segment(turn_id: str, start: float, end: float, logprob: float, **change: Any) -> dict[str, Any]:
    word = {"word": "so", "start_s": start, "end_s": start + 0.1, "probability": 1.0}
    row = {"turn_id": turn_id, "start_s": start, "end_s": end, "avg_logprob": logprob, "text": "so", "words": [word]}
    return {**row, "no_speech_prob": 0.1, "compression_ratio": 1.0, **change}


def track(**change: Any) -> dict[str, Any]:
    boxes = [[0.4 + 0.001 * i, 0.2, 0.5 + 0.001 * i, 0.4] for i in range(250)]
    series = {n: [0.0] * 250 for n in ("roll_deg", "mouth_opening")} | {"mesh_score": [1.0] * 250}
    row = {"track_id": "t", "frame_times_s": TIMES, "boxes": boxes, "yaw_deg": [-20.0, 10.0] * 125, **series}
    row |= {"keypoints": [[0.45, 0.3] * 5] * 250, "region_luma": [100.0] * 250, "region_motion": [2.0] * 250}
    return {**row, "pitch_deg": [5.0] * 250, "face_sharpness": [729.0] * 250, **change}


def shot(**change: Any) -> dict[str, Any]:
    row = {"shot_id": "s", "frame_times_s": TIMES, "luma": [100.0] * 250, "motion": [2.0] * 250}
    return {**row, "face_count": [1.0] * 250, **change}


def score(clips: list[dict[str, Any]] | None = None, **change: Any) -> dict[str, Any]:
    """The first clip's row, after replacing what `change` names."""
    turns = [{"turn_id": "u1", "start_s": 2.0, "end_s": 4.0}, {"turn_id": "u2", "start_s": 5.0, "end_s": 9.0}]
    tables: dict[str, list[dict[str, Any]]] = {
        "videos": [{"bit_rate_bps": 3e6, "width_px": 1600, "height_px": 900}],
        "face_tracks": [track()],
        "frame_series": [shot()],
        "poses": [],
        "transcripts": [segment("u1", 2, 4, -0.2), segment("u2", 5, 9, -0.8), segment("x", 2, 6, -9.0)],
        "speech_turns": turns,
        "sync_scores": [sync("t", "u1", 4.0), sync("t", "u2", 6.0), sync("t", "x", 99.0), sync("other", "u1", 99.0)],
    }
    tables.update({k: v for k, v in change.items() if k in tables})
    kinds = [VIDEOS, FACE_TRACKS, FRAME_SERIES, POSES, TRANSCRIPTS, SPEECH_TURNS, SYNC_SCORES]
    frames = {k.name: frame(k, tables[k.name]) for k in kinds}
    made = score_clips(
        frame(CLIPS, clips or [clip()]),
        **frames,
        audio=change.get("audio", speech()),
        rate_hz=RATE_HZ,
        settings=SETTINGS,
        dnsmos=change.get("dnsmos", lambda pieces: [quality(len(p) / RATE_HZ) for p in pieces]),
        missing=change.get("missing"),
        shots=change.get("shots"),
    )
    assert dict(made.schema) == dict(CLIP_SCORES.schema)
    measured = [c for c in made.columns if f"{c}_status" in made.columns]
    for row in made.to_dicts():
        for name in measured:
            assert (row[name] is not None) == (row[f"{name}_status"] == "ok"), name
            assert row[name] is None or np.isfinite(row[name]), name
    return dict(made.row(0, named=True))


def sync(track_id: str, turn_id: str, conf: float | None, **change: Any) -> dict[str, Any]:
    return {"track_id": track_id, "turn_id": turn_id, "sync_conf": conf, **change}


def quality(value: float) -> Any:
    return SimpleNamespace(sig=value, bak=value, ovrl=value, p808=value)


def speech() -> Any:
    """Noise of -60 dBFS; 40 dB louder while u1 and u2 are spoken."""
    noise = np.random.default_rng(0).normal(0, 1e-3, 10 * RATE_HZ)
    t = np.arange(len(noise)) / RATE_HZ
    noise[((t >= 2) & (t < 4)) | ((t >= 5) & (t < 9))] *= 100
    return noise.astype(np.float32)


def test_everything_is_measured() -> None:
    row = score()
    expected = {
        "luminance": 100.0,
        "dark_run_frames": 0.0,
        "clarity": 3e6 / 1200,
        "face_blur": 1.0,
        "motion": 2.0,
        "freeze_share": 0.0,
        "head_yaw_deg": 15.0,
        "head_pitch_deg": 5.0,
        "face_share": 0.02,
        "face_height_px": 180.0,
        "face_motion": 0.001 * 1600 * FPS / 180,
        "face_count_consistency": 1.0,
        "asr_confidence": (2 * -0.2 + 1 * -0.8) / 3,  # u2 lies in the clip for 1 s
        "words_per_s": 2 / 4,
        "speech_share": 3 / 4,
        "dnsmos_ovrl": 4.0,
        "clipping_share": 0.0,
        "sync_conf": 5.0,
    }
    assert {k: row[k] for k in expected} == pytest.approx(expected, rel=1e-4)
    assert row["snr_db"] == pytest.approx(40, abs=1)


def test_a_listener_is_seen_and_not_heard() -> None:
    row = score([clip(role="listening")])
    assert {row[f"{name}_status"] for name in SPEECH} == {"role_listening"}
    assert row["luminance"] == 100.0
    assert row["face_blur"] == pytest.approx(1.0)


def test_dark_and_bright_runs_are_counted_inside_the_clip_at_25_hz() -> None:
    luma = np.full(250, 100.0)
    luma[40:70] = 5.0  # 1.6-2.8 s: 20 frames lie in the clip
    luma[100:107], luma[110:113] = 220.0, 220.0
    row = score(face_tracks=[track(region_luma=luma.tolist())])
    assert row["dark_run_frames"] == pytest.approx(20)
    assert row["bright_run_frames"] == pytest.approx(7)


def test_runs_are_time_where_frames_are_not_even() -> None:
    times = np.array([0.0, 0.04, 0.5, 1.0])
    assert longest_run_s(times, np.array([True, True, False, False]), 1.1) == pytest.approx(0.5)
    assert longest_run_s(times, np.array([False, False, False, True]), 1.1) == pytest.approx(0.1)
    assert longest_run_s(times, np.zeros(4, bool), 1.1) == 0


def test_a_shots_first_frame_has_no_motion_of_its_own() -> None:
    motion = [None] + [0.0] * 249  # the frame before it belongs to another shot
    row = score([clip(start_s=0.0, end_s=4.0)], face_tracks=[track(region_motion=motion)])
    assert (row["motion"], row["freeze_share"]) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("change", "statuses"),
    [
        ({"face_tracks": []}, {"luminance": "too_few_frames", "dark_run_frames": "too_few_frames"}),
        (
            {"frame_series": [], "missing": {"frame_series": "decode_failed"}},
            {"face_count_consistency": "decode_failed", "luminance": "ok"},
        ),
        ({"face_tracks": [track(face_sharpness=[None] * 250)]}, {"face_blur": "no_face_pixels", "head_yaw_deg": "ok"}),
        ({"videos": [{"width_px": 10, "height_px": 10}]}, {"clarity": "no_bit_rate", "face_height_px": "ok"}),
        ({"videos": [{"bit_rate_bps": 1.0}]}, {"clarity": "no_picture_size", "face_motion": "no_picture_size"}),
        ({"transcripts": []}, {"asr_confidence": "no_words", "words_per_s": "ok"}),
        ({"missing": {"transcripts": "weights_missing"}}, {"no_speech_prob": "weights_missing"}),
        ({"audio": None}, {"snr_db": "no_audio", "dnsmos_sig": "no_audio", "speech_share": "ok"}),
        ({"audio": None, "missing": {"audio": "decode_failed"}}, {"clipping_share": "decode_failed"}),
        ({"audio": np.zeros(RATE_HZ, np.float32)}, {"dnsmos_sig": "audio_too_short"}),
        ({"dnsmos": None}, {"dnsmos_p808": "weights_missing", "snr_db": "ok"}),
        ({"speech_turns": []}, {"dnsmos_p808": "too_little_speech", "snr_db": "too_little_speech"}),
        ({"sync_scores": []}, {"sync_conf": "no_sync_score"}),
        ({"sync_scores": [sync("t", "u1", None, reason="lips_not_seen")]}, {"sync_conf": "lips_not_seen"}),
    ],
)  # fmt: skip
def test_what_cannot_be_measured_says_why(change: dict[str, Any], statuses: dict[str, str]) -> None:
    row = score(**change)
    assert {name: row[f"{name}_status"] for name in statuses} == statuses


def test_all_talking_clips_go_to_the_model_in_one_call() -> None:
    calls: list[int] = []

    def model(pieces: Any) -> Any:
        calls.append(len(pieces))
        return [quality(3.0) for _ in pieces]

    score([clip(), clip(clip_id="d"), clip(clip_id="l", role="listening")], dnsmos=model)
    assert calls == [2]


def test_pixels_are_those_of_the_shot_where_the_picture_changed_its_size() -> None:
    plain = score()["face_height_px"]
    small = frame(SHOTS, [{"shot_id": shot()["shot_id"], "width_px": 900, "height_px": 300}])
    assert score(shots=small)["face_height_px"] == pytest.approx(plain / 3)
    older = frame(SHOTS, [{"shot_id": shot()["shot_id"]}])  # of a lake that did not keep it
    assert score(shots=older)["face_height_px"] == plain


def test_a_video_without_clips_gives_no_rows() -> None:
    empty = {t.name: t.empty() for t in (FACE_TRACKS, FRAME_SERIES, POSES, TRANSCRIPTS, SPEECH_TURNS, SYNC_SCORES)}
    made = score_clips(
        CLIPS.empty(), frame(VIDEOS, [{}]), **empty, audio=None, rate_hz=RATE_HZ, settings=SETTINGS, dnsmos=None
    )
    assert isinstance(made, pl.DataFrame)
    assert made.is_empty()


@given(st.lists(st.floats(0, 5000), min_size=2, unique=True))
def test_the_sharpness_index_keeps_the_order(variances: list[float]) -> None:
    found = sharpness_index(np.sort(np.array(variances)), 729.0)
    assert np.all(np.diff(found) >= 0)
    assert found[0] >= 0
    assert found[-1] < 1.3


def test_the_papers_cuts_fall_where_the_settings_say() -> None:
    assert sharpness_index(np.array([0.0, 100.0, 729.0]), 729.0) == pytest.approx([0.0, 0.7, 1.0], abs=1e-3)
