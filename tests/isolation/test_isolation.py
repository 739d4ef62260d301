"""Whatever a video does to the process that works on it, it costs that video's row and nothing else."""

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import psutil
import pytest
from exchanged import exact, known_rows

from speakervid_dag.config.profiles import load_profile
from speakervid_dag.config.settings import load_settings
from speakervid_dag.failures import OperationError
from speakervid_dag.lake.schemas import VIDEOS
from speakervid_dag.stages import stage as stages
from speakervid_dag.stages.process import Limits, process_of
from speakervid_dag.stages.stage import Stage
from speakervid_dag.stages.supervisor import compute_apart

pytestmark = pytest.mark.heavy

LIMITS = Limits(memory_bytes=1 << 30, base_s=20.0, s_per_media_s=0.0)
GOOD = ("good one", "good two", "good three")


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    yield
    process_of(LIMITS).close()
    process_of.cache_clear()


def batch_of(lake: Path, *names: str, stage: str = "troubled") -> Stage:
    empty = dict.fromkeys(VIDEOS.schema.names())
    ids = {"batch": "b000001", "status": "ok", "duration_s": 1.0, "source_uri": "/gone", "sources": ["/gone"]}
    rows = [{**empty, **ids, "video_id": f"v{i:016x}", "source_name": name} for i, name in enumerate(names)]
    lake.mkdir(exist_ok=True)
    return Stage(
        name=stage,
        batch="b000001",
        run_id="run",
        data_version=1,
        settings=load_settings(lake=lake),
        profile=load_profile("laptop"),
        inputs={"videos": VIDEOS.frame(rows)},
    )


def told(stage: Stage, names: tuple[str, ...]) -> dict[str, tuple[str, str | None]]:
    return {n: (o["status"], o["reason"]) for n, o in zip(names, stage.outcomes, strict=True)}


def tries(lake: Path) -> Counter[str]:
    return Counter(line.rpartition(" ")[0] for line in (lake / "tries").read_text().splitlines())


@pytest.mark.parametrize(
    ("name", "reason", "attempts"),
    [
        ("segfault", "process_crashed", 1),
        ("abort", "process_crashed", 1),
        ("exit", "process_crashed", 1),
        ("killed", "internal_error", 2),
        ("memory", "out_of_memory", 1),
        ("memory at once", "out_of_memory", 1),
        ("spin", "timed_out", 1),
        ("file", "internal_error", 1),
        ("orphan", "process_crashed", 1),
        ("exception", "internal_error", 1),
        ("permanent", "no_good", 1),
        ("long words", "internal_error", 1),
        ("transient", "busy", stages.ATTEMPTS),
    ],
)
def test_one_poison_costs_one_row(
    lake_dir: Path, monkeypatch: pytest.MonkeyPatch, name: str, reason: str, attempts: int
) -> None:
    names = (GOOD[0], name, *GOOD[1:])
    stage = batch_of(lake_dir, *names)
    frames = compute_apart(stage, "troubled_stage", LIMITS)
    expected = dict.fromkeys(GOOD, ("ok", None)) | {name: ("not_evaluated", reason)}
    assert told(stage, names) == expected
    assert frames["shots"].height == len(GOOD)
    assert tries(lake_dir) == Counter(dict.fromkeys(GOOD, 1)) + Counter({name: attempts})


def test_a_hang_is_ended(lake_dir: Path) -> None:
    names = (GOOD[0], "hang", GOOD[1])
    stage = batch_of(lake_dir, *names)
    began = time.monotonic()
    compute_apart(stage, "troubled_stage", Limits(1 << 30, base_s=3.0, s_per_media_s=0.0))
    assert told(stage, names)["hang"] == ("not_evaluated", "timed_out")
    assert time.monotonic() - began < 120
    assert tries(lake_dir)[GOOD[1]] == 1


@pytest.mark.parametrize("name", ["killed once", "transient once", "flood"])
def test_what_passes_leaves_no_trace_in_the_outcome(lake_dir: Path, name: str) -> None:
    names = (name, GOOD[0])
    stage = batch_of(lake_dir, *names)
    compute_apart(stage, "troubled_stage", LIMITS)
    assert told(stage, names) == {name: ("ok", None), GOOD[0]: ("ok", None)}


def test_many_poisons_and_the_process_is_reused(lake_dir: Path) -> None:
    names = ("segfault", GOOD[0], "abort", "memory", GOOD[1], "exit", GOOD[2])
    stage = batch_of(lake_dir, *names)
    frames = compute_apart(stage, "troubled_stage", LIMITS)
    assert Counter(s for s, _ in told(stage, names).values()) == {"ok": 3, "not_evaluated": 4}
    assert frames["shots"]["video_id"].to_list() == [f"v{i:016x}" for i in (1, 4, 6)]
    pid = process_of(LIMITS).pid
    again = batch_of(lake_dir, *GOOD)
    again.data_version = 2
    compute_apart(again, "troubled_stage", LIMITS)
    assert process_of(LIMITS).pid == pid, "models would be loaded anew"


def test_no_process_is_left(lake_dir: Path) -> None:
    before = {p.pid for p in psutil.Process().children(recursive=True)}
    compute_apart(batch_of(lake_dir, "orphan", GOOD[0]), "troubled_stage", LIMITS)
    process_of(LIMITS).close()
    left = [p for p in psutil.process_iter(["cmdline"]) if "time.sleep(600)" in " ".join(p.info["cmdline"] or ())]
    assert left == []
    assert {p.pid for p in psutil.Process().children(recursive=True)} <= before


def test_a_stage_that_fails_as_a_whole_is_an_error_of_ours(lake_dir: Path) -> None:
    with pytest.raises(OperationError, match="ZeroDivisionError"):
        compute_apart(batch_of(lake_dir, GOOD[0], stage="hopeless"), "troubled_stage", LIMITS)


def test_damaged_weights_are_no_row_of_a_video(lake_dir: Path) -> None:
    stage = batch_of(lake_dir, GOOD[0], "damaged weights", GOOD[1])
    with pytest.raises(OperationError, match="models pull x"):
        compute_apart(stage, "troubled_stage", LIMITS)
    assert stage.outcomes == []
    assert tries(lake_dir)[GOOD[1]] == 0


def test_rows_come_and_go_exactly(lake_dir: Path) -> None:
    """The child compares what it is given, and we what it gives: computed there, then taken from its checkpoints."""
    known, names = known_rows(), (*GOOD, "nothing")
    ids = [f"v{i:016x}" for i in range(len(GOOD))]
    made = [known.select(pl.lit("b000001").alias("batch"), pl.lit(video).alias("video_id"), pl.all()) for video in ids]
    for _ in range(2):
        stage = batch_of(lake_dir, *names, stage="handed_over")
        stage.inputs = {**stage.inputs, "known": known, "empty": known.clear()}
        frames = compute_apart(stage, "troubled_stage", LIMITS)
        assert told(stage, names) == dict.fromkeys(names, ("ok", None))
        assert [outcome["row_count"] for outcome in stage.outcomes] == [*[known.height] * len(GOOD), 0]
        assert set(frames) == {"exchanged"}
        assert exact(frames["exchanged"]) == exact(pl.concat(made))
    assert tries(lake_dir) == Counter(names)
    stage.forget_checkpoints()
    assert not stage.exchange.exists()


def test_known_rows_hold_what_travels_badly() -> None:
    """Else the test above says little; a type without values here raises KeyError."""
    text = exact(known_rows())[1]
    assert all(
        told in text for told in ("-0.0,", "nan", "-inf", "5e-324", "-1.401298464324817e-45", r"a\x00b", "[None]")
    )
