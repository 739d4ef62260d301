"""Which tests `make quick` runs: all that need nothing but this process and little time.

Belongs here: the mark `quick`, and the guard that no test of that mark starts a process. Does not belong here: any
list of tests (a module that starts processes, or takes more than 4 CPU seconds, says `heavy` itself).
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

LONG = {"accuracy", "benchmark", "browser", "faults", "fuzz", "heavy", "metamorphic", "shared", "slow", "weights"}
STARTS = {"os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "subprocess.Popen"}  # events of Python's auditing
LONG_MODULE = re.compile(rf"^pytestmark = .*\bmark\.({'|'.join(sorted(LONG))})\b", re.MULTILINE)


class Quick:
    """The plugin: marks tests `quick`; with `-m quick` it refuses processes while a test runs."""

    def __init__(self, *, is_chosen: bool) -> None:
        self._is_chosen = is_chosen
        self._is_running = False
        if is_chosen:
            sys.addaudithook(self._refuse)

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Leave out modules that are long as a whole, unread: their imports take longer than the quick tests."""
        is_test = self._is_chosen and collection_path.match("test_*.py")
        return True if is_test and LONG_MODULE.search(collection_path.read_text("utf-8")) else None

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            needs = {mark.name for mark in item.iter_markers()} | set(getattr(item, "fixturenames", ()))
            if not needs & LONG:
                item.add_marker("quick")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self) -> Iterator[None]:
        self._is_running = True
        try:
            return (yield)
        finally:
            self._is_running = False

    def _refuse(self, event: str, _: object) -> None:
        if self._is_running and event in STARTS:
            raise RuntimeError("a quick test starts a process: mark it or its module `heavy`")
