"""The mini lake whose sources really exist: numbered pictures, one tone a speaker, sound kept where each speaks."""

from pathlib import Path

import numpy as np
import polars as pl
from media import generate
from mini_lake import SHAS, mini_lake
from release.report_lake import publish

from speakervid_dag.config.settings import Settings, load_settings
from speakervid_dag.files import sha256_of
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


def make(folder: Path) -> Settings:
    """A published lake of two videos in `folder`/lake; the sources lie in `folder`/sources."""
    frames = mini_lake()
    places, hashes, sizes = [], [], []
    for number in range(2):
        path = folder / "sources" / f"{number}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        count = round(LENGTH_S * generate.FPS)
        pictures = generate.pictures(generate.steady(count), SIZE)
        write_video(path, pictures, generate.FPS, SIZE, sound(), RATE_HZ, gop_frames=40 + number)
        places.append(str(path))
        hashes.append(sha256_of(path))
        sizes.append(path.stat().st_size)
    order = [SHAS.index(sha) for sha in frames["videos"]["sha256"]]
    frames["videos"] = frames["videos"].with_columns(
        source_uri=pl.Series([places[n] for n in order]),
        sha256=pl.Series([hashes[n] for n in order]),
        size_bytes=pl.Series([sizes[n] for n in order]),
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
