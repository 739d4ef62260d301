"""Picture of one profile's funnel beside those of the papers.

Belongs here: the pure function from rows to SVG. Does not belong here: choosing and counting the rows
(tiering/funnel.py, sql/statistics), colours (templates/funnel.css).
"""

from dataclasses import dataclass
from xml.etree.ElementTree import Element

import polars as pl

from speakervid_dag.rendering import pages, svg
from speakervid_dag.rendering.text import many

ROW_PX, BAR_PX, LABEL_PX, PANEL_PX, TOP_PX = 24, 190, 190, 580, 44
LEGEND = (
    ("source", "files, shots, tracks, clips"),
    ("pretrain", "gates that reject"),
    ("sft", "gates that bar from sft"),
    ("tiers", "tiers"),
    ("paper", "published by the papers"),
)


@dataclass(frozen=True)
class Bar:
    """One line of the picture; `share`: 0-1 of the hours of the panel's first step; `section`: a key of LEGEND."""

    label: str
    text: str
    share: float
    section: str


def picture(rows: pl.DataFrame, papers: pl.DataFrame, title: str) -> bytes:
    """Return an SVG file: the funnel's steps as bars of hours on the left, each paper's published steps on the right.

    A bar's length is its share of the hours of its panel's source, so shares can be compared between panels.

    Args:
        rows: from tiering.funnel.funnel_of.
        papers: from tiering.funnel.published.
    """
    own = _bars(rows)
    published = [
        (f"{paper}, as published", [_paper_bar(step) for step in steps.iter_rows(named=True)])
        for (paper,), steps in papers.group_by("paper", maintain_order=True)
    ]
    lines = max(len(own), sum(len(bars) + 3 for _, bars in published))
    width, height = 2 * PANEL_PX + 20, TOP_PX + ROW_PX * (lines + 2)
    drawn = svg.canvas(width, height, title)
    svg.box(drawn, 0, 0, width, height, "ground")
    _panel(drawn, title, own, x=10, y=0)
    y = 0
    for heading, bars in published:
        _panel(drawn, heading, bars, x=PANEL_PX + 20, y=y)
        y += ROW_PX * (len(bars) + 3)
    _legend(drawn, height - ROW_PX)
    return svg.standalone(drawn, pages.template_text("funnel.css", "speakervid_dag.report"))


def _bars(rows: pl.DataFrame) -> list[Bar]:
    whole = rows["hours_in"].drop_nulls().head(1).sum() or 1.0
    out = []
    for row in rows.iter_rows(named=True):
        label = row["step"].removeprefix("sft gate: ").removeprefix("gate: ")
        lost = (row["rejected"] or 0) + (row["not_evaluated"] or 0)
        loss = f" · −{lost}" if lost else ""
        gap = f" ({row['not_evaluated']} not evaluated)" if row["not_evaluated"] else ""
        text = f"{_hours(row['hours_kept'])} · {row['hours_kept'] / whole:.1%} · {row['kept']:,}{loss}{gap}"
        out.append(Bar(label, text, row["hours_kept"] / whole, row["section"]))
    return out


def _paper_bar(step: dict[str, object]) -> Bar:
    share, hours, clips = float(str(step["share"])), float(str(step["hours"])), step["clips"]
    told = f" · {many(clips, 'clip')}" if isinstance(clips, int) else ""
    return Bar(str(step["step"]), f"{_hours(hours)} · {share:.1%}{told}", share, "paper")


def _hours(hours: float) -> str:
    return f"{hours:,.0f} h" if hours >= 100 else f"{hours:.2f} h" if hours >= 1 else f"{hours * 3600:,.0f} s"


def _panel(drawn: Element, heading: str, bars: list[Bar], *, x: int, y: int) -> None:
    """Add a heading and one line per bar: label, bar of its share, text."""
    top, left = TOP_PX + y, x + LABEL_PX
    svg.add(drawn, "text", heading, x=x, y=top - 24, class_="heading")
    for i, bar in enumerate(bars):
        line, length = top + i * ROW_PX, BAR_PX * min(bar.share, 1.0)
        svg.add(drawn, "text", bar.label, x=left - 8, y=line + 12, text_anchor="end")
        svg.box(drawn, left, line, BAR_PX, ROW_PX - 8, "whole")
        svg.add(drawn, "rect", x=left, y=line, width=length, height=ROW_PX - 8, class_=bar.section)  # 0 draws nothing
        svg.add(drawn, "text", bar.text, x=left + BAR_PX + 8, y=line + 12)


def _legend(drawn: Element, y: int) -> None:
    for i, (section, text) in enumerate(LEGEND):
        x = 10 + i * 220
        svg.box(drawn, x, y, 12, 12, section)
        svg.add(drawn, "text", text, x=x + 18, y=y + 11)
