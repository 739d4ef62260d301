"""A table landed in chunks: the same rows and verdicts as at once, and none of them when one chunk is red."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl
import pytest
from mini_lake import V1, mini_lake
from rows import PROFILE

from speakervid_dag.lake.schemas import CLIP_GATES, QUARANTINE, TABLES, TIERS, Table
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.lake.storage.slices import Slice
from speakervid_dag.lake.upkeep import quarantine
from speakervid_dag.quality_checks.chunked import audit_and_commit_chunks
from speakervid_dag.quality_checks.factory import audit_and_commit

pytestmark = pytest.mark.heavy

BATCHES = ["b0001", "b0002", "b0003"]
Frames = dict[str, pl.DataFrame]


def copy_of(batch: str) -> Frames:
    """mini_lake's batch under another name, with ids of its own."""
    made = {}
    for name in ("videos", "clips", "clip_gates", "tiers"):
        ids = [c for c in ("video_id", "clip_id") if c in TABLES[name].schema]
        made[name] = mini_lake()[name].with_columns(pl.lit(batch).alias("batch"), *(pl.col(c) + batch for c in ids))
    return made


@pytest.fixture
def rows() -> Frames:
    copies = [copy_of(batch) for batch in BATCHES]
    return {name: pl.concat(c[name] for c in copies) for name in copies[0]}


@pytest.fixture
def lake(tmp_path: Path, rows: Frames) -> DeltaLake:
    """The parents are stored; gates and tiers are made by an earlier run."""
    lake = DeltaLake(str(tmp_path))
    for name in ("videos", "clips"):
        lake.replace(TABLES[name], rows[name], [(Slice({"batch": b}), 1) for b in BATCHES], {})
    for table in (CLIP_GATES, TIERS):
        lake.replace(table, rows[table.name], parts(1), {})
    return lake


def parts(stamp: int) -> list[tuple[Slice, int]]:
    return [(Slice({"batch": b, "profile": PROFILE}), stamp) for b in BATCHES]


def chunks(frame: pl.DataFrame, *groups: Sequence[str]) -> Iterator[tuple[Sequence[str], pl.DataFrame]]:
    for group in groups or [[b] for b in BATCHES]:
        yield group, frame.filter(pl.col("batch").is_in(group))


def stored(lake: DeltaLake, table: Table) -> pl.DataFrame:
    return lake.read(table).sort("batch", *table.key)


@pytest.mark.parametrize("groups", [[BATCHES], [BATCHES[:2], BATCHES[2:]], [[b] for b in BATCHES]])
def test_chunks_land_what_one_frame_would(lake: DeltaLake, rows: Frames, groups: list[list[str]]) -> None:
    changed = rows["tiers"].with_columns(tier=pl.lit("pretrain"), reasons=pl.lit(["g"], dtype=pl.List(pl.String)))
    before = lake.version(TIERS)
    outcome = audit_and_commit_chunks(lake, TIERS, chunks(changed, *groups), parts(2), {}, {"run_id": "r1"})
    assert outcome.report.findings == ()
    assert outcome.report.row_count == changed.height
    assert outcome.commit is not None
    assert (outcome.commit.version, outcome.commit.row_count) == (before + 1, changed.height)  # type: ignore[operator]
    assert stored(lake, TIERS).equals(changed.sort("batch", *TIERS.key))
    assert [lake.data_version(TIERS, part) for part, _ in parts(2)] == [2, 2, 2]


