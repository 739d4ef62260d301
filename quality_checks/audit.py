"""Running a suite over a frame: every verdict comes from an expectation of suites/<table>.json.

Belongs here: Great Expectations, and turning its results into findings with keys. Does not belong here: rules, commits,
Dagster. An expectation that could not be evaluated is a red, critical finding, never a pass.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

import polars as pl

from speakervid_dag.lake.schemas import Table
from speakervid_dag.quality_checks.derived import shape
from speakervid_dag.quality_checks.rules import Parents, Target
from speakervid_dag.quality_checks.views import ROW, audit_frame, facts_frame, flat

# Bounds that a profile may set in a suite; these are the paper's (SpeakerVid-5M: clips of 3-14 s)
DEFAULT_PARAMETERS: Mapping[str, float] = {"clip_min_s": 3.0, "clip_max_s": 14.0}
# Listing the failing rows costs as much again as the verdict, so only failed expectations are rerun for it
VERDICT = {"result_format": "BOOLEAN_ONLY"}
FAILING_ROWS = {
    "result_format": "COMPLETE",
    "unexpected_index_column_names": [ROW],
    "return_unexpected_index_query": False,
}


@dataclass(frozen=True)
class FailingRow:
    """One row that fails an expectation; for a finding about a batch, the batch, with `key` None."""

    batch: str
    key: str | None
    observed: str


@dataclass(frozen=True)
class Finding:
    """One expectation that failed or could not be evaluated."""

    expectation: str
    severity: str
    column: str
    doc: str
    observed: str
    failing: tuple[FailingRow, ...] = ()
    is_not_evaluated: bool = False

    @property
    def failing_count(self) -> int:
        return len(self.failing)


@dataclass(frozen=True)
class AuditReport:
    """The result of an audit. `passed`: no critical finding."""

    table: str
    row_count: int
    expectation_count: int
    findings: tuple[Finding, ...]

    @property
    def critical(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.severity == "critical")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.severity != "critical")

    @property
    def passed(self) -> bool:
        return not self.critical


def audit(
    table: Table,
    frame: pl.DataFrame,
    parents: Parents,
    scope: Sequence[Mapping[str, str]],
    parameters: Mapping[str, float] = DEFAULT_PARAMETERS,
) -> AuditReport:
    """Audit a frame with its table's suite.

    Args:
        parents: the frames named by `catalogue.parents_of(table)`, for the batches in `scope`.
        scope: one entry per part about to be written: {"batch": …}, and {"profile": …} where the table has one. A part
            without rows is audited too: an empty table is legal when nothing is missing from it.
        parameters: bounds that the suite leaves to the profile.
    """
    expectations = load_suite(table.name)
    wrong_shape = list(_run(expectations, "schema", _header(frame), table, parameters))
    if wrong_shape:  # the other expectations need these columns
        return AuditReport(table.name, frame.height, len(expectations), tuple(wrong_shape))
    parts = pl.DataFrame(list(scope), schema={n: pl.String for n in ("batch", "profile") if n in scope[0]}).unique()
    try:
        rows = audit_frame(table, frame, parents)
        facts = facts_frame(table, frame, parents, parts)
    except pl.exceptions.PolarsError as problem:
        told = f"the check columns could not be derived: {type(problem).__name__}: {problem}"
        broken = Finding("audit_view", "critical", "", "the check columns can be derived", told, is_not_evaluated=True)
        return AuditReport(table.name, frame.height, len(expectations), (broken,))
    findings = [
        *_run(expectations, "rows", rows, table, parameters),
        *_run(expectations, "batch", facts, table, parameters),
    ]
    return AuditReport(table.name, frame.height, len(expectations), tuple(findings))


@lru_cache(maxsize=64)
def load_suite(table_name: str) -> tuple[dict[str, Any], ...]:
    """Return the expectations of suites/<table>.json, as dicts."""
    text = (resources.files("speakervid_dag.quality_checks") / "suites" / f"{table_name}.json").read_text("utf-8")
    return tuple(json.loads(text)["expectations"])


def _header(frame: pl.DataFrame) -> pl.DataFrame:
    return pl.DataFrame(schema=dict.fromkeys(shape(frame.schema), pl.Boolean))


@lru_cache(maxsize=1)
def _batch_definition() -> Any:
    """Return the whole-frame batch definition of one ephemeral context per process, without progress bars or usage
    statistics."""
    import os

    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    gx = _great_expectations()
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    return (
        context.data_sources.add_pandas("frames")
        .add_dataframe_asset("frame")
        .add_batch_definition_whole_dataframe("all")
    )


def _great_expectations() -> Any:
    """Import Great Expectations: 3 to 10 s, once per process. Garbage collection is off: it would add a fifth."""
    import gc

    was_on = gc.isenabled()
    gc.disable()
    try:
        import great_expectations
    finally:
        if was_on:
            gc.enable()
    return great_expectations


def _run(
    expectations: Sequence[dict[str, Any]],
    target: Target,
    view: pl.DataFrame,
    table: Table,
    parameters: Mapping[str, float],
) -> Iterator[Finding]:
    """Yield the findings of one target's expectations, in the suite's order."""
    chosen = [e for e in expectations if e["meta"]["on"] == target]
    if not chosen:
        return
    results = _validate(table.name, chosen, _asked(view, chosen, target), parameters)
    for expectation in chosen:
        result = results.get(expectation["meta"]["name"])
        problem = "it gave no result" if result is None else _raised(result["exception_info"])
        if problem is not None:
            yield _finding(expectation, f"not evaluated: {problem}", is_not_evaluated=True)
        elif result is not None and not result["success"]:
            yield _failed(expectation, result["result"], view, table, target)


def _asked(view: pl.DataFrame, expectations: Sequence[dict[str, Any]], target: Target) -> pl.DataFrame:
    """Return only the columns that the expectations read, flattened."""
    if target == "schema":
        return view
    asked = {ROW}
    for expectation in expectations:
        kwargs = expectation["kwargs"]
        asked |= {kwargs["column"]} if "column" in kwargs else set(kwargs["column_list"])
    return flat(view.select(n for n in view.columns if n in asked))


def _validate(
    name: str, expectations: Sequence[dict[str, Any]], view: pl.DataFrame, parameters: Mapping[str, float]
) -> dict[str, dict[str, Any]]:
    """Return Great Expectations' results by rule name; only failed ones list their failing rows."""
    batch = _batch_definition().get_batch(batch_parameters={"dataframe": view.to_pandas()})
    told = _results(batch, name, expectations, parameters, VERDICT)
    red = [e for e in expectations if e["meta"]["name"] in told and not told[e["meta"]["name"]]["success"]]
    return told | (_results(batch, name, red, parameters, FAILING_ROWS) if red else {})


