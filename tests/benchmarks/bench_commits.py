"""What a commit costs: `python tests/benchmarks/bench_commits.py [--at FOLDER]`, the folder on the disk in question.

Prints wall and CPU time per commit, in ms, of one batch's rows in a small and in a wide table, into a table of 1 batch
and of 200, and of 200 batches in one commit (a re-tiering); and the same of a file written aside.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mini_lake import mini_lake

from speakervid_dag.files import write_bytes
from speakervid_dag.lake.schemas import CLIP_SCORES, SHOTS, TIERS, Table
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.lake.storage.slices import Slice
from speakervid_dag.lake.storage.staging import StagedRows

BATCHES = 200
REPEATS = 30


def rows_of(table: Table, batch: str) -> pl.DataFrame:
    return mini_lake()[table.name].with_columns(batch=pl.lit(batch))


def slice_of(table: Table, batch: str) -> Slice:
    return Slice({name: {"batch": batch, "profile": "laptop"}[name] for name in table.partition_by})


def timed(told: str, work: Callable[[int], object], repeats: int = REPEATS) -> None:
    wall, cpu = time.perf_counter(), time.process_time()
    for number in range(repeats):
        work(number)
    wall, cpu = ((b - a) * 1000 / repeats for a, b in ((wall, time.perf_counter()), (cpu, time.process_time())))
    print(f"{told:<58} {wall:8.1f} ms wall {cpu:8.1f} ms CPU")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--at", type=Path, default=None)
    with tempfile.TemporaryDirectory(dir=parser.parse_args().at) as folder:
        lake = DeltaLake(folder)
        frames = {table.name: rows_of(table, "b") for table in (SHOTS, CLIP_SCORES)}
        for table in (SHOTS, CLIP_SCORES):

            def replace(number: int, table: Table = table) -> None:
                batch = f"b{number:06d}"
                frame = frames[table.name].with_columns(batch=pl.lit(batch))
                lake.replace(table, frame, [(slice_of(table, batch), 1)], {"run_id": "r"})

            timed(f"{table.name}: a new batch, the first {REPEATS}", replace)
            for number in range(REPEATS, BATCHES):
                replace(number)
            timed(f"{table.name}: a batch replaced, of {BATCHES}", replace)
        names = [f"b{number:06d}" for number in range(BATCHES)]
        tiers = mini_lake()["tiers"].with_columns(profile=pl.lit("laptop"))
        many = pl.concat([tiers.with_columns(batch=pl.lit(name)) for name in names])
        parts = [slice_of(TIERS, name) for name in names]

        def retier(number: int) -> None:
            with StagedRows(lake, TIERS) as staged:
                staged.add(many, parts)
                staged.land([(part, number) for part in parts], {"run_id": "r"})

        timed(f"tiers: {BATCHES} batches in one commit", retier, 5)
        timed("a file of 10 kB written aside", lambda n: write_bytes(Path(folder, f"{n}.json"), bytes(10_000)))


if __name__ == "__main__":
    main()
