"""Distributions as SVG: clips by value of a score, with the profile's thresholds; clips by duration.

Belongs here: pure functions from counts to pictures. Does not belong here: queries, colours (templates/*.css).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from xml.etree.ElementTree import Element

from speakervid_dag.rendering import svg
from speakervid_dag.rendering.text import count, figure

TIERS = ("sft", "pretrain", "rejected")  # from the bottom of a bar to its top
WIDTH, HEIGHT = 340.0, 150.0
LEFT, RIGHT, TOP, FLOOR = 8.0, 332.0, 34.0, 126.0
LABEL_PX = 6.2  # a character of a label, about
TICKS = 5  # of an axis, about
Bar = Mapping[str, int]  # tier → clips


@dataclass(frozen=True)
class Threshold:
    """One gate's line: a clip passes if `value keep threshold` holds."""

    level: str  # pretrain | sft
    keep: str
    value: float
    is_enforced: bool


@dataclass(frozen=True)
class Axis:
    """Axis from `low` to `high` over the width of the chart."""

    low: float
    high: float

    def x(self, value: float) -> float:
        inside = min(max(value, self.low), self.high)
        return LEFT + (inside - self.low) / (self.high - self.low) * (RIGHT - LEFT)


def axis_for(low: float, high: float, thresholds: Sequence[float]) -> Axis:
    """Return an axis that holds the values and every threshold, with a small margin; never empty."""
    low, high = min([low, *thresholds]), max([high, *thresholds])
    room = (high - low) * 0.04 or max(abs(low) * 0.1, 0.5)
    return Axis(max(low - room, 0.0) if low >= 0 else low - room, high + room)


def round_ticks(axis: Axis) -> list[float]:
    """Return two to six ticks inside the axis, at multiples of 1, 2 or 5 times a power of ten."""
    raw = (axis.high - axis.low) / TICKS
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw)
    first = math.ceil(axis.low / step - 1e-9)
    return [i * step for i in range(first, math.floor(axis.high / step + 1e-9) + 1)]


def distribution(bars: Sequence[Bar], axis: Axis, thresholds: Sequence[Threshold], label: str) -> Element:
    """Draw clips by value, stacked by tier; the failing side of each enforced threshold is shaded."""
    picture = svg.canvas(WIDTH, HEIGHT, label)
    for line in thresholds:
        if line.is_enforced:
            fails_below = line.keep in (">", ">=")
            start, end = (LEFT, axis.x(line.value)) if fails_below else (axis.x(line.value), RIGHT)
            svg.box(picture, start, TOP, end - start, FLOOR - TOP, "fails")
    edges = [axis.low + (axis.high - axis.low) * i / len(bars) for i in range(len(bars) + 1)]
    tips = [f"{figure(a)} to {figure(b)}" for a, b in pairwise(edges)]
    _stack(picture, bars, tips)
    told = [(axis.x(line.value), line, TOP - 6 - 13 * i) for i, line in enumerate(sorted(thresholds, key=_by_level))]
    for x, line, y in told:
        kind = "threshold" if line.is_enforced else "threshold informs"
        svg.add(picture, "line", x1=x, x2=x, y1=y + 4, y2=FLOOR, class_=kind)
    for x, line, y in told:  # above every line
        text = f"{line.level} {line.keep.replace('>=', '≥').replace('<=', '≤')} {figure(line.value)}"
        half = len(text) * LABEL_PX / 2
        centre = min(max(x, LEFT + half), RIGHT - half)
        svg.add(picture, "text", text, x=centre, y=y, class_="label", text_anchor="middle")
    _floor(picture, [(tick, figure(tick)) for tick in round_ticks(axis)], axis)
    return picture


def durations(bars: Mapping[int, Bar], label: str) -> Element:
    """Draw clips by whole seconds, stacked by tier."""
    last = max(bars, default=0)
    picture = svg.canvas(WIDTH, HEIGHT, label)
    shown = [bars.get(second, {}) for second in range(last + 1)]
    _stack(picture, shown, [f"{second} to {second + 1} s" for second in range(last + 1)])
    axis = Axis(0.0, last + 1.0)
    step = max(1, round((last + 1) / 5))
    _floor(picture, [(float(s), f"{s} s" if s else "0") for s in range(0, last + 2, step)], axis)
    return picture


def _stack(picture: Element, bars: Sequence[Bar], tips: Sequence[str]) -> None:
    highest = max((sum(bar.values()) for bar in bars), default=0) or 1
    width = (RIGHT - LEFT) / max(len(bars), 1)
    for i, (bar, tip) in enumerate(zip(bars, tips, strict=True)):
        y = FLOOR
        for tier in TIERS:
            clips = bar.get(tier, 0)
            if clips:
                height = max((FLOOR - TOP) * clips / highest, 1.0)
                y -= height
                tip_text = f"{tip}: {count(clips)} {tier}"
                svg.box(picture, LEFT + i * width + 0.5, y, width - 1, height, tier, tip_text)


def _by_level(line: Threshold) -> str:
    return line.level


def _floor(picture: Element, ticks: Sequence[tuple[float, str]], axis: Axis) -> None:
    svg.add(picture, "line", x1=LEFT, x2=RIGHT, y1=FLOOR, y2=FLOOR, class_="axis")
    for value, text in ticks:
        x = axis.x(value)
        anchor = "start" if x < LEFT + 10 else "end" if x > RIGHT - 10 else "middle"
        svg.add(picture, "text", text, x=x, y=FLOOR + 15, class_="label", text_anchor=anchor)
