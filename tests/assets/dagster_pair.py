"""A real `dagster-webserver` and `dagster-daemon` on loopback, over a lake with canned stages.

Belongs here: starting, asking and killing them. Does not belong here: what is tested (test_backfill_ui.py).
"""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from backfills import environment
from loopback import HOST, answers, free_port

from speakervid_dag.config.settings import Settings

LOCATION = Path(__file__).with_name("canned_location.py")

PATIENT = {"DAGSTER_GRPC_TIMEOUT_SECONDS": "300"}  # a busy machine is no reason for a run to fail


class Pair:
    """The two services; what they write goes to one log."""

    def __init__(self, settings: Settings, log: Path) -> None:
        self.settings, self.log = settings, log
        self.started: dict[str, subprocess.Popen[bytes]] = {}
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}"

    def start_webserver(self) -> None:
        self._start("webserver", "dagster_webserver", "-h", HOST, "-p", str(self.port))
        self.wait(lambda: answers(f"{self.url}/server_info"), 240)

    def start_daemon(self, **variables: str) -> None:
        self._start("daemon", "dagster._daemon", "run", **variables)

    def kill_daemon(self, *, with_children: bool) -> None:
        """SIGKILL to the daemon; `with_children`: and to its code server and run processes, as when a machine dies."""
        daemon = self.started.pop("daemon")
        assert daemon.poll() is None, f"the daemon has ended: {self._told()}"
        if with_children:
            _kill_family(daemon)
        else:
            daemon.kill()
        assert daemon.wait() == -signal.SIGKILL

    def wait(self, is_there: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not is_there():
            for name, process in self.started.items():
                assert process.poll() is None, f"{name} has ended: {self._told()}"
            if time.monotonic() > deadline:
                pytest.fail(f"it did not happen within {seconds:.0f} s: {self._told()}")
            time.sleep(0.5)

    def end(self) -> None:
        for process in self.started.values():
            _kill_family(process)
            process.wait()

    def _start(self, name: str, module: str, *arguments: str, **variables: str) -> None:
        command = [sys.executable, "-m", module, *arguments, "-f", str(LOCATION)]
        with self.log.open("ab") as log:
            self.started[name] = subprocess.Popen(
                command,
                env=environment(self.settings, **PATIENT, **variables),
                cwd=self.log.parent,
                stdout=log,
                stderr=log,
            )

    def _told(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]


def _kill_family(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to the process and all below it; those that are gone already are as wanted."""
    try:
        top = psutil.Process(process.pid)
        family = [top, *top.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for one in family:
        with suppress(psutil.NoSuchProcess):
            one.kill()
    psutil.wait_procs(family[1:], timeout=10)


@contextmanager
def dagster_pair(settings: Settings, folder: Path) -> Iterator[Pair]:
    pair = Pair(settings, folder / "dagster.log")
    try:
        yield pair
    finally:
        pair.end()
