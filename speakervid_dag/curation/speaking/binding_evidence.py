"""Evidence for each speaker and each person of a video: synchrony, moving lips, contrast with others.

Belongs here: pooling `sync_scores` over a speaker's turns, and the strength of the pooled evidence. Does not belong
here: the decision and its margins (bindings.py), cuts that follow the voice (co_visibility.py), lips and sound
(sync.py).
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from speakervid_dag.config.sections import BindingSettings
from speakervid_dag.curation import intervals

Row = dict[str, object]
Key = tuple[str, str]


@dataclass(frozen=True)
class Evidence:
    """Evidence of one person's tracks for one speaker.

    Attributes:
        seen_s: common time in which the mouth is seen, s.
        talking: mean talking score over that time, 0-1.
        sync_s: the part of it in which synchrony could be measured, s.
        sync: prominence of the pooled lag curve's peak: mean of its lead over the median lag and over the best lag
            elsewhere, as a correlation. A foreign voice has peaks too, but several of equal height.
        beside_s: the part of seen_s in which other mouths are seen as well, s.
        lead: mean talking score over that part, minus that of the busiest other mouth there, -1 to 1.
        co_visible: evidence of cuts that follow the voice, nats (co_visibility.py).
    """

    seen_s: float
    talking: float
    sync_s: float
    sync: float
    beside_s: float = 0.0
    lead: float = 0.0
    co_visible: float = 0.0


def pooled_evidence(
    pairs: pl.DataFrame, co_visible: Mapping[Key, float], settings: BindingSettings
) -> dict[Key, Evidence]:
    """Return the evidence of every (speaker, person), from all their measured pairs weighted by common time.

    Args:
        pairs: rows of sync_scores with `speaker_id` and `person_id`.
        co_visible: (speaker, person) -> nats.
    """
    found = {}
    measured = pairs.filter(pl.col("talking_score").is_not_null()).sort("start_s", "track_id")
    leads = _leads(measured.to_dicts())
    for (speaker, person), group in measured.group_by(["speaker_id", "person_id"], maintain_order=True):
        key = str(speaker), str(person)
        seconds = (group["end_s"] - group["start_s"]).to_numpy()
        talking = float(np.average(group["talking_score"].to_numpy(), weights=seconds))
        scored = group.filter(pl.col("lag_curve").is_not_null())
        sync_s = float((scored["end_s"] - scored["start_s"]).sum())
        sync = prominence(scored, settings) if sync_s > 0 else 0.0
        beside_s, lead = leads[key]
        found[key] = Evidence(float(seconds.sum()), talking, sync_s, sync, beside_s, lead, co_visible.get(key, 0.0))
    return found


def prominence(scored: pl.DataFrame, settings: BindingSettings) -> float:
    """Return how far the mean lag curve of these rows stands out at their own mean offset, as a correlation."""
    seconds = (scored["end_s"] - scored["start_s"]).to_numpy()
    curve = np.average(np.array(scored["lag_curve"].to_list(), np.float64), axis=0, weights=seconds)
    zero = len(curve) // 2
    peak = zero + round(float(np.average(scored["offset_frames"].to_numpy(), weights=seconds)))
    elsewhere = np.abs(np.arange(len(curve)) - peak) > settings.peak_frames
    return float(curve[peak] - (np.median(curve) + curve[elsewhere].max()) / 2)


def _leads(rows: list[Row]) -> dict[Key, tuple[float, float]]:
    """Return (speaker, person) -> time beside other mouths, s, and the mean lead over the busiest of them."""
    turns: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        turns[str(row["turn_id"])].append(row)
    sums: dict[Key, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for row in rows:
        others = [o for o in turns[str(row["turn_id"])] if o["person_id"] != row["person_id"]]
        beside = {str(o["track_id"]): intervals.overlap_s(_span(row), _span(o)) for o in others}
        near = [o for o in others if beside[str(o["track_id"])] > 0]
        if near:
            seconds = max(beside[str(o["track_id"])] for o in near)
            lead = _talking(row) - max(_talking(o) for o in near)
            total = sums[str(row["speaker_id"]), str(row["person_id"])]
            total[0] += seconds
            total[1] += seconds * lead
    return defaultdict(lambda: (0.0, 0.0), {k: (s, weighted / s) for k, (s, weighted) in sums.items()})


def strength(
    speaker: str,
    person: str,
    evidence: Mapping[Key, Evidence],
    speech_s: Mapping[str, float],
    settings: BindingSettings,
    is_partner: bool = False,
) -> float:
    """Return synchrony in deviations of a foreign voice, plus moving lips against other turns and faces, plus cuts.

    A busier mouth nearby is evidence against a person. Being the busiest is evidence for a person only when
    `is_partner`: somebody may also move their lips under a voice-over.
    """
    item = evidence[speaker, person]
    synchrony = float(item.sync * np.sqrt(item.sync_s)) / settings.foreign_deviation
    if settings.max_synchrony is not None:
        synchrony = min(synchrony, settings.max_synchrony)
    lead = (item.lead if is_partner else min(item.lead, 0.0)) * item.beside_s / max(speech_s[speaker], 1e-9)
    return (
        # foreign voices and hidden mouths have no lag that stands out; how far below 0 they fall means nothing
        max(synchrony, -settings.max_contrary)
        + settings.talking_weight * (_contrast(speaker, person, evidence, speech_s) + lead)
        + settings.co_visible_weight * item.co_visible
    )


def _contrast(speaker: str, person: str, evidence: Mapping[Key, Evidence], speech_s: Mapping[str, float]) -> float:
    """Return the share of this speaker's speech that shows the person talking, minus the others', -1 to 1; 0: alone."""

    def shown(names: list[str]) -> float:
        seen = [evidence[n, person] for n in names if (n, person) in evidence]
        return sum(e.seen_s * e.talking for e in seen) / max(sum(speech_s[n] for n in names), 1e-9)

    others = [name for name in speech_s if name != speaker]
    return shown([speaker]) - shown(others) if others else 0.0


def _span(row: Row) -> tuple[float, float]:
    return float(str(row["start_s"])), float(str(row["end_s"]))


def _talking(row: Row) -> float:
    return float(str(row["talking_score"]))
