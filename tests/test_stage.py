"""The loop over videos: a failure is a row, a finished video is kept, timing is told."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from speakervid_dag.config.settings import Settings
from speakervid_dag.failures import PermanentFailure
from speakervid_dag.lake.schemas import SHOTS, STAGE_OUTCOMES, VIDEOS
from speakervid_dag.stages.stage import Skipped, Stage, VideoTask

NOTHING = dict.fromkeys(c.name for c in VIDEOS.columns)


def videos(*ids: str, status: str = "ok") -> pl.DataFrame:
    base = {**NOTHING, "batch": "b1", "source_uri": "x", "sources": ["x"], "status": status, "duration_s": 2.0}
    return VIDEOS.frame([{**base, "video_id": i, "source_name": f"{i}.mp4"} for i in ids])


def stage(tmp_path: Path, frame: pl.DataFrame, **more: Any) -> Stage:
    settings = Settings(lake=tmp_path)
    return Stage("shots", "b1", "run", 7, settings, more.pop("profile", None), {"videos": frame}, **more)


def one_shot(task: VideoTask) -> dict[str, list[dict[str, Any]]]:
    return {"shots": [{"shot_id": f"{task.video_id}-s0000", "shot_index": 0, "start_s": 0.0, "end_s": 1.0}]}


def test_ids_are_filled_in_and_outcomes_say_ok(tmp_path: Path) -> None:
    s = stage(tmp_path, videos("v1", "v2"))
    frames = s.each_video([SHOTS], one_shot)
    assert frames["shots"].select("batch", "video_id").rows() == [("b1", "v1"), ("b1", "v2")]
    assert s.outcome_frame().select("status", "row_count").rows() == [("ok", 1), ("ok", 1)]
    assert s.outcome_frame().schema == STAGE_OUTCOMES.schema


@pytest.mark.parametrize(
    ("problem", "status", "reason"),
    [
        (PermanentFailure("decoder_crashed", "signal 11"), "not_evaluated", "decoder_crashed"),
        (Skipped("no_audio"), "skipped", "no_audio"),
        (ZeroDivisionError("ours"), "not_evaluated", "internal_error"),
    ],
)
def test_one_failure_is_a_row_and_the_others_go_on(
    tmp_path: Path, problem: Exception, status: str, reason: str
) -> None:
    def work(task: VideoTask) -> dict[str, list[dict[str, Any]]]:
        if task.video_id == "v1":
            raise problem
        return one_shot(task)

    s = stage(tmp_path, videos("v1", "v2"))
    assert s.each_video([SHOTS], work)["shots"]["video_id"].to_list() == ["v2"]
    told = s.outcome_frame().select("video_id", "status", "reason").rows()
    assert told == [("v1", status, reason), ("v2", "ok", None)]


def test_rejected_videos_are_not_touched(tmp_path: Path) -> None:
    s = stage(tmp_path, videos("v1", status="rejected"))
    assert s.each_video([SHOTS], one_shot)["shots"].is_empty()


def test_an_upstream_failure_skips_unless_tolerated(tmp_path: Path) -> None:
    row = dict.fromkeys(STAGE_OUTCOMES.schema.names()) | {
        "batch": "b1", "stage": "transcripts", "video_id": "v1", "status": "not_evaluated", "reason": "weights_missing",
        "row_count": 0, "elapsed_s": 0.0, "media_s": 0.0, "model_s": 0.0,
    }  # fmt: skip
    upstream = STAGE_OUTCOMES.frame([row])
    strict, lenient = (stage(tmp_path / n, videos("v1"), upstream=upstream) for n in "ab")
    strict.each_video([SHOTS], one_shot)
    lenient.each_video([SHOTS], one_shot, tolerates=["transcripts"])
    assert strict.outcomes[0]["reason"] == "upstream_transcripts"
    assert lenient.outcomes[0]["status"] == "ok"


def test_a_killed_run_loses_one_video_at_most(tmp_path: Path) -> None:
    calls: list[str] = []

    def killed_at_v2(task: VideoTask) -> dict[str, list[dict[str, Any]]]:
        calls.append(task.video_id)
        if task.video_id == "v2" and calls.count("v2") == 1:
            raise KeyboardInterrupt
        return one_shot(task)

    with pytest.raises(KeyboardInterrupt):
        stage(tmp_path, videos("v1", "v2")).each_video([SHOTS], killed_at_v2)
    again = stage(tmp_path, videos("v1", "v2"))
    frame = again.each_video([SHOTS], killed_at_v2)["shots"]
    assert calls == ["v1", "v2", "v2"]
    assert frame["video_id"].to_list() == ["v1", "v2"]
    again.forget_checkpoints()
    assert not list((tmp_path / "artifacts").rglob("*.arrow"))


def test_other_settings_do_not_reuse_a_checkpoint(tmp_path: Path) -> None:
    stage(tmp_path, videos("v1")).each_video([SHOTS], one_shot)
    other = stage(tmp_path, videos("v1"))
    other.data_version = 8
    calls: list[str] = []
    other.each_video([SHOTS], lambda task: calls.append(task.video_id) or one_shot(task))
    assert calls == ["v1"]
