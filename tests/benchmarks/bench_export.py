"""What export costs beside bare encoding: `python tests/benchmarks/bench_export.py [VIDEO] [--clips N] [--workers N]`.

The same clips of one video, cropped, 25 fps, H.264 + AAC, one encoding thread a clip, as many at a time: by the product
(its processes, sound, WAV, hashes and facts included), by one ffmpeg process a clip, and by PyAV encoding pictures that
lie in memory (no decoding at all: the floor).
CPU seconds are told beside, of all processes, for a machine in use: there the wall says how busy it was. Without VIDEO
one is generated: 720p with noise, 60 s.
"""

import argparse
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from speakervid_dag.files import sha256_of
from speakervid_dag.lake.artifacts import kept_sound
from speakervid_dag.lake.batches import Place, SourceFile
from speakervid_dag.lake.sources import Sources
from speakervid_dag.media import audio, cut, probe, region, wav
from speakervid_dag.media.budget import MediaBudget
from speakervid_dag.media.decode import read_frames
from speakervid_dag.media.encode import write_video
from speakervid_dag.release.clip_store import ClipStore, StoredClip
from speakervid_dag.release.samples import ClipSpec

BUDGET = MediaBudget()
CLIP_S = 5.0
BOX = (0.2, 0.05, 0.8, 0.95)
MOST_RATIO = 1.2
MEASURES = ("wall", "CPU")


def generate(path: Path, length_s: float) -> Path:
    """A textured picture that moves, with a little noise: neither the easiest nor the hardest to encode."""
    random = np.random.default_rng(0)
    texture = random.integers(0, 255, (60, 100, 3)).astype(np.uint8).repeat(16, 0).repeat(16, 1)
    noise = random.integers(-4, 5, (8, 720, 1280, 3)).astype(np.int16)

    def frames() -> "object":
        for n in range(round(length_s * 25)):
            part = texture[n % 200 : n % 200 + 720, (2 * n) % 300 : (2 * n) % 300 + 1280]
            yield n / 25, np.clip(part + noise[n % 8], 0, 255).astype(np.uint8)

    tone = (0.2 * np.sin(np.arange(round(length_s * 16_000)) / 8)).astype(np.float32)
    write_video(path, frames(), 25.0, (1280, 720), tone, preset="ultrafast", crf=20)  # type: ignore[arg-type]
    return path


def timed(job: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds, of processes it started too."""
    wall, cpu = time.perf_counter(), sum(os.times()[:4])
    job()
    return time.perf_counter() - wall, sum(os.times()[:4]) - cpu


def all_of(workers: int, jobs: list[Callable[[], object]]) -> None:
    with ThreadPoolExecutor(workers) as pool:
        for future in [pool.submit(job) for job in jobs]:
            future.result()


def by_ffmpeg(source: Path, folder: Path, spec: ClipSpec, part: region.Region, how: cut.Encoding) -> None:
    from imageio_ffmpeg import get_ffmpeg_exe

    crop = f"crop={part.width_px}:{part.height_px}:{part.left_px}:{part.top_px},fps={how.fps}"
    length = ["-ss", str(spec.start_s), "-i", f"file:{source}", "-t", str(spec.end_s - spec.start_s)]
    video = ["-vf", crop, "-c:v", "libx264", "-crf", str(how.crf), "-preset", how.preset, "-g", "50", "-bf", "2"]
    sound = ["-c:a", "aac", "-ar", str(how.rate_hz), "-ac", "1"]
    target = folder / f"{spec.key}.mp4"
    threads = ["-threads", "1"]
    command = [get_ffmpeg_exe(), "-v", "error", "-y", *threads, *length, *video, *sound, *threads, str(target)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def by_pyav(folder: Path, spec: ClipSpec, images: list[np.ndarray], tone: np.ndarray, how: cut.Encoding) -> None:
    size = (images[0].shape[1], images[0].shape[0] * 2 // 3)
    frames = ((n / how.fps, image) for n, image in enumerate(images))
    options = {"crf": how.crf, "preset": how.preset, "threads": 1, "layout": "yuv420p"}
    write_video(folder / f"{spec.key}-bare.mp4", frames, how.fps, size, tone, how.rate_hz, **options)  # type: ignore[arg-type]


def in_memory(source: Path, info: probe.MediaInfo, spec: ClipSpec, part: region.Region) -> list[np.ndarray]:
    import cv2

    top, left = part.top_px, part.left_px
    kept = []
    with read_frames(source, info, BUDGET) as reader:
        for frame in reader:
            if spec.start_s - 0.002 <= frame.time_s < spec.end_s - 0.002:
                image = frame.image[top : top + part.height_px, left : left + part.width_px]
                kept.append(cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420))
            if frame.time_s >= spec.end_s:
                break
    return kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("video", nargs="?", type=Path)
    parser.add_argument("--clips", type=int, default=12)
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    how = cut.Encoding(margin=0.0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = asked.video or generate(folder / "source.mp4", asked.clips * CLIP_S)
        info = probe.probe(source, BUDGET)
        heard = audio.read_audio(source, info, BUDGET, how.rate_hz)
        file = SourceFile((Place(str(source), source.stat().st_mtime_ns),), source.stat().st_size, sha256_of(source))
        wav.write_wav(
            kept_sound(folder / "lake", file.video_id, None), heard, how.rate_hz
        )  # as the stages have left it
        row = {"video_id": file.video_id, "sha256": file.sha256, "source_name": source.name, "sound_taken": None}
        count = min(asked.clips, int(info.duration_s / CLIP_S))
        specs = [ClipSpec(f"c{n}", row, n * CLIP_S, (n + 1) * CLIP_S, BOX, None, False, ()) for n in range(count)]
        part = region.region((info.width_px or 0, info.height_px or 0), BOX, how.margin, how.max_long_side_px)
        made: dict[str, object] = {}
        store = ClipStore(folder / "lake", how)
        product = timed(lambda: made.update(store.cut_all(specs, Sources([file]), asked.workers)))
        assert all(isinstance(clip, StoredClip) for clip in made.values())
        jobs = [lambda s=s: by_ffmpeg(source, folder, s, part, how) for s in specs]  # type: ignore[misc]
        ffmpeg = timed(lambda: all_of(asked.workers, jobs))
        images, tone = in_memory(source, info, specs[0], part), np.zeros(round(CLIP_S * how.rate_hz), np.float32)
        bare = [lambda s=s: by_pyav(folder, s, images, tone, how) for s in specs]  # type: ignore[misc]
        pyav = timed(lambda: all_of(asked.workers, bare))
        again_s, _ = timed(lambda: store.cut_all(specs, Sources([file]), asked.workers))
    print(f"{count} clips of {CLIP_S:.0f} s, {part.width_px}x{part.height_px}, {asked.workers} at a time, {how.preset}")
    for what, (wall_s, cpu_s) in (("export", product), ("ffmpeg", ffmpeg), ("PyAV, no decoding", pyav)):
        ratio = f"export / this: wall {product[0] / wall_s:.2f}, CPU {product[1] / cpu_s:.2f}"
        print(f"  {what:<20}{wall_s:7.2f} s  {count / wall_s:6.2f} clips/s  CPU {cpu_s:6.2f} s   {ratio}")
    print(f"  a second export     {again_s:7.2f} s")
    told = [
        f"{what} {'met' if a / b <= MOST_RATIO else 'MISSED'}"
        for what, a, b in zip(MEASURES, product, ffmpeg, strict=True)
    ]
    print(f"bar: export / ffmpeg <= {MOST_RATIO}: {', '.join(told)}")


if __name__ == "__main__":
    main()
