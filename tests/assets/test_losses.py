"""The guard at promotion: a batch that would lose videos, clips or people for no reason is shown as it was before."""

from collections.abc import Callable

import canned
import polars as pl
import pytest
from conftest import B1, B2, House

from speakervid_dag import runner
from speakervid_dag.assets import serving
from speakervid_dag.assets.recipes import RECIPES
from speakervid_dag.lake import losses, session, snapshots, takedown
from speakervid_dag.lake.schemas import TABLES
from speakervid_dag.stage import Stage

ALL = [t.name for t in TABLES.values() if t.layer != "system"]
Rows = dict[str, pl.DataFrame]


def victim(batch: str = B1) -> str:
    return str(canned.frames_of(batch)["videos"]["video_id"][0])


def without_clips(stage: Stage, rows: Rows) -> None:
    """Batch 1 has no clips of one video any more, nor anything that is made of them."""
    if stage.batch == B1:
        for name, frame in rows.items():
            if "clip" in name and "video_id" in frame.columns:
                rows[name] = frame.filter(pl.col("video_id") != victim())


def shown_clips(house: House, batch: str = B1) -> int:
    newest = snapshots.latest(house.lake)
    with session.open_session(house.lake, newest, read_only_user_sql=False, statistics=()) as con:
        return int(con.sql(f"SELECT count(*) FROM clips WHERE batch = '{batch}'").fetchall()[0][0])


def with_reason(reason: str) -> Callable[[Stage, Rows], None]:
    def breaks(stage: Stage, rows: Rows) -> None:
        without_clips(stage, rows)
        if stage.batch == B1 and stage.name == "clips":
            outcome = next(o for o in stage.outcomes if o["video_id"] == victim())
            outcome |= {"status": "not_evaluated", "reason": reason}

    return breaks


def test_a_loss_for_no_reason_is_not_published(house: House) -> None:
    before = shown_clips(house)
    house.breaks = without_clips
    assert house.execute("curate", [*ALL, *runner.AFTER_EVERY_RUN], B1) is None
    assert house.lake.read(TABLES["clips"], batches=[B1]).height < before, "the rows themselves landed"
    assert shown_clips(house) == before
    (held,) = serving.held_losses(house.factory)
    assert (held.batch, held.video_id, held.table) == (B1, victim(), "clips")
    assert held.rows_after == 0 < held.rows_before
    report = house.run()
    assert not report.is_clean
    assert [loss.table for loss in report.held] == ["clips"]
    assert serving.is_published(house.factory), "nothing more is to be published"


def test_a_loss_that_is_allowed_is_published_and_told(house: House) -> None:
    before = shown_clips(house)
    house.breaks = without_clips
    assert house.execute("curate", [*ALL, *runner.AFTER_EVERY_RUN], B1) is None
    house.settings = house.settings.model_copy(update={"allow_loss": True})
    report = house.run()
    assert report.is_clean
    assert report.lost.select("batch", "video_id", "table", "rows_after").rows() == [(B1, victim(), "clips", 0)]
    assert shown_clips(house) < before
    assert house.run().lost.is_empty(), "told once"


def test_a_loss_that_a_changed_profile_asked_for_is_published(house: House) -> None:
    before = shown_clips(house)
    house.breaks = without_clips
    house.change_profile(clips={"pad_s": 0.123})
    report = house.run()
    assert (report.done, report.is_clean) == ([B1, B2], True)
    assert shown_clips(house) < before


@pytest.mark.parametrize("reason", ["internal_error", "weights_missing", "missing_file", "unreadable_file"])
def test_no_change_excuses_a_loss_by_a_fault_or_by_absence(house: House, reason: str) -> None:
    before = shown_clips(house)
    house.breaks = with_reason(reason)
    house.change_profile(clips={"pad_s": 0.123})
    report = house.run()
    assert [(loss.batch, loss.video_id, loss.table) for loss in report.held] == [(B1, victim(), "clips")]
    assert shown_clips(house) == before
    house.breaks = canned.no_breaks
    assert house.execute("curate", [*ALL, *runner.AFTER_EVERY_RUN], B1) is None
    assert serving.held_losses(house.factory) == []


def test_a_verdict_on_the_video_itself_is_published(house: House) -> None:
    house.breaks = with_reason("decoder_crashed")
    house.change_profile(clips={"pad_s": 0.123})
    assert house.run().is_clean


def test_a_takedown_and_a_new_batch_are_no_losses(house: House) -> None:
    lake_dir = house.settings.lake_dir
    plan = takedown.plan_takedown(house.lake, lake_dir, victim())
    takedown.take_down(house.lake, lake_dir, plan, reason="asked", run_id="r")
    report = house.run(canned.batch_name(3))
    assert report.is_clean
    assert report.done == [canned.batch_name(3)]


def test_what_two_states_differ_by_is_counted_by_video(house: House) -> None:
    first = snapshots.latest(house.lake)
    assert first is not None
    house.breaks = without_clips
    house.change_profile(clips={"pad_s": 0.123})
    house.run()
    found = losses.since(house.lake, first)
    assert found.select("batch", "video_id", "table", "rows_after").rows() == [(B1, victim(), "clips", 0)]
    assert set(RECIPES) >= {"clips", "people", "intake"}
