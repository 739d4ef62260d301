"""Differences between two published states, or two profiles: clips that changed tier, and the gates that caused it.

Belongs here: comparing two sets of decisions. Does not belong here: SQL (sql/diff), snapshots, printing.
"""

from dataclasses import dataclass

import polars as pl

from speakervid_dag.config.settings import Settings
from speakervid_dag.failures import UserError
from speakervid_dag.lake.queries.published import has_profile, open_published
from speakervid_dag.lake.queries.session import Session, query_file
from speakervid_dag.lake.snapshots import losses
from speakervid_dag.tiering import gold
from speakervid_dag.tiering.asked import asked_profile

RANK = {"rejected": 0, "pretrain": 1, "sft": 2}
ABSENT = "absent"


@dataclass(frozen=True)
class Side:
    """One side of a comparison.

    Attributes:
        snapshot: number or ISO time.
        asked: a profile's name or the path of its file, or a name whose decisions the snapshot has.
        is_preview: recompute decisions, write nothing.
    """

    snapshot: str
    asked: str
    is_preview: bool = False


@dataclass(frozen=True)
class Difference:
    """The result of a comparison.

    Attributes:
        tiers: one row per tier.
        causes: one row per move and gate.
        clips: one row per clip that moved, with all its causes.
        losses: one row per video and table of which the second side shows fewer usable videos, clips or people.
        profiles: the name of each side's profile.
    """

    tiers: pl.DataFrame
    causes: pl.DataFrame
    clips: pl.DataFrame
    losses: pl.DataFrame
    profiles: tuple[str, str]


def diff(settings: Settings, before: Side, after: Side) -> Difference:
    """Compare two sides. A profile that the snapshot does not contain is applied to its stored scores on the fly.

    Raises:
        UserError: there is no such snapshot or profile, or a preview is asked of a profile whose file is not known.
    """
    with _opened(settings, before) as one, _opened(settings, after) as other:
        names = _decided(one, before), _decided(other, after)
        moves = _moves(
            *(query_file(con, "diff/decisions", profile=n) for con, n in zip((one, other), names, strict=True))
        )
        moved = moves.filter(pl.col("tier_before") != pl.col("tier_after"))
        both = moved.filter(pl.col("tier_before") != ABSENT, pl.col("tier_after") != ABSENT)["clip_id"].to_list()
        gates = [
            query_file(con, "diff/gates", profile=name, clips=both)
            for con, name in zip((one, other), names, strict=True)
        ]
        lost = losses.between(one, other)
    causes = _causes(moved, *gates)
    return Difference(_by_tier(moves), _by_cause(causes), _by_clip(moved, causes), lost, names)


def _opened(settings: Settings, side: Side) -> Session:
    return open_published(settings.lake_dir, side.snapshot, read_only_user_sql=False)


def _decided(con: Session, side: Side) -> str:
    """Have the side's decisions in the session, and return the name of their profile."""
    profile = asked_profile(con, side.asked)
    if isinstance(profile, str):
        if side.is_preview:
            raise UserError(f"the lake has decisions of the profile '{profile}'; a preview needs its file")
        return profile
    if side.is_preview or not has_profile(con, profile.name):
        batches = [str(row[0]) for row in con.execute("SELECT DISTINCT batch FROM clips ORDER BY 1").fetchall()]
        gold.compute_gold(con, profile, batches)
    return profile.name


