"""Which batches are left, and why, is told by one function, one command and one batch_status check."""

import re

import polars as pl
import pytest
from house import B1, B2, House

from speakervid_dag.assets.batch_status import batch_status
from speakervid_dag.stages.stage import Stage

pytestmark = pytest.mark.heavy


def told(house: House) -> dict[str, tuple[str, str]]:
    return {r["batch"]: (r["state"], r["why"]) for r in batch_status(house.lakehouse).iter_rows(named=True)}


def test_a_finished_lake(house: House) -> None:
    assert told(house) == {B1: ("finished", ""), B2: ("finished", "")}


def test_a_change_of_settings_leaves_batches_unfinished(house: House) -> None:
    house.change_profile(clips={"min_s": 3.5})
    assert {state for state, _ in told(house).values()} == {"unfinished"}
    assert "clips" in told(house)[B1][1]


def test_a_refused_batch_names_where_to_look(house: House) -> None:
    def twice(stage: Stage, rows: dict[str, pl.DataFrame]) -> None:
        if stage.name == "clips" and stage.batch == B1:
            rows["clips"] = pl.concat([rows["clips"], rows["clips"].head(1)])

    house.breaks = twice
    house.change_profile(clips={"min_s": 3.5})
    report = house.run()
    assert list(report.failed) == [B1]
    state, why = told(house)[B1]
    assert state == "refused"
    assert f"speakervid quarantine show clips/{B1}" in why
    assert told(house)[B2] == ("finished", "")
    checks = [passed for name, _, passed in house.check_results() if name == "lake_snapshot"]
    assert checks, "publication judged the lake"
    assert not checks[-1]


def test_a_fault_of_ours_is_told(house: House) -> None:
    def faulty(stage: Stage, _: dict[str, pl.DataFrame]) -> None:
        if stage.name == "transcripts" and stage.batch == B2:
            stage.outcomes[0] |= {"status": "not_evaluated", "reason": "internal_error", "detail": "ours"}

    house.breaks = faulty
    house.change_profile(transcripts={"beam_size": 2})
    house.run()
    state, why = told(house)[B2]
    assert state == "faulty"
    assert "transcripts" in why
    assert re.findall(r"\d+", why) == ["1"]
    assert "speakervid run" in why
