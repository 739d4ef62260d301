"""What Dagster's own UI calls stale, and what the daemon would start."""

from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest
from house import B1, B2, House, made_house

from speakervid_dag.assets.graph import maker_of
from speakervid_dag.lake.schemas import TABLES
from speakervid_dag.runs.retier import retier

pytestmark = pytest.mark.heavy

ALL = [name for name, table in TABLES.items() if table.layer != "system"]
GOLD = [name for name, table in TABLES.items() if table.layer == "gold"]


def stale_in_ui(house: House, changed_code: str = "", *, is_loaded_now: bool = False) -> dict[str, set[str]]:
    """Batch → tables that the UI recorded as stale.

    Args:
        changed_code: a table whose code version is another one now.
        is_loaded_now: as if the definitions were loaded now: another test may have loaded them beside other weights.
    """
    from speakervid_dag.definitions import defs

    def renewed(spec: dg.AssetSpec) -> dg.AssetSpec:
        name = spec.key.to_user_string()
        if name == changed_code:
            return spec.replace_attributes(code_version="another")
        if name in ALL and is_loaded_now:
            return spec.replace_attributes(code_version=maker_of(TABLES[name]).code_version(house.lakehouse))
        return spec

    graph = defs.map_resolved_asset_specs(func=renewed).resolve_asset_graph()
    resolver = CachingStaleStatusResolver(house.instance, graph, loading_context=LoadingContextForTest(house.instance))
    return {b: {n for n in ALL if resolver.get_status(dg.AssetKey(n), b) != StaleStatus.FRESH} for b in (B1, B2)}


def test_the_ui_shows_what_is_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = made_house(tmp_path / "lake", monkeypatch)
    assert house.run(B1, B2).done == [B1, B2]
    assert stale_in_ui(house) == {B1: set(), B2: set()}
    assert stale_in_ui(house, "tiers") == {B1: {"tiers"}, B2: {"tiers"}}

    house.weights["dnsmos"] = "another hash"  # the next step has other data: what reads it is stale, in this batch only
    assert house.execute("curate", ["clip_scores"], B1) is None
    assert stale_in_ui(house) == {B1: {"clip_gates"}, B2: set()}
    house.run()
    assert stale_in_ui(house) == {B1: set(), B2: set()}

    assert retier(house.settings).failure is None  # one run over a range
    assert stale_in_ui(house) == {B1: set(), B2: set()}
    assert house.execute("curate", ["clip_scores"], B1) is None  # the same rows again: the same data version
    assert stale_in_ui(house) == {B1: set(), B2: set()}


def requested(house: House, cursor: object = None) -> tuple[set[tuple[str, str | None]], object]:
    """(asset, batch) that the daemon would start now."""
    from speakervid_dag.definitions import defs

    told = dg.evaluate_automation_conditions(defs, house.instance, cursor=cursor)  # type: ignore[arg-type]
    found: set[tuple[str, str | None]] = set()
    for name in [*ALL, "lake_snapshot", "funnel"]:
        keys = told.get_requested_partitions(dg.AssetKey(name))
        found |= {(name, key) for key in keys}
    return found, told.cursor


def test_the_daemon_makes_stale_gold_again_and_only_that(house: House) -> None:
    house.run()
    assert house.execute("curate", [*ALL, "lake_snapshot"], B1) is None
    assert house.execute("curate", [*ALL, "lake_snapshot"], B2) is None
    asked, cursor = requested(house)
    assert asked == set(), "a first look starts nothing"
    assert house.execute("curate", [*ALL, "lake_snapshot"], B2) is None
    asked, cursor = requested(house, cursor)
    assert not {a for a in asked if a[0] in GOLD}, "the run that made the inputs made gold, too"
    assert house.execute("curate", ["clip_scores"], B1) is None
    asked, cursor = requested(house, cursor)
    assert {a for a in asked if a[0] in ALL} == {(name, B1) for name in GOLD}
    assert house.execute("retier", GOLD, B1, B2) is None  # one run over a range
    asked, cursor = requested(house, cursor)
    assert asked == {("lake_snapshot", None), ("funnel", None)}, "what is new is published, and not made again"
    assert house.execute("publish", ["lake_snapshot"]) is None
    assert house.execute("retier", GOLD, B2) is None
    asked, cursor = requested(house, cursor)
    assert asked == {("lake_snapshot", None), ("funnel", None)}, "gold that came after the publication of the same tick"
    assert house.execute("publish", ["lake_snapshot", "funnel"]) is None
    asked, cursor = requested(house, cursor)
    assert asked == set()
    assert house.execute("retier", GOLD, B2) is None
    assert house.execute("curate", ["clip_scores"], B2) is None
    asked, cursor = requested(house, cursor)
    assert {a for a in asked if a[0] in ALL} == {(name, B2) for name in GOLD}, (
        "scores that came after gold of that tick"
    )


def told(house: House) -> dict[str, set[str]]:
    """Table → batches that the instance takes for made."""
    return {name: set(house.instance.get_materialized_partitions(dg.AssetKey(name))) for name in ALL}


def test_an_instance_that_lost_its_history_is_told_what_is_promoted(house: House) -> None:
    assert set().union(*told(house).values()) == set(), "a lake copied without .dagster"
    assert house.run().did_nothing
    everything = {name: {B1, B2} for name in ALL}
    assert told(house) == everything
    assert stale_in_ui(house, is_loaded_now=True) == {B1: set(), B2: set()}
    assert stale_in_ui(house, "tiers", is_loaded_now=True) == {B1: {"tiers"}, B2: {"tiers"}}
    reported = {name: house.instance.get_latest_materialization_event(dg.AssetKey(name)) for name in ALL}
    assert house.run().did_nothing
    for name, event in reported.items():
        assert house.instance.get_latest_materialization_event(dg.AssetKey(name)) == event, "told once"

    assert house.execute("curate", ["clip_scores"], B1) is None  # the same data version as was told
    # what is made from it is not stale; its own code version is that of the definitions, whoever loaded them
    assert {b: names - {"clip_scores"} for b, names in stale_in_ui(house, is_loaded_now=True).items()} == {
        B1: set(),
        B2: set(),
    }

    _, cursor = requested(house)
    for name in ALL:
        house.instance.wipe_assets([dg.AssetKey(name)])
    asked, cursor = requested(house, cursor)
    assert {a for a in asked if a[0] in ALL} == set()
    assert house.run().did_nothing
    assert told(house) == everything
    rounds = []
    for _ in range(4):  # as the daemon: what it asks for is made, then it looks again
        asked, cursor = requested(house, cursor)
        rounds.append({a for a in asked if a[0] in ALL})
        if rounds[-1]:
            assert house.execute("retier", GOLD, B1, B2) is None
        for name in sorted({a[0] for a in asked} - set(ALL)):
            assert house.execute("publish", [name]) is None
    assert rounds[1:] == [set()] * 3, rounds


def test_a_retier_tells_what_is_promoted_too(house: House) -> None:
    assert retier(house.settings.model_copy(update={"profile": "talkvid"})).failure is None
    assert told(house) == {name: {B1, B2} for name in ALL}
