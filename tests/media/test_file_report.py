"""`speakervid doctor FILE`: what is in a file, and what intake would make of it."""

import re
from pathlib import Path

import generate
import pytest
from click.testing import CliRunner
from rows import frame

from speakervid_dag.cli.app import cli
from speakervid_dag.files import sha256_of
from speakervid_dag.lake.schemas import TAKEDOWNS
from speakervid_dag.lake.storage.delta import DeltaLake

pytestmark = pytest.mark.heavy


def doctor(path: Path) -> tuple[int, str]:
    done = CliRunner().invoke(cli, ["doctor", str(path), "--lake", str(path.parent / "lake")], catch_exceptions=False)
    return done.exit_code, " ".join(done.output.split())


def test_a_files_facts_and_the_verdict_are_told_and_nothing_is_written(tmp_path: Path) -> None:
    code, told = doctor(generate.plain(tmp_path / "a.mp4", rotation_deg=90))
    assert code == 0
    assert all(word in told for word in ("h264", "rotation_deg", "90", "geometries", "sdr", "tracks", "aac"))
    assert re.search(r"\bIntake\b.*: ok$", told)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_a_file_whose_content_was_taken_down_would_be_skipped(tmp_path: Path) -> None:
    path = generate.plain(tmp_path / "a.mp4")
    gone = frame(TAKEDOWNS, [{"video_id": f"v{sha256_of(path)[:16]}"}])
    DeltaLake(str(tmp_path / "lake")).append(TAKEDOWNS, gone, {"run_id": "r"})
    code, told = doctor(path)
    assert (code, "skip" in told, "taken down" in told) == (1, True, True)
    assert doctor(generate.plain(tmp_path / "b.mp4", rotation_deg=90))[0] == 0


def test_a_file_that_would_be_rejected_gives_its_reason(tmp_path: Path) -> None:
    (tmp_path / "notes.mp4").write_text("not a film")
    code, told = doctor(tmp_path / "notes.mp4")
    assert (code, "rejected, unrecognised_container" in told) == (1, True)
    code, told = doctor(tmp_path / "gone.mp4")
    assert (code, "rejected, missing_file" in told) == (1, True)
