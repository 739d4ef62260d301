"""Chunked audit: a table larger than memory is audited chunk by chunk and committed as a whole.

Belongs here: combining the audits of several chunks into one verdict. Does not belong here: the audit of one frame
(factory.py), staging files (lake/storage/staging.py).
"""

from collections.abc import Iterable, Mapping, Sequence

import polars as pl

from speakervid_dag.lake.schemas import Table
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.lake.storage.slices import Slice
from speakervid_dag.lake.storage.staging import StagedRows
from speakervid_dag.quality_checks import factory
from speakervid_dag.quality_checks.audit import DEFAULT_PARAMETERS, AuditReport, Finding
from speakervid_dag.quality_checks.catalogue import parents_of
from speakervid_dag.quality_checks.factory import AuditOutcome
from speakervid_dag.quality_checks.rules import Parents

Chunk = tuple[Sequence[str], pl.DataFrame]  # whole batches, and all their rows


def audit_and_commit_chunks(
    lake: DeltaLake,
    table: Table,
    chunks: Iterable[Chunk],
    parts: Sequence[tuple[Slice, int]],
    parents: Parents,
    metadata: Mapping[str, str],
    parameters: Mapping[str, float] = DEFAULT_PARAMETERS,
) -> AuditOutcome:
    """Commit all chunks in one commit if each passes its audit; if one fails, write nothing.

    A chunk consists of whole batches, so rules about a batch see all of it. All chunks are compared with the same
    `earlier_tiers`. Chunks after a failing one are not computed.

    Args:
        chunks: the batches of `parts`, each in one chunk.
        parents: frames shared by all chunks; the others are read per chunk.

    Raises:
        ValueError: the batches of the chunks are not those of `parts`; unaudited rows would be promoted.
        SchemaMismatch: there are rows outside the parts.
        TransientFailure: other writers kept changing a slice.
    """
    batches, run_id = sorted({part.values["batch"] for part, _ in parts}), metadata.get("run_id", "")
    shared = dict(parents)
    if "earlier_tiers" in parents_of(table) and "earlier_tiers" not in shared:
        shared["earlier_tiers"] = factory.read_parent(lake, table, "earlier_tiers", batches)
    reports: list[AuditReport] = []
    seen: list[str] = []
    with StagedRows(lake, table) as staged:
        for chunk, frame in chunks:
            inside = [part for part, _ in parts if part.values["batch"] in set(chunk)]
            reports.append(factory.judge(lake, table, frame, inside, shared, parameters))
            if not reports[-1].passed:
                factory.refuse(lake, table, frame, batches, reports[-1], run_id)
                return AuditOutcome(together(table, reports), None)
            staged.add(frame, inside)
            seen += chunk
        if sorted(seen) != batches:
            raise ValueError(f"{table.name}: chunks of {len(seen)} batches for a run of {len(batches)}")
        commit = staged.land(parts, metadata)
    report = together(table, reports)
    factory.settle(lake, table, batches, report, run_id)
    return AuditOutcome(report, commit)


def together(table: Table, reports: Sequence[AuditReport]) -> AuditReport:
    """Return several chunks' reports as one: one finding per expectation, with the failing rows of all chunks."""
    found: dict[str, Finding] = {}
    for finding in (f for report in reports for f in report.findings):
        before = found.get(finding.expectation)
        if before is not None:
            told = f"{before.observed}; {finding.observed}"
            finding = Finding(
                finding.expectation,
                finding.severity,
                finding.column,
                finding.doc,
                told,
                (*before.failing, *finding.failing),
                finding.is_not_evaluated,
            )
        found[finding.expectation] = finding
    rows = sum(report.row_count for report in reports)
    count = max((report.expectation_count for report in reports), default=0)
    return AuditReport(table.name, rows, count, tuple(found.values()))
