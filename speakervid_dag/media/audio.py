"""Sound as an array on the container's clock, and 16-bit WAV files of it.

Belongs here: reading a file's sound, writing and slicing our own WAV files. Does not belong here: anything that
listens.
"""

import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.failures import PermanentFailure
from speakervid_dag.files import written_aside
from speakervid_dag.media import wire
from speakervid_dag.media.budget import MediaBudget
from speakervid_dag.media.child import Child
from speakervid_dag.media.probe import MediaInfo, base_request, require_audio
from speakervid_dag.media.sniff import sniff

Samples = NDArray[np.float32]
FULL_SCALE = 32768.0


def read_audio(path: Path, info: MediaInfo, budget: MediaBudget, rate_hz: int = 16_000) -> Samples:
    """The sound of `path` as float32 mono (samples,), about [-1, 1].

    Sample i sounds `i / rate_hz` s after the container's start. Silence fills what comes before a late start and breaks
    in the timestamps; sound before the container's start is left out. The array ends where the sound ends, which may be
    before or after the picture does.

    Raises:
        PermanentFailure: no_audio_stream, no_decodable_sound, unsupported_codec, over_budget, damaged_container,
            decoder_crashed, decoder_timeout, decoder_out_of_memory.
    """
    require_audio(info)
    request = {
        **base_request(path, sniff(path), budget),
        "task": "sound",
        "audio_index": info.audio_index,
        "origin_s": info.origin_s,
        "rate_hz": rate_hz,
        "max_gaps": budget.max_sound_gaps,
    }
    blocks: list[tuple[int, Samples]] = []
    with Child(request, budget, info.duration_s) as child:
        for header, payload in child.messages():
            if header.kind == wire.SOUND:
                blocks.append((header.position, payload.view(np.float32)))
    if not blocks:
        raise PermanentFailure("no_decodable_sound", "not one sample of the audio stream can be decoded")
    samples = np.zeros(max(position + len(block) for position, block in blocks), np.float32)
    for position, block in blocks:
        samples[position : position + len(block)] = block
    return samples


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
