"""What must not be done while a run is in progress."""

import os
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner
from rows import write_lake

from speakervid_dag.cli.app import cli
from speakervid_dag.config.settings import load_settings
from speakervid_dag.failures import UserError
from speakervid_dag.lake.batches import BatchBook
from speakervid_dag.lake.schemas import TAKEDOWNS
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.processes import identity
from speakervid_dag.runs import instance as instances

pytestmark = pytest.mark.heavy

RUN = "11111111-2222-3333-4444-555555555555"
HERE = {identity.PROCESS: identity.process_of(RUN)}
DEAD = {identity.PROCESS: f"{RUN}/{identity.process_of(RUN).split('/')[1]}/{os.getpid()}/1.00"}  # of another process
STARTED, CANCELING = dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING


@pytest.fixture
def lake_dir(tmp_path: Path) -> Path:
    """A lake that holds one video."""
    lake, video = tmp_path / "lake", tmp_path / "one.mp4"
    video.write_bytes(b"one")
    book = BatchBook(lake)
    for batch, files in book.plan([video], batch_size=8).batches.items():
        book.write(batch, files)
    write_lake(str(lake), {"shots": [{"shot_id": "s1"}]})
    return lake


def put_run(lake: Path, status: dg.DagsterRunStatus, tags: dict[str, str]) -> None:
    """A run that stands so in the lake's instance."""
    with instances.lake_instance(load_settings(lake=lake)) as instance:
        instance.add_run(dg.DagsterRun(job_name="curate", run_id=RUN, status=status, tags=tags))


@pytest.mark.parametrize("command", [["maintain", "--apply"], ["forget", "one.mp4", "--apply", "--purge"]])
@pytest.mark.parametrize(
    ("status", "tags", "is_refused"),
    [
        (STARTED, {**HERE, "dagster/partition": "b000001"}, True),
        (STARTED, {}, True),  # it did not say who executes it: nobody here can tell whether it is alive
        (CANCELING, HERE, True),
        (STARTED, DEAD, False),
        (CANCELING, DEAD, False),
        (dg.DagsterRunStatus.SUCCESS, HERE, False),
    ],
)
def test_what_removes_files_refuses_while_a_run_is_in_progress(
    lake_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: list[str],
    status: dg.DagsterRunStatus,
    tags: dict[str, str],
    is_refused: bool,
) -> None:
    monkeypatch.setattr(os, "environ", {**os.environ, "SPEAKERVID_LAKE": str(lake_dir)})
    put_run(lake_dir, status, tags)
    before = {p for p in (lake_dir / "tables").rglob("*") if p.is_file()}
    done = CliRunner().invoke(cli, command)
    after = {p for p in (lake_dir / "tables").rglob("*") if p.is_file()}
    if is_refused:
        assert isinstance(done.exception, UserError), done.output
        assert done.output == "", "one line, and nothing before it"
        told = str(done.exception)
        assert RUN[:8] in told
        assert ("b000001" in told) == ("dagster/partition" in tags)
        assert after == before
    else:
        assert done.exit_code == 0, done.output
        assert after != before


def test_what_only_looks_does_not_ask(lake_dir: Path) -> None:
    put_run(lake_dir, STARTED, HERE)
    assert CliRunner().invoke(cli, ["maintain", "--lake", str(lake_dir)]).exit_code == 0


def test_forget_leaves_a_batch_alone_that_another_process_is_about_to_run(lake_dir: Path) -> None:
    with BatchBook(lake_dir).claim("b000001", wait=False) as is_ours:
        assert is_ours
        done = CliRunner().invoke(cli, ["forget", "one.mp4", "--lake", str(lake_dir), "--apply"])
    assert isinstance(done.exception, UserError)
    assert DeltaLake(str(lake_dir)).read(TAKEDOWNS).is_empty()
    assert CliRunner().invoke(cli, ["forget", "one.mp4", "--lake", str(lake_dir), "--apply"]).exit_code == 0
