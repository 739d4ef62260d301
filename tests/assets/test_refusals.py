"""A red batch: what was published stays served, nothing is made from it now or later, and it can be tried again."""

import canned
import polars as pl
import pytest
from click.testing import CliRunner
from house import B1, B2, B3, House

from speakervid_dag.assets.staleness import stale_assets
from speakervid_dag.cli.app import cli
from speakervid_dag.lake.schemas import CLIPS, STAGE_OUTCOMES, TABLES
from speakervid_dag.lake.snapshots import snapshots
from speakervid_dag.runs.retier import retier
from speakervid_dag.stages.stage import Stage

pytestmark = pytest.mark.heavy

BELOW_CLIPS = [
    *("clips", "dropped_spans", "clip_scores", "clip_gates", "tiers", "branch_single", "branch_dialogue"),
    *("branch_listening", "branch_multi_turn"),
]


def doubled_clips(stage: Stage, rows: dict[str, pl.DataFrame]) -> None:
    if stage.name == "clips" and stage.batch == B2:
        rows["clips"] = pl.concat([rows["clips"], rows["clips"].head(1)])


def speakervid(house: House, *arguments: str) -> tuple[int, str]:
    lake = str(house.settings.lake_dir)
    done = CliRunner().invoke(cli, [*arguments, "--lake", lake], catch_exceptions=False)
    return done.exit_code, done.output


def test_a_red_batch_keeps_what_was_published_and_stops_what_lies_below(house: House) -> None:
    before, rows = house.versions(), house.lake.read(CLIPS, batches=[B2])
    published = snapshots.latest(house.lake)
    house.breaks = doubled_clips
    house.change_profile(clips={"pad_s": 0.123})
    report = house.run(B3)
    assert (report.done, list(report.failed)) == ([B1, B3], [B2])
    assert "speakervid quarantine show clips/b000002" in report.failed[B2]
    assert house.materialized() >= {("clips", B1), ("clips", B3)}
    assert not {(n, B2) for n in BELOW_CLIPS} & house.materialized(), "nothing below runs in this run"
    assert house.lake.read(CLIPS, batches=[B2]).equals(rows), "the version before stays"
    assert {n: v - before[n] for n, v in house.versions().items()}["clip_scores"] == 2  # type: ignore[operator]
    assert published is not None

    why = house.execute("curate", ["clip_scores"], B2)  # a later run that asks for what lies below only
    assert why is not None
    assert f"speakervid quarantine show clips/{B2}" in why
    assert set(stale_assets(house.lakehouse, B2)) == set(BELOW_CLIPS)


def test_a_refusal_can_be_listed_looked_at_and_tried_again(house: House) -> None:
    house.breaks = doubled_clips
    house.change_profile(clips={"pad_s": 0.123})
    house.run()
    code, told = speakervid(house, "quarantine", "list")
    assert code == 0
    assert all(word in told for word in ("clips", B2, "key_unique", "critical"))
    code, told = speakervid(house, "quarantine", "show", f"clips/{B2}")
    key = house.lake.read(CLIPS, batches=[B2])["clip_id"][0]
    assert "open" in told
    assert told.count(key) == 3, "the finding names the key, and both refused rows are shown"

    profile = ("--profile", house.settings.profile)
    code, told = speakervid(house, "quarantine", "retry", B2, *profile)
    assert code == 1, "still broken"
    house.breaks = canned.no_breaks
    code, told = speakervid(house, "quarantine", "retry", B2, *profile)
    assert (code, stale_assets(house.lakehouse, B2)) == (0, [])
    assert speakervid(house, "quarantine", "list", "--format", "json")[1] == "[]\n"
    assert "closed" in speakervid(house, "quarantine", "show", f"clips/{B2}")[1]


def test_refused_outcomes_refuse_their_step_until_it_is_green_itself(house: House) -> None:
    def told_twice(stage: Stage, _: dict[str, pl.DataFrame]) -> None:
        if (stage.name, stage.batch) == ("clips", B2):
            stage.outcomes.append(stage.outcomes[0])

    house.run()
    before = house.lake.read(STAGE_OUTCOMES).sort("stage", "video_id")
    versions = house.versions()
    house.breaks = told_twice
    why = house.execute("curate", ["clips", "dropped_spans", "clip_scores"], B2)
    assert why is not None
    assert f"speakervid quarantine show stage_outcomes/{B2}" in why
    assert house.versions() == versions, "none of the step's tables is committed, nor what lies below"
    assert house.lake.read(STAGE_OUTCOMES).sort("stage", "video_id").equals(before)
    assert [c for c in house.check_results() if not c[2]] == [("clips", B2, False)]
    assert house.execute("curate", ["transcripts"], B2) is None, "another step of the batch is green"
    assert set(stale_assets(house.lakehouse, B2)) == set(BELOW_CLIPS)
    assert f"speakervid quarantine show clips/{B2}" in str(house.execute("curate", ["clip_scores"], B2))
    house.breaks = canned.no_breaks
    assert house.run().done == [B2]
    assert stale_assets(house.lakehouse, B2) == []
    assert speakervid(house, "quarantine", "list", "--format", "json")[1] == "[]\n"


