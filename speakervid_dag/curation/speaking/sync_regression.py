"""Regression of sound on lips at every lag: series on a common grid, cross-validated ridge regression, agreement.

Belongs here: signal features of one face and of the sound, and the regression between them. Does not belong here:
turns, speakers, people, table rows (sync.py), thresholds (settings).

The model is the linear "lips to band energies" model of the lip-sync literature: mouth opening and the speech envelope
share the syllable rhythm of 2-8 Hz (Chandrasekaran et al. 2009). It is refitted for each lag and judged only on
held-out time.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from speakervid_dag.config.sections import SyncSettings

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_WINDOW_S, _HOP_S = 0.025, 0.01


@dataclass(frozen=True)
class LipSeries:
    """One face on the common grid, from cell `first` on.

    Attributes:
        first: grid cell of row 0; row i is the picture around (first + i + 0.5) / grid_hz s.
        shape: float64 (T, 2 * points), lips in inter-ocular distances; 0 where unseen.
        speed: float64 (T,), mean speed of the points against each other, inter-ocular distances per s; 0 where unseen.
        is_seen: bool (T,), a measured frame is near.
    """

    first: int
    shape: Array
    speed: Array
    is_seen: Mask

    def part(self, series: Array | Mask, first: int, last: int) -> Array:
        """Return the rows of one of these series in the grid cells [first, last), as far as it goes."""
        return np.asarray(series[max(0, first - self.first) : max(0, last - self.first)])


def band_energies(audio: npt.NDArray[np.float32], rate_hz: int, settings: SyncSettings) -> Array:
    """Return log energies of mel-spaced bands, float64 (T, bands); row i covers [i, i + 1) / grid_hz, s."""
    window, hop = round(_WINDOW_S * rate_hz), round(_HOP_S * rate_hz)
    per_cell = round(1 / (_HOP_S * settings.grid_hz))
    count = len(audio) // hop // per_cell * per_cell
    if count == 0:
        return np.zeros((0, settings.audio_bands))
    # frame k is centred on the middle of its hop, so that a cell's mean is centred on the cell
    lead = (window - hop) // 2
    padded = np.concatenate([np.zeros(lead, np.float32), audio, np.zeros(window, np.float32)])
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[: count * hop : hop]
    weights = _mel_weights(window, rate_hz, settings)
    taper = np.hanning(window).astype(np.float32)
    chunks = (np.abs(np.fft.rfft(part * taper)) ** 2 @ weights.T for part in np.array_split(frames, count // 6000 + 1))
    energy = np.concatenate(list(chunks))
    floor = np.percentile(energy, 99) * 10 ** (-settings.audio_range_db / 10) + 1e-12
    logs: Array = np.log(energy + floor).reshape(-1, per_cell, settings.audio_bands).mean(axis=1)
    return logs


def _mel_weights(window: int, rate_hz: int, settings: SyncSettings) -> Array:
    """Return triangular filters, float64 (bands, bins), equally spaced in mel = 2595 log10(1 + f / 700)."""
    mel = 2595 * np.log10(1 + np.fft.rfftfreq(window, 1 / rate_hz) / 700)
    low, high = (2595 * np.log10(1 + f / 700) for f in (settings.audio_low_hz, settings.audio_high_hz))
    edges = np.linspace(low, high, settings.audio_bands + 2)
    step = edges[1] - edges[0]
    weights: Array = np.maximum(0.0, 1 - np.abs(mel[None, :] - edges[1:-1, None]) / step)
    return weights


def lip_series(times_s: Array, shape: Array, is_good: Mask, settings: SyncSettings) -> LipSeries:
    """Return a track's lips on the grid, linearly interpolated between good frames; frame intervals may be irregular.

    Args:
        times_s: float64 (n,), increasing.
        shape: float64 (n, 2 * points), lip points (x, y) in the head's frame.
        is_good: bool (n,), frames that may be used.
    """
    good = is_good & np.isfinite(shape).all(axis=1)
    times, points = times_s[good], shape[good]
    if len(times) < 2:
        return LipSeries(0, np.zeros((0, shape.shape[1])), np.zeros(0), np.zeros(0, bool))
    # a picture is shown from its time stamp on, so it is placed half a frame interval later
    times = times + min(0.5 / settings.grid_hz, float(np.median(np.diff(times))) / 2)
    first = max(0, int(times[0] * settings.grid_hz))
    grid = (np.arange(first, int(times[-1] * settings.grid_hz) + 1) + 0.5) / settings.grid_hz
    right = np.clip(np.searchsorted(times, grid), 1, len(times) - 1)
    near = np.minimum(np.abs(times[right] - grid), np.abs(grid - times[right - 1]))
    hole = times[right] - times[right - 1]
    # interpolation is fine inside a short gap; at a long gap and at the ends a frame covers its own cell only
    inside = (grid >= times[0]) & (grid <= times[-1]) & (hole <= settings.max_hole_s)
    seen = inside | (near <= 0.5 / settings.grid_hz + 1e-6)
    on_grid = np.stack([np.interp(grid, times, column) for column in points.T], axis=1)
    return LipSeries(first, np.where(seen[:, None], on_grid, 0.0), np.where(seen, _speed(on_grid, settings), 0.0), seen)


def _speed(shape: Array, settings: SyncSettings) -> Array:
    """Return the speed (T,) of the mouth's own movement, without the head's jitter that moves all points together."""
    points = shape.reshape(len(shape), -1, 2)
    own = (points - points.mean(axis=1, keepdims=True)).reshape(len(shape), -1)
    change = np.gradient(own, axis=0) if len(own) > 1 else np.zeros_like(own)
    speed: Array = np.linalg.norm(change, axis=1) * settings.grid_hz / np.sqrt(points.shape[1])
    return speed


def high_passed(series: Array, is_seen: Mask, settings: SyncSettings) -> Array:
    """Return a series (T, d) minus its moving mean over seen cells, `settings.slow_s` long; 0 where unseen."""
    width = 2 * round(settings.slow_s * settings.grid_hz / 2) + 1
    weight = _moving_sum(is_seen.astype(np.float64)[:, None], width)
    slow = _moving_sum(np.where(is_seen[:, None], series, 0.0), width) / np.maximum(weight, 1.0)
    return np.where(is_seen[:, None], series - slow, 0.0)


def _moving_sum(series: Array, width: int) -> Array:
    total = np.cumsum(np.concatenate([np.zeros((1, series.shape[1])), series]), axis=0)
    index = np.arange(len(series))
    low, high = np.maximum(index - width // 2, 0), np.minimum(index + width // 2 + 1, len(series))
    out: Array = total[high] - total[low]
    return out


def lip_features(lips: LipSeries, basis: Array, settings: SyncSettings) -> Array:
    """Return predictors (T, 2k + 3): mouth height, width, log speed, then position and velocity along `basis` (40, k).

    All are free of drift and in units of a still mouth's jitter, so a still mouth gives predictors near 0 to 1.
    """
    points = lips.shape.reshape(len(lips.shape), -1, 2)
    width, height = np.moveaxis(points.max(axis=1) - points.min(axis=1), 1, 0)
    speed = np.log1p(lips.speed / settings.still_speed) / np.log(2)
    mouth = np.stack([height / settings.lip_noise, width / settings.lip_noise, speed], axis=1)
    place = lips.shape @ basis / settings.lip_noise
    mouth, place = (high_passed(part, lips.is_seen, settings) for part in (mouth, place))
    velocity = np.gradient(place, axis=0) if len(place) > 1 else np.zeros_like(place)
    return np.where(lips.is_seen[:, None], np.hstack([mouth, place, velocity]), 0.0)


def shape_basis(series: list[LipSeries], settings: SyncSettings) -> Array:
    """Return the main directions of a person's lip movement over all tracks, float64 (40, k)."""
    moves = np.concatenate([high_passed(s.shape, s.is_seen, settings)[s.is_seen] for s in series])
    _, axes = np.linalg.eigh(moves.T @ moves)
    basis: Array = axes[:, ::-1][:, : settings.shape_axes]
    return basis


