"""The end of a run: what failed is said, also where there is nothing else to say."""

import shlex
from pathlib import Path

import pytest
from small_lake import published_lake

from speakervid_dag.config.settings import load_settings
from speakervid_dag.runner import RunReport
from speakervid_dag.summary import print_summary


def test_a_first_run_that_failed_before_its_first_table_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = RunReport(failed={"b000001": "No space left on device"})
    assert print_summary(load_settings(lake=tmp_path / "lake"), report) == 1
    assert "batch b000001 failed: No space left on device" in capsys.readouterr().err


def test_the_lake_is_named_as_a_shell_takes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = published_lake(tmp_path / ("a 'b' [red]:smile: " + "x" * 200) / "lake")
    assert print_summary(settings, RunReport()) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "--lake" in line]
    assert shlex.split(line)[-2:] == ["--lake", str(settings.lake_dir)]
