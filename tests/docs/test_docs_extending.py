"""docs/extending.md: the worked example, carried out in a copy of the package, up to a decision of its gate."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from doc_pages import ROOT, blocks, changed

pytestmark = pytest.mark.heavy

PAGE = ROOT / "docs" / "extending.md"
CHANGES = [b for b in blocks(PAGE) if b.kind == "diff"]
(KNOWN_TRUTH,) = (b for b in blocks(PAGE) if b.kind == "python")
(GATE,) = (b for b in blocks(PAGE) if b.title == "loud.yaml")

USE = """
from pathlib import Path

import numpy as np
import polars as pl
from mini_lake import V1, judge, mini_lake
from small_lake import published_lake

from speakervid_dag.config.profiles import load_profile
from speakervid_dag.curation.scores.clip import score_clips
from speakervid_dag.tiering.explain import explain

NAMES = ("clips", "videos", "face_tracks", "frame_series", "poses", "transcripts", "speech_turns", "sync_scores")
lake, wanted = mini_lake(), load_profile("loud.yaml")
one = [lake[name].filter(pl.col("video_id") == V1) for name in NAMES]
for amplitude in (0.1, 0.001):
    scores = score_clips(*one, np.full(20 * 16_000, amplitude, np.float32), 16_000, wanted.scores, None)
    states = dict(scores.select("clip_id", "level_dbfs_status").iter_rows())
    others = lake["clip_scores"].filter(pl.col("video_id") != V1).with_columns(level_dbfs=-20.0)
    lake["clip_scores"] = pl.concat([scores, others])
    settings = published_lake(Path(f"lake{amplitude}"), clip_scores=lake["clip_scores"])
    told = explain(settings, f"{V1}-c0p00", "loud.yaml")
    (gates,) = (section.rows for section in told if section.title.startswith("Gates"))
    gate = gates.filter(pl.col("gate") == "loud_enough").row(0, named=True)
    print(states[f"{V1}-c0p00"], states[f"{V1}-c1p00"], gate["verdict"], round(gate["value"], 3))
print(judge("clip_scores", lake).passed)
lake["clip_scores"] = lake["clip_scores"].with_columns(pl.col("level_dbfs") + 100)
print([finding.expectation for finding in judge("clip_scores", lake).findings])
"""


@pytest.fixture(scope="module")
def changed_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package as it is installed, the page's changes made in it, and the page's profile beside."""
    folder = tmp_path_factory.mktemp("extended")
    package = folder / "speakervid_dag"
    shutil.copytree(ROOT / "speakervid_dag", package)
    for part in ("assets", "quality_checks", "sql"):
        shutil.copytree(ROOT / part, package / part)
    for block in CHANGES:
        file = package / block.title.removeprefix("speakervid_dag/")
        file.write_text(changed(file.read_text(), block.text))
    (folder / GATE.title).write_text(GATE.text)
    python(folder, "-m", "speakervid_dag.quality_checks.generate")
    return folder


def python(folder: Path, *arguments: str) -> str:
    path = os.pathsep.join([str(folder), str(ROOT / "tests")])
    command = [sys.executable, *arguments]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_example_has_fewer_than_40_lines() -> None:
    new = [line for b in CHANGES for line in b.text.splitlines() if line.startswith("+")]
    assert 10 < len(new) + len(GATE.text.splitlines()) < 40


def test_the_formula_gives_the_known_truth(changed_package: Path) -> None:
    python(changed_package, "-c", KNOWN_TRUTH.text)


def test_the_suite_has_the_new_bounds(changed_package: Path) -> None:
    assert "level_dbfs" in (changed_package / "speakervid_dag/quality_checks/suites/clip_scores.json").read_text()


def test_clips_are_scored_audited_and_decided(changed_package: Path) -> None:
    loud, quiet, good, bad = python(changed_package, "-c", USE).splitlines()
    assert loud == "ok role_listening pass -20.0"
    assert quiet == "ok role_listening fail -60.0"
    assert (good, bad) == ("True", "['level_dbfs_in_range']")


def test_a_change_that_fits_nowhere_or_twice_is_told() -> None:
    with pytest.raises(ValueError, match="0 places"):
        changed("a\n", " b\n+c\n")
    with pytest.raises(ValueError, match="2 places"):
        changed("a\na\n", " a\n+c\n")
    assert changed("a\nb\n", " a\n-b\n+c\n\n+0\n a\n") == "0\na\nc\n"
