"""Markdown tables: what a cell holds stays in it."""

from speakervid_dag.rendering import markdown


def test_a_cell_holds_bars_breaks_and_nothing() -> None:
    made = markdown.table(["a", "b|c"], [["x|y", "two\nlines"], [None, 3]])
    assert made.split("\n") == ["| a | b\\|c |", "|---|---|", "| x\\|y | two lines |", "|  | 3 |"]


def test_a_table_without_rows_is_its_head() -> None:
    assert markdown.table(["a"], []) == "| a |\n|---|"
