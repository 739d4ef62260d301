"""Prints which histories ran at the end of a test run; with pytest-xdist as well as without.

Belongs here: that line. Does not belong here: histories.
"""

from collections import defaultdict
from typing import Any

import pytest


class Seeds:
    def __init__(self) -> None:
        self.seeds: dict[str, list[int]] = defaultdict(list)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for name, value in report.user_properties:
            if name == "history" and report.when == "call":
                machine, _, number = str(value).partition(" ")
                self.seeds[machine].append(int(number))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if not self.seeds:
            return
        terminalreporter.section("histories")
        for machine, numbers in sorted(self.seeds.items()):
            terminalreporter.write_line(f"{machine}: {len(numbers)}, seeds {', '.join(map(str, sorted(numbers)))}")
