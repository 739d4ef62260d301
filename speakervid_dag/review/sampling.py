"""Choice of the clips, pairs and listening samples that people are asked about.

Belongs here: choosing and ordering subjects, from frames. Does not belong here: reading them (review/queue.py), wording
(review/questions.py). The choice depends only on the seed and the subjects, so that every reviewer gets the same ones.
"""

import hashlib
from collections.abc import Collection, Iterable

import polars as pl

RANDOM_SHARE = 0.2  # of a gate's subjects: the gate also errs far from its threshold


def near_threshold(gate: pl.DataFrame, count: int, seed: int, first: Collection[str] = ()) -> list[str]:
    """Return subjects of one gate: equally many just above and below its threshold, nearest first, and some at random.

    If one side has too few, the other fills up. Of a gate's two ends (`between`) the nearer one counts.

    Args:
        gate: subject_id, verdict (pass, fail; others are skipped), value, threshold, upper_threshold (null except for
            `between`).
        count: most subjects in all.
        first: subjects that are taken first if they are in the frame, because somebody else answered them.
    """
    distance = pl.min_horizontal(
        (pl.col("value") - pl.col("threshold")).abs(), (pl.col("value") - pl.col("upper_threshold")).abs()
    )
    asked = gate.filter(pl.col("verdict").is_in(["pass", "fail"])).with_columns(distance=distance)
    ordered = _shuffled(asked, seed).sort("distance", maintain_order=True)  # ties in the seed's order
    sides = [ordered.filter(verdict=side)["subject_id"].to_list() for side in ("pass", "fail")]
    near = count - round(count * RANDOM_SHARE)
    taken = [min(len(side), near // 2) for side in sides]
    for i in (0, 1):
        taken[i] += min(len(sides[i]) - taken[i], near - sum(taken))
    borderline = [subject for side, n in zip(sides, taken, strict=True) for subject in side[:n]]
    return _joined(count, _present(asked, first), borderline, _shuffled(asked, seed)["subject_id"])


def weakest(claims: pl.DataFrame, count: int, seed: int, first: Collection[str] = ()) -> list[str]:
    """Return subjects of a claim of the pipeline: half of them with the least evidence, half at random.

    Args:
        claims: subject_id, evidence (higher is more certain; null is lowest).
    """
    ordered = _shuffled(claims, seed).sort("evidence", nulls_last=False, maintain_order=True)
    weak = ordered["subject_id"][: count - count // 2]
    return _joined(count, _present(claims, first), weak, _shuffled(claims, seed)["subject_id"])


def balanced(tiers: pl.DataFrame, count: int, seed: int, first: Collection[str] = ()) -> list[str]:
    """Return random clips, half of them kept and half rejected, as far as available.

    Args:
        tiers: subject_id, is_kept.
    """
    order = _shuffled(tiers, seed)
    kept, rejected = (order.filter(is_kept=kept)["subject_id"].to_list() for kept in (True, False))
    half = min(len(rejected), count // 2)
    return _joined(count, _present(tiers, first), rejected[:half], kept[: count - half], rejected)


def own_order(subjects: Iterable[str], seed: int, reviewer: str) -> list[str]:
    """Return the same subjects in this reviewer's own order, because neighbours influence an answer."""
    return sorted(subjects, key=lambda subject: _mixed(f"{seed}/{reviewer}", subject))


def _present(frame: pl.DataFrame, wanted: Collection[str]) -> list[str]:
    return sorted(set(frame["subject_id"]) & set(wanted))


def _joined(count: int, *groups: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(subject for group in groups for subject in group))[:count]


def _shuffled(frame: pl.DataFrame, seed: int) -> pl.DataFrame:
    mixed = pl.Series("mixed", [_mixed(str(seed), s) for s in frame["subject_id"]], dtype=pl.String)
    return frame.with_columns(mixed).sort("mixed").drop("mixed")


def _mixed(seed: str, subject: str) -> str:
    """Return a sort key that is the same on every machine and for every order of rows."""
    return hashlib.sha256(f"{seed}/{subject}".encode()).hexdigest()
