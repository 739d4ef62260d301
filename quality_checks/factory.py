"""A suite as a blocking, partition-aware asset check, and the only way a frame gets into a table.

Belongs here: audit → commit or quarantine, and a report's form in the Dagster UI. Does not belong here: rules, running
a suite, computing frames.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from speakervid_dag.formats import quantity
from speakervid_dag.lake.batches import BatchBook
from speakervid_dag.lake.schemas import STAGE_OUTCOMES, TABLES, TIERS, VIDEOS, Table
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.lake.storage.slices import Slice
from speakervid_dag.lake.storage.staging import Commit
from speakervid_dag.lake.upkeep import quarantine
from speakervid_dag.quality_checks.audit import DEFAULT_PARAMETERS, AuditReport, Finding, audit, load_suite
from speakervid_dag.quality_checks.catalogue import parents_of
from speakervid_dag.quality_checks.rules import Parents
from speakervid_dag.quality_checks.views import empty_parent

if TYPE_CHECKING:
    import dagster as dg

SAMPLE_ROWS = 10  # failing rows shown in the UI for each expectation
EARLIER_BATCHES = 5  # promoted batches that tier shares are compared with


@dataclass(frozen=True)
class AuditOutcome:
    """The result for one frame: `commit` is None when the frame was refused and quarantined."""

    report: AuditReport
    commit: Commit | None


def audit_and_commit(
    lake: DeltaLake,
    table: Table,
    frame: pl.DataFrame,
    parts: Sequence[tuple[Slice, int]],
    parents: Parents,
    metadata: Mapping[str, str],
    parameters: Mapping[str, float] = DEFAULT_PARAMETERS,
) -> AuditOutcome:
    """Commit a frame that passes its audit; otherwise refuse all of it and write it only to quarantine.

    Args:
        parts: the slices to replace, each with its data version (see `DeltaLake.replace`).
        parents: frames that the caller already has, by table name; others that the suite needs are read from the lake.
        metadata: stored with the commit; a refusal is recorded under its `run_id`.

    Raises:
        SchemaMismatch: there are rows outside the parts.
        TransientFailure: other writers kept changing the slice.
    """
    batches = sorted({part.values["batch"] for part, _ in parts})
    report = judge(lake, table, frame, [part for part, _ in parts], parents, parameters)
    run_id = metadata.get("run_id", "")
    if not report.passed:
        refuse(lake, table, frame, batches, report, run_id)
        return AuditOutcome(report, None)
    commit = lake.replace(table, frame, parts, metadata)
    settle(lake, table, batches, report, run_id)
    return AuditOutcome(report, commit)


def judge(
    lake: DeltaLake,
    table: Table,
    frame: pl.DataFrame,
    parts: Sequence[Slice],
    parents: Parents,
    parameters: Mapping[str, float] = DEFAULT_PARAMETERS,
) -> AuditReport:
    """Audit a frame that is about to become these parts; parents that are not given are read from the lake."""
    scope = [{k: v for k, v in part.values.items() if k in ("batch", "profile")} for part in parts]
    batches = sorted({values["batch"] for values in scope})
    needed = {n: parents[n] if n in parents else read_parent(lake, table, n, batches) for n in parents_of(table)}
    return audit(table, frame, needed, scope, parameters)


def refuse(
    lake: DeltaLake, table: Table, frame: pl.DataFrame, batches: Sequence[str], report: AuditReport, run_id: str
) -> None:
    """Quarantine a frame that failed, per batch. One bad batch refuses the whole run (`batches`), so each is marked."""
    together = quarantine.Entry("refused_together", "critical", None, "another batch of the same run is red")
    for batch in batches:
        if frame.schema.get("batch") != pl.String:
            quarantine.keep_frame(lake, table, batch, frame, run_id)
        elif (mine := frame.filter(pl.col("batch") == batch)).height:
            quarantine.keep_frame(lake, table, batch, mine, run_id)
    told = {b: [*(_entries(report.critical, b) or [together]), *_entries(report.warnings, b)] for b in batches}
    quarantine.record(lake, table, told, run_id, is_open=True)


def settle(lake: DeltaLake, table: Table, batches: Sequence[str], report: AuditReport, run_id: str) -> None:
    """Close the open quarantine entries of promoted batches and record their warnings."""
    quarantine.close(lake, table, batches, run_id)
    told = {batch: entries for batch in batches if (entries := _entries(report.warnings, batch))}
    if told:
        quarantine.record(lake, table, told, run_id, is_open=False)


def check_name(table: Table) -> str:
    return f"{table.name}_audit"


def check_spec(
    table: Table, partitions_def: "dg.PartitionsDefinition[str] | None" = None, *, asset: str | None = None
) -> "dg.AssetCheckSpec":
    """Return the check of a table's suite, on `asset` (default: the table's name). Red blocks everything downstream."""
    import dagster as dg

    lines = [f"- `{e['meta']['name']}` ({e['severity']}): {e['notes']}" for e in load_suite(table.name)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)  # partitioned checks are a preview in 1.13
        return dg.AssetCheckSpec(
            check_name(table),
            asset=asset or table.name,
            description=f"{quantity(len(lines), 'expectation')} of quality_checks/suites/{table.name}.json\n"
            + "\n".join(lines),
            blocking=True,
            partitions_def=partitions_def,
        )


def check_result(report: AuditReport, *, asset: str | None = None) -> "dg.AssetCheckResult":
    """Return the report for the Dagster UI: red expectations, number and sample of failing rows, observed values."""
    import dagster as dg

    metadata: dict[str, dg.MetadataValue | int] = {
        "expectations": report.expectation_count,
        "rows": report.row_count,
        "red": len(report.critical),
        "warnings": len(report.warnings),
    }
    if report.findings:
        metadata["findings"] = dg.MetadataValue.md(findings_table(report.findings))
    for finding in report.findings:
        if finding.failing:
            metadata[f"failing/{finding.expectation}"] = dg.MetadataValue.md(rows_table(finding))
    first = [f"{f.expectation}: {f.observed}" for f in (*report.critical, *report.warnings)]
    return dg.AssetCheckResult(
        check_name=f"{report.table}_audit",
        asset_key=asset or report.table,
        passed=report.passed and not report.warnings,
        severity=dg.AssetCheckSeverity.WARN if report.passed else dg.AssetCheckSeverity.ERROR,
        description=first[0] if first else f"{quantity(report.expectation_count, 'expectation')} passed",
        metadata=metadata,
    )


def findings_table(findings: Sequence[Finding]) -> str:
    """Return a Markdown table, one line per finding."""
    rows = [
        (
            f.expectation,
            f.severity + (" (not evaluated)" if f.is_not_evaluated else ""),
            f.failing_count,
            f.observed,
            f.doc,
        )
        for f in findings
    ]
    return _markdown(("expectation", "severity", "failing", "observed", "should be"), rows)


def rows_table(finding: Finding) -> str:
    """Return a Markdown table of the first failing rows."""
    rows = [(r.batch, r.key or "(whole batch)", r.observed) for r in finding.failing[:SAMPLE_ROWS]]
    return _markdown(("batch", "key", "observed"), rows)


def _markdown(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    def line(cells: Sequence[object]) -> str:
        return "| " + " | ".join(_escaped(str(c)) for c in cells) + " |"

    return "\n".join([line(head), "|" + " --- |" * len(head), *map(line, rows)])


def _escaped(text: str) -> str:
    """Return the text with markup escaped: a value from the data, such as a file name, must not become markup."""
    return "".join("\\" + c if c in r"\`*[]<>|#!~" else c for c in text[:300].replace("\n", " "))


def read_parent(lake: DeltaLake, table: Table, name: str, batches: Sequence[str]) -> pl.DataFrame:
    """Return the parent `name` that a suite compares a table with, for batches about to be written."""
    if name == "asked_gates":  # only the caller that computed the gates has it; without it clips are compared mutually
        return empty_parent(name)
    if name == "manifest":
        book = BatchBook(Path(lake.root))
        rows = [{"batch": b, "video_id": file.video_id} for b in batches for file in book.read(b)]
        return pl.DataFrame(rows, schema=empty_parent(name).schema)
    if name == "other_batches":
        # batches with lost rows are recomputed one after another, so the lost rows of the others are ignored
        lost = {file.values["batch"] for file in lake.lost_files(VIDEOS)}
        return lake.read(VIDEOS, where=~pl.col("batch").is_in([*batches, *lost]), columns=["batch", "video_id"])
    if name == "earlier_tiers":
        earlier = [b for b in lake.batches(TIERS) if b not in batches][-EARLIER_BATCHES:]
        return lake.read(TIERS, batches=earlier)
    if name == STAGE_OUTCOMES.name:
        return lake.read(STAGE_OUTCOMES, batches=batches, where=pl.col("stage") == table.name)
    return lake.read(TABLES[name], batches=batches)


def _entries(findings: Sequence[Finding], batch: str) -> list[quarantine.Entry]:
    return [entry for finding in findings for entry in _finding_entries(finding, batch)]


def _finding_entries(finding: Finding, batch: str) -> Iterator[quarantine.Entry]:
    if not finding.failing:  # concerns every batch: a wrong schema, or an expectation that could not be evaluated
        yield quarantine.Entry(finding.expectation, finding.severity, None, finding.observed)
    mine = [row for row in finding.failing if row.batch == batch]
    for row in mine[: quarantine.MAX_KEYS]:
        yield quarantine.Entry(finding.expectation, finding.severity, row.key, row.observed)
