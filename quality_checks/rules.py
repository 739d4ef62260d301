"""Building blocks for rules about a row, a batch, and the tables that a row points to.

Belongs here: the types of rules and the small constructors. Does not belong here: rules of one table (rules_*.py),
running them. A rule is one Great Expectations expectation over a flat column; if the table has no such column, `view`
derives one with polars. A rule judges only rows that meet its precondition (`after`), so one defect turns one rule red.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import polars as pl

Severity = Literal["critical", "warning"]
Target = Literal["schema", "rows", "batch"]
Parents = Mapping[str, pl.DataFrame]
# (frame, parents, scope) → columns of scope (batch, profile), and `item` (one per violation) or `value` and `evidence`
Finder = Callable[[pl.DataFrame, Parents, pl.DataFrame], pl.DataFrame]


@dataclass(frozen=True)
class Rule:
    """One expectation.

    Args:
        name: snake_case, unique within the table; shown when the check is red.
        expectation: Great Expectations type; `kwargs` are its arguments.
        doc: a sentence that is true of good data.
        evidence: columns of the view that show a person why a row failed.
        view: derives the expectation's column if the table has none of that name.
        after: the rows to which `view` applies; the others are not judged. None: all rows.
        find: lists the violations of a rule about the batch.
    """

    name: str
    expectation: str
    kwargs: Mapping[str, Any]
    doc: str
    on: Target = "rows"
    severity: Severity = "critical"
    evidence: tuple[str, ...] = ()
    view: pl.Expr | None = None
    after: pl.Expr | None = None
    find: Finder | None = None

    @property
    def check(self) -> pl.Expr | None:
        """Return the expectation's column as audits compute it: null where the row is not judged."""
        if self.view is None or self.after is None:
            return self.view
        return pl.when(self.after.fill_null(False)).then(self.view)


@dataclass(frozen=True)
class Link:
    """A row's reference to a parent table; it adds columns `<name>__<column>` and `<name>__found` to the view.

    Args:
        on: column of the child → column of the parent. A null in the child points to nothing, so nothing is missing.
    """

    name: str
    table: str
    on: Mapping[str, str]
    take: tuple[str, ...] = ()


@dataclass(frozen=True)
class TableRules:
    """Everything a person knows about one table beyond its schema. `reads`: further parents that batch rules need."""

    links: tuple[Link, ...] = ()
    rules: tuple[Rule, ...] = ()
    reads: tuple[str, ...] = field(default=())

    @property
    def parents(self) -> frozenset[str]:
        return frozenset(link.table for link in self.links) | frozenset(self.reads)


def holds(
    name: str,
    condition: pl.Expr,
    doc: str,
    evidence: tuple[str, ...] = (),
    *,
    after: pl.Expr | None = None,
    severity: Severity = "critical",
) -> Rule:
    """Require `condition` of every row for which `after` is true; null means not judged."""
    kwargs = {"column": name, "value_set": [True]}
    return Rule(name, "expect_column_values_to_be_in_set", kwargs, doc, "rows", severity, evidence, condition, after)


def between(
    column: str,
    low: object,
    high: object,
    doc: str = "",
    *,
    view: pl.Expr | None = None,
    after: pl.Expr | None = None,
    evidence: tuple[str, ...] = (),
    severity: Severity = "critical",
) -> Rule:
    """Require `low <= column <= high`; a bound is a number, None, or `parameter(...)`."""
    kwargs = {"column": column, "min_value": low, "max_value": high}
    kwargs = {k: v for k, v in kwargs.items() if v is not None}
    said = doc or f"{column} lies in [{low}, {high}]"
    name = f"{column}_in_range"
    return Rule(name, "expect_column_values_to_be_between", kwargs, said, "rows", severity, evidence, view, after)


def parameter(name: str) -> dict[str, str]:
    """Return a bound whose value is given when the suite runs (it comes from the profile)."""
    return {"$PARAMETER": name}


def one_of(column: str, values: tuple[str, ...], doc: str = "") -> Rule:
    kwargs = {"column": column, "value_set": list(values)}
    said = doc or f"{column} is one of {', '.join(values)}"
    return Rule(f"{column}_known", "expect_column_values_to_be_in_set", kwargs, said)


def nothing_missing(name: str, doc: str, find: Finder, *, severity: Severity = "critical") -> Rule:
    """Require that `find` returns no item for any batch."""
    kwargs = {"column": name, "value_set": [0]}
    kind = "expect_column_values_to_be_in_set"
    return Rule(name, kind, kwargs, doc, "batch", severity, (f"{name}__evidence",), find=find)


