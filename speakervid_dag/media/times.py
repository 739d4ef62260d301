"""Presentation times made usable: restarts joined, regularity judged.

Belongs here: arithmetic on timestamps. Does not belong here: streams, packets and frames. Standard library only.
"""

from statistics import median

RESTART_S = 1.0  # a step back this long is a restarted clock; a shorter one is a picture out of order
IRREGULAR_SHARE = 0.01  # of the intervals; a single dropped picture does not make a file variable
IRREGULAR_PART = 0.1  # of the median interval
ROUNDING_S = 0.002  # Matroska and FLV round times to 1 ms


class RisingOrigin:
    """Joins clocks that restart: after a step back of a second or more, the new clock goes on where the old one ended.

    Args:
        ticks_per_s: unit of the times given.
        default_ticks: length of a packet that has none.
    """

    def __init__(self, ticks_per_s: float, default_ticks: int) -> None:
        self._restart = RESTART_S * ticks_per_s
        self._default = default_ticks
        self._offset = 0
        self._newest: int | None = None
        self.end: int = 0
        self.restarts = 0

    def repaired(self, ticks: int, duration: int = 0) -> int:
        """The time on the joined clock."""
        moved = ticks + self._offset
        if self._newest is not None and moved < self._newest - self._restart:
            self._offset += self.end - moved
            self.restarts += 1
            moved = self.end
        end = moved + (duration or self._default)
        self.end = end if self._newest is None else max(self.end, end)
        self._newest = moved if self._newest is None else max(self._newest, moved)
        return moved


def is_variable(intervals: list[float], tick_s: float) -> bool:
    """Whether intervals (s) between pictures differ by more than rounding and the odd dropped picture explain."""
    if len(intervals) < 2:
        return False
    middle = median(intervals)
    tolerance_s = max(IRREGULAR_PART * middle, 2 * tick_s if tick_s < middle / 2 else 0.0, ROUNDING_S)
    irregular = sum(abs(interval - middle) > tolerance_s for interval in intervals)
    return irregular > max(1.0, IRREGULAR_SHARE * len(intervals))
