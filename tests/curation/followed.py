"""A face that a script puts somewhere, as what watches tracks sees it, and the frames it is seen in."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

Box = tuple[float, float, float, float]


@dataclass
class Seen:
    time_s: float
    image: NDArray[np.uint8]
    full: NDArray[np.uint8] | None = None


@dataclass(eq=False)
class Followed:
    """Stands for a tracking.Track: where the face is now, and when it was seen."""

    box: Box
    roll_deg: float = 0.0
    times_s: list[float] = field(default_factory=list)

    def see(self, time_s: float, box: Box | None = None) -> None:
        self.times_s.append(time_s)
        self.box = box or self.box

    def kept(self) -> list[Any]:
        return [SimpleNamespace(time_s=t) for t in self.times_s]


def plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row with its series as lists."""
    return {name: v.to_list() if isinstance(v, pl.Series) else v for name, v in row.items()}