def _results(
    batch: Any,
    name: str,
    expectations: Sequence[dict[str, Any]],
    parameters: Mapping[str, float],
    result_format: Mapping[str, Any],
) -> dict[str, dict[str, Any]]:
    suite = _great_expectations().ExpectationSuite(name=name, expectations=[dict(e) for e in expectations])
    wanted = {
        v["$PARAMETER"] for e in expectations for v in e["kwargs"].values() if isinstance(v, dict) and "$PARAMETER" in v
    }
    given = {k: v for k, v in parameters.items() if k in wanted}
    outcome = batch.validate(suite, result_format=result_format, expectation_parameters=given or None)
    return {
        r.expectation_config.meta["name"]: {
            "success": r.success,
            "result": r.result,
            "exception_info": r.exception_info,
        }
        for r in outcome.results
    }


def _raised(info: Mapping[str, Any]) -> str | None:
    """Return the message of an exception inside an expectation, or None. `info` is flat, or nested by metric id."""
    if "raised_exception" in info:
        return str(info["exception_message"]) if info["raised_exception"] else None
    told = [str(v["exception_message"]) for v in info.values() if isinstance(v, Mapping) and v["raised_exception"]]
    return told[0] if told else None


def _failed(
    expectation: dict[str, Any], result: Mapping[str, Any], view: pl.DataFrame, table: Table, target: Target
) -> Finding:
    if target == "schema":
        wrong = result["details"]["mismatched"]
        told = "; ".join(f"{m['Found']} instead of {m['Expected']}" for m in wrong[:8])
        return _finding(expectation, told)
    numbers = sorted({int(entry[ROW]) for entry in result["unexpected_index_list"]})
    rows = view.filter(pl.col(ROW).is_in(numbers))
    kwargs, meta = expectation["kwargs"], expectation["meta"]
    columns = meta["evidence"] or ([kwargs["column"]] if "column" in kwargs else kwargs["column_list"])
    failing = tuple(
        FailingRow(
            str(row.get("batch", "")),
            _key(row, table) if target == "rows" else None,
            _observed(row, columns, meta["name"]),
        )
        for row in rows.iter_rows(named=True)
    )
    told = f"{len(failing)} of {view.height} {'rows' if target == 'rows' else 'batches'}: {failing[0].observed}"
    return _finding(expectation, told, failing)


def _finding(
    expectation: dict[str, Any], observed: str, failing: tuple[FailingRow, ...] = (), *, is_not_evaluated: bool = False
) -> Finding:
    kwargs, meta = expectation["kwargs"], expectation["meta"]
    column = kwargs.get("column") or " × ".join(kwargs["column_list"] if meta["on"] == "rows" else ())
    severity = "critical" if is_not_evaluated else expectation["severity"]
    return Finding(meta["name"], severity, column, expectation["notes"], observed, failing, is_not_evaluated)


def _key(row: Mapping[str, Any], table: Table) -> str:
    return "/".join(str(row[c]) for c in table.key)


def _observed(row: Mapping[str, Any], columns: Sequence[str], name: str) -> str:
    """Return the evidence columns as text for a person, with the original floats (NaN included)."""
    shown = []
    for column in columns:
        value = row.get(f"{column}__raw", row[column])
        label = "" if column == f"{name}__evidence" else f"{column} = "
        shown.append(f"{label}{value:.6g}" if isinstance(value, float) else f"{label}{value}")
    count = [f"{row[name]:g}"] if f"{name}__evidence" in columns else []
    return ": ".join([*count, ", ".join(shown)])
