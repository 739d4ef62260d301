"""`speakervid run PATH…` beside a finished lake: what is not taken in is said, and what was not read is told."""

import os
from pathlib import Path
from typing import Any

import pytest
from house import House

from speakervid_dag.cli.run import run_and_report
from speakervid_dag.failures import UserError
from speakervid_dag.lake.batches import BatchBook
from speakervid_dag.lake.own_output import DEMO, LAKE_FILES, LAKE_FOLDERS, LAKE_MARK
from speakervid_dag.runs import runner

pytestmark = pytest.mark.heavy


def run(house: House, *paths: Path) -> int:
    return run_and_report(house.settings, runner.plan_run(house.settings, paths, None))


def put(path: Path, body: bytes = b"a video") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    return path


def taken_in(house: House) -> set[str]:
    book = BatchBook(house.settings.lake_dir)
    return {Path(uri).name for batch in book.names() for file in book.read(batch) for uri in file.uris}


def test_a_lake_among_the_videos_takes_nothing_in_of_itself(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    lake, before = house.settings.lake_dir, taken_in(house)
    for own in ("artifacts/audio/v1/v0.wav", "artifacts/clips/v1/00/c.mp4", "demo/seed0/d.mp4"):
        put(lake / own)
    assert (lake / LAKE_MARK).is_file()
    assert {p.name for p in lake.iterdir() if not p.name.startswith(".")} <= {*LAKE_FOLDERS, *LAKE_FILES, DEMO}
    assert run(house, lake.parent) == 0
    assert run(house, lake) == 0
    (lake / LAKE_MARK).unlink()  # as an older package left it
    assert run(house, lake.parent) == 0
    assert taken_in(house) == before
    assert capsys.readouterr().err.count(str(lake)) >= 3


def test_own_output_that_is_named_is_taken_and_said(house: House) -> None:
    named = put(house.settings.lake_dir / "artifacts/clips/v1/00/c.mp4").parent
    plan = runner.plan_run(house.settings, [named], None)
    assert [Path(f.uris[0]).name for files in plan.batches.values() for f in files] == ["c.mp4"]
    assert plan.found.named_output == (named,)


def test_what_cannot_be_read_makes_the_exit_status_1_and_no_row(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    videos, before, real = tmp_path / "videos", taken_in(house), os.scandir
    (videos / "locked").mkdir(parents=True)
    (videos / "linked").symlink_to(tmp_path)
    assert run(house, videos) == 0, "links are not followed, and nobody asked for more"
    assert "linked" in capsys.readouterr().err
    assert run(house, videos, videos / "misspelt.mp4") == 1
    assert "misspelt.mp4" in capsys.readouterr().err

    def scandir(path: Any) -> Any:
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert run(house, videos) == 1
    assert "locked: Permission denied" in capsys.readouterr().err
    assert taken_in(house) == before


def test_where_nothing_that_was_named_is_there_no_lake_is_made(house: House, tmp_path: Path) -> None:
    fresh = house.settings.model_copy(update={"lake": tmp_path / "fresh"})
    with pytest.raises(UserError, match=r"misspelt\.mp4"):
        runner.plan_run(fresh, [tmp_path / "misspelt.mp4"], None)
    empty = tmp_path / "empty"
    empty.mkdir()
    assert run_and_report(fresh, runner.plan_run(fresh, [empty], None)) == 2
    assert run_and_report(fresh, runner.plan_run(fresh, [empty, tmp_path / "misspelt.mp4"], None)) == 1
    assert not fresh.lake_dir.exists()
