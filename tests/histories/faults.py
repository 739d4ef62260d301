"""Faults that meet a process of a history at one of the points where it writes.

Belongs here: the points, counted as they are passed, and what happens at one of them. Does not belong here: what is
lost when the power goes (power.py).

A point is: before a sync, before and after a rename, before and after a commit of a table. `kill` and `power` end the
process there; an errno's name makes that call fail, once; `unknown` lets a commit land and says that it did not;
`clock` lets each look at the clock be an hour before the last, from the start.
"""

import os
import pathlib
import time
from collections.abc import Callable
from typing import Any

ENDS = ("kill", "power")
ERRORS = ("EIO", "ENOSPC", "EACCES")
FAULTS = (*ENDS, *ERRORS, "unknown", "clock")


def arm(fault: str, number: int) -> Callable[[], None]:
    """From here on this process meets the fault at its point of that number, `clock` always. Gives what ends that."""
    import deltalake
    import faulty

    if fault == "clock":
        real = time.time
        faulty.turn_back_the_clock()
        return lambda: setattr(time, "time", real)
    passed = [0]

    def is_here() -> bool:
        passed[0] += 1
        return passed[0] == number

    def strike() -> None:
        faulty.strike("kill" if fault in ENDS else fault)

    def trapped(real: Callable[..., Any], is_commit: bool, is_sync: bool) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            if fault != "unknown" and is_here():
                strike()
            result = real(*args, **options)
            if fault == "unknown":
                if is_commit and is_here():
                    raise deltalake.exceptions.CommitFailedError("the connection was lost")
            elif not is_sync and fault in ENDS and is_here():
                strike()
            return result

        return call

    os.fsync = trapped(os.fsync, is_commit=False, is_sync=True)
    pathlib.Path.replace = trapped(pathlib.Path.replace, is_commit=False, is_sync=False)  # type: ignore[method-assign]
    pathlib.Path.rename = trapped(pathlib.Path.rename, is_commit=False, is_sync=False)  # type: ignore[method-assign]
    commit = deltalake.DeltaTable.create_write_transaction
    deltalake.DeltaTable.create_write_transaction = trapped(commit, is_commit=True, is_sync=False)  # type: ignore[method-assign]
    return lambda: passed.__setitem__(0, 1 << 30)
