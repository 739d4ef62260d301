"""Rules that follow from a table's schema alone.

Belongs here: columns and dtypes, nullability, finiteness, keys, vocabularies given in a column's doc, value-or-status
pairs, agreement with the stage's outcomes. Does not belong here: what only a person knows (rules_*.py).
"""

import re

import polars as pl

from speakervid_dag.lake.schemas import FLOAT, Table
from speakervid_dag.quality_checks.rules import Parents, Rule, holds, nothing_missing, one_of, reason_given

_VOCABULARY = re.compile(r"^\w+( \| \w+)+$")


def derived_rules(table: Table) -> list[Rule]:
    """Return every rule that the schema implies, in the order of its columns."""
    rules = [_schema(table), _key(table), *(_not_null(name) for name in table.required)]
    for column in table.columns:
        if column.dtype == FLOAT and column.nullable:
            rules.append(_finite(column.name))
        words = vocabulary(column.doc)
        if words:
            rules.append(one_of(column.name, words))
        if column.nullable and f"{column.name}_status" in table.schema:
            rules.append(_value_or_status(table, column.name))
    if {"status", "reason"} <= set(table.schema):
        rules.append(reason_given(*vocabulary(table_doc(table, "status"))[:1]))
    if table.layer == "silver" and "video_id" in table.schema:  # a batch's own figures have no video
        rules += _outcome_rules(table)
    return rules


def vocabulary(doc: str) -> tuple[str, ...]:
    """Return the words of a doc like 'sft | pretrain | rejected', else none."""
    return tuple(doc.split(" | ")) if _VOCABULARY.match(doc) else ()


def table_doc(table: Table, column: str) -> str:
    return next(c.doc for c in table.columns if c.name == column)


def shape(schema: pl.Schema) -> list[str]:
    """Return the columns with dtypes in order, in the form that the schema expectation compares."""
    return [f"{name}: {dtype}" for name, dtype in schema.items()]


def _schema(table: Table) -> Rule:
    doc = "exactly these columns, in this order, with these dtypes"
    kwargs = {"column_list": shape(table.schema)}
    return Rule("schema", "expect_table_columns_to_match_ordered_list", kwargs, doc, on="schema")


def _key(table: Table) -> Rule:
    doc = f"{' × '.join(table.key)} is unique"
    if len(table.key) == 1:
        return Rule("key_unique", "expect_column_values_to_be_unique", {"column": table.key[0]}, doc)
    return Rule("key_unique", "expect_compound_columns_to_be_unique", {"column_list": list(table.key)}, doc)


def _not_null(column: str) -> Rule:
    doc = f"{column} is there (a float: and finite)"
    return Rule(f"{column}_not_null", "expect_column_values_to_not_be_null", {"column": column}, doc)


def _finite(column: str) -> Rule:
    return holds(f"{column}_finite", pl.col(f"{column}__raw").is_finite(), f"{column} is null or finite", (column,))


def _value_or_status(table: Table, column: str) -> Rule:
    value = pl.col(f"{column}__raw" if table.schema[column] == FLOAT else column)
    said = (pl.col(f"{column}_status") == "ok") == value.is_not_null()
    doc = f"{column} is there exactly when {column}_status is ok"
    return holds(f"{column}_agrees_with_status", said, doc, (column, f"{column}_status"))


def _outcome_rules(table: Table) -> list[Rule]:
    def without_outcome(_: pl.DataFrame, parents: Parents, __: pl.DataFrame) -> pl.DataFrame:
        usable = parents["videos"].filter(pl.col("status") != "rejected")
        told = parents["stage_outcomes"]
        return usable.join(told, on=["batch", "video_id"], how="anti").select("batch", item="video_id")

    def rows_differ(frame: pl.DataFrame, parents: Parents, _: pl.DataFrame) -> pl.DataFrame:
        # `row_count` belongs to the stage's first table, which shares its name
        told = parents["stage_outcomes"].filter(pl.col("stage") == table.name)
        found = frame.unique(table.key).group_by("batch", "video_id").len("found")
        both = told.join(found, on=["batch", "video_id"], how="left")
        wrong = both.filter(pl.col("row_count") != pl.col("found").fill_null(0))
        return wrong.select(
            "batch", item=pl.format("{} ({} of {})", "video_id", pl.col("found").fill_null(0), "row_count")
        )

    return [
        nothing_missing(
            "every_video_has_an_outcome",
            "each usable video of the batch ended as ok, not_evaluated or skipped in the stage",
            without_outcome,
        ),
        nothing_missing("no_rows_lost", "as many rows a video as its outcome says the stage gave", rows_differ),
    ]
