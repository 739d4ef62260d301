"""The suites on disk are what the rules say, and Great Expectations reads them."""

import json

import polars as pl
import pytest

from speakervid_dag.lake.schemas import TABLES
from speakervid_dag.quality_checks.catalogue import HUMAN, parents_of, rules_of
from speakervid_dag.quality_checks.generate import SUITES, expression_text, suite_body, suite_text


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
def test_an_expectation_about_a_computed_column_says_what_is_computed(name: str) -> None:
    given = {*TABLES[name].schema, "schema"}
    for expectation in suite_body(name)["expectations"]:
        meta, kwargs = expectation["meta"], expectation["kwargs"]
        columns = {kwargs["column"]} if "column" in kwargs else set(kwargs["column_list"])
        is_computed = meta["on"] != "schema" and not columns <= given
        assert is_computed == bool({"rule", "found_by"} & set(meta)), meta["name"]


a, b = pl.col("a_s"), pl.col("b__s")


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        (a < b, "(a_s < b__s)"),
        ((a >= -0.1) & (b <= a + 2), "((a_s >= -0.1) & (b__s <= (a_s + 2)))"),
        ((a - b).abs() <= 1e-6, "((a_s - b__s).abs() <= 0.000001)"),
        ((a > b).fill_null(False), "(a_s > b__s).fill_null(false)"),
        (pl.col("x").list.len() == 0, "(x.list.length() == 0)"),
        (pl.col("kind") == "talking", '(kind == "talking")'),
        (
            pl.all_horizontal(a.is_in([1, 2]), b.is_between(0, 1)),
            "a_s.is_in([1, 2]).all_horizontal(b__s.is_between(0, 1))",
        ),
        (pl.max_horizontal(a, (a + b).abs()), "a_s.max_horizontal((a_s + b__s).abs())"),
    ],
)
def test_the_text_of_a_rule_has_its_columns_and_bounds(expression: pl.Expr, said: str) -> None:
    assert expression_text(expression) == said


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
