"""Whole runs through the command line, each made once for the tests that look at it."""

import json
import os
import subprocess
import sys
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


@pytest.fixture(scope="session")
def speakervid() -> Run:
    """Runs the command line; stdout and stderr are texts."""

    def run(*arguments: str | Path, timeout_s: float = 1200) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "speakervid_dag", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)

    return run


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


@pytest.fixture(scope="session")
def demo(speakervid: Run, weights: None, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """`speakervid demo` in an empty folder."""
    return made_once(tmp_path_factory, "demo-lake", lambda folder: speakervid("demo", "--lake", folder))


@pytest.fixture(scope="session")
def real(speakervid: Run, weights: None, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """`speakervid run` on the shared folder's own videos and sounds, without its subfolders of other purposes."""
    media = shared / "media"
    paths = [*sorted(p for p in media.iterdir() if p.suffix in (".avi", ".mp4")), media / "audio"]
    return made_once(tmp_path_factory, "real-lake", lambda lake: speakervid("run", *paths, "--lake", lake))


@pytest.fixture(scope="session")
def truths(demo: Lake) -> dict[str, dict[str, Any]]:
    """Ground truth of the demo's videos, by file name."""
    files = (demo.folder / "demo").rglob("*.truth.json")
    return {truth["file"]: truth for truth in (json.loads(f.read_text()) for f in files)}
