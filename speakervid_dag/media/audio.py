"""Decoded sound as an array on the container's clock.

Belongs here: reading a file's sound, and the levels of its tracks. Does not belong here: our own WAV files (wav), the
choice of tracks (curation/sources/sound_choice), analysis of sound.

Each decoding process reads one track, so a track that cannot be decoded does not affect the others.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.failures import PermanentFailure
from speakervid_dag.media.budget import MediaBudget
from speakervid_dag.media.child import Child
from speakervid_dag.media.decoder import wire
from speakervid_dag.media.probe import MediaInfo, base_request, require_audio
from speakervid_dag.media.sniff import sniff

Samples = NDArray[np.float32]


class Taken(NamedTuple):
    """Track and channel numbers in the file, and the channel's weight in the mono mix."""

    track: int
    channel: int
    weight: float


def taken_of(rows: Sequence[Mapping[str, Any]] | None) -> list[Taken] | None:
    """Return a value of `videos.sound_taken` in the form that `read_audio` takes."""
    return None if rows is None else [Taken(**row) for row in rows]


@dataclass(frozen=True)
class TrackLevels:
    """Levels of a decoded track between 300 and 3400 Hz.

    Attributes:
        channels: (channels, steps) dBFS; step i covers [i, i + 1) * 32 ms of the container's clock.
        mix: (steps,) dBFS of the standard downmix, whose weights are `downmix`.
        names: libav's name of each channel; NONE if the layout is unordered.
        start_s, end_s: of the samples.
    """

    channels: Samples
    mix: Samples
    downmix: tuple[float, ...]
    names: tuple[str, ...]
    start_s: float
    end_s: float


def read_audio(
    path: Path, info: MediaInfo, budget: MediaBudget, rate_hz: int = 16_000, taken: Sequence[Taken] | None = None
) -> Samples:
    """Return the sound of `path` as float32 mono (samples,), about [-1, 1]; a mix of `taken` channels never clips.

    Sample i plays `i / rate_hz` s after the container's start. A late start and gaps in the timestamps are filled with
    silence; sound before the container's start is dropped. The array ends with the last track taken, before or after
    the picture's end.

    Args:
        taken: channels and their weights; None: the standard downmix of the track that players choose.

    Raises:
        PermanentFailure: no_audio_stream, no_decodable_sound, unsupported_codec, over_budget, damaged_container,
            decoder_crashed, decoder_timeout, decoder_out_of_memory.
    """
    require_audio(info)
    if taken is None:
        return _read_track(path, info, budget, rate_hz, info.audio_index, None)
    heard = []
    for track, channels in groupby(sorted(taken), key=lambda t: t.track):
        weights = [(channel, weight) for _, channel, weight in channels]
        heard.append(_read_track(path, info, budget, rate_hz, track, weights))
    samples = np.zeros(max((len(h) for h in heard), default=0), np.float32)
    for h in heard:
        samples[: len(h)] += h
    return samples / max(1.0, float(np.abs(samples).max(initial=0.0)))


def read_levels(path: Path, info: MediaInfo, budget: MediaBudget, track: int) -> TrackLevels:
    """Decode one track and return its levels.

    Raises:
        PermanentFailure: see `read_audio`.
    """
    request = _request(path, info, budget, track) | {"task": "levels"}
    levels, told = np.zeros((1, 0), np.float32), {}
    with Child(request, budget, info.duration_s) as child:
        for header, payload in child.messages():
            if header.kind == wire.SOUND:
                levels = payload.view(np.float32).reshape(header.width, -1)
            else:
                told = json.loads(payload.tobytes())
    names, weights = tuple(told["names"]), tuple(told["downmix"])
    return TrackLevels(levels[:-1], levels[-1], weights, names, told["start_s"], told["end_s"])


def _read_track(
    path: Path,
    info: MediaInfo,
    budget: MediaBudget,
    rate_hz: int,
    track: int | None,
    weights: list[tuple[int, float]] | None,
) -> Samples:
    request = _request(path, info, budget, track) | {"task": "sound", "rate_hz": rate_hz, "weights": weights}
    blocks: list[tuple[int, Samples]] = []
    with Child(request, budget, info.duration_s) as child:
        for header, payload in child.messages():
            if header.kind == wire.SOUND:
                blocks.append((header.position, payload.view(np.float32)))
    if not blocks:
        raise PermanentFailure("no_decodable_sound", f"not one sample of stream {track} can be decoded")
    samples = np.zeros(max(position + len(block) for position, block in blocks), np.float32)
    for position, block in blocks:
        samples[position : position + len(block)] = block
    return samples


def _request(path: Path, info: MediaInfo, budget: MediaBudget, track: int | None) -> dict[str, Any]:
    return {
        **base_request(path, sniff(path), budget, forgets_layouts=info.forgets_layouts),
        "audio_index": track,
        "origin_s": info.origin_s,
        "max_gaps": budget.max_sound_gaps,
        "max_channels": budget.max_sound_channels,
    }
