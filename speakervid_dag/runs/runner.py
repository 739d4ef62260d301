"""The driver of the asset graph for the command line: new files become batches, batches become tables.

Belongs here: planning batches, running Dagster jobs in this process on the lake's own instance, collecting the summary.
Does not belong here: how assets work (assets/), printing (cli/console.py), argument parsing (cli/app.py).
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from speakervid_dag.config.settings import Settings
from speakervid_dag.failures import UserError
from speakervid_dag.lake.batches import BatchBook, Plan
from speakervid_dag.lake.sources import Sources
from speakervid_dag.runs.report import AFTER_EVERY_RUN, RunReport

if TYPE_CHECKING:
    import dagster as dg

    from speakervid_dag.assets.resources import Lakehouse

LOG = logging.getLogger(__name__)
Say = Callable[[str], None]


def plan_run(settings: Settings, paths: Sequence[Path], limit: int | None) -> Plan:
    """Return the batches of new files in these paths. Raise UserError if none of the paths exists."""
    plan = BatchBook(settings.lake_dir).plan(
        paths, batch_size=settings.batch_size, limit=limit, follow_links=settings.follow_links
    )
    if paths and set(paths) <= set(plan.found.missing):
        raise UserError(f"no such file or folder: {', '.join(map(str, paths))}")
    return plan


def run_plan(
    settings: Settings, plan: Plan, announce: Callable[[Plan], None] = lambda _: None, say: Say = LOG.warning
) -> RunReport:
    """Register the plan's batches and materialise everything stale, oldest batch first.

    Then run once more what those runs made stale in other batches (docs/decisions/0006). Batches that a killed run left
    unfinished are finished too. One batch's failure does not stop the next.

    Args:
        announce: called with the registered plan before anything runs.
        say: called with messages for the waiting user.
    """
    from speakervid_dag.runs.instance import prepare_home

    prepare_home(settings)
    book = BatchBook(settings.lake_dir)
    report = RunReport(plan=book.enlist(plan))
    announce(report.plan)
    _bring_up_to_date(settings, book.names(), report, say)
    return report


def run_batches(settings: Settings, batches: Sequence[str], say: Say = LOG.warning) -> RunReport:
    """Materialise what is stale in these batches only. Raise UserError if one of them does not exist."""
    report, book = RunReport(), BatchBook(settings.lake_dir)
    for batch in batches:
        book.read(batch)
    _bring_up_to_date(settings, list(batches), report, say)
    return report


def _bring_up_to_date(settings: Settings, batches: Sequence[str], report: RunReport, say: Say) -> None:
    from speakervid_dag.assets import materializations, publication
    from speakervid_dag.assets.graph import recipes
    from speakervid_dag.assets.partitions import register_batches
    from speakervid_dag.assets.resources import Lakehouse
    from speakervid_dag.assets.staleness import stale_batches
    from speakervid_dag.assets.weights import require_weights
    from speakervid_dag.lake.snapshots import losses, snapshots
    from speakervid_dag.lake.storage import integrity
    from speakervid_dag.lake.upkeep import takedown
    from speakervid_dag.runs import execution
    from speakervid_dag.runs.instance import lake_instance
    from speakervid_dag.stages import process

    lakehouse = Lakehouse(
        lake_dir=str(settings.lake_dir), profile_name=settings.profile, allow_loss=settings.allow_loss
    )
    shown_before = snapshots.latest(lakehouse.lake)
    with lake_instance(settings) as instance:
        execution.end_dead_runs(instance)
        takedown.finish(lakehouse.lake, settings.lake_dir, "finish-takedown")
        register_batches(instance, BatchBook(settings.lake_dir).names())
        _take_back(lakehouse.book, batches)
        require_weights(lakehouse, recipes().values())
        stale_ones = stale_batches(lakehouse, batches)
        if stale_ones and settings.isolate:
            process.start_early(settings)
        left: dict[str, list[str]] = {}
        has_lost_files = bool(stale_ones and lakehouse.lake.all_lost_files())
        _run_stale(instance, lakehouse, list(stale_ones), report, left, say)
        if report.failed and has_lost_files:  # queries over a table fail until all its files are recomputed
            again, report.failed = list(report.failed), {}
            _run_stale(instance, lakehouse, again, report, {}, say)
            report.done += [b for b in again if b not in (*report.failed, *report.done)]
        if report.done:  # once is enough: of what other batches read, it recomputes only later people
            _run_stale(instance, lakehouse, list(stale_batches(lakehouse, batches)), report, left, say)
        if not report.failed and not publication.is_published(lakehouse):  # a run was killed before it published
            why = execution.execute(instance, "publish", AFTER_EVERY_RUN)
            if why is not None:
                report.failed["(publishing)"] = why
        report.held = publication.held_losses(lakehouse)
        materializations.report_promoted(instance, lakehouse, batches, say)
        report.unreadable = [integrity.one_line(table, lost) for table, lost in lakehouse.lake.all_lost_files()]
    if settings.allow_loss and shown_before is not None:
        report.lost = losses.since(lakehouse.lake, shown_before)


def _take_back(book: BatchBook, batches: Sequence[str]) -> None:
    """Return given-up files that are available again to their batches."""
    for batch in batches:
        if given_up := book.given_up(batch):
            absent = Sources.of(book, [batch]).absent()
            if back := given_up - absent.keys():
                book.take_back(batch, back)


def _claimed(book: BatchBook, batches: Sequence[str], say: Say) -> Iterator[str]:
    """Yield each batch while it is claimed: first the free ones, then those that another process was running."""

    busy = []
    for batch in batches:
        with book.claim(batch, wait=False) as is_ours:
            if is_ours:
                yield batch
            else:
                busy.append(batch)
    for batch in busy:
        say(f"Another process is running {batch}; waiting for it.")
        with book.claim(batch, wait=True):
            yield batch


def _run_stale(
    instance: "dg.DagsterInstance",
    lakehouse: "Lakehouse",
    batches: Sequence[str],
    report: RunReport,
    left: dict[str, list[str]],
    say: Say,
) -> None:
    """Run the stale assets of each batch, one run per batch.

    Args:
        left: per batch, assets still stale after its last run; not retried: an internal error leaves them stale.
    """
    from speakervid_dag.assets.staleness import stale_assets
    from speakervid_dag.runs import execution

    for batch in _claimed(lakehouse.book, [b for b in batches if b not in report.failed], say):
        execution.end_dead_runs(instance)  # repeated, like `stale`: another process may have run this batch meanwhile
        stale = [name for name in stale_assets(lakehouse, batch) if name not in left.get(batch, ())]
        if not stale:
            continue
        before = {file.video_id: file.name for file in lakehouse.book.read(batch)}
        why = execution.execute(instance, "curate", [*stale, *AFTER_EVERY_RUN], batches=[batch])
        if why is not None and lakehouse.settings.allow_loss and _give_up(lakehouse.book, batch):
            stale = stale_assets(lakehouse, batch)
            why = execution.execute(instance, "curate", [*stale, *AFTER_EVERY_RUN], batches=[batch])
        after = {file.video_id for file in lakehouse.book.read(batch)}
        report.vanished += [name for video_id, name in before.items() if video_id not in after]
        left[batch] = stale_assets(lakehouse, batch)
        if why is not None:
            report.failed[batch] = why
            report.done = [b for b in report.done if b != batch]
        elif batch not in report.done:
            report.done.append(batch)


def _give_up(book: BatchBook, batch: str) -> bool:
    """Give up unavailable files of the batch. Return whether there were any."""
    absent = Sources.of(book, [batch]).absent().keys() - book.given_up(batch)
    book.give_up(batch, absent)
    return bool(absent)
