"""Audit before commit: a red frame is not written, what was published stays, quarantine opens and closes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from mini_lake import V1, V2, frame, mini_lake, outcomes
from rows import BATCH, PROFILE

from speakervid_dag.lake.schemas import CLIPS, QUARANTINE, SPEECH_TURNS, TABLES, TIERS, VIDEOS
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.lake.storage.slices import Slice
from speakervid_dag.lake.upkeep import quarantine
from speakervid_dag.quality_checks.factory import audit_and_commit, check_name, check_result, check_spec

pytestmark = pytest.mark.heavy

GOLD = ("clip_gates", "tiers")


@pytest.fixture
def frames() -> dict[str, pl.DataFrame]:
    return mini_lake()


@pytest.fixture
def lake(tmp_path: Path) -> DeltaLake:
    return DeltaLake(str(tmp_path))


def part(batch: str = BATCH, *, gold: bool = False, stamp: int = 1) -> tuple[Slice, int]:
    return Slice({"batch": batch, **({"profile": PROFILE} if gold else {})}), stamp


def stage_of(frames: dict[str, pl.DataFrame], name: str) -> dict[str, pl.DataFrame]:
    told = frames["stage_outcomes"].filter(pl.col("stage") == name)
    return {**{n: f for n, f in frames.items() if n != "manifest"}, "stage_outcomes": told}


def test_a_green_frame_is_committed(lake: DeltaLake, frames: dict[str, pl.DataFrame]) -> None:
    outcome = audit_and_commit(lake, CLIPS, frames["clips"], [part()], stage_of(frames, "clips"), {"run_id": "r1"})
    assert outcome.commit is not None
    assert outcome.commit.row_count == 8
    assert lake.data_version(CLIPS, part()[0]) == 1
    assert not lake.exists(QUARANTINE)


def test_a_red_frame_leaves_what_was_published_and_closes_once_replaced(
    lake: DeltaLake, frames: dict[str, pl.DataFrame]
) -> None:
    parents = stage_of(frames, "clips")
    audit_and_commit(lake, CLIPS, frames["clips"], [part()], parents, {"run_id": "r1"})
    before = lake.version(CLIPS)
    red = frames["clips"].with_columns(x1=pl.lit(0.9))
    outcome = audit_and_commit(lake, CLIPS, red, [part(stamp=2)], parents, {"run_id": "r2"})
    assert outcome.commit is None
    assert lake.version(CLIPS) == before
    assert lake.data_version(CLIPS, part()[0]) == 1
    assert lake.read(CLIPS).sort("clip_id").equals(frames["clips"].sort("clip_id"))
    found = quarantine.open_findings(lake, CLIPS, BATCH)
    assert set(found["expectation"]) == {"box_corners_ordered"}
    assert sorted(found["key"]) == sorted(frames["clips"]["clip_id"])
    assert quarantine.refused_frame(lake, CLIPS, BATCH, "r2").equals(red)
    assert quarantine.list_open(lake).select("table", "batch", "run_id").rows() == [("clips", BATCH, "r2")]
    audit_and_commit(lake, CLIPS, frames["clips"], [part(stamp=3)], parents, {"run_id": "r3"})
    assert quarantine.open_findings(lake, CLIPS, BATCH).is_empty()
    assert quarantine.list_open(lake).is_empty()
    assert quarantine.show(lake, f"clips/{BATCH}").height == found.height


def test_parents_not_given_are_read_from_the_lake(lake: DeltaLake, frames: dict[str, pl.DataFrame]) -> None:
    given = {"stage_outcomes": stage_of(frames, "clips")["stage_outcomes"]}
    outcome = audit_and_commit(lake, CLIPS, frames["clips"], [part()], given, {"run_id": "r1"})
    assert {f.expectation for f in outcome.report.critical} >= {"video_exists"}
    for name in ("videos", "shots", "face_tracks"):
        lake.replace(TABLES[name], frames[name], [part()], {"run_id": "r0"})
    assert audit_and_commit(lake, CLIPS, frames["clips"], [part()], given, {"run_id": "r2"}).commit is not None


def test_the_manifest_says_which_videos_a_batch_has(lake: DeltaLake, frames: dict[str, pl.DataFrame]) -> None:
    book = Path(lake.root) / "batches"
    book.mkdir()
    sources = [
        {"uris": [f"/{row['video_id']}"], "size_bytes": 1, "mtime_ns": 1, "sha256": row["sha256"], "problem": None}
        for row in frames["videos"].to_dicts()
    ]
    (book / f"{BATCH}.json").write_text(json.dumps({"batch": BATCH, "sources": sources}))
    lost = frames["videos"].head(1)
    report = audit_and_commit(lake, VIDEOS, lost, [part()], {}, {"run_id": "r1"}).report
    assert [(f.expectation, f.failing[0].observed) for f in report.findings] == [("no_batch_rows_missing", f"1: {V2}")]
    assert audit_and_commit(lake, VIDEOS, frames["videos"], [part()], {}, {"run_id": "r2"}).commit is not None


def test_warnings_are_recorded_and_let_through(lake: DeltaLake, frames: dict[str, pl.DataFrame]) -> None:
    parents = stage_of(frames, "speech_turns") | {
        "videos": frames["videos"].with_columns(duration_s=pl.lit(40.0)),
        "stage_outcomes": outcomes("speech_turns", [{"video_id": V1, "row_count": 2}, {"video_id": V2}]),
    }
    only_one = frames["speech_turns"].filter(pl.col("video_id") == V1)
    outcome = audit_and_commit(lake, SPEECH_TURNS, only_one, [part()], parents, {"run_id": "r1"})
    assert outcome.commit is not None
    assert [f.expectation for f in outcome.report.warnings] == ["sound_has_speech"]
    told = quarantine.show(lake, f"speech_turns/{BATCH}")
    assert told.select("expectation", "severity", "is_open").rows() == [("sound_has_speech", "warning", False)]
    shown = check_result(outcome.report)
    assert (shown.passed, shown.severity) == (False, dg.AssetCheckSeverity.WARN)


def test_gold_over_two_batches_is_all_or_nothing(lake: DeltaLake, frames: dict[str, pl.DataFrame]) -> None:
    second = {n: f.with_columns(batch=pl.lit("b0002")) for n, f in frames.items() if "batch" in f.columns}
    ids = [c for c in ("video_id", "clip_id") if c in frames["tiers"].columns]
    other = {n: f.with_columns(pl.col(c) + "x" for c in ids if c in f.columns) for n, f in second.items()}
    both = {n: pl.concat([frames[n], other[n]]) for n in ("tiers", "clips", "videos")}
    parts = [part(gold=True), part("b0002", gold=True)]
    good = audit_and_commit(lake, TIERS, both["tiers"], parts, both, {"run_id": "r1"})
    assert good.commit is not None
    lost = both["tiers"].filter(pl.col("clip_id") != f"{V1}-c0p00x")
    red = audit_and_commit(lake, TIERS, lost, parts, both, {"run_id": "r2"})
    assert red.commit is None
    assert lake.read(TIERS).height == both["tiers"].height
    assert quarantine.open_findings(lake, TIERS, "b0002")["expectation"].to_list() == ["every_clip_has_a_tier"]
    assert quarantine.open_findings(lake, TIERS, BATCH)["expectation"].to_list() == ["refused_together"]


def test_values_of_the_data_do_not_become_markup(frames: dict[str, pl.DataFrame], lake: DeltaLake) -> None:
    evil = "<img src=x>|`x`\n# head"
    red = frame("clips", [{**row, "track_id": evil} for row in frames["clips"].to_dicts()])
    report = audit_and_commit(lake, CLIPS, red, [part()], stage_of(frames, "clips"), {"run_id": "r1"}).report
    text = check_result(report).metadata["failing/track_exists"].value
    assert "<img" not in str(text).replace("\\<", "")
    assert "\n# head" not in str(text)


@pytest.mark.parametrize(("defect", "is_run"), [("red", False), ("warning", True), ("green", True)])
def test_in_dagster_red_blocks_downstream_and_a_warning_does_not(
    tmp_path: Path, frames: dict[str, pl.DataFrame], defect: str, is_run: bool
) -> None:
    """An asset wired as the lake's are: what runs, what is materialised, what the check says."""
    batches = dg.StaticPartitionsDefinition([BATCH])
    lake, ran = DeltaLake(str(tmp_path)), []
    parents = stage_of(frames, "videos")
    made = frames["videos"]
    parents["manifest"] = frames["manifest"]
    if defect == "red":
        made = made.head(1)
    if defect == "warning":
        made = made.with_columns(bit_rate_bps=pl.lit(1.0))

    @dg.asset(name="videos", partitions_def=batches, check_specs=[check_spec(VIDEOS, batches)])
    def videos(context: dg.AssetExecutionContext) -> Iterator[Any]:
        outcome = audit_and_commit(lake, VIDEOS, made, [part()], parents, {"run_id": context.run.run_id})
        yield check_result(outcome.report)
        if outcome.commit is None:
            raise dg.Failure("refused", allow_retries=False)
        yield dg.MaterializeResult()

    @dg.asset(partitions_def=batches, deps=[videos])
    def downstream() -> None:
        ran.append(1)

    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([videos, downstream], partition_key=BATCH, instance=instance, raise_on_error=False)
    assert result.success is is_run
    assert bool(ran) is is_run
    assert bool(result.asset_materializations_for_node("videos")) is is_run
    (seen,) = result.get_asset_check_evaluations()
    assert (seen.check_name, seen.partition) == (check_name(VIDEOS), BATCH)
    assert seen.passed is (defect == "green")
    assert lake.read(VIDEOS).height == (2 if is_run else 0)
