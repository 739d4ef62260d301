"""Figures of the lake at the paper's size: `python tests/benchmarks/bench_lake.py [--clips N]`.

branch_statistics against the same query on plain Parquet, re-tiering, the cost of commit 1,000, and audits of a batch
of 1,000 clips. All of it synthetic, made in chunks in a temporary folder (TMPDIR), which the full size fills with some
GB.
"""

import argparse
import multiprocessing
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parents[1]))  # the row makers of the tests

from speakervid_dag.config.profiles import Profile, load_profile
from speakervid_dag.config.sections import Gate
from speakervid_dag.lake import gold, session
from speakervid_dag.lake.delta import DeltaLake, Slice
from speakervid_dag.lake.schemas import TABLES, Table

CLIPS_PER_VIDEO = 34  # 5.218M clips of 153K videos
CHUNK_CLIPS = 100_000  # about: what is held in memory at once
BRANCHES = ("branch_single", "branch_dialogue", "branch_listening", "branch_multi_turn", "people", "tiers")
ROUNDS = 5
MEMORY_LIMIT_MB = 4096


@dataclass(frozen=True)
class Scale:
    """How many clips, in batches of how many videos."""

    clips: int
    batch_videos: int

    @property
    def batch_clips(self) -> int:
        return self.batch_videos * CLIPS_PER_VIDEO

    @property
    def chunk_batches(self) -> int:
        return max(1, round(CHUNK_CLIPS / self.batch_clips))


