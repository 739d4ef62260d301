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

    def repaired(self, ticks: int, duration: int = 0, order: int | None = None) -> int:
        """The time on the joined clock.

        Args:
            order: the packet's place on the clock by which packets are decoded, where they come in that order: a
                restart takes it back as well, a picture that is decoded after a later one does not. None: `ticks`.
        """
        order = ticks if order is None else order
        moved = ticks + self._offset
        if self._newest is not None and order + self._offset < self._newest - self._restart:
            self._offset += self.end - moved
            self.restarts += 1
            moved = self.end
        end = moved + (duration or self._default)
        self.end = end if self._newest is None else max(self.end, end)
        placed = order + self._offset
        self._newest = placed if self._newest is None else max(self._newest, placed)
        return moved


def pace(intervals: list[float], tick_s: float) -> tuple[float, bool]:
    """Pictures a second (0 where nothing tells), and whether the intervals (s) between them vary.

    They vary where more of them than the odd one (a dropped picture, a stall) leave the usual one by more than rounding
    explains. A steady pace is that of the usual intervals, whatever the odd ones last; a varying one is the average.
    """
    if not intervals:
        return 0.0, False
    middle = median(intervals)
    tolerance_s = max(IRREGULAR_PART * middle, 2 * tick_s if tick_s < middle / 2 else 0.0, ROUNDING_S)
    usual = [interval for interval in intervals if abs(interval - middle) <= tolerance_s]
    irregular = len(intervals) - len(usual)
    varies = len(intervals) > 1 and irregular > max(1.0, IRREGULAR_SHARE * len(intervals))
    counted = intervals if varies else usual
    return (len(counted) / sum(counted) if sum(counted) > 0 else 0.0), varies