def _moves(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Return clip_id, video_id, duration_s, tier_before, tier_after (`absent` where a side lacks the clip)."""
    keys = ["clip_id", "video_id", "duration_s"]  # a clip's id identifies its span, so its length cannot change
    joined = before.rename({"tier": "tier_before"}).join(
        after.rename({"tier": "tier_after"}), on=keys, how="full", coalesce=True
    )
    return joined.with_columns(pl.col("tier_before", "tier_after").fill_null(ABSENT)).sort("clip_id")


def _causes(moved: pl.DataFrame, before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Return one row per moved clip and gate that contributed: gate, why, and its verdicts before and after."""
    old, new = (
        g.rename({c: f"{c}_{s}" for c in g.columns if c not in ("clip_id", "gate")})
        for g, s in ((before, "before"), (after, "after"))
    )
    judged = old.join(new, on=["clip_id", "gate"], how="full", coalesce=True).join(moved, on="clip_id")
    change = pl.col("weight_after").fill_null(0).cast(pl.Int64) - pl.col("weight_before").fill_null(0).cast(pl.Int64)
    rank = pl.col("tier_after").replace_strict(RANK, default=None) - pl.col("tier_before").replace_strict(
        RANK, default=None
    )
    by_gates = judged.filter((change.sign() == -rank.sign()) & (change != 0)).with_columns(why=_why())
    side = (
        pl.when(pl.col("tier_before") == ABSENT).then(pl.lit("the clip is new")).otherwise(pl.lit("the clip is gone"))
    )
    others = moved.filter((pl.col("tier_before") == ABSENT) | (pl.col("tier_after") == ABSENT)).with_columns(why=side)
    return pl.concat([by_gates, others], how="diagonal")


def _why() -> pl.Expr:
    rule = pl.any_horizontal(
        pl.col(f"{c}_before").ne_missing(pl.col(f"{c}_after")) for c in ("keep", "threshold", "upper_threshold")
    )
    value = pl.col("value_before").ne_missing(pl.col("value_after"))
    return (
        pl.when(pl.col("verdict_before").is_null())
        .then(pl.lit("gate added"))
        .when(pl.col("verdict_after").is_null())
        .then(pl.lit("gate removed"))
        .when(rule & value)
        .then(pl.lit("value and threshold"))
        .when(rule)
        .then(pl.lit("threshold"))
        .when(value)
        .then(pl.lit("value"))
        .otherwise(pl.lit("mode, level or what a missing value means"))
    )


def _hours(condition: pl.Expr) -> pl.Expr:
    return (pl.col("duration_s").filter(condition).sum() / 3600).round(6)


def _by_tier(moves: pl.DataFrame) -> pl.DataFrame:
    rows = []
    for tier in reversed(RANK):
        was, is_now = pl.col("tier_before") == tier, pl.col("tier_after") == tier
        parts = {"before": was, "left": was & ~is_now, "entered": is_now & ~was, "after": is_now}
        counted = {f"clips_{name}": part.sum().cast(pl.Int64) for name, part in parts.items()}
        rows.append(
            moves.select(pl.lit(tier).alias("tier"), **counted, **{f"hours_{n}": _hours(p) for n, p in parts.items()})
        )
    return pl.concat(rows)


def _by_cause(causes: pl.DataFrame) -> pl.DataFrame:
    """Count clips and hours per move and cause; `only_clips`: clips that moved for this cause alone."""
    keys = ["tier_before", "tier_after", "gate", "why"]
    named = causes if "gate" in causes.columns else causes.with_columns(gate=pl.lit(None, dtype=pl.String))
    alone = named.with_columns(is_alone=pl.len().over("clip_id") == 1)
    counted = alone.group_by(keys).agg(
        clips=pl.len().cast(pl.Int64),
        only_clips=pl.col("is_alone").sum().cast(pl.Int64),
        hours=(pl.col("duration_s").sum() / 3600).round(6),
    )
    return counted.sort("tier_before", "tier_after", "clips", "gate", descending=[False, False, True, False])


def _by_clip(moved: pl.DataFrame, causes: pl.DataFrame) -> pl.DataFrame:
    def pair(name: str) -> pl.Expr:
        old, new = (pl.col(f"{name}_{s}").round(4).cast(pl.String).fill_null("none") for s in ("before", "after"))
        return pl.when(old == new).then(old).otherwise(pl.format("{} → {}", old, new))

    told = pl.format("{}: {} against {} ({})", "gate", pair("value"), pair("threshold"), "why")
    text = pl.coalesce(told, pl.col("why"))
    listed = causes.with_columns(text=text).group_by("clip_id").agg(by=pl.col("text").sort())
    columns = ["clip_id", "video_id", "tier_before", "tier_after", "duration_s"]
    return moved.select(columns).join(listed, on="clip_id", how="left").sort("tier_before", "tier_after", "clip_id")
