"""Drives the asset graph from the command line: new files become batches, batches become tables.

Belongs here: planning batches, running Dagster jobs in this process on the lake's own instance, gathering the summary.
Does not belong here: how assets work (speakervid_dag.assets), drawing (console.py), argument parsing (cli.py).
"""

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from speakervid_dag.config.settings import Settings, export_settings
from speakervid_dag.failures import OperationError, UserError
from speakervid_dag.lake.batches import BatchBook, Plan

if TYPE_CHECKING:
    import dagster as dg

AFTER_EVERY_RUN = ("lake_snapshot", "branch_statistics", "funnel", "person_statistics")


@dataclass
class RunReport:
    """What a run did: batches done and failed, files already known, files passed over."""

    done: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    plan: Plan = field(default_factory=lambda: Plan({}))

    @property
    def did_nothing(self) -> bool:
        return not self.done and not self.failed


@contextmanager
def lake_instance(settings: Settings) -> Iterator["dg.DagsterInstance"]:
    """The Dagster instance of a lake (`<lake>/.dagster`), the same one the UI shows."""
    import os

    import dagster as dg

    prepare_home(settings)
    os.environ.update(export_settings(settings))
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        yield instance


def prepare_home(settings: Settings) -> Path:
    """Makes the lake's DAGSTER_HOME, with the packaged dagster.yaml unless the user has put one of their own there."""
    home = settings.dagster_home
    try:
        home.mkdir(parents=True, exist_ok=True)
        target = home / "dagster.yaml"
        if not target.exists():
            with resources.as_file(resources.files("speakervid_dag.config") / "dagster.yaml") as packaged:
                shutil.copyfile(packaged, target)
    except OSError as problem:
        raise OperationError(f"cannot write the lake {settings.lake_dir}: {problem.strerror}") from problem
    return home


def plan_run(settings: Settings, paths: Sequence[Path], limit: int | None) -> Plan:
    """What is new in these paths. Raises UserError when none of them exists."""
    if paths and not any(p.exists() or p.is_symlink() for p in paths):
        raise UserError(f"no such file or folder: {', '.join(map(str, paths))}")
    return BatchBook(settings.lake_dir).plan(paths, batch_size=settings.batch_size, limit=limit)


def run_plan(settings: Settings, plan: Plan) -> RunReport:
    """Registers the plan's batches and materialises whatever is not up to date, oldest batch first.

    A batch that a killed run left half done is finished here too. One batch's failure does not stop the next.
    """
    from speakervid_dag.assets.partitions import register_batches

    report = RunReport(plan=plan)
    book = BatchBook(settings.lake_dir)
    with lake_instance(settings) as instance:
        for batch, files in plan.batches.items():
            book.write(batch, files)
        register_batches(instance, book.names())
        for batch in book.names():
            _run_batch(settings, instance, batch, report)
    return report


def _run_batch(settings: Settings, instance: "dg.DagsterInstance", batch: str, report: RunReport) -> None:
    import dagster as dg

    from speakervid_dag.assets.freshness import stale_assets
    from speakervid_dag.assets.resources import Factory
    from speakervid_dag.definitions import defs  # first: it fills the registry of recipes that freshness looks at

    stale = stale_assets(Factory(lake_dir=str(settings.lake_dir), profile_name=settings.profile), batch)
    if not stale:
        return
    result = defs.resolve_job_def("curate").execute_in_process(
        instance=instance,
        partition_key=batch,
        asset_selection=[dg.AssetKey(name) for name in [*stale, *AFTER_EVERY_RUN]],
        raise_on_error=False,
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},  # events are in the UI
        tags={"speakervid/origin": "cli"},
    )
    if result.success:
        report.done.append(batch)
    else:
        failures = [e for e in result.all_events if e.is_step_failure]
        told = failures[0].step_failure_data.error if failures else None
        cause = told.cause if told is not None and told.cause is not None else told
        told_by = cause.message.strip() if cause is not None else "see the run in `speakervid ui`"
        report.failed[batch] = re.sub(r"^[\w.]+(?:Error|Failure): ", "", told_by)


def run_and_report(settings: Settings, plan: Plan) -> int:
    """Runs the plan with progress and prints the summary. Exit status: 0, or 1 when something of ours failed."""
    from speakervid_dag import summary
    from speakervid_dag.console import say, watched_run

    new = sum(map(len, plan.batches.values()))
    if plan.known:
        say(f"{len(plan.known)} files are in the lake already.")
    if plan.ignored:
        shown = ", ".join(Path(p).name for p in plan.ignored[:5]) + ", …" * (len(plan.ignored) > 5)
        say(f"{len(plan.ignored)} files without a media suffix were passed over ({shown}).")
    if new:
        say(f"{new} new files in {len(plan.batches)} batch{'es' * (len(plan.batches) > 1)}.")
    with watched_run():
        report = run_plan(settings, plan)
    if report.did_nothing:
        say("Nothing to do: everything is up to date.")
    return summary.print_summary(settings, report)
