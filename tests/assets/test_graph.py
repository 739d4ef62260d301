"""What the graph tells a person, and what hangs on what."""

import dagster as dg

from speakervid_dag.assets.graph import recipes
from speakervid_dag.definitions import defs


def test_every_asset_says_what_it_is() -> None:
    for key in (graph := defs.resolve_asset_graph()).get_all_asset_keys():
        node = graph.get(key)
        assert len(node.description or "") > 20, key
        assert node.group_name in {"bronze", "silver", "gold", "statistics", "models"}, key
        assert node.kinds, key
        assert node.owners == ["team:speakervid"], key


def test_every_step_has_its_outcomes_and_its_tables_audited() -> None:
    found = {c.to_user_string() for c in defs.resolve_asset_graph().asset_check_keys}
    steps = [r for r in recipes().values() if r.tables[0].layer != "gold"]
    assert found >= {f"{t.name}:{t.name}_audit" for recipe in recipes().values() for t in recipe.tables}
    audited = {name.split(":")[0] for name in found if name.endswith(":stage_outcomes_audit")}
    assert audited == {recipe.tables[0].name for recipe in steps}


def test_the_snapshot_waits_for_every_table() -> None:
    graph = defs.resolve_asset_graph()
    waited_for = graph.get_ancestor_asset_keys(dg.AssetKey("lake_snapshot"))
    assert {t.name for recipe in recipes().values() for t in recipe.tables} == {k.to_user_string() for k in waited_for}


def test_the_tables_of_a_step_lie_at_one_level() -> None:
    """Else a backfill takes the step for as deep as its deepest table, and what reads the first one is split off."""
    levels = defs.resolve_asset_graph().toposorted_asset_keys_by_level
    level_of = {key.to_user_string(): level for level, keys in enumerate(levels) for key in keys}
    steps = {recipe.name: {level_of[t.name] for t in recipe.tables} for recipe in recipes().values() if recipe.reads}
    assert {name: found for name, found in steps.items() if len(found) > 1} == {}
