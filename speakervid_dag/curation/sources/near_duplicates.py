"""Near-duplicates: stretches of a source that an earlier source also shows, re-encoded, scaled, trimmed or cropped.

Belongs here: comparing fingerprints. Does not belong here: computing them (fingerprints), reading the lake.

To avoid comparing all pairs, candidates must share a band of bits of some hash (locality-sensitive hashing; a band that
many sources share, such as black, is not informative and is skipped). A candidate is compared with the source at every
offset. A stretch counts if the hashes agree throughout *and* the picture moves at the same times: by hashes alone, any
two portraits before the same wall would be duplicates. A still picture is therefore never marked.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.arrays import runs_of_true
from speakervid_dag.config.sections import NearDuplicateSettings
from speakervid_dag.curation.sources.fingerprints import ACTIVITY_HZ, HASH_HZ, Fingerprint

Hashes = tuple[str, Sequence[int | None]]
_BAND_BITS, _BAND_STARTS = 20, range(0, 45, 6)  # too many sources would share 16 bits
_LAG_STEPS = 3  # activity is also compared up to this many fifths of a second off: hashes are half a second apart


@dataclass(frozen=True)
class Duplicate:
    """A stretch [start_s, end_s) of a source that an earlier one shows from start_s + offset_s on."""

    start_s: float
    end_s: float
    offset_s: float
    distance: float  # mean Hamming distance of the hashes, bits
    agreement: float  # rank correlation of the activities


def candidates(own: Sequence[Hashes], known: Sequence[Hashes], settings: NearDuplicateSettings) -> dict[str, list[str]]:
    """Return for each of `own` the earlier sources that share most bands with it, at most `max_candidates`.

    Args:
        own, known: sources with their hashes; all of `known` come before all of `own`, which are in order. Only the
            bands of `own` are held, however large the lake.
    """
    bands = {source: _bands(looks) for source, looks in own}
    holders: dict[tuple[int, int], list[str]] = {band: [] for held in bands.values() for band in held}
    for source, looks in known:
        for band in _bands(looks) & holders.keys():
            holders[band].append(source)
    near: dict[str, list[str]] = {}
    for source, held in bands.items():
        common = Counter(s for band in held if len(holders[band]) <= settings.max_band_sources for s in holders[band])
        ranked = sorted(common.items(), key=lambda item: (-item[1], item[0]))
        near[source] = [other for other, _ in ranked[: settings.max_candidates]]
        for band in held:
            holders[band].append(source)
    return near


def duplicate_rows(
    source: Fingerprint, earlier: Fingerprint, duration_s: float, settings: NearDuplicateSettings
) -> list[dict[str, float]]:
    """Return the result of `find_duplicates` as rows of `near_duplicates`; stretches are cut at the source's end."""
    rows = []
    for found in find_duplicates(source, earlier, settings):
        end_s = min(found.end_s, duration_s)
        rows.append({**asdict(found), "end_s": end_s, "share": (end_s - found.start_s) / duration_s})
    return rows


def find_duplicates(source: Fingerprint, earlier: Fingerprint, settings: NearDuplicateSettings) -> list[Duplicate]:
    """Return the stretches of `source` that `earlier` also shows, in order of time and without overlap."""
    a, has_a = _arrays(source.look_hashes)
    b, has_b = _arrays(earlier.look_hashes)
    least = round(settings.min_s * HASH_HZ)
    found: list[Duplicate] = []
    for offset in range(least - len(a), len(b) - least + 1):
        first, last = max(0, -offset), min(len(a), len(b) - offset)
        distances = np.bitwise_count(a[first:last] ^ b[first + offset : last + offset]).astype(np.int64)
        seen = has_a[first:last] & has_b[first + offset : last + offset]
        is_alike = seen & (distances <= settings.max_distance_bits)
        starts, ends = runs_of_true(is_alike, max_hole=settings.max_hole_steps)
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            if end - start < least:
                continue
            span = (first + start, first + end)
            agreement, lag_s = _agreement(source.activity, earlier.activity, span, offset)
            if agreement >= settings.min_agreement:
                distance = float(distances[start:end].mean())
                at_s = (span[0] / HASH_HZ, span[1] / HASH_HZ)
                found.append(Duplicate(*at_s, offset / HASH_HZ + lag_s, distance, agreement))
    kept: list[Duplicate] = []
    for one in sorted(found, key=lambda d: (-(d.end_s - d.start_s) * d.agreement, d.start_s, d.offset_s)):
        if all(one.end_s <= other.start_s or other.end_s <= one.start_s for other in kept):
            kept.append(one)
    return sorted(kept, key=lambda d: d.start_s)


def _bands(looks: Sequence[int | None]) -> set[tuple[int, int]]:
    """Return (band number, its bits) of every hash."""
    known, mask = {look for look in looks if look is not None}, (1 << _BAND_BITS) - 1
    return {(start, (look >> start) & mask) for look in known for start in _BAND_STARTS}


def _arrays(looks: Sequence[int | None]) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """Return the hashes, 0 where there is none, and a mask of those present."""
    values = np.array([look or 0 for look in looks], dtype=np.int64).view(np.uint64)
    return values, np.array([look is not None for look in looks], dtype=np.bool_)


def _agreement(
    activity: Sequence[float | None], earlier: Sequence[float | None], span: tuple[int, int], offset: int
) -> tuple[float, float]:
    """Return the best Spearman correlation of both activities over `span` (hash steps) at small lags, and that lag in
    s; -1 if either never changes or too little of it is known."""
    ratio = ACTIVITY_HZ / HASH_HZ
    first, count = round(span[0] * ratio), round((span[1] - span[0]) * ratio)
    best = (-1.0, 0.0)
    for lag in sorted(range(-_LAG_STEPS, _LAG_STEPS + 1), key=abs):
        shift = round(offset * ratio) + lag
        pairs = [
            (x, y)
            for i in range(first, min(first + count, len(activity), len(earlier) - shift))
            if i + shift >= 0 and (x := activity[i]) is not None and (y := earlier[i + shift]) is not None
        ]
        if len(pairs) >= 0.8 * count:
            best = max(best, (_rank_correlation(np.array(pairs)), shift / ACTIVITY_HZ - offset / HASH_HZ))
    return best


def _rank_correlation(pairs: NDArray[np.float64]) -> float:
    """Return Spearman's correlation; -1 if one side is constant."""
    from scipy.stats import spearmanr

    return -1.0 if (np.ptp(pairs, axis=0) == 0).any() else float(spearmanr(pairs[:, 0], pairs[:, 1]).statistic)
