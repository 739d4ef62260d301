"""The report over a large lake: `python tests/benchmarks/bench_report.py [--clips N]`.

Seconds to write it, its size, and how long headless Chromium takes to open it. The lake is synthetic, made in a
temporary folder (TMPDIR); its sources do not exist, so no poster is decoded.
"""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

import polars as pl

sys.path.insert(0, str(Path(__file__).parents[1]))  # the row makers of the tests

from benchmarks import bench_lake
from benchmarks.bench_lake import CLIPS_PER_VIDEO, Scale, slices
from ui import CHROMIUM, QUIET

from speakervid_dag.config.profiles import load_profile
from speakervid_dag.config.settings import load_settings
from speakervid_dag.lake.queries import session
from speakervid_dag.lake.schemas import TABLES
from speakervid_dag.lake.snapshots import snapshots
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.report import report
from speakervid_dag.tiering import gold

CLIP_S = 12.0
MOST_BYTES, MOST_OPEN_S = 5e6, 3.0


def generate(lake: DeltaLake, scale: Scale, profile: str) -> None:
    """The tables of bench_lake, clips one after another, and what timelines and galleries need beside them."""
    for name, frame in bench_lake.frames(0, scale.clips, scale.batch_clips, profile):
        number = pl.col("clip_id").str.slice(-8).cast(pl.Int64)
        start = (number % CLIPS_PER_VIDEO) * CLIP_S
        made = frame
        if name == "clips":
            times = frame.with_columns(start_s=start, turn_ids=pl.concat_list(pl.col("clip_id") + "-u"))
            made = times.with_columns(end_s=pl.col("start_s") + pl.col("duration_s"), x1=0.2, y1=0.2, x2=0.5, y2=0.7)
            write_silver(lake, made)
        elif name == "branch_dialogue":
            made = frame.with_columns(initiator_clip_id=pl.col("pair_id"), responder_clip_id=pl.col("pair_id"))
        elif name == "branch_listening":
            made = frame.with_columns(listener_clip_id=pl.col("listening_id"))
        lake.replace(TABLES[name], made, slices(TABLES[name], made), {"run_id": "bench"})


def write_silver(lake: DeltaLake, clips: pl.DataFrame) -> None:
    """A shot, a track, a turn with words for each clip, and the videos."""
    named = clips.select("batch", "video_id", "person_id", "start_s", "end_s", shot_id="clip_id", track_id="clip_id")
    named = named.with_columns(turn_id=pl.col("track_id") + "-u", speaker_id=pl.lit("A"), status=pl.lit("bound"))
    named = named.with_columns(transcript_id=pl.col("turn_id"), text=pl.lit("and then I said ") + pl.col("track_id"))
    videos = named.group_by("batch", "video_id").agg(duration_s=pl.col("end_s").max())
    source = pl.format("/nowhere/{}.mp4", "video_id")
    videos = videos.with_columns(source_name=pl.col("video_id") + ".mp4", source_uri=source, status=pl.lit("ok"))
    rng = bench_lake.np.random.default_rng(0)
    for name in ("shots", "face_tracks", "speech_turns", "transcripts", "speaker_bindings"):
        made = bench_lake.filled(TABLES[name], named, rng)
        lake.replace(TABLES[name], made, slices(TABLES[name], made), {"run_id": "bench"})
    made = bench_lake.filled(TABLES["videos"], videos, rng)
    lake.replace(TABLES["videos"], made, slices(TABLES["videos"], made), {"run_id": "bench"})


def write_gates(lake: DeltaLake, profile: str) -> None:
    """Real gates over the made scores; tiers stay as they were drawn."""
    table = TABLES["clip_gates"]
    with session.open_session(lake, read_only_user_sql=False) as con:
        made = gold.compute(con, "clip_gates", load_profile(profile), lake.batches(TABLES["clips"]))
    lake.replace(table, made, slices(table, made), {"run_id": "bench"})


def open_page(page_file: Path) -> tuple[float, int]:
    """Seconds from going to the page until its load event and the next picture drawn, and its number of elements."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as profile, sync_playwright() as player:
        context = player.chromium.launch_persistent_context(
            profile, executable_path=CHROMIUM, headless=True, args=list(QUIET), viewport={"width": 1440, "height": 900}
        )
        page = context.new_page()
        started = time.perf_counter()
        page.goto(page_file.as_uri(), wait_until="load")
        page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        elapsed = time.perf_counter() - started
        elements = int(page.evaluate("document.querySelectorAll('*').length"))
        context.close()
    return elapsed, elements


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=100_000)
    parser.add_argument("--profile", default="laptop")
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="bench-report-"))
    try:
        lake, started = DeltaLake(str(folder / "lake")), time.perf_counter()
        generate(lake, Scale(chosen.clips, batch_videos=512), chosen.profile)
        write_gates(lake, chosen.profile)
        snapshots.publish(lake, "bench", chosen.profile)
        print(f"{chosen.clips:,} clips: made in {time.perf_counter() - started:.0f} s", flush=True)
        for round_ in ("first", "second"):
            started = time.perf_counter()
            page = report.write_report(load_settings(lake=folder / "lake"))
            print(f"report written ({round_}): {time.perf_counter() - started:.1f} s", flush=True)
        size = page.stat().st_size
        print(f"size: {size / 1e6:.2f} MB (at most {MOST_BYTES / 1e6:.0f})")
        assert size < MOST_BYTES
        if CHROMIUM is None:
            print("no Chromium on PATH: opening it is not measured")
            return
        seconds, elements = open_page(page)
        print(f"opened in {seconds:.2f} s (at most {MOST_OPEN_S:.0f}), {elements:,} elements")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
