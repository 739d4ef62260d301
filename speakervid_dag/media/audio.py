"""Sound as an array on the container's clock.

Belongs here: reading a file's sound. Does not belong here: our own WAV files (wav), anything that listens.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.failures import PermanentFailure
from speakervid_dag.media import wire
from speakervid_dag.media.budget import MediaBudget
from speakervid_dag.media.child import Child
from speakervid_dag.media.probe import MediaInfo, base_request, require_audio
from speakervid_dag.media.sniff import sniff

Samples = NDArray[np.float32]


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
