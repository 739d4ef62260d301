"""Figures of the lake at the paper's size: `python tests/benchmarks/bench_lake.py [--clips N]`.

branch_statistics against the same query on plain Parquet, re-tiering, the cost of commit 1,000, and audits of a batch
of 1,000 clips. All of it synthetic, made in chunks in a temporary folder (TMPDIR), which the full size fills with some
GB.
"""

import argparse
import json
import multiprocessing
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parents[1]))  # the row makers of the tests

from speakervid_dag.config.profiles import Profile, load_profile
from speakervid_dag.config.settings import load_settings
from speakervid_dag.lake.batches import BatchBook, Place, SourceFile
from speakervid_dag.lake.queries import session
from speakervid_dag.lake.schemas import TABLES, Table
from speakervid_dag.lake.snapshots import snapshots
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.lake.storage.slices import Slice
from speakervid_dag.tiering import gold

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


def video_frame(clips: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    known = clips.select("batch", "video_id").unique(maintain_order=True)
    return filled(TABLES["videos"], known.with_columns(sha256=pl.col("video_id").str.slice(1) + "0" * 48), rng)


def frames(first: int, count: int, batch_clips: int, profile: str) -> Iterator[tuple[str, pl.DataFrame]]:
    rng = np.random.default_rng(first)
    base = ids(first, count, batch_clips).with_columns(
        duration_s=pl.Series(rng.uniform(3, 14, count)),
        profile=pl.lit(profile),
        role=pl.lit("talking"),
        start_s=(pl.col("n") % CLIPS_PER_VIDEO) * 15.0,
    )
    base = base.with_columns(end_s=pl.col("start_s") + pl.col("duration_s"))
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
    parts = {
        "videos": video_frame(base, rng),
        "clips": base,
        "clip_scores": base,
        "people": people,
        "tiers": tiered,
        "branch_single": tiered,
    }
    parts |= {"branch_dialogue": pairs, "branch_listening": heard, "branch_multi_turn": turns}
    for name, known in parts.items():
        yield name, filled(TABLES[name], known, rng)
    for name, table in TABLES.items():
        if name not in parts and table.layer == "silver":  # made, and without rows
            yield name, table.empty()


def slices(table: Table, batches: Sequence[str], profile: str) -> list[tuple[Slice, int]]:
    values = {"profile": profile, "stage": table.name}
    return [(Slice({k: values.get(k, batch) for k in table.partition_by}), 1) for batch in batches]


def generate(lake: DeltaLake, scale: Scale, profile: str) -> None:
    """Tables with marks, and manifests: what `speakervid` needs to see batches that are ready for gold."""
    step, book = scale.chunk_batches * scale.batch_clips, BatchBook(Path(lake.root))
    for first in range(0, scale.clips, step):
        batches: list[str] = []
        for name, frame in frames(first, min(step, scale.clips - first), scale.batch_clips, profile):
            batches = batches or frame["batch"].unique().sort().to_list()
            lake.replace(TABLES[name], frame, slices(TABLES[name], batches, profile), {"run_id": "bench"})
            if name == "videos":
                for (batch,), rows in frame.group_by("batch"):
                    book.write(str(batch), [SourceFile((Place(f"/{sha}", 1),), 1, sha) for sha in rows["sha256"]])


def compare_statistics(lake: DeltaLake, plain: Path) -> None:
    """branch_statistics over the published snapshot, before and after `maintain`, against the same SQL over one plain
    Parquet file a table, which is the best that files can do."""
    snapshot = snapshots.publish(lake, "bench")
    before = opened(lake, snapshot)
    theirs = duckdb.connect()
    theirs.execute(f"SET memory_limit = '{MEMORY_LIMIT_MB}MB'")
    plain.mkdir()
    for name in BRANCHES:
        before.execute(f"COPY (FROM \"{name}\") TO '{plain / name}.parquet' (FORMAT parquet)")
        theirs.execute(f"CREATE VIEW \"{name}\" AS FROM '{plain / name}.parquet'")
    started = time.perf_counter()
    made = session.write_copies(lake, snapshot)
    size = sum(path.stat().st_size for path in made) / 2**20
    print(f"{len(made)} readers' copies, {size:.0f} MB: {time.perf_counter() - started:.1f} s", flush=True)
    connections = {"plain Parquet": theirs, "lake before maintain": before, "lake": opened(lake, snapshot)}
    wall: dict[str, list[float]] = {name: [] for name in connections}
    cpu: dict[str, list[float]] = {name: [] for name in connections}
    text = session.sql_text("statistics/branch_statistics")
    for _ in range(ROUNDS):  # in turn, so that a busy machine is the same for all
        for name, con in connections.items():
            started, started_cpu = time.perf_counter(), time.process_time()
            answer = con.sql(text).fetchall()
            wall[name].append(time.perf_counter() - started)
            cpu[name].append(time.process_time() - started_cpu)
            assert sum(row[3] for row in answer) > 0
    for name in connections:
        ratios = f"{min(wall[name]) / min(wall['plain Parquet']):.2f} in wall time (at most 1.3), "
        ratios += f"{min(cpu[name]) / min(cpu['plain Parquet']):.2f} in CPU"
        print(f"branch_statistics, {name}: {min(wall[name]):.3f} s, CPU {min(cpu[name]):.3f} s: {ratios}", flush=True)


def opened(lake: DeltaLake, snapshot: snapshots.Snapshot) -> session.Session:
    started, started_cpu = time.perf_counter(), time.process_time()
    con = session.open_session(lake, snapshot, read_only_user_sql=False)
    took, cpu = time.perf_counter() - started, time.process_time() - started_cpu
    print(f"opening a session over all tables: {took:.2f} s, CPU {cpu:.2f} s", flush=True)
    return con


def with_other_thresholds(profile: Profile, path: Path) -> Path:
    """A profile of that name with every fixed threshold of a gate moved by a tenth, as a user would write it."""
    moved = {name: {"threshold": g.threshold * 1.1} for name, g in profile.gates.items() if g.threshold is not None}
    path.write_text(json.dumps({"inherits": profile.name, "name": profile.name, "gates": moved}))  # JSON is YAML
    return path


def peak_gb() -> float:
    """Of this process alone: `ru_maxrss` is at least what its parent held when it started this one."""
    (line,) = (text for text in Path("/proc/self/status").read_text().splitlines() if text.startswith("VmHWM:"))
    return int(line.split()[1]) / 2**20


def retier(root: str, profile: str) -> None:
    """What `speakervid retier` does: all gold of every batch computed, audited, landed and published in one run."""
    from speakervid_dag.runs import retier as product

    profile_path = with_other_thresholds(load_profile(profile), Path(root) / "other.yaml")
    started = time.perf_counter()
    done = product.retier(load_settings(lake=Path(root), profile=str(profile_path)))
    wall = time.perf_counter() - started
    peak = peak_gb()
    if done.failure is not None:
        raise SystemExit(done.failure)
    with session.open_session(DeltaLake(root), read_only_user_sql=False) as con:
        counted = {n: con.sql(f"SELECT count(*) FROM {n}").fetchall()[0][0] for n in gold.QUERIES}
    told = ", ".join(f"{name} {count:,}" for name, count in counted.items())
    print(f"re-tiering with audits: {len(done.batches)} batches, {told} rows", flush=True)
    print(f"re-tiering: {wall:.0f} s, peak memory {peak:.2f} GB (at most 4)", flush=True)


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

    def commit(lake: DeltaLake, number: int, *, is_audited: bool) -> tuple[float, float]:
        batch = pl.lit(f"b{number:06d}")
        made = {name: f.with_columns(batch=batch) for name, f in frames.items() if name in ("shots", "videos")}
        made["stage_outcomes"] = frames["stage_outcomes"].with_columns(batch=batch)
        parts = slices(table, [f"b{number:06d}"], "")
        started, started_cpu = time.perf_counter(), time.process_time()
        if is_audited:
            assert audit_and_commit(lake, table, made["shots"], parts, made, {"run_id": "bench"}).commit is not None
        else:
            lake.replace(table, made["shots"], parts, {"run_id": "bench"})
        return time.perf_counter() - started, time.process_time() - started_cpu

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
        for kind, which in (("wall", 0), ("CPU", 1)):
            early, late = (statistics.median(found[which] for found in side[1:]) for side in (first, last))
            print(f"{told} of batch 1: {early * 1e3:.0f} ms {kind}, of batch {commits}: {late * 1e3:.0f} ms, ", end="")
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
                in_child(retier, lake.root, chosen.profile)
        if chosen.only in (None, "commits"):
            commit_cost(folder, chosen.commits)
        if chosen.only in (None, "audits"):
            audit_cost(chosen.lake)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
