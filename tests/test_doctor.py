"""What `speakervid doctor` says of the backends of active-speaker detection."""

import hashlib
from pathlib import Path

import pytest

from speakervid_dag.cli.doctor import answering_rows, looking_rows, print_weights
from speakervid_dag.config.profiles import load_profile
from speakervid_dag.models.registry import WEIGHTS_ENV, accepted_hash_path


def test_every_backend_is_active_or_says_how_it_would_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WEIGHTS_ENV, str(tmp_path))

    def states(profile: str) -> dict[tuple[str, str], str]:
        return {(row["question"], row["backend"]): row["state"] for row in answering_rows(load_profile(profile))}

    told = states("laptop")
    assert told["synchrony", "lip_network"] == "active"
    asked = told["talking", "light_asd"]
    assert all(word in asked for word in ("MISSING", "speakervid models pull light-asd"))
    assert "active_speaker" not in asked, "it is set already"
    assert all(word in told["talking", "lip_network"] for word in ("active", "talking", "light_asd")), "until then"
    assert all(word in told["synchrony", "syncnet"] for word in ("--accept-hash", "active_speaker.synchrony: syncnet"))
    own = tmp_path / "mine.yaml"
    own.write_text("inherits: laptop\nname: m\nactive_speaker: {talking: lip_network, synchrony: syncnet}\n")
    told = states(str(own))
    assert "set active_speaker.talking: light_asd" in told["talking", "light_asd"]
    assert told["talking", "lip_network"] == "active"
    assert "set active_speaker.synchrony: lip_network" in told["synchrony", "lip_network"]
    assert told["synchrony", "syncnet"].startswith("MISSING")
    rows = answering_rows(load_profile("laptop"), tmp_path / "lips.safetensors")
    told = {(row["question"], row["backend"]): row["state"] for row in rows}
    assert told["synchrony", "lip_network"].startswith("MISSING: SPEAKERVID_LIP_NETWORK")
    (tmp_path / "lips.safetensors").touch()
    rows = answering_rows(load_profile("laptop"), tmp_path / "lips.safetensors")
    assert {row["state"] for row in rows if row["backend"] == "lip_network" and row["question"] == "synchrony"} == {
        "active"
    }
    assert all("lips.safetensors" in row["what"] for row in rows if row["backend"] == "lip_network")


def test_models_of_clips_pictures_say_what_keeps_them_from_measuring(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(WEIGHTS_ENV, str(tmp_path))
    monkeypatch.setattr("speakervid_dag.models.cotracker.package_state", lambda: "missing")
    states = {row["backend"]: row["state"] for row in looking_rows(load_profile("talkvid"))}
    assert states.keys() == {"dover", "cotracker"}
    assert "speakervid models pull dover --accept-hash --from FOLDER" in states["dover"]
    asked = ("speakervid models pull cotracker3 --accept-hash", "package cotracker", "docs/scores.md")
    assert all(word in states["cotracker"] for word in asked)
    assert not any(word in states["dover"] for word in ("scores.video_quality", "package"))
    assert "scores.point_tracks" not in states["cotracker"]
    print_weights()
    assert "dover_technical" in capsys.readouterr().out
    (tmp_path / "dover").mkdir()
    (tmp_path / "dover" / "onnx_dover.onnx").touch()
    damaged = looking_rows(load_profile("laptop"))[0]["state"]
    assert all(word in damaged for word in ("DAMAGED", "speakervid models pull dover"))
    accepted_hash_path("dover", "onnx_dover.onnx").write_text(hashlib.sha256(b"").hexdigest())
    assert looking_rows(load_profile("laptop"))[0]["state"] == "active"
    own = tmp_path / "mine.yaml"
    own.write_text("inherits: laptop\nscores: {video_quality: 'off'}\n")
    switched_off = looking_rows(load_profile(str(own)))[0]["state"]
    assert "scores.video_quality: dover" in switched_off
    assert "pull" not in switched_off
