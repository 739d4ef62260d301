"""Change × what is recomputed: proven by Delta versions, files of the other batches, and Dagster's materializations."""

from collections.abc import Callable

import polars as pl
import pytest
from house import B1, B2, B3, House

from speakervid_dag.assets import publication
from speakervid_dag.assets.graph import in_order, recipes
from speakervid_dag.assets.staleness import stale_assets, stale_batches
from speakervid_dag.lake.schemas import STAGE_OUTCOMES, TABLES
from speakervid_dag.runs.report import AFTER_EVERY_RUN
from speakervid_dag.stages.stage import Stage

pytestmark = pytest.mark.heavy

GATES = ("clip_gates", "tiers")
BRANCHES = ("branch_single", "branch_dialogue", "branch_listening", "branch_multi_turn")
GOLD = (*GATES, *BRANCHES)
SCORED = ("clip_scores", *GOLD)
ALL = tuple(name for name, table in TABLES.items() if table.layer != "system")
LABELS = ("speaker_bindings", "people", "clips", "dropped_spans")


def new_threshold(house: House) -> None:
    house.change_profile(gates={"sft_face_size": {"threshold": 300}})


def new_branch_setting(house: House) -> None:
    house.change_profile(branches={"multi_turn_window_s": 7.0})


def new_binding_setting(house: House) -> None:
    house.change_profile(binding={"min_sync_s": 123.0})


def new_weights(name: str) -> Callable[[House], None]:
    def change(house: House) -> None:
        house.weights[name] = "another hash"

    return change


def nothing(_: House) -> None: ...


MATRIX = {
    "nothing": (nothing, ()),
    "a threshold": (new_threshold, GOLD),
    "a branch setting": (new_branch_setting, BRANCHES),
    "a setting of the bindings": (new_binding_setting, (*LABELS, *SCORED)),
    "weights of dnsmos": (new_weights("dnsmos"), SCORED),
    "weights of whisper": (new_weights("whisper-base"), ("transcripts", *SCORED)),
}


@pytest.mark.parametrize("change", MATRIX)
def test_a_change_recomputes_exactly_what_is_made_from_it(house: House, change: str) -> None:
    make, expected = MATRIX[change]
    before = house.versions()
    make(house)
    assert {b: set(names) for b, names in stale_batches(house.lakehouse, [B1, B2]).items()} == (
        {B1: set(expected), B2: set(expected)} if expected else {}
    )
    report = house.run()
    assert (report.done, report.failed) == ([B1, B2] if expected else [], {})
    assert house.materialized() == {(name, batch) for name in expected for batch in (B1, B2)}
    moved = {n: v - before[n] for n, v in house.versions().items() if v != before[n]}  # type: ignore[operator]
    assert moved == dict.fromkeys(expected, 2), "one commit a batch, and none elsewhere"
    assert stale_batches(house.lakehouse, [B1, B2]) == {}
    assert house.run().did_nothing


OTHERS_PEOPLE = {"people", "branch_listening"}  # what is made from the people of earlier batches


def binding_fault(batch: str) -> Callable[[Stage, dict[str, pl.DataFrame]], None]:
    def fault(stage: Stage, _: dict[str, pl.DataFrame]) -> None:
        if stage.name == "speaker_bindings" and stage.batch == batch:
            stage.outcomes[0] |= {"status": "not_evaluated", "reason": "internal_error"}

    return fault


def test_an_early_batch_run_again_links_the_people_of_later_ones_again(house: House) -> None:
    house.run()
    house.breaks = binding_fault(B1)
    assert house.execute("curate", ["speaker_bindings"], B1) is None
    assert stale_assets(house.lakehouse, B2) == [], "until the people of the first have changed"
    before, runs = house.materialized(), len(house.runs())
    report = house.run()
    assert (report.done, report.failed) == ([B1, B2], {})
    assert {n for n, b in house.materialized() - before if b == B2} == OTHERS_PEOPLE
    assert len(house.runs()) == runs + 2, "the faulty batch is not tried twice"
    assert stale_assets(house.lakehouse, B2) == []


def test_a_later_batch_run_again_leaves_the_people_of_earlier_ones_alone(house: House) -> None:
    house.run()
    house.breaks = binding_fault(B2)
    assert house.execute("curate", [*LABELS], B2) is None
    assert stale_assets(house.lakehouse, B1) == []
    assert "people" in stale_assets(house.lakehouse, B2)


def test_a_batch_made_beside_an_earlier_one_is_shown_though_its_people_are_to_be_linked_again(house: House) -> None:
    from speakervid_dag.lake.snapshots import snapshots

    house.run()
    new_binding_setting(house)
    for batch in (B2, B1):  # as two runs of the daemon may end
        assert house.execute("curate", [*LABELS, *SCORED], batch) is None
    assert house.execute("publish", list(AFTER_EVERY_RUN)) is None
    shown = snapshots.latest(house.lake)
    assert shown is not None
    assert shown.held_back == []
    assert stale_batches(house.lakehouse, [B1, B2]).keys() == {B2}
    assert set(stale_assets(house.lakehouse, B2)) == OTHERS_PEOPLE
    assert house.run().done == [B2]
    assert house.run().did_nothing


