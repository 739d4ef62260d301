"""Finished lakes, each made once for all tests that look at it."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from filelock import FileLock

from speakervid_dag.lake.queries import session
from speakervid_dag.lake.snapshots import snapshots
from speakervid_dag.lake.storage.delta import DeltaLake

Run = Callable[..., subprocess.CompletedProcess[str]]


class Lake:
    """A finished lake, asked in SQL."""

    def __init__(self, folder: Path, run: subprocess.CompletedProcess[str]) -> None:
        self.folder, self.run = folder, run

    def rows(self, query: str) -> list[dict[str, Any]]:
        lake = DeltaLake(str(self.folder))
        with session.open_session(lake, snapshots.latest(lake), read_only_user_sql=False) as connection:
            return session.run_sql(connection, query).to_dicts()

    def frame(self, query: str) -> pl.DataFrame:
        return pl.DataFrame(self.rows(query))


def made_once(factory: pytest.TempPathFactory, name: str, run: Callable[[Path], Any]) -> Lake:
    """A lake of this name, made by the first worker of the test run that asks for it; the others wait for it."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name / "lake"
    told = folder.parent / "run.json"
    folder.parent.mkdir(exist_ok=True)
    with FileLock(folder.parent / "lock"):
        if not told.exists():
            done = run(folder)
            told.write_text(json.dumps([done.returncode, done.stdout, done.stderr]))
    return Lake(folder, subprocess.CompletedProcess([], *json.loads(told.read_text())))
