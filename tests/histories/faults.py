"""Faults that meet a process of a history at one of the points where it writes.

Belongs here: the points, counted as they are passed, and what happens at one of them. Does not belong here: what is
lost when the power goes (power.py).

A point is: before a sync, before and after a rename, before and after a commit of a table. `kill` and `power` end the
process there; an errno's name makes that call fail, once; `unknown` lets a commit land and says that it did not;
`clock` lets each look at the clock be an hour before the last, from the start.
"""

import errno
import itertools
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import deltalake
import pytest

ENDS = ("kill", "power")
ERRORS = ("EIO", "ENOSPC", "EACCES")
FAULTS = (*ENDS, *ERRORS, "unknown", "clock")


@contextmanager
def armed(fault: str, number: int) -> Iterator[None]:
    """Inside, this process meets the fault at its point of that number, `clock` always."""
    with pytest.MonkeyPatch.context() as patch:
        if fault == "clock":
            turn_back_the_clock(patch)
        else:
            _set_traps(patch, fault, number)
        yield


def strike(fault: str) -> None:
    """Ends this process, or raises the error of that name."""
    if fault in ENDS:
        os.kill(os.getpid(), signal.SIGKILL)
    number = getattr(errno, fault)
    raise OSError(number, os.strerror(number))


def turn_back_the_clock(patch: pytest.MonkeyPatch) -> None:
    """Each look at the wall clock is an hour before the last."""
    real, looks = time.time, itertools.count(1)
    patch.setattr(time, "time", lambda: real() - 3600.0 * next(looks))


def _set_traps(patch: pytest.MonkeyPatch, fault: str, number: int) -> None:
    passed = [0]

    def is_here() -> bool:
        passed[0] += 1
        return passed[0] == number

    def trapped(real: Callable[..., Any], is_commit: bool, is_sync: bool) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            if fault != "unknown" and is_here():
                strike(fault)
            result = real(*args, **options)
            if fault == "unknown":
                if is_commit and is_here():
                    raise deltalake.exceptions.CommitFailedError("the connection was lost")
            elif not is_sync and fault in ENDS and is_here():
                strike(fault)
            return result

        return call

    patch.setattr(os, "fsync", trapped(os.fsync, is_commit=False, is_sync=True))
    for name in ("replace", "rename"):
        patch.setattr(Path, name, trapped(getattr(Path, name), is_commit=False, is_sync=False))
    commit = deltalake.DeltaTable.create_write_transaction
    patch.setattr(deltalake.DeltaTable, "create_write_transaction", trapped(commit, is_commit=True, is_sync=False))