def test_a_new_batch_moves_an_enforced_percentile_for_all(house: House) -> None:
    house.change_profile(gates={"clarity": {"mode": "enforce"}})
    house.run()
    clarity = pl.col("gate") == "clarity"
    assert set(house.lake.read(TABLES["clip_gates"], where=clarity)["reason"]) == {"population_too_small"}
    before = house.versions()
    report = house.run(B3)  # 24 clips: enough for a 5th percentile
    assert (sorted(report.done), report.failed) == ([B1, B2, B3], {})
    moved = {n: v - before[n] for n, v in house.versions().items()}  # type: ignore[operator]
    assert moved == {n: 3 if n in GOLD else 1 for n in ALL}
    judged = house.lake.read(TABLES["clip_gates"], where=clarity)
    assert set(judged["batch"]) == {B1, B2, B3}
    assert judged["threshold"].n_unique() == 1
    assert judged["threshold"].null_count() == 0
    assert stale_batches(house.lakehouse, [B1, B2, B3]) == {}


def test_a_threshold_moves_tiers_and_no_score(house: House) -> None:
    assert set(house.lake.read(TABLES["tiers"])["tier"]) == {"sft"}
    new_threshold(house)
    house.run()
    assert set(house.lake.read(TABLES["tiers"])["tier"]) == {"pretrain"}


def test_a_new_batch_leaves_the_others_alone(house: House) -> None:
    before, files = house.versions(), [house.files(b) for b in (B1, B2)]
    assert house.run(B3).done == [B3]
    assert house.materialized() == {(name, B3) for name in ALL}
    assert {n: v - before[n] for n, v in house.versions().items()} == dict.fromkeys(ALL, 1)  # type: ignore[operator]
    assert [house.files(b) for b in (B1, B2)] == files


def test_a_batch_run_again_replaces_only_its_own_rows(house: House) -> None:
    house.run()  # registers the partitions
    files, rows = house.files(B2), {n: house.lake.read(TABLES[n]).rows() for n in ("clips", "tiers")}
    mine = house.files(B1)
    assert house.execute("curate", list(ALL), B1) is None
    assert house.materialized() == {(name, B1) for name in ALL}
    assert house.files(B2) == files
    assert all(house.files(B1)[n] != mine[n] for n in ALL if mine[n])
    assert {n: sorted(house.lake.read(TABLES[n]).rows(), key=str) for n in rows} == {
        n: sorted(r, key=str) for n, r in rows.items()
    }
    assert stale_batches(house.lakehouse, [B1, B2]) == {}


def test_a_fault_of_ours_stays_stale_until_it_is_mended_and_then_travels_down(house: House) -> None:
    def fault(stage: Stage, _: dict[str, pl.DataFrame]) -> None:
        if stage.name == "speaker_bindings" and stage.batch == B1:
            stage.outcomes[0] |= {"status": "not_evaluated", "reason": "internal_error"}

    house.breaks = fault
    house.run()
    assert house.execute("curate", ["speaker_bindings"], B1) is None
    below = [*LABELS, *SCORED]
    assert set(stale_assets(house.lakehouse, B1)) == set(below)
    assert stale_assets(house.lakehouse, B2) == []
    house.run()
    assert set(stale_assets(house.lakehouse, B1)) == set(below), "made from a faulty stage: still not what is asked for"
    house.breaks = lambda *_: None
    assert house.execute("curate", ["speaker_bindings"], B1) is None  # mended, then killed before what lies below
    assert set(stale_assets(house.lakehouse, B1)) == set(below) - {"speaker_bindings"}
    house.run()
    assert stale_assets(house.lakehouse, B1) == []
    faulty = house.lake.read(STAGE_OUTCOMES, where=pl.col("reason") == "internal_error")
    assert faulty.is_empty()


def test_a_run_killed_before_publishing_is_published_by_the_next(house: House) -> None:
    from speakervid_dag.lake.snapshots import snapshots

    house.run()
    before = snapshots.latest(house.lake)
    assert house.execute("curate", ["branch_single"], B1) is None
    assert not publication.is_published(house.lakehouse)
    assert house.run().did_nothing
    after = snapshots.latest(house.lake)
    assert before is not None
    assert after is not None
    assert after.number == before.number + 1


def test_every_recipe_names_what_it_depends_on(house: House) -> None:
    """A profile's section changes the code version of exactly the stages that read it (Dagster shows them as stale)."""
    old = {r.name: r.code_version(house.lakehouse) for r in in_order()}
    new_threshold(house)
    assert {n for n, r in recipes().items() if r.code_version(house.lakehouse) != old[n]} == set(GATES)
