"""The output of `run` and `demo` before, during and after a run.

Belongs here: progress, announcement, summary and exit status of a run. Does not belong here: running (runs/runner.py),
the summary's content (summary.py), options (app.py).
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from speakervid_dag.config.settings import Settings
    from speakervid_dag.lake.batches import BatchBook, Plan


def run_and_report(settings: "Settings", plan: "Plan") -> int:
    """Run the plan with progress and print the summary.

    Return the exit status: 0; 1 on an internal error or if a named path could not be read; 2 if there is no lake and
    nothing to make one from.
    """
    from speakervid_dag.cli import summary
    from speakervid_dag.cli.console import say, watched_run
    from speakervid_dag.cli.report import write_after_run
    from speakervid_dag.lake.batches import BatchBook
    from speakervid_dag.runs.runner import run_plan

    if not plan.batches and not BatchBook(settings.lake_dir).names():
        announce(plan)
        say("There are no videos to process, and there is no lake yet.")
        return 1 if plan.unread else 2
    with watched_run():
        report = run_plan(settings, plan, announce, say)
    if report.did_nothing:
        say("Nothing to do: everything is up to date.")
    say_strangers(BatchBook(settings.lake_dir))
    status = summary.print_summary(settings, report)
    if report.done:
        write_after_run(settings)
    return status


def print_plan(settings: "Settings", plan: "Plan") -> int:
    """Print what a run would compute. Return the exit status: 1 if a named path could not be read, else 0."""
    from speakervid_dag.cli.console import print_frame, print_line
    from speakervid_dag.runs.forecast import forecast

    announce(plan)
    found = forecast(settings, plan)
    if found.is_empty():
        print_line("Nothing to do: everything is up to date.")
    else:
        print_frame(found.with_columns(found["media_hours"].round(3), found["hours"].round(3)), title="A run computes")
        print_line(
            _told_hours(float(found["hours"].sum()), found["hours"].null_count() == found.height, settings.worker_count)
        )
    return 1 if plan.unread else 0


def _told_hours(hours: float, is_unknown: bool, workers: int) -> str:
    if is_unknown:
        return "How long it takes is not known: this lake has not measured these stages yet."
    told = f"About {_lasting(hours)} of one worker, at this lake's speed so far"
    return told + (f"; {_lasting(hours / workers)} with {workers} (SPEAKERVID_WORKERS)." if workers > 1 else ".")


def _lasting(hours: float) -> str:
    return f"{hours:.1f} hours" if hours >= 1 else f"{60 * hours:.1f} minutes"


def say_strangers(book: "BatchBook") -> None:
    """List files in the folder of manifests that are not manifests."""
    from speakervid_dag.cli.console import say
    from speakervid_dag.formats import quantity

    strangers = book.strangers()
    if strangers:
        names = ", ".join(p.name for p in strangers[:5]) + ", …" * (len(strangers) > 5)
        say(f"Ignored in {book.folder}, no manifest: {quantity(len(strangers), 'file')} ({names}).")


def announce(plan: "Plan") -> None:
    """List what is new in the paths, and what is skipped."""
    from speakervid_dag.cli.console import say
    from speakervid_dag.formats import quantity
    from speakervid_dag.lake.walk import not_read

    new = sum(map(len, plan.batches.values()))
    if plan.known:
        say(f"{quantity(len(plan.known), 'file')} already in the lake.")
    if renewed := sum(map(len, plan.renewed.values())):
        say(f"{quantity(renewed, 'video')} of the lake moved or rewritten: read from the new location from now on.")
    if plan.forgotten:
        say(f"{quantity(len(plan.forgotten), 'file')} skipped: taken down with `speakervid forget`.")
    for line in (*plan.found.passed_over(), *not_read(plan.unread)):
        say(line)
    copies = [name for files in plan.batches.values() for file in files for name in file.other_names]
    if copies:
        told = ", ".join(copies[:5]) + ", …" * (len(copies) > 5)
        say(f"{quantity(len(copies), 'file')} with the same bytes as another one, so no video of its own: {told}.")
    if new:
        say(f"{quantity(new, 'new file')} in {quantity(len(plan.batches), 'batch', 'batches')}.")
