"""Several processes on the videos of one stage: the rows of one process, longest first; a lost video costs a row."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import psutil
import pytest
from test_isolation import GOOD, LIMITS, batch_of, told, tries

from speakervid_dag.failures import OperationError
from speakervid_dag.stages import progress
from speakervid_dag.stages.process import process_of, processes_of
from speakervid_dag.stages.stage import Stage
from speakervid_dag.stages.supervisor import compute_apart

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module", autouse=True)
def _processes() -> Iterator[None]:
    """The processes are kept between the tests: starting three takes seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))
        yield
    close_all()
    process_of.cache_clear()
    processes_of.cache_clear()


@pytest.fixture(autouse=True)
def _two_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEAKERVID_WORKERS", "2")
    monkeypatch.setenv("SPEAKERVID_THREADS", "2")


def close_all() -> None:
    for process in (process_of(LIMITS), *processes_of(LIMITS, 2, 1)):
        process.close()


@pytest.fixture
def lake_dir(tmp_path: Path) -> Path:
    return tmp_path / "lake"


def with_lengths(stage: Stage, lengths_s: list[float]) -> Stage:
    videos = stage.inputs["videos"].with_columns(duration_s=pl.Series(lengths_s))
    stage.inputs = {**stage.inputs, "videos": videos}
    return stage


def workers(lake: Path) -> set[str]:
    return {line.rpartition(" ")[2] for line in (lake / "tries").read_text().splitlines()}


def test_two_processes_give_the_rows_of_one_in_their_order(lake_dir: Path) -> None:
    names = tuple(f"together {i}" for i in range(6))
    stage = batch_of(lake_dir, *names)
    frames = compute_apart(stage, "troubled_stage", LIMITS)
    assert told(stage, names) == dict.fromkeys(names, ("ok", None))
    assert frames["shots"]["video_id"].to_list() == stage["videos"]["video_id"].to_list()
    assert tries(lake_dir) == Counter(names)
    assert len(workers(lake_dir)) == 2


def test_the_longest_are_first(lake_dir: Path) -> None:
    lengths_s = [1.0, 5.0, 3.0, 4.0, 2.0]
    names = tuple(f"together {length_s}" for length_s in lengths_s)
    compute_apart(with_lengths(batch_of(lake_dir, *names), lengths_s), "troubled_stage", LIMITS)
    order = [float(line.split()[1]) for line in (lake_dir / "tries").read_text().splitlines()]
    assert set(order[:2]) == {5.0, 4.0}
    assert order[-1] <= 2.0
    assert sorted(order) == sorted(lengths_s)


def test_what_has_a_checkpoint_is_not_computed_again(lake_dir: Path) -> None:
    names = ("together a", "together b", "segfault")
    first = batch_of(lake_dir, *names)
    compute_apart(first, "troubled_stage", LIMITS)
    again = batch_of(lake_dir, *names)
    frames = compute_apart(again, "troubled_stage", LIMITS)
    assert tries(lake_dir)["together a"] == tries(lake_dir)["together b"] == 1
    assert frames["shots"].height == 2


@pytest.mark.parametrize(
    ("name", "reason", "attempts"),
    [
        ("segfault", "process_crashed", 1),
        ("spin", "timed_out", 1),
        ("killed once", None, 2),
        ("permanent", "no_good", 2),  # tried once more where rows are gathered
        ("exception", "internal_error", 2),
    ],
)
def test_one_poison_costs_one_row(lake_dir: Path, name: str, reason: str | None, attempts: int) -> None:
    names = ("together 0", name, "together 1", "together 2", "together 3")
    stage = batch_of(lake_dir, *names)
    frames = compute_apart(stage, "troubled_stage", LIMITS)
    outcome = ("ok", None) if reason is None else ("not_evaluated", reason)
    assert told(stage, names) == {n: outcome if n == name else ("ok", None) for n in names}
    assert frames["shots"].height == len(names) - (reason is not None)
    assert tries(lake_dir) == Counter({n: attempts if n == name else 1 for n in names})


