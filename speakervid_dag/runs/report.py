"""What a run did, as its summary tells it.

Belongs here: the values. Does not belong here: gathering them (runner.py), printing them (cli/summary.py).
"""

from dataclasses import dataclass, field

import polars as pl

from speakervid_dag.lake.batches import Plan
from speakervid_dag.lake.snapshots.losses import Loss, as_frame

AFTER_EVERY_RUN = ("lake_snapshot", "branch_statistics", "funnel", "person_statistics")


@dataclass
class RunReport:
    """What a run did.

    Attributes:
        failed: batch → why.
        vanished: names of new files that were gone before they were read.
        held: losses for whose sake batches are shown as they were before.
        lost: what readers see fewer of than before, where the person who started the run allows that.
        unreadable: one line per table of which a data file is still lost.
    """

    done: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    plan: Plan = field(default_factory=lambda: Plan({}))
    vanished: list[str] = field(default_factory=list)
    held: list[Loss] = field(default_factory=list)
    lost: pl.DataFrame = field(default_factory=lambda: as_frame([]))
    unreadable: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether everything that was asked for was done."""
        return not (self.failed or self.plan.unread or self.vanished or self.held or self.unreadable)

    @property
    def did_nothing(self) -> bool:
        return not self.done and not self.failed
