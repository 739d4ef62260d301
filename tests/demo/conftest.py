"""Demo media for tests: from stand-in material that is made here, and from the real one where it is on disk."""

import wave
from pathlib import Path

import numpy as np
import pytest

from speakervid_dag.demo import DemoVideo, generate
from speakervid_dag.demo.acting import FPS
from speakervid_dag.demo.materials import (
    BACKDROP,
    CALL,
    CALL_TURNS,
    DIALOGUE,
    PORTRAITS,
    RATE_HZ,
    READER,
    Find,
    Samples,
)
from speakervid_dag.failures import WeightsMissing
from speakervid_dag.media.encode import write_video
from speakervid_dag.models.registry import weight_path

SHORT_S = 10.0  # long enough for a turn, a reaction shot and the other's turn
RTTM = """SPEAKER sample 1 6.690 0.430 <NA> <NA> one <NA> <NA>
SPEAKER sample 1 7.550 2.200 <NA> <NA> two <NA> <NA>
SPEAKER sample 1 10.000 4.500 <NA> <NA> one <NA> <NA>
SPEAKER sample 1 11.000 0.400 <NA> <NA> two <NA> <NA>
"""


def syllables(seconds: float, rate_hz: int, seed: int) -> np.ndarray:
    """Noise in bursts of 3 a second: something a mouth can follow."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * rate_hz)) / rate_hz
    envelope = np.clip(np.sin(2 * np.pi * 3 * time + rng.uniform(0, 6)), 0, 1) ** 2
    return (0.3 * envelope * rng.normal(size=len(time))).clip(-1, 1)


def write_wav(path: Path, samples: np.ndarray, rate_hz: int) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes((samples * 32767).astype("<i2").tobytes())


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Find:
    """Files under the materials' names, made from noise: the generator's arithmetic needs no real face."""
    import cv2

    folder = tmp_path_factory.mktemp("material")
    rng = np.random.default_rng(1)
    for seed, (entry, seconds, rate_hz) in enumerate(
        [(CALL, 30, 16_000), (READER, 44, 48_000), (DIALOGUE, 28, 24_000)]
    ):
        write_wav(folder / entry[1], syllables(seconds, rate_hz, seed), rate_hz)
    (folder / CALL_TURNS[1]).write_text(RTTM)
    for entry, frame in [(p.entry, p.frame) for p in PORTRAITS.values()] + [(BACKDROP, None)]:
        coarse = rng.integers(60, 200, (9, 16, 3), dtype=np.uint8)
        picture = cv2.resize(coarse, (960, 540), interpolation=cv2.INTER_CUBIC)
        if frame is None:
            cv2.imwrite(str(folder / entry[1]), picture)
        else:
            path = folder / "video.mp4"
            write_video(path, ((i / FPS, picture) for i in range(frame + 2)), FPS, (960, 540), preset="ultrafast")
            path.rename(folder / entry[1])
    return lambda name, filename: folder / filename


@pytest.fixture(scope="session")
def voice() -> Samples:
    """8 s of syllables at RATE_HZ."""
    return syllables(8.0, RATE_HZ, 4).astype(np.float32)


@pytest.fixture(scope="session")
def stand_in_videos(stand_in: Find, tmp_path_factory: pytest.TempPathFactory) -> list[DemoVideo]:
    return generate(tmp_path_factory.mktemp("stand_in"), seed=3, find=stand_in, longest_s=SHORT_S)


@pytest.fixture(scope="session")
def demo_videos(tmp_path_factory: pytest.TempPathFactory) -> list[DemoVideo]:
    """The first seconds of the two real demo conversations."""
    names = ("demo_split_screen", "demo_reverse_shots")
    try:
        weight_path("face_mesh")
        return generate(tmp_path_factory.mktemp("demo"), names=names, longest_s=SHORT_S)
    except WeightsMissing as missing:
        pytest.skip(f"{missing.name}: run `speakervid models pull --demo`")
