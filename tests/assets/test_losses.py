"""The guard at promotion: a batch that would lose videos, clips or people for no reason is shown as it was before."""

import canned
import polars as pl
import pytest
from house import B1, House

from speakervid_dag.assets import publication
from speakervid_dag.assets.graph import maker_of, recipes
from speakervid_dag.assets.recipes import DataVersions
from speakervid_dag.lake.queries import session
from speakervid_dag.lake.schemas import CLIPS, STAGE_OUTCOMES, VIDEOS, Table
from speakervid_dag.lake.snapshots import snapshots
from speakervid_dag.lake.upkeep import takedown
from speakervid_dag.runs.report import AFTER_EVERY_RUN
from speakervid_dag.stages.stage import Stage

pytestmark = pytest.mark.heavy

PROFILE = "laptop"
VICTIM = str(canned.frames_of(B1)["videos"]["video_id"][0])
LOST = [(B1, VICTIM, "clips", 0)]


def commit(house: House, table: Table, frame: pl.DataFrame, *, mark: int = 0, stage: str = "") -> None:
    """Puts these rows in place of batch 1's, as a run would; by default under the mark they bear already."""
    recipe = recipes()[stage] if stage else maker_of(table)
    part = recipe.part(table, B1, PROFILE)
    found = DataVersions(house.lake).of(table, part)
    assert found is not None
    house.lake.replace(table, frame, [(part, mark or found)], {"run_id": "again"})


def lose_clips(house: House, *, mark: int = 0) -> None:
    commit(house, CLIPS, house.lake.read(CLIPS, batches=[B1]).filter(pl.col("video_id") != VICTIM), mark=mark)


def give_reason(house: House, reason: str) -> None:
    is_victim = pl.col("video_id") == VICTIM
    rows = house.lake.read(STAGE_OUTCOMES, batches=[B1], where=pl.col("stage") == "clips").with_columns(
        status=pl.when(is_victim).then(pl.lit("not_evaluated")).otherwise("status"),
        reason=pl.when(is_victim).then(pl.lit(reason)).otherwise("reason"),
    )
    commit(house, STAGE_OUTCOMES, rows, stage="clips")


def held(house: House) -> list[tuple[object, ...]]:
    return [(x.batch, x.video_id, x.table, x.rows_after) for x in publication.held_losses(house.lakehouse)]


def shown_clips(house: House) -> int:
    newest = snapshots.latest(house.lake)
    with session.open_session(house.lake, newest, read_only_user_sql=False, statistics=()) as con:
        return int(con.sql(f"SELECT count(*) FROM clips WHERE batch = '{B1}'").fetchall()[0][0])


@pytest.mark.parametrize("mark", [0, 7], ids=["made again from the same", "made from something else"])
def test_a_loss_for_no_reason_is_held_back(house: House, mark: int) -> None:
    lose_clips(house, mark=mark)
    assert held(house) == LOST
    _, pins = publication.next_snapshot(house.lakehouse)
    assert ("clips", B1) in {(part.table, part.batch) for part in pins}


def test_a_rejected_video_is_a_loss_and_a_degraded_one_is_none(house: House) -> None:
    is_victim = pl.col("video_id") == VICTIM
    for status, expected in (("degraded", []), ("rejected", [(B1, VICTIM, "videos", 0)])):
        told = pl.when(is_victim).then(pl.lit(status)).otherwise("status")
        commit(house, VIDEOS, house.lake.read(VIDEOS, batches=[B1]).with_columns(status=told))
        assert held(house) == expected


def test_a_changed_profile_asks_for_it(house: House) -> None:
    lose_clips(house, mark=7)
    house.change_profile(clips={"pad_s": 0.123})
    assert held(house) == []


def test_a_changed_gate_asks_for_no_loss_of_clips(house: House) -> None:
    lose_clips(house, mark=7)
    house.change_profile(gates={"sft_face_size": {"threshold": 300}})
    assert held(house) == LOST


@pytest.mark.parametrize("reason", ["internal_error", "weights_missing", "missing_file", "unreadable_file"])
def test_no_change_excuses_a_loss_by_a_fault_or_by_absence(house: House, reason: str) -> None:
    lose_clips(house, mark=7)
    house.change_profile(clips={"pad_s": 0.123})
    give_reason(house, reason)
    assert held(house) == LOST


def test_a_change_excuses_a_verdict_on_the_video_itself(house: House) -> None:
    lose_clips(house, mark=7)
    house.change_profile(clips={"pad_s": 0.123})
    give_reason(house, "decoder_crashed")
    assert held(house) == []


def test_a_file_that_was_given_up_is_no_loss(house: House) -> None:
    lose_clips(house)
    house.lakehouse.book.give_up(B1, {VICTIM})
    assert held(house) == []


def test_a_takedown_is_no_loss(house: House) -> None:
    lake_dir = house.settings.lake_dir
    plan = takedown.plan_takedown(house.lake, lake_dir, VICTIM)
    takedown.take_down(house.lake, lake_dir, plan, reason="asked", run_id="r")
    assert held(house) == []
    assert publication.is_published(house.lakehouse)


def without_clips(stage: Stage, rows: dict[str, pl.DataFrame]) -> None:
    """Batch 1 has no clips of one video any more, nor anything that is made of them."""
    if stage.batch == B1:
        for name, frame in rows.items():
            if "clip" in name and "video_id" in frame.columns:
                rows[name] = frame.filter(pl.col("video_id") != VICTIM)


def test_a_run_says_what_it_holds_back_and_publishes_it_when_told_to(house: House) -> None:
    before = shown_clips(house)
    house.breaks = without_clips
    remade = [*(t.name for t in (CLIPS, *recipes()["clips"].tables)), "clip_scores", "clip_gates", "tiers"]
    assert house.execute("curate", [*dict.fromkeys(remade), *AFTER_EVERY_RUN], B1) is None
    assert shown_clips(house) == before
    report = house.run()
    assert not report.is_clean
    assert [loss.table for loss in report.held] == ["clips"]
    house.settings = house.settings.model_copy(update={"allow_loss": True})
    report = house.run()
    assert report.is_clean
    assert report.lost.select("batch", "video_id", "table", "rows_after").rows() == LOST
    assert shown_clips(house) < before
    assert house.run().lost.is_empty(), "said once"
