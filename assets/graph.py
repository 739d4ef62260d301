"""The graph of recipes: all of them, and their order.

Belongs here: the list of the modules that declare stages. Does not belong here: the recipe type (recipes.py), Dagster's
assets (speakervid_dag.definitions).
"""

from collections.abc import Mapping
from functools import cache

from speakervid_dag.assets import (
    bronze,
    gold,
    silver_labels,
    silver_pictures,
    silver_scores,
    silver_sound,
    silver_sources,
)
from speakervid_dag.assets.recipes import Recipe
from speakervid_dag.lake.schemas import Table

DECLARING = (
    *(bronze, silver_sources, silver_sound, silver_pictures, silver_labels, silver_scores),
    gold,
)


@cache
def recipes() -> Mapping[str, Recipe]:
    """Return every recipe by its name."""
    declared = (value for module in DECLARING for value in vars(module).values())
    return {recipe.name: recipe for recipe in declared if isinstance(recipe, Recipe)}


def maker_of(table: Table) -> Recipe:
    """Return the recipe that computes a table."""
    return next(recipe for recipe in recipes().values() if table in recipe.tables)


def gold_recipes() -> list[Recipe]:
    """Return the recipes of the gold tables, upstream first."""
    return [recipe for recipe in in_order() if recipe.tables[0].layer == "gold"]


def in_order() -> list[Recipe]:
    """Return every recipe, upstream first."""
    placed: list[Recipe] = []
    have: set[str] = set()
    waiting = list(recipes().values())
    while waiting:
        ready = [r for r in waiting if all(t.name in have for t in r.reads)]
        if not ready:
            raise ValueError(f"the recipes {[r.name for r in waiting]} wait for one another")
        placed += ready
        have |= {t.name for r in ready for t in r.tables}
        waiting = [r for r in waiting if r not in ready]
    return placed
