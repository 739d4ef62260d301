"""The table of agreement: people among themselves, gates with people, and the threshold people would choose.

Belongs here: sql/review/gate_agreement.sql plus intervals. Does not belong here: the choice of thresholds and the
intervals' statistics (threshold_choice).
"""

from typing import Any

import polars as pl

from speakervid_dag.lake.queries.session import Session, query_file
from speakervid_dag.rendering.text import figure
from speakervid_dag.review.threshold_choice import best_threshold, f1_interval

ALL_GATES = "(all gates)"
CLAIM = "(claim)"
ADDED = (
    *("f1_low", "f1_high", "suggested_threshold", "suggested_threshold_low", "suggested_threshold_high"),
    *("suggested_f1", "suggested_f1_low", "suggested_f1_high"),
)


def agreement(con: Session, profile: str) -> pl.DataFrame:
    """Return one row per gate and claim with answers; see the SQL file for the columns.

    `light_kappa` is Light's κ of the reviewers: the mean over pairs of Cohen's κ (Light 1971, Psychological Bulletin
    76, 365-377), which for two reviewers is Cohen's.

    Further columns: f1_low, f1_high, suggested_threshold, _low, _high, suggested_f1, _low, _high (95 % bootstrap
    intervals; null if nothing can be suggested).
    """
    found = query_file(con, "review/gate_agreement", profile=profile)
    schema = {**found.drop("values", "is_good").schema, **dict.fromkeys(ADDED, pl.Float64())}
    return pl.DataFrame([_completed(row) for row in found.to_dicts()], schema=schema)


def table(found: pl.DataFrame) -> pl.DataFrame:
    """Return the rows formatted for display."""
    return pl.DataFrame([_told(row) for row in found.to_dicts()])


def _completed(row: dict[str, Any]) -> dict[str, Any]:
    values, is_good = row.pop("values") or [], row.pop("is_good") or []
    counts = [row[n] for n in ("true_positives", "false_positives", "false_negatives")]
    interval = f1_interval(*counts) if row["f1"] is not None else None
    choice = best_threshold(values, is_good, row["keep"], row["threshold"]) if values else None
    row |= {"f1_low": interval[0] if interval else None, "f1_high": interval[1] if interval else None}
    for name, value, ends in (
        ("suggested_threshold", choice.threshold if choice else None, choice.threshold_interval if choice else None),
        ("suggested_f1", choice.f1 if choice else None, choice.f1_interval if choice else None),
    ):
        row |= {name: value, f"{name}_low": ends[0] if ends else None, f"{name}_high": ends[1] if ends else None}
    return row


def _told(row: dict[str, Any]) -> dict[str, Any]:
    other = ALL_GATES if row["question"] == "quality" else CLAIM
    return {
        "question": row["question"],
        "gate": row["gate"] or other,
        "n": row["subjects"],
        "reviewers": row["reviewers"],
        "Light's κ": _two(row["light_kappa"]),
        "accuracy": _percent(row["accuracy"]),
        "precision": _percent(row["precision"]),
        "recall": _percent(row["recall"]),
        "F1": _percent(row["f1"]),
        "F1 95 %": _ends(row["f1_low"], row["f1_high"], _percent),
        "threshold": f"{row['keep']} {figure(row['threshold'])}" if row["threshold"] is not None else "",
        "suggested": figure(row["suggested_threshold"]) if row["suggested_threshold"] is not None else "",
        "95 %": _ends(row["suggested_threshold_low"], row["suggested_threshold_high"], figure),
        "its F1": _percent(row["suggested_f1"]),
    }


def _two(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"


def _ends(low: float | None, high: float | None, shown: Any) -> str:
    return "" if low is None or high is None else f"{shown(low)} – {shown(high)}"
