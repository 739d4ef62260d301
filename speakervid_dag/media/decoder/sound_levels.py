"""Levels of each channel of a sound track in the speech band; runs in the decoding process.

Belongs here: levels in steps of 32 ms. Does not belong here: their use (curation/sources/sound_choice).

They are measured at the track's own rate, so that a track of 64 channels does not need 64 resamplers.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.failures import PermanentFailure
from speakervid_dag.media.decoder import wire
from speakervid_dag.media.decoder.picture import Errors
from speakervid_dag.media.decoder.sound import Block, blocks, mixed
from speakervid_dag.media.sound_streams import downmix

STEP_S = 0.032  # as in the speech detector (models/vad)
BAND_HZ = (300.0, 3400.0)  # of telephony (ITU-T G.712): voices without hum and rumble
FLOOR_DB = -120.0
PENDING_STEPS = 64  # measured at once

Levels = NDArray[np.float32]


def send_levels(request: dict[str, Any], output: Any) -> dict[str, Any]:
    """Send one SOUND message, float32 (channels + 1, steps) in dBFS; the last row is the standard downmix.

    Returns the names of the channels, their `downmix`, start and end in s, and the decode errors.

    Raises PermanentFailure: no_decodable_sound; see `sound.blocks`.
    """
    errors, meter, first, end_s = Errors(), None, None, 0.0
    for block in blocks(request, errors):
        if meter is None:
            meter, first = _Meter(len(block.planes)), block
        meter.add(block)
        end_s = block.start_s + block.planes.shape[1] / block.rate_hz
    if meter is None or first is None:
        raise PermanentFailure(
            "no_decodable_sound", f"not one sample of stream {request['audio_index']} can be decoded"
        )
    levels = meter.finish()
    output.send(wire.Header(wire.SOUND, levels.nbytes, width=len(levels)), levels)
    return {
        "names": first.names,
        "downmix": downmix(first.names),
        "start_s": first.start_s,
        "end_s": end_s,
        "decode_errors": errors.count,
    }


class _Meter:
    """Collects the blocks of a run and measures them step by step."""

    def __init__(self, channels: int) -> None:
        self._channels = channels
        self._run: list[NDArray[np.float32]] = []
        self._step = 0  # on the container's clock, of the first pending sample
        self._rate_hz = 0
        self._found: list[tuple[int, Levels]] = []

    def add(self, block: Block) -> None:
        if block.begins:
            self._measure(whole=True)
            self._step, self._rate_hz = round(block.start_s / STEP_S), block.rate_hz
        rows = np.vstack([block.planes, mixed(block, None)[None]])
        if len(block.planes) != self._channels:  # the layout changed: the mix is used for each channel
            rows = np.repeat(rows[-1:], self._channels + 1, axis=0)
        self._run.append(rows)
        if sum(part.shape[1] for part in self._run) >= PENDING_STEPS * self._size:
            self._measure(whole=False)

    def finish(self) -> Levels:
        """Return levels (channels + 1, steps) in dBFS, from the container's start on."""
        self._measure(whole=True)
        steps = max([0, *(step + part.shape[1] for step, part in self._found)])
        levels = np.full((self._channels + 1, steps), FLOOR_DB, np.float32)
        for step, part in self._found:
            part, step = part[:, max(0, -step) :], max(0, step)
            place = levels[:, step : step + part.shape[1]]
            np.maximum(place, part, out=place)
        return levels

    @property
    def _size(self) -> int:
        return max(round(self._rate_hz * STEP_S), 1)

    def _measure(self, *, whole: bool) -> None:
        if not self._run:
            return
        rows, size = np.hstack(self._run), self._size
        if whole:
            rows = np.pad(rows, ((0, 0), (0, -rows.shape[1] % size)))
        steps = rows.shape[1] // size
        self._run = [] if whole else [rows[:, steps * size :]]
        if steps:
            self._found.append(
                (self._step, band_levels(rows[:, : steps * size].reshape(len(rows), steps, size), self._rate_hz))
            )
        self._step += steps


def band_levels(steps: NDArray[np.float32], rate_hz: int) -> Levels:
    """Return the level per step of `steps` (rows, steps, samples) in `BAND_HZ`, dBFS; a full-scale square wave is 0."""
    size = steps.shape[2]
    window = np.hanning(size).astype(np.float32)  # hum leaks less than 40 dB into the band
    power = np.abs(np.fft.rfft(steps * window, axis=2)) ** 2
    hz = np.fft.rfftfreq(size, 1 / rate_hz)
    inside = (hz >= BAND_HZ[0]) & (hz <= BAND_HZ[1])
    mean_square = 2 * power[:, :, inside].sum(axis=2) / (size * np.square(window).sum() or 1.0)
    return np.asarray(10 * np.log10(np.maximum(mean_square, 10 ** (FLOOR_DB / 10))), np.float32)
