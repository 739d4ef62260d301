"""A source that is not at hand takes nothing away; it counts again once it is there. Real intake, no models."""

from pathlib import Path

import generate
import polars as pl
import pytest

from speakervid_dag.config.settings import Settings, load_settings
from speakervid_dag.lake.batches import BatchBook, Plan
from speakervid_dag.lake.schemas import SHOTS, VIDEOS
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.runs import execution, runner
from speakervid_dag.runs import instance as instances

pytestmark = pytest.mark.heavy

INTAKE = ("videos", "shots")


class Intake:
    """A lake of which only the first stage is run."""

    def __init__(self, root: Path) -> None:
        self.films, self.root = root / "films", root
        self.films.mkdir()
        self.settings: Settings = load_settings(lake=root / "lake", profile="laptop", isolate=False)
        self.book = BatchBook(self.settings.lake_dir)

    def plan(self, folder: Path) -> Plan:
        return self.book.enlist(self.book.plan([folder], batch_size=8))

    def run(self, batch: str = "b000001") -> str | None:
        from speakervid_dag.assets.partitions import register_batches

        with instances.lake_instance(self.settings) as instance:
            register_batches(instance, [batch])
            return execution.execute(instance, "curate", INTAKE, batches=[batch])

    def rows(self) -> dict[str, tuple[str, str | None]]:
        frame = DeltaLake(str(self.settings.lake_dir)).read(VIDEOS)
        return {name: (status, why) for name, status, why in frame.select("source_name", "status", "reason").rows()}

    def shots(self) -> pl.DataFrame:
        return DeltaLake(str(self.settings.lake_dir)).read(SHOTS).sort("shot_id")

    def stale(self) -> list[str]:
        from speakervid_dag.assets.resources import Lakehouse
        from speakervid_dag.assets.staleness import stale_assets

        lakehouse = Lakehouse(lake_dir=str(self.settings.lake_dir), profile_name=self.settings.profile)
        return [name for name in stale_assets(lakehouse, "b000001") if name in INTAKE]

    def change_profile(self) -> None:
        path = self.root / "laptop.yaml"
        path.write_text("inherits: laptop\nname: laptop\nshots: {long_side_px: 96}\n")
        self.settings = self.settings.model_copy(update={"profile": str(path)})


@pytest.fixture
def intake(tmp_path: Path) -> Intake:
    """Two films, taken in."""
    made = Intake(tmp_path)
    generate.plain(made.films / "one.mp4", 30)
    generate.plain(made.films / "two.mp4", 40)
    made.plan(made.films)
    assert made.run() is None
    assert made.rows() == {"one.mp4": ("ok", None), "two.mp4": ("ok", None)}
    return made


def test_a_stage_that_is_to_be_made_again_without_its_sources_changes_nothing(intake: Intake) -> None:
    before = intake.rows(), intake.shots()
    intake.change_profile()
    assert intake.stale() == ["videos", "shots"]
    away = intake.films.rename(intake.root / "unmounted")
    why = intake.run()
    assert why is not None
    assert "--allow-loss" in why
    assert (intake.rows(), intake.shots().equals(before[1])) == (before[0], True)
    assert intake.stale() == ["videos", "shots"], "tried again by the next run"
    away.rename(intake.films)
    assert intake.run() is None
    assert (intake.rows(), intake.stale()) == (before[0], [])


def test_one_absent_source_costs_the_others_no_second_look(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    from speakervid_dag.media import decode

    intake.change_profile()
    kept = (intake.films / "one.mp4").rename(intake.root / "one.mp4")
    assert intake.run() is not None
    looked = []
    real = decode.read_frames
    monkeypatch.setattr(decode, "read_frames", lambda path, *a, **o: (looked.append(path.name), real(path, *a, **o))[1])
    kept.rename(intake.films / "one.mp4")
    assert intake.run() is None
    assert looked == ["one.mp4"]


def test_moved_sources_are_read_where_they_are_found_and_nothing_is_stale(intake: Intake) -> None:
    before = intake.rows()
    moved = intake.films.rename(intake.root / "elsewhere")
    plan = intake.plan(moved)
    assert (plan.batches, len(plan.known), len(plan.renewed["b000001"])) == ({}, 2, 2)
    assert intake.stale() == []
    intake.change_profile()
    assert intake.run() is None
    assert intake.rows() == before


def test_a_source_replaced_by_other_bytes_of_the_same_size_is_not_at_hand(intake: Intake) -> None:
    before, film = intake.rows(), intake.films / "one.mp4"
    data = bytearray(film.read_bytes())
    data[-1] ^= 1
    film.write_bytes(data)
    intake.change_profile()
    assert intake.run() is not None
    assert intake.rows() == before


def test_a_loss_that_is_accepted_is_a_row_until_the_file_is_back(intake: Intake) -> None:
    before = intake.rows()
    intake.change_profile()
    kept = (intake.films / "one.mp4").rename(intake.root / "one.mp4")
    absent = runner.Sources.of(intake.book, ["b000001"]).absent()
    assert runner._give_up(intake.book, "b000001")
    assert not runner._give_up(intake.book, "b000001")
    assert intake.run() is None
    assert intake.rows() == {**before, "one.mp4": ("rejected", "missing_file")}
    assert intake.stale() == []
    runner._take_back(intake.book, ["b000001"])
    assert intake.book.given_up("b000001") == absent.keys()
    kept.rename(intake.films / "one.mp4")
    runner._take_back(intake.book, ["b000001"])
    assert intake.stale() == ["videos", "shots"]
    assert intake.run() is None
    assert intake.rows() == before


def test_a_new_file_that_vanishes_before_it_is_read_leaves_its_batch(tmp_path: Path) -> None:
    intake = Intake(tmp_path)
    generate.plain(intake.films / "one.mp4", 30)
    gone = generate.plain(intake.films / "gone.mp4", 40)
    intake.plan(intake.films)
    kept = gone.rename(tmp_path / "gone.mp4")
    assert intake.run() is None
    assert list(intake.rows()) == ["one.mp4"]
    assert intake.stale() == []
    kept.rename(gone)
    assert [f.name for files in intake.plan(intake.films).batches.values() for f in files] == ["gone.mp4"]


def test_a_new_batch_of_which_nothing_is_at_hand_is_kept_for_later(tmp_path: Path) -> None:
    intake = Intake(tmp_path)
    generate.plain(intake.films / "one.mp4", 30)
    intake.plan(intake.films)
    away = intake.films.rename(tmp_path / "unmounted")
    assert intake.run() is not None
    assert intake.rows() == {}
    away.rename(intake.films)
    assert intake.run() is None
    assert list(intake.rows()) == ["one.mp4"]
