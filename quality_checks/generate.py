"""Generator of suites/<table>.json from the rules: `python -m speakervid_dag.quality_checks.generate`.

Belongs here: rule → Great Expectations suite as stable JSON. Does not belong here: rules, running suites.

Audits run these files, and reviewers see their changes; a test checks that they match the rules.
"""

import json
from pathlib import Path
from typing import Any

from speakervid_dag.lake.schemas import TABLES
from speakervid_dag.quality_checks.catalogue import rules_of
from speakervid_dag.quality_checks.rules import Rule

SUITES = Path(__file__).parent / "suites"


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
        "meta": {"name": rule.name, "on": rule.on, "evidence": list(rule.evidence)},
        "notes": rule.doc,
        "severity": rule.severity,
    }


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
