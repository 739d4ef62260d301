"""Whatever meets a writer, and wherever: readers see an old or a new version, and the next run gives the same tables.

`make faults` runs every point with every fault and prints the matrix; the default suite takes each point's kill at the
places where most could go wrong.
"""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import faulty
import polars as pl
import pytest

from speakervid_dag.lake.queries import session
from speakervid_dag.lake.schemas import TABLES
from speakervid_dag.lake.snapshots import snapshots
from speakervid_dag.lake.storage.delta import DeltaLake

pytestmark = pytest.mark.heavy

B1, B2 = "b000001", "b000002"
DATA = [t for t in TABLES.values() if t.layer != "system"]
ALL = [(point, fault) for point in faulty.POINTS for fault in ("kill", *faulty.ERRORS)] + [("any", "clock")]
CHOSEN = [
    ("gold table, after its commit", "kill"),
    ("snapshot, before its commit", "kill"),
    ("silver table, before its commit", "ENOSPC"),
    ("any", "clock"),
]
RED = "RED"
outcomes: dict[tuple[str, str], str] = {}


@dataclass(frozen=True)
class Ended:
    returncode: int
    stderr: str


class Runs:
    """A process that forks one for each run."""

    def __init__(self, home: Path) -> None:
        self._stderr = home / "stderr.txt"
        self._process = subprocess.Popen(
            [sys.executable, faulty.__file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def run(self, lake: Path, batch: str = B2, point: str = "", fault: str = "none") -> Ended:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([str(lake), batch, point, fault, str(self._stderr)]) + "\n")
        return Ended(int(self._process.stdout.readline()), self._stderr.read_text())

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@dataclass(frozen=True)
class House:
    """Lakes with one batch; with the second one's silver too, but no more; with both whole."""

    runs: Runs
    before: Path
    half: Path
    after: Path

    def start_of(self, point: str) -> Path:
        return self.half if point in faulty.LATE else self.before


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    home = tmp_path_factory.mktemp("faults")
    made = House(Runs(home), home / "before", home / "half", home / "after")
    try:
        first = made.runs.run(made.before, B1)
        assert first.returncode == 0, first.stderr
        shutil.copytree(made.before, made.half)
        stopped = made.runs.run(made.half, B2, faulty.LATE[0], "kill")
        assert stopped.returncode == -signal.SIGKILL, stopped.stderr
        shutil.copytree(made.before, made.after)
        second = made.runs.run(made.after)
        assert second.returncode == 0, second.stderr
        yield made
    finally:
        made.runs.close()


@pytest.fixture(scope="module", autouse=True)
def _matrix() -> Iterator[None]:
    """Prints points x faults: the version that readers saw after the fault where all held, or RED."""
    yield
    faults = list(dict.fromkeys(fault for _, fault in outcomes))
    width = max((len(point) for point, _ in outcomes), default=0)
    lines = [f"{'':<{width}}  {'  '.join(f'{fault:<6}' for fault in faults)}"]
    for point in dict.fromkeys(point for point, _ in outcomes):
        cells = (f"{outcomes.get((point, fault), ''):<6}" for fault in faults)
        lines.append(f"{point:<{width}}  {'  '.join(cells)}")
    green = sum(how != RED for how in outcomes.values())
    print("\n" + "\n".join(lines) + f"\n{green} of {len(outcomes)} green")  # noqa: T201 - the matrix is the point


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


def check(point: str, fault: str, house: House, home: Path) -> None:
    outcomes[point, fault] = RED
    lake = home / "lake"
    shutil.copytree(house.start_of(point), lake)
    met = house.runs.run(lake, B2, point, fault)
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
    again = house.runs.run(lake)
    assert again.returncode == 0, again.stderr
    found = rows(lake)
    for name, frame in rows(house.after).items():
        assert found[name].equals(frame), f"{name} differs after the second run"
    assert shown(lake) == shown(house.after)
    outcomes[point, fault] = "old" if seen["clips"] == {B1} else "new"


def _words(fault: str) -> tuple[str, ...]:
    import errno
    import os

    return (os.strerror(getattr(errno, fault)), fault)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("point", "fault"), CHOSEN)
def test_faults_where_most_could_go_wrong(point: str, fault: str, house: House, tmp_path: Path) -> None:
    check(point, fault, house, tmp_path)


@pytest.mark.faults
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("point", "fault"), ALL)
def test_every_fault_everywhere(point: str, fault: str, house: House, tmp_path: Path) -> None:
    check(point, fault, house, tmp_path)
