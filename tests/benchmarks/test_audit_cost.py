"""What the audits of one batch of 1,000 clips cost, table by table."""

import time

import polars as pl
import pytest
from mini_lake import judge, mini_lake

from speakervid_dag.lake.schemas import TABLES

VIDEOS = 250  # of 4 clips each


def many(frames: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """The first video of the mini lake, once for each of `VIDEOS` ids."""
    video_id = frames["videos"]["video_id"][0]
    names = [f"v{i:016x}" for i in range(1, VIDEOS + 1)]
    out = {}
    for name, frame in frames.items():
        one = frame.filter(pl.col("video_id") == video_id) if "video_id" in frame.columns else frame
        columns = [c for c, t in one.schema.items() if t == pl.String]
        lists = [c for c, t in one.schema.items() if t == pl.List(pl.String)]
        copies = [
            one.with_columns(
                *(pl.col(c).str.replace_all(video_id, new, literal=True) for c in columns),
                *(pl.col(c).list.eval(pl.element().str.replace_all(video_id, new, literal=True)) for c in lists),
            ).with_columns(*([pl.lit(new[1:] + "0" * 48).alias("sha256")] if name == "videos" else []))
            for new in names
        ]
        out[name] = pl.concat(copies) if "video_id" in frame.columns else frame
    return out


@pytest.mark.benchmark
def test_audit_of_a_batch_of_1000_clips() -> None:
    frames = many(mini_lake())
    judge("shots", frames)  # the import of Great Expectations, once a process
    total = 0.0
    for name in (n for n, t in TABLES.items() if t.layer != "system"):
        started = time.perf_counter()
        report = judge(name, frames)
        elapsed = time.perf_counter() - started
        total += elapsed
        assert report.findings == (), name
        print(f"{name:18} {frames[name].height:6} rows {report.expectation_count:4} expectations {elapsed:6.2f} s")
    print(f"all tables of {frames['clips'].height} clips: {total:.1f} s")
