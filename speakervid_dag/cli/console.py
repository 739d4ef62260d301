"""What a person sees in the terminal while a run goes on, and the tables printed at its end.

Belongs here: drawing with rich. Does not belong here: computing what is drawn.
"""

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import polars as pl
from rich import box
from rich.console import Console, JustifyMethod
from rich.markup import escape
from rich.measure import Measurement
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from speakervid_dag.formats import cell, quantity
from speakervid_dag.stages.progress import Nobody, watch_with

PIPE_WIDTH = 10**9  # columns where there is no terminal (a log, a pipe): nothing is folded


def _console(*, stderr: bool) -> Console:
    """A console that prints what it is given: no markup, no emoji codes."""
    plain = Console(stderr=stderr, markup=False, emoji=False)
    if plain.is_terminal:
        return plain
    return Console(stderr=stderr, markup=False, emoji=False, width=PIPE_WIDTH, soft_wrap=True)


out = _console(stderr=False)
err = _console(stderr=True)


def say(text: str) -> None:
    """One line for a person, on stderr, so that stdout stays data."""
    err.print(text, highlight=False)


def print_line(text: str) -> None:
    """Print one line (or a text of several) on stdout as it is: nothing is folded, no word of it is markup."""
    out.print(text, highlight=False, soft_wrap=True)


class TerminalWatcher:
    """Draws one bar a stage: how far in media seconds, which video, time left. Without a terminal: a line a stage."""

    def __init__(self) -> None:
        self.progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.fields[stage]:<17}"),
            BarColumn(24),
            TextColumn("{task.completed:.0f}/{task.total:.0f} s"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[video]}", style="dim"),
            console=err,
            transient=False,
        )
        self._task: TaskID | None = None
        self._base = self._media = 0.0
        self._label = ""
        self._started = time.monotonic()
        self._told = 0

    def stage_started(self, stage: str, batch: str, videos: int, media_s: float) -> None:
        self._label, self._base, self._media = stage, 0.0, 0.0
        self._started, self._told = time.monotonic(), videos
        self._task = self.progress.add_task("", total=max(media_s, 1.0), stage=stage, video="")

    def video_started(self, name: str, media_s: float) -> None:
        self._base += self._media
        self._media = media_s
        self._update(self._base, escape(name[:40]))

    def video_advanced(self, done_s: float) -> None:
        if self._task is not None:
            self.progress.update(self._task, completed=self._base + min(done_s, self._media))

    def video_done(self, status: str, reason: str | None) -> None:
        self._update(self._base + self._media, "")

    def stage_advanced(self, done_s: float, videos: str) -> None:
        self._update(done_s, escape(videos[:40]))

    def stage_done(self, elapsed_s: float) -> None:
        if self._task is None:
            return
        total = self.progress.tasks[self._task].total or 0.0
        self.progress.update(self._task, completed=total, video="")
        self.progress.stop_task(self._task)
        if not err.is_terminal:
            say(f"  {self._label:<17} {quantity(self._told, 'video')}, {elapsed_s:.1f} s")

    def _update(self, completed: float, video: str) -> None:
        if self._task is not None:
            self.progress.update(self._task, completed=completed, video=video)


@contextmanager
def watched_run() -> Iterator[None]:
    """Draws the progress of everything inside."""
    shown = TerminalWatcher()
    watch_with(shown)
    try:
        if err.is_terminal:
            with shown.progress:
                yield
        else:
            yield
    finally:
        watch_with(Nobody())


def print_frame(frame: pl.DataFrame, *, title: str = "", columns: Sequence[str] | None = None) -> None:
    """A report's frame as a table on stdout, folded to the width of a terminal."""
    shown = frame.select(columns) if columns else frame
    out.print(_grid(shown.columns, list(shown.iter_rows()), title, splits_words=True), soft_wrap=False)


def print_rows(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """An answer's rows as a table on stdout, no word and no id of which is split.

    Where that does not fit the terminal: one column a line. Without a terminal each row is one line.
    """
    held = list(rows)
    table = _grid(names, held)
    needed = Measurement.get(out, out.options.update(max_width=PIPE_WIDTH), table).minimum
    if not out.is_terminal or needed <= out.width:
        out.print(table, soft_wrap=False)
        return
    if not held:
        out.print("no rows")
    widest = max(map(len, names))
    for number, row in enumerate(held, 1):
        out.print(Text(f"row {number}", style="bold"))
        for name, value in zip(names, row, strict=True):
            out.print(Text.assemble((name.ljust(widest), "bold"), "  ", cell(value)), soft_wrap=True)


def _grid(names: Sequence[str], rows: Sequence[Sequence[Any]], title: str = "", *, splits_words: bool = False) -> Table:
    can_draw = "utf" in (sys.stdout.encoding or "").lower()
    table = Table(
        title=Text(title) if title else None,
        title_justify="left",
        header_style="bold",
        box=box.HEAVY_HEAD if can_draw else box.ASCII2,
    )
    cells = [[cell(value) for value in row] for row in rows]
    for index, name in enumerate(names):
        values = [row[index] for row in rows if row[index] is not None]
        is_number = all(isinstance(v, int | float | Decimal) and not isinstance(v, bool) for v in values)
        is_prose = any(" " in row[index] for row in cells)
        justify: JustifyMethod = "right" if values and is_number else "left"
        table.add_column(Text(name), justify=justify, overflow="fold", no_wrap=not (splits_words or is_prose))
    for row in cells:
        table.add_row(*map(Text, row))
    return table


class Counter:
    """A bar for each kind of things that are counted; without a terminal, a line once all of a kind are done."""

    def __init__(self) -> None:
        self._what, self._total, self._started = "", 0, 0.0
        columns = (TextColumn("{task.description}"), BarColumn(24), TextColumn("{task.completed}/{task.total}"))
        self.progress = Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=err)
        self._task: TaskID | None = None

    def began(self, what: str, count: int) -> None:
        self.end()
        self._what, self._total, self._started = what, count, time.monotonic()
        self._task = self.progress.add_task(what, total=count)

    def advanced(self, count: int) -> None:
        """Safe to call from several threads."""
        if self._task is not None:
            self.progress.update(self._task, advance=count)

    def end(self) -> None:
        if self._task is not None and not err.is_terminal:
            say(f"{self._total} {self._what}, {time.monotonic() - self._started:.1f} s")
        self._task = None


@contextmanager
def counted() -> Iterator[Counter]:
    """Draws how many things are done inside."""
    shown = Counter()
    if err.is_terminal:
        with shown.progress:
            yield shown
    else:
        yield shown
    shown.end()