def batch_value(name: str, low: float, high: float, doc: str, find: Finder, *, severity: Severity) -> Rule:
    """Require that a batch's value lies in [low, high]; a batch without a value is not judged."""
    kwargs = {"column": name, "min_value": low, "max_value": high}
    kind = "expect_column_values_to_be_between"
    return Rule(name, kind, kwargs, doc, "batch", severity, (f"{name}__evidence",), find=find)


def all_present(parent: str, key: str, *, judged_only: bool = True) -> Rule:
    """Require a row here per `key` of `parent`. `judged_only`: leave out videos that the stage gave no result for."""

    def find(frame: pl.DataFrame, parents: Parents, _: pl.DataFrame) -> pl.DataFrame:
        expected = parents[parent]
        if judged_only:
            judged = parents["stage_outcomes"].filter(pl.col("status") == "ok")
            expected = expected.join(judged, on=["batch", "video_id"], how="semi")
        lost = expected.filter(pl.col(key).is_not_null()).join(frame, on=["batch", key], how="anti")
        return lost.select("batch", item=key).unique(maintain_order=True)

    return nothing_missing(f"every_{key.removesuffix('_id')}_is_there", f"each {key} of {parent} has a row", find)


# -- conditions that several tables share -----------------------------------------------------------------------------

SLACK_S = 0.1  # the last picture lasts one frame: ends may exceed the container's end by the length of a slow frame
ROUNDING_S = 1e-6


def video_link(*take: str) -> Link:
    return Link("video", "videos", {"video_id": "video_id"}, ("duration_s", "status", *take))


def child_link(name: str, table: str, column: str, *take: str, parent_column: str | None = None) -> Link:
    """Return a link to a row of another table in the same video."""
    return Link(name, table, {"video_id": "video_id", column: parent_column or column}, take)


def exists(link: Link, *, after: pl.Expr | None = None) -> Rule:
    """Require that the row a link points to exists: no orphans."""
    keys = tuple(link.on)
    doc = f"the {link.name} a row names is in {link.table} (of the same video)"
    return holds(f"{link.name}_exists", pl.col(f"{link.name}__found"), doc, keys, after=after)


def video_usable() -> Rule:
    return holds(
        "video_usable",
        pl.col("video__status") != "rejected",
        "rows come from videos that were not rejected",
        ("video_id", "video__status"),
    )


def interval_rules(*, inside: str | None = "video", slack_s: float = SLACK_S) -> tuple[Rule, ...]:
    """Require intervals that are half-open, ordered, and inside the video and the `inside` link, if that is another."""
    start, end = pl.col("start_s"), pl.col("end_s")
    in_video = (start >= -ROUNDING_S) & (end <= pl.col("video__duration_s") + slack_s)
    rules = [
        holds("interval_ordered", start < end, "start_s < end_s", ("start_s", "end_s")),
        holds(
            "interval_inside_video",
            in_video,
            "the interval lies within the video, on the container's clock in seconds",
            ("start_s", "end_s", "video__duration_s"),
            after=start < end,
        ),
    ]
    if inside not in (None, "video"):
        low, high = f"{inside}__start_s", f"{inside}__end_s"
        rules.append(
            holds(
                f"interval_inside_{inside}",
                (start >= pl.col(low) - slack_s) & (end <= pl.col(high) + slack_s),
                f"the interval lies within its {inside}",
                ("start_s", "end_s", low, high),
                after=(start < end) & in_video.fill_null(True),
            )
        )
    return tuple(rules)


def sane_interval() -> pl.Expr:
    """Return a precondition for `after`: the row's interval is ordered and inside its video."""
    start, end = pl.col("start_s"), pl.col("end_s")
    return (start < end) & (end <= pl.col("video__duration_s") + SLACK_S).fill_null(True)


def unit_length(column: str) -> Rule:
    """Require that an embedding, if present, has length 1 (float32 rounding allowed)."""
    norm = pl.col(column).list.eval(pl.element().cast(pl.Float64).pow(2)).list.sum().sqrt()
    good = (norm - 1).abs().le(1e-3) & norm.is_finite()
    there = pl.col(column).is_not_null()
    return holds(f"{column}_unit_length", good.fill_null(False), f"{column} has length 1", after=there)


def reason_given(*best: str) -> Rule:
    """Require a reason for every status other than the best ones."""
    said = pl.col("status").is_in(best) | pl.col("reason").is_not_null()
    return holds("reason_given", said, f"a status other than {', '.join(best)} has a reason", ("status", "reason"))
