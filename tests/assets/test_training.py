"""`speakervid train` on a small made-up lake: what it writes, and that only a model that beats the default is used."""

import hashlib
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from rows import write_lake

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "curation"))
from conversations import RATE_HZ, Video, lips, loudness, sound

from speakervid_dag.assets import backends, training
from speakervid_dag.config.profiles import Profile, load_profile
from speakervid_dag.curation.speaking.lip_backends import LipRidge
from speakervid_dag.files import sha256_of
from speakervid_dag.lake.artifacts import kept_model, kept_sound
from speakervid_dag.lake.schemas import TRAINED_MODELS
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.media.wav import write_wav
from speakervid_dag.models import lake_synchrony
from speakervid_dag.models.lake_synchrony import LakeSynchrony

pytestmark = pytest.mark.heavy

QUICK = """
inherits: laptop
name: quick
active_speaker: {synchrony: lake_model}
training: {steps: STEPS, batch: 16, dropout: 0.0, judged_windows_s: [2.0], min_windows: 4}
"""
SECONDS = 9.0


def talking_lake(folder: Path, people: int) -> DeltaLake:
    """Every person alone in a video of their own: mouth and voice move together, and the turn is bound to the face."""
    tables: dict[str, list[dict[str, object]]] = {"people": [], "speaker_bindings": [], "sync_scores": []}
    tables["face_tracks"] = []
    times = np.arange(0, SECONDS, 0.04)
    for i in range(people):
        video, envelope = Video(f"v{i}"), loudness(SECONDS, 100 + i)
        video.add_shot(0.0, SECONDS)
        track = video.add_track("p00", times, lips(envelope, times, seed=i))
        turn = video.add_turn("A", 0.5, SECONDS - 0.5)
        video.bind(turn, track)
        write_wav(_made(kept_sound(folder, video.video_id, None)), sound(envelope, seed=i), RATE_HZ)
        same = {"video_id": video.video_id, "batch": "b0001"}
        tables["people"].append({**same, "person_id": f"v{i}-p00", "identity_id": f"v{i}-p00"})
        tables["sync_scores"].append({**same, "track_id": track, "turn_id": turn, "offset_frames": 0.0})
        tables["speaker_bindings"] += [row | same for row in video.rows["bindings"]]
        tables["face_tracks"] += [row | same for row in video.rows["tracks"]]
    return write_lake(str(folder), tables)


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def quick(folder: Path, steps: int) -> Path:
    path = folder / f"quick{steps}.yaml"
    path.write_text(QUICK.replace("STEPS", str(steps)))
    return path


def trained(lake_dir: Path, profile: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "speakervid_dag", "train", "--lake", str(lake_dir), "--profile", str(profile)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))


def test_the_command_trains_judges_and_keeps_a_model(tmp_path: Path) -> None:
    lake = talking_lake(tmp_path / "lake", people=8)
    done = trained(tmp_path / "lake", quick(tmp_path, 60))
    assert done.returncode == 0, done.stderr
    assert "auc" in done.stdout
    row = lake.read(TRAINED_MODELS).row(0, named=True)
    assert (row["model"], row["window_s"]) == ("lake_model", 2.0)
    assert row["people_count"] + row["held_out_people_count"] == 8
    assert row["held_out_people_count"] >= 2
    assert row["train_s"] + row["held_out_s"] == pytest.approx(8 * (SECONDS - 1), abs=2.0)
    assert row["window_count"] >= 4
    assert row["auc"] > 0.8  # mouth and voice of people it never saw
    assert row["is_better"] == (row["auc"] > row["default_auc"])
    assert sha256_of(Path(row["uri"])) == row["sha256"]
    LakeSynchrony.load(Path(row["uri"]), row["sha256"])


def test_a_lake_with_too_few_people_says_so_in_one_line(tmp_path: Path) -> None:
    lake = talking_lake(tmp_path / "lake", people=3)
    done = trained(tmp_path / "lake", quick(tmp_path, 1))
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if "people" in line]
    learnt, held_out, needed, _ = map(int, re.findall(r"\d+", line))
    assert learnt + held_out == 3
    assert learnt < needed or held_out < 2
    assert "Traceback" not in done.stderr
    assert lake.read(TRAINED_MODELS).is_empty()


@pytest.fixture
def profile(tmp_path: Path) -> Profile:
    return load_profile(str(quick(tmp_path, 60)))


def test_only_what_beats_the_default_on_held_out_people_is_used(tmp_path: Path, profile: Profile) -> None:
    """An untrained network is judged by the same windows: worse than the default, it is kept, told, and never used."""
    lake_dir = tmp_path / "lake"
    lake = talking_lake(lake_dir, people=8)
    held = training.training.split(training.gather(lake, lake_dir, profile), profile.training.held_out_share)[1]
    net = lake_synchrony.network(8, 0.0).eval()
    (judged,) = training.judge(LakeSynchrony(net), held, profile)
    assert judged["auc"] < judged["default_auc"]
    assert judged["is_better"] is False
    choice = profile.active_speaker
    _keep(lake, lake_dir, net, judged, at=1)
    assert isinstance(backends.synchrony_backend(choice, lake), LipRidge)
    assert backends.synchrony_weights(choice, lake) == []
    _keep(lake, lake_dir, net, judged | {"auc": 1.0, "is_better": True}, at=2)
    chosen = backends.synchrony_backend(choice, lake)
    assert isinstance(chosen, LakeSynchrony)
    (name,) = backends.synchrony_weights(choice, lake)  # rows made with another model are stale by its hash
    assert name.startswith("lake_model@")
    _keep(lake, lake_dir, net, judged, at=3)  # a newer one that is worse does not take its place
    assert isinstance(backends.synchrony_backend(choice, lake), LakeSynchrony)
    usual = choice.model_copy(update={"synchrony": "lip_ridge"})
    assert isinstance(backends.synchrony_backend(usual, lake), LipRidge)


def _keep(lake: DeltaLake, lake_dir: Path, net: object, judged: dict[str, object], at: int) -> None:
    data = lake_synchrony.packed(net)  # type: ignore[arg-type]
    digest = hashlib.sha256(data).hexdigest()
    _made(kept_model(lake_dir, "lake_model", digest)).write_bytes(data)
    row = {"sha256": digest, "model": "lake_model", "uri": "/where/the/lake/was", "run_id": "test"}
    row |= {"at": datetime(2026, 1, at, tzinfo=UTC), "people_count": 6, "held_out_people_count": 2}
    row |= {"train_s": 50.0, "held_out_s": 16.0}
    lake.append(TRAINED_MODELS, TRAINED_MODELS.frame([row | judged]), {"run_id": "test"})


def test_no_worse_everywhere_and_better_somewhere_is_what_better_means(
    profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    from speakervid_dag.curation.speaking.synchrony_training import Figures

    lengths = profile.model_copy(
        update={"training": profile.training.model_copy(update={"judged_windows_s": (2.0, 3.5)})}
    )
    for own, usual, expected in [
        ((0.9, 0.9), (0.8, 0.9), True),
        ((0.9, 0.9), (0.9, 0.9), False),
        ((0.95, 0.8), (0.8, 0.9), False),
    ]:
        told = iter([Figures(10, auc, 1.0) for pair in zip(own, usual, strict=True) for auc in pair])
        monkeypatch.setattr(training.training, "figures", lambda *_, told=told: next(told))
        rows = training.judge(LakeSynchrony(lake_synchrony.network(8, 0.0)), [], lengths)
        assert pl.DataFrame(rows)["is_better"].to_list() == [expected] * 2
