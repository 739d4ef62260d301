"""The outcome of a run, as shown in its summary.

Belongs here: the values. Does not belong here: collecting them (runner.py), printing them (cli/summary.py).
"""

from dataclasses import dataclass, field

import polars as pl

from speakervid_dag.lake.batches import Plan
from speakervid_dag.lake.snapshots.losses import Loss, as_frame

AFTER_EVERY_RUN = ("lake_snapshot", "branch_statistics", "funnel", "person_statistics")


@dataclass
class RunReport:
    """Outcome of a run.

    Attributes:
        failed: batch → reason.
        vanished: names of new files that disappeared before they were read.
        held: losses because of which batches are still shown as before.
        lost: what readers see less of than before; filled only with `allow_loss`.
        unreadable: one line per table with a lost data file.
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
        """True if everything requested was done."""
        return not (self.failed or self.plan.unread or self.vanished or self.held or self.unreadable)

    @property
    def did_nothing(self) -> bool:
        return not self.done and not self.failed
