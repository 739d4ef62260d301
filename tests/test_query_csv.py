"""A spreadsheet that opens our CSV shows text, and runs nothing."""

import polars as pl
import pytest

from speakervid_dag.query import print_answer


@pytest.mark.parametrize("text", ["=HYPERLINK(1)", "+1", "-1+1", "@SUM(A1)", "\tx", "=cmd|' /C calc'!A0"])
def test_a_formula_is_text(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_answer(pl.DataFrame({"text": [text], "n": [-1.5]}), "csv")
    cell, number = capsys.readouterr().out.splitlines()[1].rsplit(",", 1)
    assert cell.strip('"').startswith("'")
    assert number == "-1.5"
