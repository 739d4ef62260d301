"""The landing folder: settled new files become one batch, its partition and one run; everything else waits."""

import os
import re
import time
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from speakervid_dag.assets import jobs
from speakervid_dag.assets.resources import Lakehouse
from speakervid_dag.definitions import defs
from speakervid_dag.lake.own_output import LAKE_MARK, mark

Tick = dg.SensorResult | dg.SkipReason


@pytest.fixture
def landing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "landing"
    folder.mkdir()
    monkeypatch.setenv("SPEAKERVID_LANDING", str(folder))
    monkeypatch.setenv("SPEAKERVID_LAKE", str(tmp_path / "lake"))
    return folder


@pytest.fixture
def instance() -> Any:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def tick(instance: dg.DagsterInstance, *, is_killed: bool = False) -> Tick:
    """One evaluation, as the daemon does it: the runs that are asked for are made, unless it is killed before that."""
    context = dg.build_sensor_context(instance=instance, definitions=defs, resources={"lakehouse": Lakehouse()})
    answer = jobs.landing_folder(context)
    assert isinstance(answer, dg.SensorResult | dg.SkipReason)
    for request in (answer.run_requests or []) if isinstance(answer, dg.SensorResult) and not is_killed else []:
        tags = {"dagster/partition": str(request.partition_key), "dagster/run_key": str(request.run_key)}
        instance.add_run(dg.DagsterRun(job_name="curate", tags=tags))
    return answer


def asked(answer: Tick) -> list[tuple[str | None, str | None]]:
    """(batch, run key) of the runs that a tick asks for."""
    assert isinstance(answer, dg.SensorResult), answer
    return [(r.partition_key, r.run_key) for r in answer.run_requests or []]


