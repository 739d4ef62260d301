"""`speakervid profiles`: answers that teach, and every problem with its place."""

import hashlib
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from speakervid_dag.cli.app import cli
from speakervid_dag.models.registry import WEIGHTS_ENV, accepted_hash_path


def profiles(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["profiles", *arguments], catch_exceptions=False)


def test_list_and_show_as_json() -> None:
    listed = json.loads(profiles("list", "--format", "json").stdout)
    assert [row["profile"] for row in listed] == ["laptop", "speakervid-5m", "talkvid"]
    shown = {row["gate"]: row for row in json.loads(profiles("show", "talkvid", "--format", "json").stdout)}
    motion = shown["motion"]
    assert (motion["rule"], motion["unit"], motion["needs_weights"]) == ("in [0.85, 0.999]", "1", "cotracker3")
    assert "sft" in motion["missing"]


def test_check_tells_every_problem_and_its_place(tmp_path: Path) -> None:
    own = tmp_path / "mine.yaml"
    own.write_text("inherits: laptop\nclips:\n  max: 9\ngates:\n  face_size:\n    unit: pixels\n    treshold: 3\n")
    done = profiles("check", str(own))
    assert done.exit_code == 2
    key, unit, other_key = done.stderr.splitlines()
    assert key.startswith(f"{own}:3: clips.max: ")
    assert "'max_s'" in key
    assert unit.startswith(f"{own}:6: gates.face_size.unit: ")
    assert all(word in unit for word in ("'pixels'", "face_height_px", "'px'"))
    assert other_key.startswith(f"{own}:7: gates.face_size.treshold: ")
    assert "'threshold'" in other_key


def test_check_says_what_a_right_profile_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WEIGHTS_ENV, str(tmp_path))
    own = tmp_path / "mine.yaml"
    own.write_text("inherits: talkvid\nname: talkvid\n")
    done = profiles("check", str(own))
    told = " ".join(done.stderr.split())
    assert done.exit_code == 0
    assert "packaged" in told
    assert re.search(r"'cotracker3'[^']*docs/scores\.md[^']*\bcotracker_ratio\b", told)
    (tmp_path / "dover").mkdir()
    (tmp_path / "dover" / "onnx_dover.onnx").touch()
    accepted_hash_path("dover", "onnx_dover.onnx").write_text(hashlib.sha256(b"").hexdigest())
    assert "'dover'" in told
    assert "'dover'" not in profiles("check", str(own)).stderr
