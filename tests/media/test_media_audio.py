"""Sound lies where the container's clock says, and our WAV files are whole."""

import wave
from pathlib import Path

import generate
import numpy as np
import pytest

from speakervid_dag.failures import PermanentFailure
from speakervid_dag.media.audio import read_audio
from speakervid_dag.media.budget import MediaBudget
from speakervid_dag.media.probe import probe
from speakervid_dag.media.wav import read_wav, write_wav

pytestmark = pytest.mark.heavy

BUDGET = MediaBudget()
CLOSE_S = 0.003


def sound(path: Path, rate_hz: int = 16_000) -> np.ndarray:
    return read_audio(path, probe(path, BUDGET), BUDGET, rate_hz)


def test_sound_is_where_it_was_put(tmp_path: Path) -> None:
    samples = sound(generate.plain(tmp_path / "a.mp4"))
    assert samples.dtype == np.float32
    assert samples.ndim == 1
    assert len(samples) == pytest.approx(2 * 16_000, abs=1100)
    assert generate.chirp_times(samples, 2) == pytest.approx([0.5, 1.2], abs=CLOSE_S)
    assert np.abs(samples).max() == pytest.approx(0.6, abs=0.1)


@pytest.mark.parametrize("rate_hz", [8_000, 44_100, 48_000])
def test_other_rates(tmp_path: Path, rate_hz: int) -> None:
    samples = sound(generate.plain(tmp_path / "a.mp4"), rate_hz)
    assert len(samples) / rate_hz == pytest.approx(2.0, abs=0.07)
    assert generate.chirp_times(samples, 2, rate_hz) == pytest.approx([0.5, 1.2], abs=CLOSE_S)


def test_resampling_moves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    audio = generate.chirps((0.5, 1.2), 2.0, 48_000)
    generate.write_video(path, generate.pictures(generate.steady(50)), 25.0, generate.SIZE, audio, 48_000)
    assert generate.chirp_times(sound(path), 2) == pytest.approx([0.5, 1.2], abs=CLOSE_S)


@pytest.mark.parametrize("container", ["matroska", "mpegts", "flv"])
def test_sound_and_picture_keep_their_distance_in_every_container(tmp_path: Path, container: str) -> None:
    path = generate.remuxed(generate.plain(tmp_path / "a.mp4"), tmp_path / "b", container)
    info = probe(path, BUDGET)
    assert info.video_start_s is not None
    found = generate.chirp_times(read_audio(path, info, BUDGET), 2)
    assert [t - info.video_start_s for t in found] == pytest.approx([0.5, 1.2], abs=CLOSE_S)


def test_avi(tmp_path: Path) -> None:
    samples = sound(generate.avi(tmp_path / "a.avi"))
    assert generate.chirp_times(samples, 2) == pytest.approx([0.5, 1.2], abs=CLOSE_S)


def test_late_sound_follows_silence(tmp_path: Path) -> None:
    samples = sound(generate.plain(tmp_path / "a.mp4", audio_start_s=0.7))
    assert generate.chirp_times(samples, 2) == pytest.approx([1.2, 1.9], abs=CLOSE_S)
    assert not samples[: round(0.6 * 16_000)].any()


def test_sound_before_the_start_is_left_out(tmp_path: Path) -> None:
    samples = sound(generate.plain(tmp_path / "a.mp4", audio_start_s=-0.3))
    assert generate.chirp_times(samples, 2) == pytest.approx([0.2, 0.9], abs=CLOSE_S)


def test_a_late_picture_does_not_move_the_sound(tmp_path: Path) -> None:
    samples = sound(generate.plain(tmp_path / "a.mp4", video_start_s=0.85))
    assert generate.chirp_times(samples, 2) == pytest.approx([0.5, 1.2], abs=CLOSE_S)


def test_a_gap_in_the_timestamps_is_silence(tmp_path: Path) -> None:
    path = generate.sound_only(tmp_path / "a.mkv", "matroska", starts_s=(0.0, 1.4))
    samples = sound(path)
    assert len(samples) == pytest.approx(2.4 * 16_000, abs=160)
    assert generate.chirp_times(samples, 2) == pytest.approx([0.5, 1.9], abs=CLOSE_S)
    assert np.abs(samples[round(1.05 * 16_000) : round(1.35 * 16_000)]).max() < 1e-3


def test_a_gap_of_years_is_over_budget(tmp_path: Path) -> None:
    path = generate.sound_only(tmp_path / "a.mkv", "matroska", starts_s=(0.0, 1e7))
    info = probe(path, MediaBudget(max_duration_s=1e9))
    with pytest.raises(PermanentFailure, match="over_budget"):
        read_audio(path, info, BUDGET)


def test_a_file_without_sound(tmp_path: Path) -> None:
    with pytest.raises(PermanentFailure, match="no_audio_stream"):
        sound(generate.silent(tmp_path / "a.mp4", generate.steady(5)))


@pytest.mark.parametrize(("container", "codec"), [("wav", "pcm_s16le"), ("flac", "flac"), ("mp3", "libmp3lame")])
def test_sound_files(tmp_path: Path, container: str, codec: str) -> None:
    samples = sound(generate.sound_only(tmp_path / "a", container, codec))
    assert generate.chirp_times(samples, 1) == pytest.approx([0.5], abs=CLOSE_S)


def test_wav_round_trip_and_slices(tmp_path: Path) -> None:
    samples = np.linspace(-1, 1, 16_000, dtype=np.float32)
    write_wav(tmp_path / "deep/a.wav", samples, 16_000)
    whole, rate_hz = read_wav(tmp_path / "deep/a.wav")
    assert rate_hz == 16_000
    assert np.abs(whole - samples).max() <= 1 / 32768
    part, _ = read_wav(tmp_path / "deep/a.wav", 0.25, 0.5)
    assert np.array_equal(part, whole[4_000:8_000])
    tail, _ = read_wav(tmp_path / "deep/a.wav", 0.9, 5.0)
    assert len(tail) == 1_600
    assert len(read_wav(tmp_path / "deep/a.wav", 3.0)[0]) == 0
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["a.wav"]
    with pytest.raises(ValueError):
        read_wav(tmp_path / "deep/a.wav", 1.0, 0.5)


def test_wav_clips_instead_of_wrapping(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", np.array([2.0, -2.0, 0.0], np.float32), 8_000)
    assert read_wav(tmp_path / "a.wav")[0] == pytest.approx([1.0, -1.0, 0.0], abs=1e-4)


def test_a_foreign_wav_is_refused(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(8_000)
        file.writeframes(b"\0" * 8)
    with pytest.raises(ValueError, match=r"a\.wav\b.*16-bit"):
        read_wav(tmp_path / "a.wav")
