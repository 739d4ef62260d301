"""16-bit WAV files of sound that we have read: the lake's and the clips'.

Belongs here: writing and slicing them. Does not belong here: anybody else's files (audio). The decoding process imports
it, so it imports little.
"""

import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.files import written_aside

Samples = NDArray[np.float32]
FULL_SCALE = 32768.0
HEADER_BYTES = 44  # of a file that `write_wav` wrote


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
    """Return whether a file of `write_wav` is there with all the samples that its header tells."""
    try:
        with wave.open(str(path), "rb") as file:
            told = file.getnframes() * file.getsampwidth() * file.getnchannels()
        return path.stat().st_size == HEADER_BYTES + told
    except (OSError, EOFError, wave.Error):
        return False


def read_wav(path: Path, start_s: float = 0.0, end_s: float | None = None) -> tuple[Samples, int]:
    """[start_s, end_s) of a file of `write_wav`: float32 (samples,) and its rate in Hz.

    Reads only the slice, which ends early where the file does.

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
