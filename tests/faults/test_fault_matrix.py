"""Whatever meets a writer, and wherever: readers see an old or a new version, and the next run gives the same tables.

`make faults` runs every point with every fault and prints the matrix; the default suite takes each point's kill at the
places where most could go wrong.
"""

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import faulty
import polars as pl
import pytest

from speakervid_dag.lake import session, snapshots
from speakervid_dag.lake.delta import DeltaLake
from speakervid_dag.lake.schemas import TABLES

B1, B2 = "b000001", "b000002"
DATA = [t for t in TABLES.values() if t.layer != "system"]
ALL = [(point, fault) for point in faulty.POINTS for fault in ("kill", *faulty.ERRORS)] + [("any", "clock")]
CHOSEN = [
    ("gold table, after its commit", "kill"),
    ("snapshot, before its commit", "kill"),
    ("silver table, before its commit", "ENOSPC"),
    ("any", "clock"),
]
outcomes: dict[tuple[str, str], str] = {}


def run(lake: Path, batch: str = B2, point: str = "", fault: str = "none") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, faulty.__file__, str(lake), batch, point, fault]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)


@pytest.fixture(scope="module")
def before_and_after(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A lake with one batch, and what it is when a second one has joined it."""
    home = tmp_path_factory.mktemp("faults")
    first = run(home / "before", B1)
    assert first.returncode == 0, first.stderr
    shutil.copytree(home / "before", home / "after")
    second = run(home / "after")
    assert second.returncode == 0, second.stderr
    return home / "before", home / "after"


@pytest.fixture(scope="module", autouse=True)
def _matrix() -> Iterator[None]:
    yield
    if outcomes:
        width = max(len(point) for point, _ in outcomes)
        lines = [f"{point:<{width}}  {fault:<7} {how}" for (point, fault), how in outcomes.items()]
        print("\n" + "\n".join(lines))  # noqa: T201 - the matrix is the point


def rows(lake: Path) -> dict[str, pl.DataFrame]:
    """Every data table in a fixed order of rows."""
    store = DeltaLake(str(lake))
    return {t.name: store.read(t).sort(list(t.key)) for t in DATA}


def shown(lake: Path) -> dict[str, set[str]]:
    """Batches that a reader of the newest snapshot finds in each table that has rows of every batch."""
    store = DeltaLake(str(lake))
    with session.open_session(store, snapshots.latest(store), read_only_user_sql=False) as connection:
        return {
            name: {str(b) for (b,) in connection.sql(f"SELECT DISTINCT batch FROM {name}").fetchall()}
            for name in ("videos", "clips", "clip_scores", "tiers", "branch_single")
        }


def check(point: str, fault: str, lakes: tuple[Path, Path], home: Path) -> None:
    before, after = lakes
    lake = home / "lake"
    shutil.copytree(before, lake)
    met = run(lake, B2, point, fault)
    if fault == "kill":
        assert met.returncode == -signal.SIGKILL, met.stderr
    elif fault == "clock" or point == faulty.LANDED:
        assert met.returncode == 0, f"what did land is no failure: {met.stderr}"
    else:
        assert met.returncode != 0, "the fault was swallowed"
        assert any(word in met.stderr for word in _words(fault)), met.stderr
    seen = shown(lake)
    assert all(batches in ({B1}, {B1, B2}) for batches in seen.values()), seen
    assert len(set(map(frozenset, seen.values()))) == 1, f"a mix of versions is shown: {seen}"
    again = run(lake)
    assert again.returncode == 0, again.stderr
    for name, frame in rows(after).items():
        assert rows(lake)[name].equals(frame), f"{name} differs after the second run"
    assert shown(lake) == shown(after)
    outcomes[point, fault] = f"exit {met.returncode}; readers saw {sorted(seen['clips'])}; the next run: same tables"


def _words(fault: str) -> tuple[str, ...]:
    import errno
    import os

    return (os.strerror(getattr(errno, fault)), fault)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("point", "fault"), CHOSEN)
def test_faults_where_most_could_go_wrong(
    point: str, fault: str, before_and_after: tuple[Path, Path], tmp_path: Path
) -> None:
    check(point, fault, before_and_after, tmp_path)


@pytest.mark.faults
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("point", "fault"), ALL)
def test_every_fault_everywhere(point: str, fault: str, before_and_after: tuple[Path, Path], tmp_path: Path) -> None:
    check(point, fault, before_and_after, tmp_path)
