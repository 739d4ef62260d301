"""The sound that stages hear is the one that intake chose, and where none is usable they say what there was."""

from pathlib import Path
from typing import Any

import generate
import numpy as np
import polars as pl
import pytest

from speakervid_dag.config.profiles import load_profile
from speakervid_dag.config.settings import Settings
from speakervid_dag.curation.sources.sound_choice import Choice
from speakervid_dag.failures import PermanentFailure
from speakervid_dag.media import audio
from speakervid_dag.media.budget import MediaBudget
from speakervid_dag.media.probe import probe
from speakervid_dag.stages import sound
from speakervid_dag.stages.sound import chosen_sound, sound_of
from speakervid_dag.stages.stage import Skipped, Stage, VideoTask

pytestmark = pytest.mark.heavy

BUDGET = MediaBudget()
SETTINGS = load_profile("laptop").sound
RATE_HZ = 16_000


def task(path: Path, tmp_path: Path, **row: Any) -> tuple[Stage, VideoTask]:
    stage = Stage("speech_turns", "b1", "run", 7, Settings(lake=tmp_path / "lake"), None, {"videos": pl.DataFrame()})  # type: ignore[arg-type]
    told = {"video_id": "v1", "source_name": path.name, "has_audio": True, "sound_taken": None, "sound_tracks": None}
    return stage, VideoTask({**told, **row}, {}, {}, lambda _: path)


def two_tracks(tmp_path: Path) -> Path:
    first, second = generate.chirps((0.3,), 1.0)[None], generate.chirps((0.6,), 1.0)[None]
    return generate.sound_tracks(tmp_path / "a.mkv", (first, RATE_HZ, 0.0, "mono"), (second, RATE_HZ, 0.0, "mono"))


def test_stages_hear_what_was_chosen_and_another_choice_is_another_artifact(tmp_path: Path) -> None:
    path = two_tracks(tmp_path)
    for track, start_s in ((0, 0.3), (1, 0.6), (0, 0.3)):
        heard = sound_of(*task(path, tmp_path, sound_taken=[{"track": track, "channel": 0, "weight": 1.0}]))
        assert generate.chirp_times(heard, 1) == pytest.approx([start_s], abs=0.003)
    assert len(list((tmp_path / "lake/artifacts/audio").rglob("v1-*.wav"))) == 2


@pytest.mark.parametrize(("found", "kind"), [("silent", Skipped), ("unsupported_codec", PermanentFailure)])
def test_where_nothing_is_usable_the_tracks_are_told(tmp_path: Path, found: str, kind: type[Exception]) -> None:
    told: dict[str, Any] = {
        "codec": "aac",
        "language": "eng",
        "title": None,
        "layout": "stereo",
        "sample_rate_hz": 48_000,
    }
    tracks = [{**told, "track": n, "found": word} for n, word in ((1, "silent"), (2, found))]
    with pytest.raises(kind, match=found) as problem:
        sound_of(*task(tmp_path / "a.mkv", tmp_path, sound_taken=[], sound_tracks=tracks))
    assert str(problem.value).count("aac, stereo, 48000 Hz, eng") == 2


def test_a_track_that_cannot_be_decoded_costs_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, whole = two_tracks(tmp_path), audio.read_levels

    def broken(*asked: Any) -> audio.TrackLevels:
        if asked[-1] == 0:
            raise PermanentFailure("decoder_crashed", "the decoder ended with SIGSEGV")
        return whole(*asked)

    monkeypatch.setattr(audio, "read_levels", broken)
    choice = chosen_sound(path, probe(path, BUDGET), BUDGET, SETTINGS)
    assert {row["track"]: row["found"] for row in choice.tracks} == {0: "decoder_crashed", 1: "taken"}
    assert [(t.track, t.channel, t.weight) for t in choice.taken] == [(1, 0, 1.0)]


def test_tracks_beyond_the_budget_are_counted_and_not_decoded(tmp_path: Path) -> None:
    path = two_tracks(tmp_path)
    choice = chosen_sound(path, probe(path, BUDGET), MediaBudget(max_sound_tracks=1), SETTINGS)
    assert [row["found"] for row in choice.tracks] == ["taken", "not_heard"]


