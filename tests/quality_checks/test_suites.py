"""The suites on disk are what the rules say, and Great Expectations reads them."""

import json

import pytest

from speakervid_dag.lake.schemas import TABLES
from speakervid_dag.quality_checks.catalogue import HUMAN, parents_of, rules_of
from speakervid_dag.quality_checks.generate import SUITES, suite_text


def test_every_table_has_a_suite_and_no_other() -> None:
    assert {path.stem for path in SUITES.glob("*.json")} == set(TABLES) == set(HUMAN)


@pytest.mark.parametrize("name", TABLES)
def test_the_suite_on_disk_is_the_generated_one(name: str) -> None:
    told = "run `python -m speakervid_dag.quality_checks.generate` and look at the difference"
    assert (SUITES / f"{name}.json").read_text("utf-8") == suite_text(name), told


@pytest.mark.parametrize("name", TABLES)
def test_derived_columns_do_not_hide_columns_of_the_table(name: str) -> None:
    derived = {str(rule.kwargs["column"]) for rule in rules_of(name) if rule.view is not None}
    assert not derived & set(TABLES[name].schema)


def test_rules_look_only_at_tables_that_exist() -> None:
    known = {*TABLES, "manifest", "other_batches", "earlier_tiers", "asked_gates"}
    assert {name: parents_of(table) - known for name, table in TABLES.items() if parents_of(table) - known} == {}


@pytest.mark.parametrize("name", TABLES)
def test_great_expectations_gives_the_suite_back_unchanged(name: str) -> None:
    import great_expectations as gx

    body = json.loads(suite_text(name))
    told = gx.ExpectationSuite(**{**body, "expectations": [dict(e) for e in body["expectations"]]}).to_json_dict()
    for expectation in told["expectations"]:
        expectation.pop("id", None)
    by_name = {e["meta"]["name"]: e for e in told["expectations"]}
    for expectation in body["expectations"]:
        assert by_name[expectation["meta"]["name"]] == expectation
