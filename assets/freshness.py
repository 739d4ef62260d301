"""Which assets of a batch are not made from today's code, settings, weights and inputs.

Belongs here: comparing fingerprints over the graph. Does not belong here: running anything.
"""

from speakervid_dag.assets.resources import Factory
from speakervid_dag.assets.table_asset import RECIPES, Recipe
from speakervid_dag.lake.schemas import STAGE_OUTCOMES


def stale_assets(factory: Factory, batch: str) -> list[str]:
    """Names of the table assets of `batch` to run again, upstream first; empty when all is up to date.

    A stage is stale when its fingerprint differs from the promoted one, when something upstream is stale, or when it
    left a video unfinished by a fault of ours (`internal_error`).
    """
    stale: set[str] = set()
    ordered: list[str] = []
    faulty = _faulty_stages(factory, batch)
    for recipe in in_order():
        if (
            recipe.name in faulty
            or any(t.name in stale for t in recipe.reads)
            or not _is_current(factory, recipe, batch)
        ):
            names = [t.name for t in recipe.tables]
            stale.update(names)
            ordered.extend(names)
    return ordered


def in_order() -> list[Recipe]:
    """Every recipe, upstream first."""
    placed: list[Recipe] = []
    have: set[str] = set()
    waiting = list(RECIPES.values())
    while waiting:
        ready = [r for r in waiting if all(t.name in have for t in r.reads)]
        if not ready:
            raise ValueError(f"the recipes {[r.name for r in waiting]} wait for one another")
        placed += ready
        have |= {t.name for r in ready for t in r.tables}
        waiting = [r for r in waiting if r not in ready]
    return placed


def _is_current(factory: Factory, recipe: Recipe, batch: str) -> bool:
    upstream = recipe.upstream(factory, batch)
    expected = recipe.fingerprint(factory, batch, upstream)
    parts = ((t, recipe.part(t, batch, factory.profile.name)) for t in recipe.tables)
    return all(factory.lake.fingerprint(table, part) == expected for table, part in parts)


def _faulty_stages(factory: Factory, batch: str) -> set[str]:
    outcomes = factory.lake.read(STAGE_OUTCOMES, batches=[batch])
    return set(outcomes.filter(outcomes["reason"] == "internal_error")["stage"])