def test_the_speech_detector_hears_soft_sound_as_loud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    peaks = []

    def heard(samples: np.ndarray) -> tuple[np.ndarray, float]:
        peaks.append(float(np.abs(samples).max()))
        return np.zeros(32, np.float32), 0.032

    monkeypatch.setattr(sound.vad, "speech_probabilities", heard)
    noise = np.random.default_rng(1).uniform(-0.01, 0.01, (2, RATE_HZ))
    path = generate.sound_tracks(tmp_path / "a.mkv", (noise, RATE_HZ, 0.0, "stereo"))
    chosen_sound(path, probe(path, BUDGET), BUDGET, SETTINGS)
    assert peaks == pytest.approx([0.3, 0.3], abs=0.05)


# -- real voices -------------------------------------------------------------------------------------------------------


def speech(path: Path) -> np.ndarray:
    """Mono at 16 kHz, at an RMS of -23 dBFS."""
    samples = audio.read_audio(path, probe(path, BUDGET), BUDGET)
    return samples * np.float32(10 ** (-23 / 20) / np.sqrt(np.mean(samples**2)))


def sides(audio_dir: Path) -> np.ndarray:
    """(2, samples): the telephone call with each of its two speakers on a channel of his own."""
    call = speech(audio_dir / "pyannote_sample.wav")
    turns = [line.split() for line in (audio_dir / "pyannote_sample.rttm").read_text().splitlines()]
    names = sorted({turn[7] for turn in turns})
    mask = np.zeros((2, len(call)), np.float32)
    for turn in turns:
        start, length = round(float(turn[3]) * RATE_HZ), round(float(turn[4]) * RATE_HZ)
        mask[names.index(turn[7]), start : start + length] = 1
    return mask * call + np.random.default_rng(1).normal(0, 10 ** (-65 / 20), mask.shape)


def chosen(path: Path, *tracks: np.ndarray, **tags: str) -> Choice:
    made = generate.sound_tracks(
        path / "a.mkv",
        *((t, RATE_HZ, 0.0, {1: "mono", 2: "stereo"}.get(len(t), f"{len(t)} channels")) for t in tracks),
        **tags,
    )
    return chosen_sound(made, probe(made, BUDGET), BUDGET, SETTINGS)


def used(choice: Choice) -> list[tuple[int, int, float]]:
    return [(t.track, t.channel, round(t.weight, 2)) for t in choice.taken]


@pytest.mark.shared
def test_two_speakers_on_two_channels_tracks_or_of_many_channels(tmp_path: Path, shared: Path) -> None:
    one, other = sides(shared / "media/audio")
    none = np.zeros_like(one)
    assert used(chosen(tmp_path, np.stack([one, other]))) == [(0, 0, 0.5), (0, 1, 0.5)]
    assert used(chosen(tmp_path, one[None], 0.2 * other[None])) == [(0, 0, 0.5), (1, 0, 0.5)]
    assert used(chosen(tmp_path, np.stack([none, one, none, other, none, none, none]))) == [(0, 1, 0.5), (0, 3, 0.5)]


@pytest.mark.shared
def test_an_interpreter_and_an_inverted_channel_and_noise_are_left_out(tmp_path: Path, shared: Path) -> None:
    call, late = sides(shared / "media/audio").sum(axis=0), np.zeros(20 * RATE_HZ)
    words = speech(shared / "media/audio/whisper_jfk.flac")
    late[RATE_HZ : RATE_HZ + len(words)] = words
    host = speech(shared / "media/audio/azure_katiesteve_mono.wav")[: 16 * RATE_HZ]
    choice = chosen(tmp_path, np.stack([host, late[: len(host)]]))
    assert (used(choice), choice.tracks[0]["channels_found"]) == ([(0, 0, 1.0)], ["taken", "other_speech"])
    assert used(chosen(tmp_path, np.stack([call, -0.9 * call]))) == [(0, 0, 1.0)]
    noise = np.random.default_rng(2).normal(0, 0.05, len(call))
    assert used(chosen(tmp_path, noise[None], call[None])) == [(1, 0, 1.0)]
    assert used(chosen(tmp_path, 10 ** (-36 / 20) * np.stack([noise, call]))) == [(0, 1, 1.0)]
