"""CPU seconds of the tests by folder, printed at the end of a run; with pytest-xdist as well as without.

Belongs here: measuring and printing. Does not belong here: any limit (no test passes or fails on time).

A test's figure is user and system time of its own process and of the children that it waited for; a child that is
never waited for counts nowhere. A fixture counts for the test that set it up or took it down.
"""

import resource
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PROPERTY = "cpu_s"
REST = "(start, collection)"


def used_s() -> float:
    """CPU seconds of this process and of its children that have been waited for."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(u.ru_utime + u.ru_stime for u in map(resource.getrusage, kinds))


def folder_of(nodeid: str) -> str:
    """The folder below tests/ that a test lies in; `tests` for one that lies in no folder."""
    parts = Path(nodeid.partition("::")[0]).parts
    return parts[1] if len(parts) > 2 else parts[0]


class CpuSeconds:
    """The plugin: measures in each worker, sends home with the reports, and prints in the process that was started."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.tests: Counter[str] = Counter()
        self._before = 0.0
        self._workers = 0.0

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self) -> Iterator[None]:
        self._before = used_s()
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> Iterator[None]:
        report: Any = yield
        if call.when == "teardown":
            report.user_properties.append((PROPERTY, used_s() - self._before))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for name, value in report.user_properties:
            if name == PROPERTY and report.when == "teardown":
                self.tests[folder_of(report.nodeid)] += 1
                self.seconds[folder_of(report.nodeid)] += float(str(value))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        told = getattr(session.config, "workeroutput", None)
        if told is not None:
            told[PROPERTY] = used_s()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        self._workers += getattr(node, "workeroutput", {}).get(PROPERTY, 0.0)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if not self.tests:
            return
        total = max(used_s(), self._workers)  # workers are the starting process's children: it may have waited for them
        rows = [(name, str(self.tests[name]), spent) for name, spent in self.seconds.most_common()]
        rows.append((REST, "", total - sum(self.seconds.values())))
        terminalreporter.section("CPU seconds by folder")
        for name, count, spent in [*rows, ("total", str(sum(self.tests.values())), total)]:
            terminalreporter.write_line(
                f"{name:<22}{count:>6} tests{spent:>9.1f} s" if count else f"{name:<34}{spent:>9.1f} s"
            )
