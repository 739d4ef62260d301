"""Progress of long work, reported to a terminal, a log, or nobody.

Belongs here: the protocol and the process-wide watcher. Does not belong here: how it is drawn (cli/console.py).
"""

from typing import Protocol


class Watcher(Protocol):
    """Receiver of the progress of stages and videos.

    Videos come one after the other, or, where several are computed at once, together as `stage_advanced`: seconds of
    media done so far, and the names of those under way.
    """

    def stage_started(self, stage: str, batch: str, videos: int, media_s: float) -> None: ...
    def video_started(self, name: str, media_s: float) -> None: ...
    def video_advanced(self, done_s: float) -> None: ...
    def video_done(self, status: str, reason: str | None) -> None: ...
    def stage_advanced(self, done_s: float, videos: str) -> None: ...
    def stage_done(self, elapsed_s: float) -> None: ...


class Nobody:
    """A watcher that ignores everything."""

    def stage_started(self, stage: str, batch: str, videos: int, media_s: float) -> None: ...
    def video_started(self, name: str, media_s: float) -> None: ...
    def video_advanced(self, done_s: float) -> None: ...
    def video_done(self, status: str, reason: str | None) -> None: ...
    def stage_advanced(self, done_s: float, videos: str) -> None: ...
    def stage_done(self, elapsed_s: float) -> None: ...


class Tally(Protocol):
    """Receiver of a count: how many items of a kind there are, and how many are done."""

    def began(self, what: str, count: int) -> None: ...
    def advanced(self, count: int) -> None: ...


class NoTally:
    """A tally that ignores everything."""

    def began(self, what: str, count: int) -> None: ...
    def advanced(self, count: int) -> None: ...


_watcher: Watcher = Nobody()


def watcher() -> Watcher:
    return _watcher


def watch_with(new: Watcher) -> None:
    """Set the process's watcher; the command line does so before it starts a run."""
    global _watcher
    _watcher = new