def held_out_predictions(lips: Array, sound: Array, groups: npt.NDArray[np.int64], settings: SyncSettings) -> Array:
    """Return a prediction of every row of `sound` (n, bands) from `lips` (n, d), by a model that never saw its group.

    The model is ridge regression towards a template: an open, quickly moving mouth is loud. Short material stays close
    to the template; long material learns the person's own pattern. Both sides are standardised over the whole sample
    (columns of `lips` with the jitter as a floor).
    """
    x = (lips - lips.mean(axis=0)) / np.sqrt(lips.var(axis=0) + 1.0)
    template = np.zeros((x.shape[1], sound.shape[1]))
    template[:3] = np.array([settings.template_height, settings.template_width, settings.template_speed])[:, None]
    expected: Array = x @ template
    rest = sound - expected
    folds = np.unique(groups)
    gram = {g: (x[groups == g].T @ x[groups == g], x[groups == g].T @ rest[groups == g]) for g in folds}
    total_xx, total_xy = sum(v[0] for v in gram.values()), sum(v[1] for v in gram.values())
    for g in folds:
        # the penalty equals a fixed time of material: more material, more learning
        ridge = settings.ridge_s * settings.grid_hz * np.eye(x.shape[1])
        learned = np.linalg.solve(total_xx - gram[g][0] + ridge, total_xy - gram[g][1])
        expected[groups == g] += x[groups == g] @ learned
    return expected


def agreement(predicted: Array, sound: Array, settings: SyncSettings) -> float:
    """Return the mean correlation over bands; a prediction weaker than `prediction_floor` (deviations) counts less."""
    p, s = predicted - predicted.mean(axis=0), sound - sound.mean(axis=0)
    scale = np.sqrt((p**2).mean(axis=0) + settings.prediction_floor**2) * np.sqrt((s**2).mean(axis=0) + 1e-12)
    return float(((p * s).mean(axis=0) / scale).mean())
