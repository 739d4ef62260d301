"""Whole runs through the command line, each made once for the tests that look at it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from lakes import Lake, Run, made_once


@pytest.fixture(scope="session")
def speakervid() -> Run:
    """Runs the command line; stdout and stderr are texts."""

    def run(*arguments: str | Path, timeout_s: float = 1200) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "speakervid_dag", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)

    return run


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
