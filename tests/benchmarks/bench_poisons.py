"""What ten poisons cost a batch: 90 good videos alone, then the same 90 with ten bad ones among them.

`python tests/benchmarks/bench_poisons.py [--good N]` prints wall times, CPU seconds of all processes, their ratios, and
the rows of the poisons. Both runs are whole `speakervid run`s with models, one after the other: on a machine in use the
wall says how busy it was, the CPU seconds what the poisons cost.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "media"))

import bad_media
import generate

from speakervid_dag.lake.schemas import VIDEOS
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.media.encode import write_video

POISONS = (
    *("zero bytes", "text", "cut at 406 bytes", "no index", "zeros behind the magic", "8K"),
    *("64 sound tracks", "playlist: hls", "sound only", "one frame, silent"),
)


def good(folder: Path, number: int) -> None:
    """Two seconds of picture and sound, unlike any other number's."""
    sound = generate.chirps((0.3 + number / 100, 1.4), 2.0)
    write_video(folder / f"good{number:03d}.mp4", generate.pictures(generate.steady(50)), 25.0, generate.SIZE, sound)


def run(folder: Path, lake: Path) -> tuple[float, float]:
    """Wall and CPU seconds."""
    began, cpu = time.perf_counter(), sum(os.times()[2:4])
    command = [sys.executable, "-m", "speakervid_dag", "run", str(folder), "--lake", str(lake)]
    done = subprocess.run(command, env=None, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return time.perf_counter() - began, sum(os.times()[2:4]) - cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--good", type=int, default=90)
    count = parser.parse_args().good
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        alone, mixed = home / "alone", home / "mixed"
        for folder in (alone, mixed):
            folder.mkdir()
            for number in range(count):
                good(folder, number)
        kinds = {kind.name: kind for kind in bad_media.KINDS}
        for number, name in enumerate(POISONS):
            room = home / f"poison{number}"
            room.mkdir()
            made = kinds[name].make(room)
            made.rename(mixed / f"poison{number}{made.suffix}")
        first, second = run(alone, home / "lake1"), run(mixed, home / "lake2")
        rows = DeltaLake(str(home / "lake2")).read(VIDEOS)
        told = Counter(f"{s} {r or ''}".strip() for s, r in rows.select("status", "reason").iter_rows())
        for what, alone_s, mixed_s in zip(("wall", "CPU"), first, second, strict=True):
            ratio = f"{mixed_s / alone_s:.2f}"
            print(f"{what}: {count} good alone {alone_s:.1f} s, with {len(POISONS)} poisons {mixed_s:.1f} s: {ratio}")
        print(", ".join(f"{n} {what}" for what, n in told.most_common()))


if __name__ == "__main__":
    main()
