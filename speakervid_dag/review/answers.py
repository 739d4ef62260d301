"""One reviewer's answers in the table `reviews`: audited, committed one by one, changeable.

Belongs here: storing an answer in its slice, the lock that keeps a reviewer to one sitting at a time. Does not belong
here: the questions (questions.py, queue.py).
"""

import re
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
from filelock import FileLock, Timeout

from speakervid_dag.failures import OperationError, UserError
from speakervid_dag.lake.schemas import REVIEWS
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.lake.storage.slices import Slice, data_version_of
from speakervid_dag.quality_checks import factory
from speakervid_dag.quality_checks.audit import audit

NAME = re.compile(r"[\w.-]{1,40}", re.ASCII)


class AnswerBook:
    """The answers of one reviewer during a sitting; a context manager.

    Raises:
        UserError: not a plain name, or somebody is already reviewing under it.
    """

    def __init__(self, lake: DeltaLake, lake_dir: Path, reviewer: str) -> None:
        if not NAME.fullmatch(reviewer):
            raise UserError(f"a reviewer's name is 1-40 letters, digits, '.', '_' or '-', not '{reviewer}'")
        self.lake, self.reviewer = lake, reviewer
        self._turn = threading.Lock()
        self._lock = FileLock(lake_dir / f".review-{reviewer}.lock")
        try:
            self._lock.acquire(blocking=False)
        except Timeout as problem:
            raise UserError(f"'{reviewer}' is reviewing this lake already: choose another --reviewer") from problem

    def __enter__(self) -> "AnswerBook":
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def asked(self) -> pl.DataFrame:
        """Return what everybody was asked (reviewer, question, measure, subject_id), never their answers."""
        return self.lake.read(REVIEWS).select("reviewer", "question", "measure", "subject_id")

    def save(self, row: Mapping[str, Any]) -> None:
        """Store one answer; it replaces an earlier one to the same question.

        Raises:
            OperationError: the audit or the store refused it.
        """
        made = REVIEWS.frame([{**row, "reviewer": self.reviewer}])
        part = Slice({"batch": made["batch"][0], "reviewer": self.reviewer})
        with self._turn:
            mine = pl.all_horizontal(pl.col(name) == value for name, value in part.values.items())
            before = self.lake.read(REVIEWS, where=mine).join(made, on=list(REVIEWS.key), how="anti", nulls_equal=True)
            after = pl.concat([before, made])
            report = factory.judge(self.lake, REVIEWS, after, [part], {})
            if not report.passed:
                first = report.critical[0]
                raise OperationError(f"the answer was refused by its audit: {first.doc}: {first.observed}")
            stamp = data_version_of(self.reviewer, str(time.time_ns()))
            self.lake.replace(REVIEWS, after, [(part, stamp)], {"run_id": f"review-{self.reviewer}"})


def warm_up() -> None:
    """Load what an audit needs (about 10 s), so that the first answer does not wait for it."""
    audit(REVIEWS, REVIEWS.empty(), {}, [{"batch": "none"}])
