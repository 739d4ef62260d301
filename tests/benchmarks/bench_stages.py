"""Where the time of `speakervid run` goes: wall, decoder and models of each stage, peak memory, and the second run.

Belongs here: measuring a run from outside. Does not belong here: assertions about time.

    python tests/benchmarks/bench_stages.py [VIDEO …] [--lake DIR]

Without VIDEO one of the demo's videos is generated. Memory is the resident size of the process and its children,
pages they share counted twice. The aim: wall ≤ 1.3 × (models + decoder) + start-up; start-up is the
time before the first step, and the import of Great Expectations inside it, once a process, measured apart.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import psutil

from speakervid_dag.config.settings import load_settings
from speakervid_dag.lake.schemas import STAGE_OUTCOMES, VIDEOS
from speakervid_dag.lake.storage.delta import DeltaLake

SAMPLE_S = 0.1
AIM = 1.3


@dataclass
class Measured:
    """One command: when it ran (Unix seconds), and the resident bytes of its processes at times."""

    start_s: float
    end_s: float = 0.0
    rss: list[tuple[float, int]] = field(default_factory=list)

    @property
    def wall_s(self) -> float:
        return self.end_s - self.start_s

    def peak_gb(self, start_s: float, end_s: float) -> float:
        """Highest sum seen in an interval, GB."""
        return max((size for at, size in self.rss if start_s <= at <= end_s), default=0) / 1e9


def measure(command: list[str]) -> Measured:
    """Runs a command to its end; its output goes to our stderr. Raises CalledProcessError when it fails."""
    out = Measured(time.time())
    with subprocess.Popen(command, stdout=sys.stderr) as process:
        own = psutil.Process(process.pid)
        while process.poll() is None:
            out.rss.append((time.time(), tree_rss(own)))
            time.sleep(SAMPLE_S)
    out.end_s = time.time()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return out


def tree_rss(root: psutil.Process) -> int:
    """Resident bytes of a process and all below it."""
    total = 0
    try:
        for process in (root, *root.children(recursive=True)):
            total += process.memory_info().rss
    except psutil.NoSuchProcess:  # ended while we looked
        pass
    return total


def steps(lake: Path) -> pl.DataFrame:
    """step, start_s, end_s of the lake's runs, as Dagster recorded them."""
    from speakervid_dag.runs.instance import lake_instance

    with lake_instance(load_settings(lake=lake)) as instance:
        stats = [s for run in instance.get_runs() for s in instance.get_run_step_stats(run.run_id)]
    return pl.DataFrame([{"stage": s.step_key, "start_s": s.start_time, "end_s": s.end_time} for s in stats]).sort(
        "start_s"
    )


def report(run: Measured, lake_dir: Path) -> None:
    """Prints the table of stages and the sums."""
    lake, ran = DeltaLake(str(lake_dir)), steps(lake_dir)
    video_s = lake.read(VIDEOS)["duration_s"].sum()
    cost = lake.read(STAGE_OUTCOMES).group_by("stage").agg(pl.col("elapsed_s", "media_s", "model_s").sum())
    table = ran.join(cost, on="stage", how="left", maintain_order="left").fill_null(0.0)
    print(f"{'stage':<18} {'wall s':>7} {'decoder':>8} {'models':>7} {'rest':>6} {'wall/video':>11} {'peak GB':>8}")
    for row in table.iter_rows(named=True):
        wall = row["end_s"] - row["start_s"]
        rest = wall - row["media_s"] - row["model_s"]
        print(
            f"{row['stage']:<18} {wall:7.1f} {row['media_s']:8.1f} {row['model_s']:7.1f} {rest:6.1f} "
            f"{wall / video_s:11.3f} {run.peak_gb(row['start_s'], row['end_s']):8.2f}"
        )
    before = ran["start_s"].min() - run.start_s
    audit_import = measure([sys.executable, "-c", "import great_expectations"]).wall_s
    start_up = before + audit_import
    work = table["media_s"].sum() + table["model_s"].sum()
    wall = run.wall_s
    print(
        f"\nvideo {video_s:.1f} s, wall {wall:.1f} s ({wall / video_s:.2f} × video), peak {run.peak_gb(0, 1e12):.2f} GB"
    )
    print(f"start-up {before:.1f} s + import of Great Expectations {audit_import:.1f} s = {start_up:.1f} s")
    print(f"after the last step {run.end_s - ran['end_s'].max():.1f} s")
    print(f"decoder {table['media_s'].sum():.1f} s + models {table['model_s'].sum():.1f} s = {work:.1f} s")
    print(f"(wall - start-up) / (decoder + models) = {(wall - start_up) / work:.2f} (aim: at most {AIM})")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("videos", nargs="*", type=Path)
    parser.add_argument("--lake", type=Path, help="folder of a new lake (default: a temporary one)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        videos = given.videos
        if not videos:
            from speakervid_dag.demo import generate

            videos = [generate(Path(folder) / "demo", seed=0)[0].path]
        lake = given.lake or Path(folder) / "lake"
        if lake.exists():
            parser.error(f"{lake} exists: a benchmark starts from nothing")
        command = [sys.executable, "-m", "speakervid_dag", "run", *map(str, videos), "--lake", str(lake)]
        report(measure(command), lake)
        print(f"second run on the same files: {measure(command).wall_s:.1f} s")


if __name__ == "__main__":
    main()
