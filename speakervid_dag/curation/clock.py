"""Seconds spent in the parts of a stage.

Belongs here: the stopwatch passed to pure code. Does not belong here: timing of whole stages (stages/stage.py).
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class PartClock:
    """Wall time by part, s."""

    spent_s: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Add the time spent inside to the part, also when it raises."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.spent_s[part] = self.spent_s.get(part, 0.0) + time.perf_counter() - start
