"""All rules of all tables, derived and human, in one place.

Belongs here: the union, and the check that names are unique. Does not belong here: the rules themselves.
"""

from collections.abc import Mapping
from functools import lru_cache

from speakervid_dag.lake.schemas import TABLES, Table
from speakervid_dag.quality_checks import rules_clips, rules_gold, rules_media, rules_people
from speakervid_dag.quality_checks.derived import derived_rules
from speakervid_dag.quality_checks.rules import Rule, TableRules

HUMAN: Mapping[str, TableRules] = {
    name: human
    for module in (rules_media, rules_people, rules_clips, rules_gold)
    for name in TABLES
    if isinstance(human := getattr(module, name.upper(), None), TableRules)
}


@lru_cache(maxsize=len(TABLES))
def rules_of(table_name: str) -> tuple[Rule, ...]:
    """Return every rule of a table, derived ones first.

    Raises:
        KeyError: the table has no human part (an empty one must be declared).
        ValueError: two rules have the same name.
    """
    table = TABLES[table_name]
    found = (*derived_rules(table), *HUMAN[table_name].rules)
    names = [rule.name for rule in found]
    twice = {n for n in names if names.count(n) > 1}
    if twice:
        raise ValueError(f"{table_name} has two rules called {sorted(twice)}")
    return found


def parents_of(table: Table) -> frozenset[str]:
    """Return the names of the parents that the rules of `table` read: tables, and frames that `factory.read_parent`
    builds."""
    extra = {"videos", "stage_outcomes"} if table.layer == "silver" else set()
    return HUMAN[table.name].parents | extra
