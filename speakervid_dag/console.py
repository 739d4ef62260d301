"""What a person sees in the terminal while a run goes on, and the tables printed at its end.

Belongs here: drawing with rich. Does not belong here: computing what is drawn.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from speakervid_dag.progress import Nobody, watch_with

PIPE_WIDTH = 200  # columns where there is no terminal to ask (a log, a pipe)


def _console(*, stderr: bool) -> Console:
    plain = Console(stderr=stderr)
    return plain if plain.is_terminal else Console(stderr=stderr, width=PIPE_WIDTH)


out = _console(stderr=False)
err = _console(stderr=True)


def say(text: str) -> None:
    """One line for a person, on stderr, so that stdout stays data."""
    err.print(escape(text), highlight=False)


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

    def stage_done(self, elapsed_s: float) -> None:
        if self._task is None:
            return
        total = self.progress.tasks[self._task].total or 0.0
        self.progress.update(self._task, completed=total, video="")
        self.progress.stop_task(self._task)
        if not err.is_terminal:
            say(f"  {self._label:<17} {self._told} videos, {elapsed_s:.1f} s")

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
    """A frame as a table on stdout; values are data, never markup."""
    table = Table(title=title or None, title_justify="left", header_style="bold")
    shown = frame.select(columns) if columns else frame
    for name, dtype in shown.schema.items():
        table.add_column(name, justify="right" if dtype.is_numeric() else "left", overflow="fold")
    for row in shown.iter_rows():
        table.add_row(*(escape(_cell(v)) for v in row))
    out.print(table)


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:,.3f}" if isinstance(value, float) else str(value)


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
