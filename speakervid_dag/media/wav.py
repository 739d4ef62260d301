"""16-bit WAV files written by this package: sound kept in the lake and sound of clips.

Belongs here: writing and slicing them. Does not belong here: source files (audio). The decoding process imports this
module, so it imports little.
"""

import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.files import written_aside

Samples = NDArray[np.float32]
FULL_SCALE = 32768.0
HEADER_BYTES = 44  # of a file by `write_wav`


def write_wav(path: Path, samples: Samples, rate_hz: int) -> None:
    """Write mono `samples` as 16-bit PCM, atomically; values beyond [-1, 1] are clipped."""
    if samples.ndim != 1:
        raise ValueError(f"samples {samples.shape} must be mono")
    pcm = np.clip(np.rint(samples * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1).astype("<i2")
    with written_aside(path) as part, wave.open(str(part), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(pcm.tobytes())


def is_whole(path: Path) -> bool:
    """Return whether a file by `write_wav` exists with all the samples its header claims."""
    try:
        with wave.open(str(path), "rb") as file:
            told = file.getnframes() * file.getsampwidth() * file.getnchannels()
        return path.stat().st_size == HEADER_BYTES + told
    except (OSError, EOFError, wave.Error):
        return False


def read_wav(path: Path, start_s: float = 0.0, end_s: float | None = None) -> tuple[Samples, int]:
    """Return [start_s, end_s) of a file by `write_wav`: float32 (samples,) and its rate in Hz.

    Reads only the slice, which is shorter if the file ends before `end_s`.

    Raises:
        ValueError: not 16-bit mono, or end before start.
    """
    if start_s < 0 or (end_s is not None and end_s < start_s):
        raise ValueError(f"[{start_s}, {end_s}) is no span of time")
    with wave.open(str(path), "rb") as file:
        if file.getnchannels() != 1 or file.getsampwidth() != 2:
            raise ValueError(f"{path.name} is not 16-bit mono")
        rate_hz, total = file.getframerate(), file.getnframes()
        first = min(round(start_s * rate_hz), total)
        last = total if end_s is None else min(round(end_s * rate_hz), total)
        file.setpos(first)
        data = file.readframes(last - first)
    return np.frombuffer(data, "<i2").astype(np.float32) / np.float32(FULL_SCALE), rate_hz
