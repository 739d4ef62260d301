"""The packaged profiles judge one set of stored scores: changing from one to another runs gold, and no model."""

import polars as pl
import pytest
from house import B1, B2, House

from speakervid_dag.assets.graph import recipes
from speakervid_dag.config.profiles import load_profile, profile_names
from speakervid_dag.definitions import defs  # noqa: F401 - it fills the registry of recipes
from speakervid_dag.lake.schemas import TABLES
from speakervid_dag.runs.retier import retier
from speakervid_dag.stages.stage import Stage

pytestmark = pytest.mark.heavy

GOLD = {name for name, table in TABLES.items() if table.layer == "gold"}


def no_stage(stage: Stage, _: dict[str, pl.DataFrame]) -> None:
    raise AssertionError(f"{stage.name} was computed again")


def test_no_stage_before_gold_reads_what_the_packaged_profiles_differ_in() -> None:
    sections = {s for r in recipes().values() if r.tables[0].layer != "gold" for s in r.sections}

    assert {"scores", "clips", "tracking"} <= sections
    assert len({load_profile(name).digest(*sorted(sections)) for name in profile_names()}) == 1


def test_both_papers_profiles_run_on_the_scores_of_the_first(house: House) -> None:
    scores, clips = (house.lake.version(TABLES[n]) for n in ("clip_scores", "clips"))
    house.breaks = no_stage
    seen = house.materialized()
    for name in ("speakervid-5m", "talkvid"):
        house.settings = house.settings.model_copy(update={"profile": name})
        report = house.run()
        assert (report.done, report.failed) == ([B1, B2], {})
        assert house.materialized() - seen <= {(table, batch) for table in GOLD for batch in (B1, B2)}
        assert house.run().did_nothing
    assert (scores, clips) == tuple(house.lake.version(TABLES[n]) for n in ("clip_scores", "clips"))

    clip_ids = set(house.lake.read(TABLES["clips"])["clip_id"])
    judged = house.lake.read(TABLES["tiers"]).group_by("profile").agg("clip_id")
    assert {profile: set(clips) for profile, clips in judged.select("profile", "clip_id").iter_rows()} == {
        "laptop": clip_ids,
        "speakervid-5m": clip_ids,
        "talkvid": clip_ids,
    }


@pytest.mark.parametrize("name", ["speakervid-5m", "talkvid"])
def test_retier_judges_by_a_papers_profile_without_any_stage(house: House, name: str) -> None:
    house.run()  # registers the partitions
    house.breaks = no_stage
    house.settings = house.settings.model_copy(update={"profile": name})

    done = retier(house.settings)

    assert (done.failure, done.profile, done.batches) == (None, name, (B1, B2))
    asked = house.lake.read(TABLES["clip_gates"], where=pl.col("profile") == name)
    assert set(asked["gate"]) == set(load_profile(name).gates)
    weightless = asked.filter(pl.col("measure").is_in(["video_quality", "dover_technical", "cotracker_ratio"]))
    assert set(weightless.select("verdict", "reason").iter_rows()) == {("not_evaluated", "weights_missing")}
    assert set(asked.filter(pl.col("gate") == "duration")["verdict"]) <= {"pass", "fail"}
    # DOVER holds every clip out of sft, and rejects none for it
    assert "sft" not in set(house.lake.read(TABLES["tiers"], where=pl.col("profile") == name)["tier"])
