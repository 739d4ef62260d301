"""A child process of ours: what is heard of it, what it died of, and that none is left."""

import os
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from speakervid_dag.processes.child import ChildProcess, Death

pytestmark = pytest.mark.heavy


def child(do: str, *, is_asked: bool = False, **more: Any) -> ChildProcess:
    environment = {"PYTHONPATH": str(Path(__file__).parent)}
    return ChildProcess("small_child", {"do": do, **more}, is_asked=is_asked, environment=environment)


def test_it_is_asked_and_heard() -> None:
    process = child("answer", is_asked=True)
    process.ask(b"one\n")
    assert process.wait(60)
    assert os.read(process.stdout, 99) == b"ONE\n"
    assert not process.wait(0)
    assert process.is_running
    process.close()
    process.close()
    assert not psutil.pid_exists(process.pid)


def test_who_only_chatters_on_stderr_gives_nothing() -> None:
    process = child("chatter")
    began = time.monotonic()
    assert not process.wait(1)
    assert 1 <= time.monotonic() - began < 20
    process.close()


@pytest.mark.parametrize(
    ("do", "by", "death", "causes"),
    [
        ("end", "", Death(3, "last words"), (False, False, False)),
        ("out of memory", "", Death(-6, "what():  std::bad_alloc"), (False, False, True)),
        ("die", "SIGKILL", Death(-9, ""), (True, False, False)),
        ("die", "SIGXCPU", Death(-24, ""), (False, True, False)),
    ],
)
def test_what_it_died_of(do: str, by: str, death: Death, causes: tuple[bool, bool, bool]) -> None:
    process = child(do, by=by)
    assert process.wait(60), "the end of stdout"
    assert process.death() == death
    assert (death.was_killed, death.used_up_cpu, death.names_memory) == causes
    assert not process.is_running
    process.close()


def test_a_child_that_is_dropped_ends_with_all_that_it_started() -> None:
    process = child("have a child")
    assert process.wait(60)
    pids = [process.pid, int(os.read(process.stdout, 99))]
    assert all(psutil.pid_exists(pid) for pid in pids)
    del process
    deadline = time.monotonic() + 20
    while any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.05)
