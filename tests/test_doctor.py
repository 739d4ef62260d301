"""What `speakervid doctor` says of the backends of active-speaker detection."""

from pathlib import Path

import pytest

from speakervid_dag.config.profiles import load_profile
from speakervid_dag.doctor import answering_rows
from speakervid_dag.models.registry import WEIGHTS_ENV


def test_every_backend_is_active_or_says_how_it_would_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WEIGHTS_ENV, str(tmp_path))
    states = {row["backend"]: row["state"] for row in answering_rows(load_profile("laptop"))}
    assert states["lip_motion"] == states["lip_ridge"] == "active"
    assert states["light_asd"].startswith("not active: speakervid models pull light-asd; then set")
    assert "--accept-hash" in states["syncnet"]
    own = tmp_path / "mine.yaml"
    own.write_text("inherits: laptop\nname: m\nactive_speaker: {talking: light_asd}\ntracking: {face_crops: true}")
    states = {row["backend"]: row["state"] for row in answering_rows(load_profile(str(own)))}
    assert states["light_asd"] == "MISSING weights: speakervid models pull light-asd"
    assert states["lip_motion"] == "not active: set active_speaker.talking: lip_motion"