def test_a_video_too_large_for_its_part_of_the_memory_may_use_all_of_it(lake_dir: Path) -> None:
    """A process that shares 1 GiB with another has 512 MiB."""
    names = ("together 0", "much memory", "together 1")
    stage = batch_of(lake_dir, *names)
    compute_apart(stage, "troubled_stage", LIMITS)
    assert told(stage, names) == dict.fromkeys(names, ("ok", None))
    assert tries(lake_dir)["much memory"] == 2


def test_a_stage_that_fails_as_a_whole_is_an_error_of_ours(lake_dir: Path) -> None:
    with pytest.raises(OperationError, match="ZeroDivisionError"):
        compute_apart(batch_of(lake_dir, *GOOD, stage="hopeless"), "troubled_stage", LIMITS)


class Told(progress.Nobody):
    """Keeps what it is told; interrupts once a video is done, if asked."""

    def __init__(self, *, is_impatient: bool = False) -> None:
        self.started, self.done, self.ended = 0.0, [0.0], 0
        self.named: set[str] = set()
        self.is_impatient = is_impatient

    def stage_started(self, stage: str, batch: str, videos: int, media_s: float) -> None:
        self.started += media_s

    def stage_advanced(self, done_s: float, videos: str) -> None:
        self.done.append(done_s)
        self.named |= set(videos.split(", "))
        if done_s and self.is_impatient:
            raise KeyboardInterrupt

    def stage_done(self, elapsed_s: float) -> None:
        self.ended += 1


def test_an_interruption_leaves_no_process(lake_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_watcher", Told(is_impatient=True))
    close_all()
    before = {p.pid for p in psutil.Process().children(recursive=True)}
    with pytest.raises(KeyboardInterrupt):
        compute_apart(batch_of(lake_dir, "together 0", "together 1", "hang", "hang"), "troubled_stage", LIMITS)
    assert {p.pid for p in psutil.Process().children(recursive=True)} <= before


def test_progress_is_told_of_all_together(lake_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Told()
    monkeypatch.setattr(progress, "_watcher", seen)
    names = [f"together {i}" for i in range(4)]
    compute_apart(with_lengths(batch_of(lake_dir, *names), [4.0, 3.0, 2.0, 1.0]), "troubled_stage", LIMITS)
    assert (seen.started, max(seen.done), seen.ended) == (10.0, 10.0, 1)
    assert seen.done == sorted(seen.done)
    assert set(names) <= seen.named


def test_one_video_needs_one_process(lake_dir: Path) -> None:
    close_all()
    compute_apart(batch_of(lake_dir, GOOD[0]), "troubled_stage", LIMITS)
    assert all(process.pid is None for process in processes_of(LIMITS, 2, 1))


def test_a_stage_that_finds_its_videos_itself_shares_them_when_it_knows_them(lake_dir: Path) -> None:
    names = ("together 0", "segfault", "together 1")
    stage = batch_of(lake_dir, *names, stage="finding")
    listed = stage.inputs["videos"]
    listed.write_ipc(lake_dir / "listed.arrow")
    stage.inputs = {}
    frames = compute_apart(stage, "troubled_stage", LIMITS)
    assert told(stage, names)["segfault"] == ("not_evaluated", "process_crashed")
    assert tries(lake_dir) == Counter(names)
    assert frames["shots"]["video_id"].to_list() == listed["video_id"].to_list()[::2]
    assert len(workers(lake_dir)) >= 2


def test_a_stage_of_all_videos_together_is_computed_once(lake_dir: Path) -> None:
    stage = batch_of(lake_dir, *GOOD, stage="together")
    frames = compute_apart(stage, "troubled_stage", LIMITS)
    assert tries(lake_dir) == Counter(["all"])
    assert frames["shots"].height == 1
