"""What a run would compute: the stages that are stale and why, videos and hours; nothing is written."""

from pathlib import Path

import polars as pl
import pytest
from canned import plan
from click.testing import CliRunner
from house import B1, B2, made_house

from speakervid_dag.assets.graph import in_order
from speakervid_dag.cli.app import cli
from speakervid_dag.lake.batches import Place, Plan, SourceFile
from speakervid_dag.runs import forecast

STAGES = ["intake", "faces", "tiers"]


def rows(frame: pl.DataFrame) -> list[tuple[object, ...]]:
    return frame.rows()


def test_batches_that_are_stale_for_one_reason_are_one_row() -> None:
    stale = {"a": {"faces": "changed"}, "b": {"faces": "changed", "tiers": "after_faces"}, "c": {}}
    held = {"a": (2, 1800.0), "b": (3, 5400.0), "c": (9, 9.0)}
    found = forecast.work(STAGES, stale, held, {"d": (4, 3600.0)}, {"intake": 10.0, "faces": 0.5})
    assert rows(found) == [
        ("intake", "new", 1, 4, 1.0, 0.1),
        ("faces", "changed", 2, 5, 2.0, 4.0),
        ("faces", "new", 1, 4, 1.0, 2.0),
        ("tiers", "after_faces", 1, 3, 1.5, None),
        ("tiers", "new", 1, 4, 1.0, None),
    ]


def test_what_is_not_known_is_not_guessed() -> None:
    found = forecast.work(["intake"], {}, {}, {"a": (1, None), "b": (1, 60.0)}, {"intake": 10.0})
    assert rows(found) == [("intake", "new", 2, 2, None, None)]
    assert forecast.work(STAGES, {"a": {}}, {"a": (1, 1.0)}, {}, {}).is_empty()


def test_lengths_follow_from_the_headers_of_some(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A megabyte is a minute; every second file is unreadable."""
    asked = []

    def header(path: Path) -> float:
        asked.append(path)
        return 60.0 if int(path.stem) % 2 else 0.0

    monkeypatch.setattr(forecast, "_header_length_s", header)
    files = [SourceFile((Place(str(tmp_path / f"{i}.mp4")),), 1_000_000, "0" * 64) for i in range(100)]
    found = forecast.length_s(files)
    assert len(asked) == forecast.PROBED
    assert found == pytest.approx(3000.0, rel=0.5)
    assert forecast.length_s(files[:1]) is None
    assert forecast.length_s([]) is None


@pytest.mark.heavy
def test_a_lake_says_what_a_run_would_compute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = made_house(tmp_path / "lake", monkeypatch)
    stages = [recipe.name for recipe in in_order()]
    first = forecast.forecast(house.settings, plan(B1))
    assert first["stage"].to_list() == stages
    assert first.select("why", "batches", "videos").unique().rows() == [("new", 1, 2)]
    assert not house.settings.lake_dir.exists()

    house.run(B1, B2)
    versions = house.versions()
    assert forecast.forecast(house.settings, Plan({})).is_empty()
    house.weights["dnsmos"] = "another hash"
    found = forecast.forecast(house.settings, Plan({}))
    assert found["stage"].to_list() == stages[stages.index("clip_scores") :][: found.height]
    assert found.row(0)[:4] == ("clip_scores", "changed", 2, 4)
    assert found["hours"][0] is not None
    assert set(found["why"][1:]) <= {"after_clip_scores", "after_clip_gates", "after_tiers"}
    assert house.versions() == versions

    for path in (house.settings.lake_dir / "tables" / "videos" / f"batch={B1}").glob("*.parquet"):
        path.unlink()
    lost = forecast.forecast(house.settings, Plan({}))
    assert lost.row(0)[:5] == ("intake", "file_lost", 1, 2, None)


def test_the_command_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "a.mp4").write_bytes(b"no video at all")
    asked = ["run", str(tmp_path / "videos"), "--lake", str(tmp_path / "lake"), "--plan"]
    done = CliRunner().invoke(cli, asked)
    assert (done.exit_code, "face_tracks" in done.output) == (0, True)
    assert [path.name for path in tmp_path.iterdir()] == ["videos"]
    missing = CliRunner().invoke(cli, [*asked, str(tmp_path / "nosuch.mp4")])
    assert missing.exit_code == 1