def test_a_step_that_has_no_video_left_replaces_what_it_told_before(house: House) -> None:
    def no_video(stage: Stage, rows: dict[str, pl.DataFrame]) -> None:
        if stage.name == "transcripts":
            stage.outcomes = []
            rows["transcripts"] = rows["transcripts"].clear()

    house.run()
    house.breaks = no_video
    assert house.execute("curate", ["transcripts"], B2) is None
    left = house.lake.read(STAGE_OUTCOMES, where=pl.col("stage") == "transcripts")
    assert set(left["batch"]) == {B1}


def test_a_refused_attempt_is_tried_again_though_what_is_promoted_is_current(house: House) -> None:
    house.run()
    house.breaks = doubled_clips
    checkpoints = house.settings.lake_dir / "artifacts" / "checkpoints" / "clips" / B2
    checkpoints.mkdir(parents=True)
    assert house.execute("curate", ["clips", "dropped_spans"], B2) is not None
    assert set(stale_assets(house.lakehouse, B2)) == set(BELOW_CLIPS)
    assert not checkpoints.exists(), "refused rows are computed again, not read again"
    house.breaks = canned.no_breaks
    assert house.run().done == [B2]
    assert stale_assets(house.lakehouse, B2) == []


def test_retier_is_one_run_one_commit_a_table_and_tells_the_shares(house: House) -> None:
    before = house.versions()
    house.change_profile(gates={"sft_face_size": {"threshold": 300}})
    done = retier(house.settings)
    gold = [n for n, t in TABLES.items() if t.layer == "gold"]
    assert (done.failure, done.batches, done.left_out) == (None, (B1, B2), {})
    assert {n: v - before[n] for n, v in house.versions().items() if v != before[n]} == dict.fromkeys(gold, 1)  # type: ignore[operator]
    assert house.materialized() == {(n, b) for n in gold for b in (B1, B2)}
    assert len(house.runs()) == 1
    shares = {r["tier"]: (r["share_before"], r["share_after"]) for r in done.shares.to_dicts()}
    assert shares == {"sft": (1.0, 0.0), "pretrain": (0.0, 1.0), "rejected": (0.0, 0.0)}
    assert stale_assets(house.lakehouse, B1) == stale_assets(house.lakehouse, B2) == []
    judged = [result for result in house.check_results() if result[0] != "lake_snapshot"]  # it judges the lake
    assert {(name, passed) for name, _, passed in judged} == {(n, True) for n in gold}, "each check is recorded once"
    assert len(judged) == len(gold)


def test_a_retiering_with_one_bad_batch_lands_for_none(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from speakervid_dag.tiering import gold

    real = gold.compute

    def spoilt(con: object, table: str, profile: object, batches: list[str]) -> pl.DataFrame:
        frame = real(con, table, profile, batches)  # type: ignore[arg-type]
        return pl.concat([frame, frame.filter(batch=B2).head(1)]) if table == "tiers" else frame

    monkeypatch.setattr(gold, "compute", spoilt)
    tiers, before = house.lake.read(TABLES["tiers"]), snapshots.latest(house.lake)
    house.change_profile(gates={"sft_face_size": {"threshold": 300}})
    done = retier(house.settings)
    assert done.failure is not None
    assert house.lake.read(TABLES["tiers"]).equals(tiers)
    assert snapshots.latest(house.lake) == before, "nothing is published"
    told = speakervid(house, "quarantine", "list")[1]
    assert "refused_together" in told, f"{B1} is told why it did not land either"


def test_retier_leaves_out_what_is_not_ready_and_refuses_a_hole(house: House) -> None:
    from speakervid_dag.failures import UserError

    house.breaks = lambda stage, rows: (
        rows.update(clips=pl.concat([rows["clips"]] * 2)) if stage.name == "clips" and stage.batch == B3 else None
    )
    house.run(B3)
    done = retier(house.settings)
    assert (done.batches, list(done.left_out)) == ((B1, B2), [B3])
    assert "quarantine" in done.left_out[B3]
    house.breaks = canned.no_breaks
    house.run()
    with pytest.raises(UserError, match=rf"\b{B2}\b.*--batch"):
        retier(house.settings, [B1, B3])