def ids(first: int, count: int, batch_clips: int) -> pl.DataFrame:
    """batch, video_id, clip_id and the rest of a clip's names for clips first … first + count."""
    number = pl.int_range(first, first + count, dtype=pl.Int64, eager=True).alias("n").to_frame()
    video = pl.format("v{}", (pl.col("n") // CLIPS_PER_VIDEO).cast(pl.String).str.zfill(16))
    return number.with_columns(
        batch=pl.format("b{}", (pl.col("n") // batch_clips + 1).cast(pl.String).str.zfill(6)),
        video_id=video,
        clip_id=pl.format("{}-c{}", video, pl.col("n").cast(pl.String).str.zfill(8)),
        person_id=pl.format("{}-p0{}", video, pl.col("n") % 2),
    )


def filled(table: Table, known: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """The table's columns: `known` ones as they are, floats random in 0-1, everything else plain."""
    made = []
    for column in table.columns:
        if column.name in known.columns:
            made.append(known[column.name].cast(column.dtype))
        elif column.dtype == pl.Float64():
            made.append(pl.Series(column.name, rng.random(known.height)))
        else:
            value = [] if column.dtype.is_nested() else {pl.String(): "ok", pl.Boolean(): False}.get(column.dtype, 0)
            made.append(pl.Series(column.name, [value], dtype=column.dtype).new_from_index(0, known.height))
    return pl.DataFrame(made)


def frames(first: int, count: int, batch_clips: int, profile: str) -> Iterator[tuple[str, pl.DataFrame]]:
    rng = np.random.default_rng(first)
    base = ids(first, count, batch_clips).with_columns(
        duration_s=pl.Series(rng.uniform(3, 14, count)), profile=pl.lit(profile), role=pl.lit("talking")
    )
    tier = np.array(["sft", "pretrain", "rejected"])[rng.choice(3, count, p=(0.1, 0.6, 0.3))]
    tiered = base.with_columns(pl.Series("tier", tier))
    pairs = tiered.gather_every(7).with_columns(
        pair_id=pl.col("clip_id"), initiator_person_id=pl.col("person_id"), responder_person_id=pl.col("person_id")
    )
    heard = tiered.gather_every(9).with_columns(
        listening_id=pl.col("clip_id"), listener_person_id=pl.col("person_id"), mode=pl.lit("co_present")
    )
    turns = tiered.gather_every(3).with_columns(session_id=pl.col("video_id"), mode=pl.lit("sequential"))
    people = base.select("batch", "video_id", "person_id").unique().with_columns(identity_id=pl.col("person_id"))
    parts = {"clips": base, "clip_scores": base, "people": people, "tiers": tiered, "branch_single": tiered}
    parts |= {"branch_dialogue": pairs, "branch_listening": heard, "branch_multi_turn": turns}
    for name, known in parts.items():
        yield name, filled(TABLES[name], known, rng)


def slices(table: Table, frame: pl.DataFrame) -> list[tuple[Slice, int]]:
    return [(Slice(part), 1) for part in frame.select(table.partition_by).unique().sort("batch").to_dicts()]


def generate(lake: DeltaLake, scale: Scale, profile: str) -> None:
    step = scale.chunk_batches * scale.batch_clips
    for first in range(0, scale.clips, step):
        for name, frame in frames(first, min(step, scale.clips - first), scale.batch_clips, profile):
            lake.replace(TABLES[name], frame, slices(TABLES[name], frame), {"run_id": "bench"})


def compare_statistics(lake: DeltaLake, plain: Path) -> None:
    """branch_statistics over the lake, and the same SQL over one plain Parquet file a table; the best of five."""
    started = time.perf_counter()
    ours = session.open_session(lake, read_only_user_sql=False)
    print(f"opening a session over all tables: {time.perf_counter() - started:.2f} s")
    theirs = duckdb.connect()
    theirs.execute(f"SET memory_limit = '{MEMORY_LIMIT_MB}MB'")
    plain.mkdir()
    for name in BRANCHES:
        ours.execute(f"COPY (FROM \"{name}\") TO '{plain / name}.parquet' (FORMAT parquet)")
        theirs.execute(f"CREATE VIEW \"{name}\" AS FROM '{plain / name}.parquet'")
    text = session.sql_text("statistics/branch_statistics")
    times: dict[str, list[float]] = {"lake": [], "plain": []}
    for _ in range(ROUNDS):  # in turn, so that a busy machine is the same for both
        for name, con in (("lake", ours), ("plain", theirs)):
            started = time.perf_counter()
            answer = con.sql(text).fetchall()
            times[name].append(time.perf_counter() - started)
            assert sum(row[3] for row in answer) > 0
    best = {name: min(found) for name, found in times.items()}
    print(f"branch_statistics: lake {best['lake']:.3f} s, plain Parquet {best['plain']:.3f} s, ", end="")
    print(f"ratio {best['lake'] / best['plain']:.2f} (at most 1.3)")


def with_other_threshold(profile: Profile) -> Profile:
    """The profile with every fixed threshold of a gate moved by a tenth."""

    def moved(gate: Gate) -> Gate:
        return gate if gate.threshold is None else gate.model_copy(update={"threshold": gate.threshold * 1.1})

    return profile.model_copy(update={"gates": {name: moved(gate) for name, gate in profile.gates.items()}})


def retier(root: str, profile_name: str, chunk_batches: int) -> None:
    """Gates, tiers and the single branch of every batch, chunk by chunk: compute and commit."""
    lake, profile = DeltaLake(root), with_other_threshold(load_profile(profile_name))
    batches = lake.batches(TABLES["clips"])
    started, rows = time.perf_counter(), 0
    spent = dict.fromkeys(("open", "compute", "commit"), 0.0)
    for first in range(0, len(batches), chunk_batches):
        chunk = batches[first : first + chunk_batches]
        clock = time.perf_counter()
        with session.open_session(lake, read_only_user_sql=False, memory_limit_mb=MEMORY_LIMIT_MB // 2) as con:
            con.execute("SET enable_progress_bar = false")
            spent["open"] += time.perf_counter() - clock
            for name in ("clip_gates", "tiers", "branch_single"):
                table, clock = TABLES[name], time.perf_counter()
                made = gold.compute(con, name, profile, chunk)
                con.register("__made", made)
                con.execute(f'CREATE OR REPLACE TEMP TABLE "{name}" AS FROM __made')
                con.unregister("__made")
                spent["compute"] += time.perf_counter() - clock
                clock = time.perf_counter()
                parts = [(Slice({"batch": b, "profile": profile.name}), 2) for b in chunk]
                lake.replace(table, made, parts, {"run_id": "retier"})
                spent["commit"] += time.perf_counter() - clock
                rows += made.height
    wall = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    told = ", ".join(f"{name} {seconds:.1f}" for name, seconds in spent.items())
    print(f"re-tiering: {rows:,} rows in {len(batches)} batches, {wall:.1f} s ({told}), ", end="")
    print(f"peak memory {peak:.2f} GB (at most 4)", flush=True)


def in_child(work: Callable[..., None], *arguments: object) -> None:
    """A process of its own: its peak memory is its own."""
    child = multiprocessing.get_context("spawn").Process(target=work, args=arguments)
    child.start()
    child.join()
    if child.exitcode:
        raise SystemExit(child.exitcode)


def commit_cost(folder: Path, commits: int) -> None:
    """What batch 1,000 costs against batch 1: audited and committed as a stage does it, and the write alone.

    The two are measured in turn at the end, the first batch in new lakes, so that a busy machine is the same for both.
    """
    from mini_lake import mini_lake

    from speakervid_dag.quality_checks.factory import audit_and_commit

    table, frames = TABLES["shots"], mini_lake()
    frames["stage_outcomes"] = frames["stage_outcomes"].filter(pl.col("stage") == "intake")

    def commit(lake: DeltaLake, number: int, *, is_audited: bool) -> float:
        batch = pl.lit(f"b{number:06d}")
        made = {name: f.with_columns(batch=batch) for name, f in frames.items() if name in ("shots", "videos")}
        made["stage_outcomes"] = frames["stage_outcomes"].with_columns(batch=batch)
        parts, started = slices(table, made["shots"]), time.perf_counter()
        if is_audited:
            assert audit_and_commit(lake, table, made["shots"], parts, made, {"run_id": "bench"}).commit is not None
        else:
            lake.replace(table, made["shots"], parts, {"run_id": "bench"})
        return time.perf_counter() - started

    full = DeltaLake(str(folder / "full"))
    for number in range(commits):
        commit(full, number, is_audited=False)
    for told, is_audited in (("write", False), ("audit and write", True)):
        first, last = [], []
        for number in range(2 * ROUNDS):
            fresh = DeltaLake(str(folder / f"fresh-{told}-{number}"))
            fresh.open(table)
            first.append(commit(fresh, 1, is_audited=is_audited))
            last.append(commit(full, commits + number, is_audited=is_audited))
        early, late = statistics.median(first[1:]), statistics.median(last[1:])
        print(f"{told} of batch 1: {early * 1e3:.0f} ms, of batch {commits}: {late * 1e3:.0f} ms, ", end="")
        print(f"ratio {late / early:.2f} (at most 2)", flush=True)


def audit_cost(measured: Path | None) -> None:
    """Audits of a batch of 1,000 clips, against what the stages took for as many clips in a lake made before."""
    from benchmarks.test_audit_cost import many
    from mini_lake import judge, mini_lake

    rows = many(mini_lake())
    judge("shots", rows)  # the import of Great Expectations, once a process
    started = time.perf_counter()
    for name in (n for n, t in TABLES.items() if t.layer != "system"):
        assert judge(name, rows).findings == (), name
    audits = time.perf_counter() - started
    print(f"audits of all tables of {rows['clips'].height} clips: {audits:.1f} s")
    if measured is not None:
        lake = DeltaLake(str(measured))
        spent = float(lake.read(TABLES["stage_outcomes"])["elapsed_s"].sum())
        per_batch = spent / lake.read(TABLES["clips"]).height * rows["clips"].height
        print(f"stages for as many clips in {measured}: {per_batch:.0f} s, so audits add {audits / per_batch:.1%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=5_200_000)
    parser.add_argument("--batch-videos", type=int, default=64)
    parser.add_argument("--commits", type=int, default=1000)
    parser.add_argument("--profile", default="laptop")
    parser.add_argument("--lake", type=Path, help="a lake made by real stages, to compare the cost of audits with")
    parser.add_argument("--only", choices=("statistics", "retier", "commits", "audits"))
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="bench-lake-"))
    try:
        if chosen.only in (None, "statistics", "retier"):
            lake, started = DeltaLake(str(folder / "lake")), time.perf_counter()
            scale = Scale(chosen.clips, chosen.batch_videos)
            generate(lake, scale, load_profile(chosen.profile).name)
            wide = len(TABLES["clips"].columns) + len(TABLES["clip_scores"].columns)
            told = f"{chosen.clips:,} clips × {wide} columns in {len(lake.batches(TABLES['clips']))} batches"
            print(f"{told}: made in {time.perf_counter() - started:.0f} s", flush=True)
            compare_statistics(lake, folder / "plain")
            if chosen.only != "statistics":
                in_child(retier, lake.root, chosen.profile, scale.chunk_batches)
        if chosen.only in (None, "commits"):
            commit_cost(folder, chosen.commits)
        if chosen.only in (None, "audits"):
            audit_cost(chosen.lake)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
