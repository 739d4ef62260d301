"""The stages of the joint inference on made-up outputs of their networks: from face pictures and sound to bindings."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from rows import BATCH, frame

from speakervid_dag.assets import backends
from speakervid_dag.assets.recipes import Recipe
from speakervid_dag.assets.silver_labels import active_speaker, speaker_bindings, sync_scores
from speakervid_dag.assets.silver_sound import speech_turns
from speakervid_dag.config.profiles import load_profile
from speakervid_dag.config.settings import load_settings
from speakervid_dag.curation.faces.crops import CropCollector, FaceCrops
from speakervid_dag.failures import WeightsMissing
from speakervid_dag.lake.artifacts import kept_sound
from speakervid_dag.lake.schemas import TABLES
from speakervid_dag.media.wav import read_wav, write_wav
from speakervid_dag.models import segmentation, vad
from speakervid_dag.models.registry import WEIGHTS_ENV
from speakervid_dag.stages.crops import keep_crops
from speakervid_dag.stages.stage import Stage

Floats = NDArray[np.float32]
SECONDS, RATE_HZ, CHANGE_S = 10.0, 16_000, 5.0
TIMES = [i / 25 for i in range(250)]
LEFT, RIGHT = "v1-s0000-t00", "v1-s0000-t01"
MIDDLE_PX = 50


class Alternating:
    """A talking network: the left face talks first, then the right one."""

    name = "light_asd"

    def log_odds(self, crops: FaceCrops, audio: Floats, first: int, count: int) -> Floats:
        assert (first, count, len(crops.jpegs)) == (0, 250, 250)
        is_first = np.array(TIMES) < CHANGE_S
        own = is_first if crops.boxes[0, 0] < MIDDLE_PX else ~is_first
        return np.where(own, 2.0, -4.0).astype(np.float32)


class OneVoice:
    """A segmentation network that takes both for one voice, who talks all the time."""

    def windows(self, samples: Floats, step_s: float) -> Iterator[tuple[float, Floats]]:
        frames = round((SECONDS - segmentation.FIRST_S) / segmentation.STEP_S)
        told = np.full((frames, len(segmentation.SETS)), 0.01, np.float32)
        told[:, segmentation.SETS.index((0,))] = 0.94
        yield 0.0, told


class SameVector:
    """Voices are all alike."""

    def embed(self, segments: Sequence[Floats]) -> Floats:
        return np.tile(np.eye(1, 192, dtype=np.float32), (len(segments), 1))

    embed_mels = embed


class SameWindows:
    """GE2E, to which voices are all alike."""

    def embed(self, segments: Sequence[Floats]) -> Floats:
        return np.tile(np.eye(1, 256, dtype=np.float32), (len(segments), 1))

    def embed_windows(self, samples: Floats, centres_s: NDArray[np.float64], window_s: float) -> Floats:
        return np.tile(np.eye(1, 256, dtype=np.float32), (len(centres_s), 1))


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A video of 10 s with two faces in one shot; no weights."""
    monkeypatch.setenv(WEIGHTS_ENV, str(tmp_path / "weights"))
    settings = load_settings(lake=tmp_path / "lake")
    video = {"video_id": "v1", "status": "ok", "duration_s": SECONDS, "has_audio": True, "sound_taken": None}
    series = {
        "frame_times_s": TIMES,
        "boxes": [[0.1, 0.1, 0.4, 0.5]] * 250,
        "keypoints": [[0.2] * 10] * 250,
        "lip_shape": [[0.0] * 40] * 250,
        "mesh_score": [1.0] * 250,
        "yaw_deg": [0.0] * 250,
    }
    tracks = [
        {"track_id": name, "person_id": f"v1-p0{i}", "shot_id": "v1-s0000", "start_s": 0.0, "end_s": SECONDS, **series}
        for i, name in enumerate((LEFT, RIGHT))
    ]
    shot = {"shot_id": "v1-s0000", "video_id": "v1", "start_s": 0.0, "end_s": SECONDS}
    inputs = {
        "videos": frame(TABLES["videos"], [video]),
        "shots": frame(TABLES["shots"], [shot]),
        "face_tracks": frame(TABLES["face_tracks"], [row | {"video_id": "v1"} for row in tracks]),
    }
    for name in ("active_speaker", "speech_turns", "turn_faces", "sync_scores"):
        inputs[name] = TABLES[name].empty()
    made = Stage("active_speaker", BATCH, "r", 1, settings, load_profile("laptop"), inputs)
    sound = kept_sound(settings.lake_dir, "v1", None)
    sound.parent.mkdir(parents=True)
    write_wav(sound, np.random.default_rng(0).normal(0, 0.1, round(SECONDS * RATE_HZ)).astype(np.float32), RATE_HZ)
    for name, x in ((LEFT, 20.0), (RIGHT, 60.0)):
        pictures = CropCollector()
        for time_s in TIMES:
            pictures.add(time_s, np.zeros((60, 100, 3), np.uint8), (x, 20.0, x + 20, 40.0))
        keep_crops(made, name, pictures.done())
    return made


