"""The funnel of one profile, as rows and as a picture beside the papers' funnels.

Belongs here: choosing the rows and drawing them as SVG. Does not belong here: counting (batch_funnel.sql and
published_funnels.sql in sql/statistics) and printing.
"""

from dataclasses import dataclass
from html import escape

import polars as pl

from speakervid_dag.config.settings import Settings
from speakervid_dag.failures import UserError
from speakervid_dag.lake.queries.published import open_published
from speakervid_dag.lake.queries.session import Session, run_sql

SHOWN = [
    "section", "step", "count_in", "kept", "rejected", "not_evaluated", "hours_in", "hours_kept", "is_conserved",
]  # fmt: skip
ROW_PX, BAR_PX, LABEL_PX, PANEL_PX, TOP_PX = 24, 190, 190, 580, 44
LEGEND = (
    ("source", "files, shots, tracks, clips"),
    ("pretrain", "gates that reject"),
    ("sft", "gates that bar from sft"),
    ("tiers", "tiers"),
    ("paper", "published by the papers"),
)
COLOURS = {"source": "#7a8794", "pretrain": "#2f7ab8", "sft": "#2b9360", "tiers": "#333333", "paper": "#b07a2b"}


@dataclass(frozen=True)
class Bar:
    """One line of the picture; `share`: 0-1 of the hours in the panel's first step."""

    label: str
    text: str
    share: float
    colour: str


def funnel_of(settings: Settings, profile: str, batch: str | None = None, as_of: str | None = None) -> pl.DataFrame:
    """Return the profile's rows of sql/statistics/funnel.sql (for one batch: of batch_funnel.sql).

    Raises:
        UserError: the profile was not applied to the lake, or there is no such batch.
    """
    with open_published(settings.lake_dir, as_of) as con:
        rows = run_sql(con, "FROM funnel" if batch is None else "FROM batch_funnel")
        if batch is not None:
            rows = _of(rows, "batch", batch, "retier or run it first")
        return _of(rows, "profile", profile, f"apply it with `speakervid retier --profile {profile}`")


def published(con: Session) -> pl.DataFrame:
    """Return the rows of sql/statistics/published_funnels.sql."""
    return run_sql(con, "FROM published_funnels")


def picture(rows: pl.DataFrame, papers: pl.DataFrame, title: str) -> str:
    """Return an SVG: the funnel's steps as bars of hours on the left, each paper's published steps on the right.

    Bar lengths are shares of the hours in the panel's own source, so they can be compared between panels.
    """
    own = _bars(rows)
    panels = [(title, own)]
    for (paper,), steps in papers.group_by("paper", maintain_order=True):
        panels.append((f"{paper}, as published", [_paper_bar(s) for s in steps.iter_rows(named=True)]))
    lines = max(len(own), sum(len(bars) + 3 for _, bars in panels[1:]))
    width, height = 2 * PANEL_PX + 20, TOP_PX + ROW_PX * (lines + 2)
    drawn = _panel(*panels[0], x=10, y=0)
    y = 0
    for heading, bars in panels[1:]:
        drawn += _panel(heading, bars, x=PANEL_PX + 20, y=y)
        y += ROW_PX * (len(bars) + 3)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
            'font-family="sans-serif" font-size="12">',
            f'<rect width="{width}" height="{height}" fill="white"/>',
            *drawn,
            *_legend(height - ROW_PX),
            "</svg>",
            "",
        ]
    )


def _of(rows: pl.DataFrame, column: str, wanted: str, advice: str) -> pl.DataFrame:
    found = rows.filter(pl.col(column) == wanted)
    if found.is_empty():
        there = ", ".join(sorted(rows[column].drop_nulls().unique())) or "none"
        raise UserError(f"there is no {column} '{wanted}' in the funnel (there are: {there}): {advice}")
    return found


def _bars(rows: pl.DataFrame) -> list[Bar]:
    whole = rows["hours_in"].drop_nulls().head(1).sum() or 1.0
    out = []
    for row in rows.iter_rows(named=True):
        label = row["step"].removeprefix("sft gate: ").removeprefix("gate: ")
        lost = (row["rejected"] or 0) + (row["not_evaluated"] or 0)
        loss = f" · −{lost}" if lost else ""
        gap = f" ({row['not_evaluated']} not evaluated)" if row["not_evaluated"] else ""
        text = f"{_hours(row['hours_kept'])} · {row['hours_kept'] / whole:.1%} · {row['kept']:,}{loss}{gap}"
        out.append(Bar(label, text, row["hours_kept"] / whole, COLOURS[row["section"]]))
    return out


def _paper_bar(step: dict[str, object]) -> Bar:
    share, hours, clips = float(str(step["share"])), float(str(step["hours"])), step["clips"]
    told = f" · {clips:,} clips" if isinstance(clips, int) else ""
    return Bar(str(step["step"]), f"{_hours(hours)} · {share:.1%}{told}", share, COLOURS["paper"])


def _hours(hours: float) -> str:
    return f"{hours:,.0f} h" if hours >= 100 else f"{hours:.2f} h" if hours >= 1 else f"{hours * 3600:,.0f} s"


def _panel(heading: str, bars: list[Bar], *, x: int, y: int) -> list[str]:
    """Draw a heading and one line per bar: label, bar of its share, text."""
    top = TOP_PX + y
    out = [f'<text x="{x}" y="{top - 24}" font-size="15" font-weight="bold">{escape(heading)}</text>']
    for i, bar in enumerate(bars):
        middle, left = top + i * ROW_PX, x + LABEL_PX
        length = BAR_PX * min(bar.share, 1.0)
        out += [
            f'<text x="{left - 8}" y="{middle + 12}" text-anchor="end">{escape(bar.label)}</text>',
            f'<rect x="{left}" y="{middle}" width="{BAR_PX}" height="{ROW_PX - 8}" fill="#eef0f2"/>',
            f'<rect x="{left}" y="{middle}" width="{length:.1f}" height="{ROW_PX - 8}" fill="{bar.colour}"/>',
            f'<text x="{left + BAR_PX + 8}" y="{middle + 12}">{escape(bar.text)}</text>',
        ]
    return out


def _legend(y: int) -> list[str]:
    out = []
    for i, (name, told) in enumerate(LEGEND):
        x = 10 + i * 220
        out.append(f'<rect x="{x}" y="{y}" width="12" height="12" fill="{COLOURS[name]}"/>')
        out.append(f'<text x="{x + 18}" y="{y + 11}">{escape(told)}</text>')
    return out
