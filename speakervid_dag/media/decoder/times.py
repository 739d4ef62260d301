"""Repair of presentation times: joining of restarts, frame rate and its regularity.

Belongs here: arithmetic on timestamps. Does not belong here: streams, packets and frames. Standard library only.
"""

from statistics import median

RESTART_S = 1.0  # a step back this long is a restarted clock; a shorter one is a picture out of order
IRREGULAR_SHARE = 0.01  # of the intervals; a single dropped picture does not make the rate variable
IRREGULAR_PART = 0.1  # of the median interval
ROUNDING_S = 0.002  # Matroska and FLV round times to 1 ms


class RisingOrigin:
    """Joins clocks that restart: after a step back of more than a second, the new clock continues where the old ended.

    Args:
        ticks_per_s: unit of the times given.
        default_ticks: length of a packet without one.
    """

    def __init__(self, ticks_per_s: float, default_ticks: int) -> None:
        self._restart = RESTART_S * ticks_per_s
        self._default = default_ticks
        self._offset = 0
        self._newest: int | None = None
        self.end: int = 0
        self.restarts = 0

    def repaired(self, ticks: int, duration: int = 0, order: int | None = None) -> int:
        """Return the time on the joined clock.

        Args:
            order: the packet's decoding time, if packets come in decoding order. A restart steps it back too; a
                picture that is merely decoded after a later one does not. None: `ticks`.
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
    """Return pictures per second (0 if unknown), and whether the intervals (s) between them vary.

    They vary if more than a few (a dropped picture, a stall) differ from the median by more than rounding explains. The
    rate is that of the usual intervals if they are steady, or else the average of all.
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