def test_a_red_second_chunk_leaves_the_old_rows_and_stops_the_rest(lake: DeltaLake, rows: Frames) -> None:
    old, asked = stored(lake, TIERS), []
    lost = f"{rows['tiers'].filter(batch='b0002')['clip_id'][0]}"
    red = rows["tiers"].filter(pl.col("clip_id") != lost)

    def watched() -> Iterator[tuple[Sequence[str], pl.DataFrame]]:
        for group, frame in chunks(red):
            asked.append(list(group))
            yield group, frame

    outcome = audit_and_commit_chunks(lake, TIERS, watched(), parts(2), {}, {"run_id": "r1"})
    assert outcome.commit is None
    assert [(f.expectation, f.failing_count) for f in outcome.report.critical] == [("every_clip_has_a_tier", 1)]
    assert stored(lake, TIERS).equals(old)
    assert [lake.data_version(TIERS, part) for part, _ in parts(2)] == [1, 1, 1]
    assert asked == [["b0001"], ["b0002"]]
    why = {b: quarantine.open_findings(lake, TIERS, b)["expectation"].to_list() for b in BATCHES}
    together = ["refused_together"]
    assert why == {"b0001": together, "b0002": ["every_clip_has_a_tier"], "b0003": together}
    kept = quarantine.refused_frame(lake, TIERS, "b0002", "r1")
    assert kept.equals(red.filter(batch="b0002")), "the red rows can be looked at"
    assert lake.version(QUARANTINE) == 1, "one commit, however many batches"
    landed = audit_and_commit_chunks(lake, TIERS, chunks(rows["tiers"]), parts(3), {}, {"run_id": "r2"})
    assert landed.commit is not None
    assert quarantine.list_open(lake).is_empty()


def test_a_gate_that_a_whole_chunk_lacks_is_missed(lake: DeltaLake, rows: Frames) -> None:
    """Within the chunk nothing looks wrong: only what the profile asks for shows it."""
    two = rows["clip_gates"].with_columns(gate=pl.col("gate") + "_too")
    rows["clip_gates"] = pl.concat([rows["clip_gates"], two])
    asked = rows["clip_gates"].join(rows["clips"].select("clip_id", "role"), on="clip_id")
    asked = asked.select("profile", "role", "gate").unique()
    red = rows["clip_gates"].filter((pl.col("batch") != "b0002") | pl.col("gate").str.ends_with("_too"))
    outcome = audit_and_commit_chunks(lake, CLIP_GATES, chunks(red), parts(2), {"asked_gates": asked}, {"run_id": "r1"})
    assert outcome.commit is None
    assert {f.expectation for f in outcome.report.critical} == {"every_clip_has_every_gate"}


def test_drift_is_told_as_at_once(lake: DeltaLake, rows: Frames) -> None:
    """The shares a batch is compared with are those of batches outside the run, whatever chunk it is in."""
    many = pl.concat([rows["tiers"].with_columns(pl.col("clip_id") + f"-{i}") for i in range(30)])
    clips = pl.concat([rows["clips"].with_columns(pl.col("clip_id") + f"-{i}") for i in range(30)])
    before = many.filter(batch="b0001").with_columns(batch=pl.lit("b0000"), tier=pl.lit("rejected"))
    lake.replace(TIERS, before, [(Slice({"batch": "b0000", "profile": PROFILE}), 1)], {})
    lake.replace(TABLES["clips"], clips, [(Slice({"batch": b}), 2) for b in BATCHES], {})
    one = audit_and_commit(lake, TIERS, many, parts(2), {}, {"run_id": "r1"}).report
    other = audit_and_commit_chunks(lake, TIERS, chunks(many), parts(3), {}, {"run_id": "r2"}).report
    told = {(f.expectation, f.severity, frozenset((r.batch, r.observed) for r in f.failing)) for f in one.findings}
    assert told, "the shares did change"
    assert told == {
        (f.expectation, f.severity, frozenset((r.batch, r.observed) for r in f.failing)) for f in other.findings
    }


def test_nothing_is_promoted_that_no_chunk_held(lake: DeltaLake, rows: Frames) -> None:
    old = stored(lake, TIERS)
    with pytest.raises(ValueError, match=rf"\b{TIERS.name}\b.*\b2\b.*\b3\b"):
        audit_and_commit_chunks(lake, TIERS, chunks(rows["tiers"], BATCHES[:2]), parts(2), {}, {"run_id": "r1"})
    assert stored(lake, TIERS).equals(old)
    assert V1 in "".join(old["video_id"])
