"""Progress of long work, told to whoever watches: a terminal, a log, or nobody.

Belongs here: the protocol and the process-wide watcher. Does not belong here: how it is drawn (console.py).
"""

from typing import Protocol


class Watcher(Protocol):
    """Hears of stages and videos as they go."""

    def stage_started(self, stage: str, batch: str, videos: int, media_s: float) -> None: ...
    def video_started(self, name: str, media_s: float) -> None: ...
    def video_advanced(self, done_s: float) -> None: ...
    def video_done(self, status: str, reason: str | None) -> None: ...
    def stage_done(self, elapsed_s: float) -> None: ...


class Nobody:
    """A watcher that looks away."""

    def stage_started(self, stage: str, batch: str, videos: int, media_s: float) -> None: ...
    def video_started(self, name: str, media_s: float) -> None: ...
    def video_advanced(self, done_s: float) -> None: ...
    def video_done(self, status: str, reason: str | None) -> None: ...
    def stage_done(self, elapsed_s: float) -> None: ...


class Tally(Protocol):
    """Hears how many things of a kind there are, and of each that is done."""

    def began(self, what: str, count: int) -> None: ...
    def advanced(self, count: int) -> None: ...


class NoTally:
    """A tally that nobody keeps."""

    def began(self, what: str, count: int) -> None: ...
    def advanced(self, count: int) -> None: ...


_watcher: Watcher = Nobody()


def watcher() -> Watcher:
    return _watcher


def watch_with(new: Watcher) -> None:
    """Sets the process's watcher (the command line does, before it starts a run)."""
    global _watcher
    _watcher = new
