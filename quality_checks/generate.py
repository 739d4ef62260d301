"""Generator of suites/<table>.json from the rules: `python -m speakervid_dag.quality_checks.generate`.

Belongs here: rule → Great Expectations suite as stable JSON. Does not belong here: rules, running suites. Audits run
these files, and reviewers see changes to them; a test checks that they match the rules.

If an expectation names a column that an audit computes, its `meta` describes the computation: `rule`, the condition
with its columns and bounds, and `when`, the rows it applies to; or `found_by`, the function that lists the failures.
"""

import json
import re
from pathlib import Path
from typing import Any

import polars as pl

from speakervid_dag.lake.schemas import TABLES
from speakervid_dag.quality_checks.catalogue import rules_of
from speakervid_dag.quality_checks.rules import Rule

SUITES = Path(__file__).parent / "suites"

# polars writes [(a) < (b)] for an operation and f([a, b]) for a call; suites show (a < b) and f(a, b)
_BRACKETS = re.compile(r"(\(\[(?!\()|\[\(|\)\]|\]\)|\[|\])")
_OPENING = {"[(": "(", "([": "(", "[": "["}
_CLOSING = {("[(", ")]"): ")", ("([", "])"): ")", ("([", ")]"): ")", ("[", "]"): "]", ("[", ")]"): ")]"}


def suite_body(table_name: str) -> dict[str, Any]:
    """Return a suite in the form of Great Expectations' `to_json_dict()`, without ids and versions, sorted by rule."""
    expectations = [_expectation(rule) for rule in sorted(rules_of(table_name), key=lambda r: (r.on, r.name))]
    return {"name": table_name, "expectations": expectations, "meta": {}, "notes": TABLES[table_name].doc}


def suite_text(table_name: str) -> str:
    return json.dumps(suite_body(table_name), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _expectation(rule: Rule) -> dict[str, Any]:
    return {
        "type": rule.expectation,
        "kwargs": dict(rule.kwargs),
        "meta": {"name": rule.name, "on": rule.on, "evidence": list(rule.evidence), **_computed(rule)},
        "notes": rule.doc,
        "severity": rule.severity,
    }


def _computed(rule: Rule) -> dict[str, str]:
    """Return how the expectation's column is computed, from the definition that computes it."""
    said = {}
    if rule.view is not None:
        said["rule"] = expression_text(rule.view)
    if rule.after is not None:
        said["when"] = expression_text(rule.after)
    if rule.find is not None:
        said["found_by"] = f"{rule.find.__module__}.{rule.find.__qualname__}".split(".<locals>")[0]
    return said


def expression_text(expression: pl.Expr) -> str:
    """Return polars' text of an expression without its markup of columns, literals and operands.

    `[(col("end_s")) <= ([(col("video__duration_s")) + (dyn float: 0.1)])]` is `(end_s <= (video__duration_s + 0.1))`.
    """
    text = re.sub(r'col\("(\w+)"\)', r"\1", str(expression))
    text = re.sub(r"dyn (?:int|float): ", "", text)
    text = re.sub(r"\.struct\.field_by_name\((\w+)\)\(\)", r".\1", text)
    text = re.sub(r"\) ([-+*/%&|]|[<>!=]=|[<>]) \(", r" \1 ", text)
    said, opened = "", list[str]()
    for part in _BRACKETS.split(text):
        if part in _OPENING:
            opened.append(part)
            said += _OPENING[part]
        elif part in (")]", "])", "]"):
            said += _CLOSING[opened.pop(), part]
        else:
            said += part
    return said


def main() -> None:
    """Write every suite and remove those of tables that no longer exist."""
    SUITES.mkdir(exist_ok=True)
    for path in SUITES.glob("*.json"):
        if path.stem not in TABLES:
            path.unlink()
    for name in TABLES:
        (SUITES / f"{name}.json").write_text(suite_text(name))


if __name__ == "__main__":
    main()