def put(path: Path, body: bytes = b"some video", *, age_s: float = 3600.0) -> Path:
    """A file last written `age_s` seconds ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    then = time.time() - age_s
    os.utime(path, (then, then))
    return path


def skipped(answer: Tick) -> str:
    assert isinstance(answer, dg.SkipReason)
    return str(answer.skip_message)


def has_nothing_new(answer: Tick) -> bool:
    """Whether the folder was looked at and had nothing for a run."""
    return re.search(r"\bnew\b", skipped(answer)) is not None


def test_a_settled_file_becomes_a_batch_a_partition_and_one_run(landing: Path, instance: dg.DagsterInstance) -> None:
    film = put(landing / "day1" / "a film.mp4")
    put(landing / "notes.txt")
    answer = tick(instance)
    assert isinstance(answer, dg.SensorResult)
    (request,) = answer.run_requests or []
    assert (request.partition_key, request.run_key) == ("b000001", "b000001")
    assert instance.get_dynamic_partitions("batch") == ["b000001"]
    (file,) = Lakehouse().book.read("b000001")
    assert file.uris == (str(film),)
    assert has_nothing_new(tick(instance))
    assert Lakehouse().book.names() == ["b000001"]


def test_files_of_one_tick_are_one_batch_and_later_ones_the_next(landing: Path, instance: dg.DagsterInstance) -> None:
    put(landing / "a.mp4", b"a")
    put(landing / "b.mkv", b"b")
    tick(instance)
    put(landing / "c.mp4", b"c")
    put(landing / "again.mp4", b"a")
    answer = tick(instance)
    assert isinstance(answer, dg.SensorResult)
    assert [r.partition_key for r in answer.run_requests or []] == ["b000002"]
    assert [len(Lakehouse().book.read(b)) for b in ("b000001", "b000002")] == [2, 1]


def test_a_tick_killed_before_its_run_was_launched_is_made_good_by_the_next(
    landing: Path, instance: dg.DagsterInstance
) -> None:
    put(landing / "film.mp4")
    tick(instance, is_killed=True)
    put(landing / "next.mp4", b"another")
    again = [(batch, batch) for batch in ("b000001", "b000002")]
    assert asked(tick(instance)) == again, "the lost batch under its old run key, and the new one"
    assert has_nothing_new(tick(instance)), "once they are launched they are not asked for again"


def test_a_tick_killed_before_the_partition_was_registered_is_made_good_by_the_next(
    landing: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(landing / "film.mp4")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(jobs, "register_batches", killed)
        with pytest.raises(KeyboardInterrupt):
            tick(instance)
    assert Lakehouse().book.names() == ["b000001"]
    assert instance.get_dynamic_partitions("batch") == []
    assert asked(tick(instance)) == [("b000001", "b000001")]
    assert instance.get_dynamic_partitions("batch") == ["b000001"]


def test_a_batch_of_other_files_is_left_to_whoever_made_it(landing: Path, instance: dg.DagsterInstance) -> None:
    film = put(landing.parent / "elsewhere" / "film.mp4")
    book = Lakehouse().book
    for batch, files in book.plan([film], batch_size=64).batches.items():
        book.write(batch, files)  # `speakervid run` has planned it and is about to start
    assert has_nothing_new(tick(instance))


def test_a_file_that_is_still_being_copied_waits(landing: Path, instance: dg.DagsterInstance) -> None:
    film = put(landing / "film.mp4", b"half of i", age_s=1.0)
    assert has_nothing_new(tick(instance))
    assert Lakehouse().book.names() == []
    put(film, b"half of it, and the rest")
    assert isinstance(tick(instance), dg.SensorResult)


@pytest.mark.parametrize("name", ["film.mp4.part", "film.mp4.crdownload", ".film.mp4.Xa81b2", ".hidden/film.mp4"])
def test_a_partial_copy_is_not_taken_however_old(landing: Path, instance: dg.DagsterInstance, name: str) -> None:
    put(landing / name)
    assert has_nothing_new(tick(instance))


def test_a_file_that_vanishes_or_cannot_be_read_stops_nothing(landing: Path, instance: dg.DagsterInstance) -> None:
    put(landing / "good.mp4")
    (landing / "gone.mp4").symlink_to(landing / "nowhere.mp4")
    answer = tick(instance)
    assert isinstance(answer, dg.SensorResult)
    assert len(Lakehouse().book.read("b000001")) == 1


def test_a_folder_that_cannot_be_read_is_said_and_the_rest_is_taken(
    landing: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    film, real = put(landing / "good.mp4"), os.scandir
    put(landing / "locked" / "film.mp4", b"another")

    def scandir(path: Any) -> Any:
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert asked(tick(instance)) == [("b000001", "b000001")]
    (file,) = Lakehouse().book.read("b000001")
    assert file.uris == (str(film),)
    assert "locked: Permission denied" in skipped(tick(instance))


def test_own_output_is_never_taken(
    landing: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark(landing / "lake", LAKE_MARK)
    put(landing / "lake/artifacts/audio/v1/v0.wav")
    assert has_nothing_new(tick(instance))
    monkeypatch.setenv("SPEAKERVID_LANDING", str(landing / "lake/artifacts"))
    assert "SPEAKERVID_LANDING" in skipped(tick(instance))
    assert Lakehouse().book.names() == []


def test_nothing_is_taken_with_a_wrong_profile(
    landing: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(landing / "film.mp4")
    own = landing.with_name("mine.yaml")
    own.write_text("inherits: laptop\ntranscripts: {weights: whisper-huge}\n")
    monkeypatch.setenv("SPEAKERVID_PROFILE", str(own))
    assert f"{own}:2: transcripts.weights" in skipped(tick(instance))
    assert Lakehouse().book.names() == []


def test_a_missing_folder_is_said(landing: Path, instance: dg.DagsterInstance) -> None:
    landing.rmdir()
    told = skipped(tick(instance))
    assert str(landing) in told
    assert "exist" in told


def test_no_folder_is_said(landing: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPEAKERVID_LANDING")
    assert "SPEAKERVID_LANDING" in skipped(tick(instance))
