"""Settings of one installation from the environment."""

import os
from types import SimpleNamespace

import psutil
import pytest

from speakervid_dag.config.settings import load_settings
from speakervid_dag.failures import UserError

GB = 1 << 30


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPEAKERVID_WORKERS", raising=False)
    monkeypatch.delenv("SPEAKERVID_THREADS", raising=False)


@pytest.mark.parametrize(
    ("cores", "memory", "expected"), [(2, 8, 2), (16, 64, 16), (16, 10, 3), (1, 1, 1), (None, 64, 1)]
)
def test_as_many_workers_as_the_machine_has_room_for(
    monkeypatch: pytest.MonkeyPatch, cores: int | None, memory: int, expected: int
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=memory * GB))
    assert load_settings().worker_count == expected


def test_threads_bound_the_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=64 * GB))
    assert load_settings(threads=4).worker_count == 4
    assert [load_settings(threads=8, workers=n).worker_threads for n in (1, 3, 8, 20)] == [8, 2, 1, 1]


def test_workers_may_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEAKERVID_WORKERS", "3")
    assert load_settings().worker_count == 3
    monkeypatch.setenv("SPEAKERVID_WORKERS", "0")
    with pytest.raises(UserError, match="SPEAKERVID_WORKERS"):
        load_settings()
