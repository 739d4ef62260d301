"""The end of a run: what failed is said, also where there is nothing else to say."""

import shlex
from pathlib import Path

import polars as pl
import pytest
from mini_lake import V1, frame, mini_lake
from rows import BATCH
from small_lake import published_lake

from speakervid_dag.cli.summary import print_summary
from speakervid_dag.config.settings import load_settings
from speakervid_dag.runs.report import RunReport

pytestmark = pytest.mark.heavy


def test_a_first_run_that_failed_before_its_first_table_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = RunReport(failed={"b000001": "No space left on device"})
    assert print_summary(load_settings(lake=tmp_path / "lake"), report) == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "b000001" in line]
    assert "No space left on device" in line


def test_the_lake_is_named_as_a_shell_takes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = published_lake(tmp_path / ("a 'b' [red]:smile: " + "x" * 200) / "lake")
    assert print_summary(settings, RunReport()) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "--lake" in line]
    assert shlex.split(line)[-2:] == ["--lake", str(settings.lake_dir)]


def test_a_video_without_a_clip_is_named_with_the_reason_and_its_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = mini_lake()
    ids = {"batch": BATCH, "video_id": V1}
    lost = {**ids, "track_id": f"{V1}-t0000", "role": "unknown", "start_s": 0.0, "end_s": 7.5}
    said = {**ids, "turn_id": f"{V1}-u0000", "speaker_id": "A", "start_s": 0.0, "end_s": 7.5}
    why = {"status": "ambiguous", "reason": "weak_evidence", "detail": "evidence 4.0 of the 5.5 that bind"}
    changed = {
        "clips": lake["clips"].filter(pl.col("video_id") != V1),
        "dropped_spans": frame("dropped_spans", [{**lost, "reason": "ambiguous_speaker"}]),
        "speaker_bindings": frame("speaker_bindings", [{**said, **why}]),
    }
    settings = published_lake(tmp_path / "lake", **changed)
    assert print_summary(settings, RunReport(done=[BATCH])) == 0
    told = " ".join(capsys.readouterr().out.split())
    name = lake["videos"].filter(pl.col("video_id") == V1)["source_name"][0]
    assert all(word in told for word in (name, "ambiguous_speaker", "7.5", "weak_evidence", "4.0", "5.5"))


def test_a_video_without_a_clip_since_its_sound_was_lost_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = mini_lake()
    outcomes = lake["stage_outcomes"].filter(~((pl.col("video_id") == V1) & (pl.col("stage") == "speech_turns")))
    lost = {"batch": BATCH, "stage": "speech_turns", "video_id": V1, "status": "not_evaluated"}
    rows = [{**lost, "reason": "decoder_crashed", "row_count": 0, "elapsed_s": 1.0, "media_s": 1.0, "model_s": 0.0}]
    changed = {
        name: lake[name].filter(pl.col("video_id") != V1) for name in ("clips", "dropped_spans", "speaker_bindings")
    }
    changed["stage_outcomes"] = pl.concat([outcomes, frame("stage_outcomes", rows)])
    settings = published_lake(tmp_path / "lake", **changed)
    print_summary(settings, RunReport(done=[BATCH]))
    assert "speech_turns: decoder_crashed" in " ".join(capsys.readouterr().out.split())
