"""The command line: help that is quick, one-line errors, exit statuses."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from speakervid_dag.cli.app import cli
from speakervid_dag.failures import OperationError

pytestmark = pytest.mark.heavy


def speakervid(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "speakervid_dag", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, **environment},
        check=False,
    )


def test_help_names_every_command_and_loads_nothing_heavy() -> None:
    code = "import sys; from speakervid_dag.cli.app import main; sys.argv = ['speakervid', '--help']\n"
    code += "try: main()\nexcept SystemExit: pass\n"
    code += (
        "print(sorted({'torch', 'dagster', 'polars', 'duckdb', 'great_expectations', 'cv2', 'av'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for command in ("demo", "run", "ui", "sql", "report", "doctor", "models"):
        assert f"\n  {command}" in done.stdout
    assert done.stdout.strip().endswith("[]"), "heavy imports belong inside the commands"


@pytest.mark.parametrize(
    "arguments",
    [
        ("run",),
        ("nonsense",),
        ("run", "/no/such/folder"),
        ("run", ".", "--limit", "0"),
        ("run", ".", "--profile", "nobody"),
        ("models", "pull", "nobody"),
        ("ui", "--port", "99999"),
        ("ui", "--port", "-1"),
    ],
    ids=" ".join,
)
def test_bad_arguments_are_one_line_and_status_2(arguments: tuple[str, ...], tmp_path: Path) -> None:
    done = speakervid(*arguments, SPEAKERVID_LAKE=str(tmp_path / "lake"))
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stderr.startswith("speakervid: ")


@pytest.mark.parametrize("port", ["99999", "-1"])
def test_a_review_on_a_port_that_there_is_not_is_refused(port: str) -> None:
    assert CliRunner().invoke(cli, ["review", "--no-open", "--port", port]).exit_code == 2


def test_a_commands_help_names_its_argument() -> None:
    told = CliRunner().invoke(cli, ["forget", "--help"]).output
    assert "VIDEO_ID|SOURCE" in told
    assert "WHAT" not in told


def test_the_ui_announces_the_lake_that_it_opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setattr(os, "execv", lambda *_: None)
    done = CliRunner().invoke(cli, ["ui", "--lake", "relative", "--port", "1"], catch_exceptions=False)
    assert f"UI of {tmp_path / 'relative'} on" in done.output.replace("\n", "")


def test_the_ui_of_a_lake_that_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda _, mode: mode != os.W_OK)  # modes do not hold root back
    monkeypatch.setattr(os, "execv", lambda *_: pytest.fail("it was started"))
    done = CliRunner().invoke(cli, ["ui", "--lake", str(tmp_path), "--port", "1"])
    assert isinstance(done.exception, OperationError)


@pytest.mark.parametrize("arguments", [("run", "film.mp4"), ("demo",)], ids=" ".join)
def test_a_wrong_profile_makes_no_lake(arguments: tuple[str, ...], tmp_path: Path) -> None:
    own, lake, film = tmp_path / "mine.yaml", tmp_path / "lake", tmp_path / "film.mp4"
    own.write_text("inherits: laptop\ntranscripts: {weights: whisper-huge}\n")
    film.write_bytes(b"some video")
    wanted = [str(film) if a == film.name else a for a in arguments]
    done = speakervid(*wanted, SPEAKERVID_LAKE=str(lake), SPEAKERVID_PROFILE=str(own))
    assert done.returncode == 2
    assert f"{own}:2: transcripts.weights" in done.stderr
    assert not lake.exists()


def test_without_a_lake_it_says_how_to_get_one(tmp_path: Path) -> None:
    done = speakervid("sql", "SELECT 1", "--lake", str(tmp_path / "none"))
    assert done.returncode == 2
    assert "speakervid run" in done.stderr
    assert not (tmp_path / "none").exists()


def test_missing_weights_are_named_with_the_command_that_gets_them(tmp_path: Path) -> None:
    done = speakervid("doctor", SPEAKERVID_WEIGHTS=str(tmp_path / "none"), SPEAKERVID_LAKE=str(tmp_path / "lake"))
    assert done.returncode == 1
    assert "speakervid models pull" in done.stdout
    assert "centerface" in done.stdout
