"""The mini lake whose sources really exist: numbered pictures, one tone a speaker, sound kept where each speaks."""

import shutil
from dataclasses import replace
from pathlib import Path

import generate
import numpy as np
import polars as pl
from mini_lake import mini_lake
from release.report_lake import publish
from rows import BATCH

from speakervid_dag.config.settings import Settings, load_settings
from speakervid_dag.files import sha256_of
from speakervid_dag.lake.batches import BatchBook, Place, SourceFile
from speakervid_dag.media.encode import write_video

LENGTH_S = 11.0
RATE_HZ = 16_000
TONES = {"A": 400.0, "B": 1500.0}
TURNS = {"A": (1.0, 5.0), "B": (5.5, 9.5)}
SIZE = (160, 120)


def sound() -> np.ndarray:
    t = np.arange(round(LENGTH_S * RATE_HZ)) / RATE_HZ
    out = np.zeros(len(t), np.float32)
    for speaker, (start_s, end_s) in TURNS.items():
        spoken = (t >= start_s) & (t < end_s)
        out[spoken] = 0.4 * np.sin(2 * np.pi * TONES[speaker] * t[spoken])
    return out


def strength(samples: np.ndarray, speaker: str) -> float:
    """Amplitude of a speaker's tone."""
    t = np.arange(len(samples)) / RATE_HZ
    return float(2 * abs(np.mean(samples * np.exp(-2j * np.pi * TONES[speaker] * t))))


def videos(settings: Settings) -> list[str]:
    """video_ids of sources/0.mp4 and 1.mp4."""
    return [file.video_id for file in BatchBook(settings.lake_dir).read(BATCH)]


def make(folder: Path) -> Settings:
    """A published lake of two videos in `folder`/lake; the sources lie in `folder`/sources."""
    files = []
    for number in range(2):
        path = folder / "sources" / f"{number}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        count = round(LENGTH_S * generate.FPS)
        pictures = generate.pictures(generate.steady(count), SIZE)
        write_video(path, pictures, generate.FPS, SIZE, sound(), RATE_HZ, gop_frames=40 + number)
        state = path.stat()
        files.append(SourceFile((Place(str(path), state.st_mtime_ns),), state.st_size, sha256_of(path)))
    BatchBook(folder / "lake").write(BATCH, files)
    frames = mini_lake([str(file.sha256) for file in files])
    frames["videos"] = frames["videos"].with_columns(
        width_px=pl.lit(SIZE[0], pl.Int64),
        height_px=pl.lit(SIZE[1], pl.Int64),
    )
    speakers = {"p00": "A", "p01": "B"}
    frames["clips"] = frames["clips"].with_columns(
        speaker_id=pl.col("person_id").str.slice(-3).replace_strict(speakers),
        x1=pl.lit(0.0),
        y1=pl.lit(0.0),
        x2=pl.lit(1.0),
        y2=pl.lit(1.0),
    )
    publish(folder / "lake", frames)
    return load_settings(lake=folder / "lake")


def copied(settings: Settings, folder: Path) -> Settings:
    """A copy of the lake and its sources in `folder`; what is cut there already is cut in the copy."""
    shutil.copytree(settings.lake_dir, folder / "lake")
    shutil.copytree(settings.lake_dir.parent / "sources", folder / "sources")
    book = BatchBook(folder / "lake")
    files = []
    for file in book.read(BATCH):
        path = folder / "sources" / file.name
        files.append(replace(file, places=(Place(str(path), path.stat().st_mtime_ns),)))
    book.write(BATCH, files)
    return load_settings(lake=folder / "lake")