@pytest.fixture
def networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "are_there", lambda names, as_there=(): True)
    monkeypatch.setattr(backends, "talking_network", lambda choice: Alternating())
    monkeypatch.setattr(backends, "speaker_segmentation", OneVoice)
    monkeypatch.setattr(backends, "campplus_encoder", SameVector)
    monkeypatch.setattr(vad, "speech_probabilities", lambda samples: (np.ones(1000, np.float32), 0.032))


def computed(stage: Stage, recipe: Recipe) -> Mapping[str, pl.DataFrame]:
    stage.name = recipe.name
    return recipe.compute(stage)


def test_two_faces_alternate_in_what_sound_takes_for_one_voice(stage: Stage, networks: None) -> None:
    stage.inputs["active_speaker"] = computed(stage, active_speaker)["active_speaker"]
    assert stage.inputs["active_speaker"]["status"].to_list() == ["ok", "ok"]
    stage.inputs |= computed(stage, speech_turns)
    turns = stage.inputs["speech_turns"].sort("start_s")
    assert turns["speaker_id"].to_list() == ["A", "B"]
    assert turns["audio_speaker_id"].to_list() == ["A", "A"], "sound alone hears one voice"
    assert turns["end_s"][0] == pytest.approx(CHANGE_S, abs=0.2)
    bound = computed(stage, speaker_bindings)["speaker_bindings"].sort("start_s")
    assert bound["track_id"].to_list() == [LEFT, RIGHT]
    assert (bound["probability"] > stage.profile.binding.min_probability).all()
    assert [row["status"] for row in stage.outcomes] == ["ok"] * 3


def test_a_sound_that_ends_before_the_picture_costs_only_what_is_not_heard(stage: Stage, networks: None) -> None:
    path = kept_sound(stage.settings.lake_dir, "v1", None)
    write_wav(path, read_wav(path)[0][: round((SECONDS - 0.5) * RATE_HZ)], RATE_HZ)
    stage.inputs["active_speaker"] = computed(stage, active_speaker)["active_speaker"]
    stage.inputs |= computed(stage, speech_turns)
    turns = stage.inputs["speech_turns"].sort("start_s")
    assert turns["speaker_id"].to_list() == ["A", "B"]
    assert SECONDS - 0.7 <= turns["end_s"].max() <= SECONDS - 0.5 + 0.04
    assert computed(stage, speaker_bindings)["speaker_bindings"].sort("start_s")["track_id"].to_list() == [LEFT, RIGHT]
    assert computed(stage, sync_scores)["sync_scores"]["end_s"].max() <= SECONDS - 0.5 + 0.04
    assert [row["status"] for row in stage.outcomes] == ["ok"] * 4


def test_ge2e_is_in_the_same_inference_while_the_other_voices_are_not_there(
    stage: Stage, networks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backends, "are_there", lambda names, as_there=(): False)
    monkeypatch.setattr(backends, "voice_encoder", SameWindows)
    stage.inputs["active_speaker"] = computed(stage, active_speaker)["active_speaker"]
    said: list[str] = []
    stage.log = said.append
    made = computed(stage, speech_turns)
    assert len([line for line in said if "models pull pyannote_segmentation campplus" in line]) == 1
    turns = made["speech_turns"].sort("start_s")
    assert turns["speaker_id"].to_list() == ["A", "B"]
    assert turns["audio_speaker_id"].to_list() == ["A", "A"]
    assert turns["end_s"][0] == pytest.approx(CHANGE_S, abs=0.2)
    assert made["turn_faces"].sort("start_s")["track_id"].to_list() == [LEFT, RIGHT]


def test_a_damaged_package_is_told_in_the_rows(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(own: Path | None) -> None:
        raise WeightsMissing("lip-network", "reinstall it")

    monkeypatch.setattr(backends, "lip_network", gone)
    told = computed(stage, active_speaker)["active_speaker"]
    assert told.select("status", "reason").unique().rows() == [("not_evaluated", "weights_missing")]


def test_faces_that_no_network_looked_at_leave_their_turns_not_evaluated(stage: Stage, networks: None) -> None:
    stage.inputs |= computed(stage, speech_turns)
    assert stage.inputs["speech_turns"]["speaker_id"].to_list() == ["A"]
    bound = computed(stage, speaker_bindings)["speaker_bindings"]
    assert bound.select("status", "reason").rows() == [("not_evaluated", "talking_not_measured")]


def test_where_no_face_is_seen_voices_are_told_apart_alone(stage: Stage, networks: None) -> None:
    stage.inputs["face_tracks"] = stage.inputs["face_tracks"].filter(pl.lit(False))
    stage.inputs["active_speaker"] = computed(stage, active_speaker)["active_speaker"]
    made = computed(stage, speech_turns)
    assert made["speech_turns"]["speaker_id"].to_list() == ["A"]
    assert made["turn_faces"].select("track_id", "probability").rows() == [(None, None)]
    stage.inputs |= made
    bound = computed(stage, speaker_bindings)["speaker_bindings"]
    assert bound.select("status", "reason").rows() == [("off_screen", "no_face_seen")]
