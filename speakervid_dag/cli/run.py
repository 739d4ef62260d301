"""What `run` and `demo` say before, while and after they run.

Belongs here: progress, announcement, summary and exit status of a run. Does not belong here: running (runner.py), what
the summary holds (summary.py), options (cli.py).
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from speakervid_dag.config.settings import Settings
    from speakervid_dag.lake.batches import BatchBook, Plan


def run_and_report(settings: "Settings", plan: "Plan") -> int:
    """Runs the plan with progress and prints the summary. Exit status: 0; 1 when something of ours failed or something
    that was named could not be read; 2 when there is no lake and nothing to make one of."""
    from speakervid_dag.cli import summary
    from speakervid_dag.cli.console import say, watched_run
    from speakervid_dag.cli.report import write_after_run
    from speakervid_dag.lake.batches import BatchBook
    from speakervid_dag.runs.runner import run_plan

    if not plan.batches and not BatchBook(settings.lake_dir).names():
        announce(plan)
        say("There is nothing to take in, and no lake yet.")
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


def say_strangers(book: "BatchBook") -> None:
    """Names files among the manifests that are none."""
    from speakervid_dag.cli.console import say

    strangers = book.strangers()
    if strangers:
        names = ", ".join(p.name for p in strangers[:5]) + ", …" * (len(strangers) > 5)
        say(f"{len(strangers)} files in {book.folder} are no manifests and are ignored ({names}).")


def announce(plan: "Plan") -> None:
    """Says what is new in the paths, and what is not taken in."""
    from speakervid_dag.cli.console import say
    from speakervid_dag.lake.walk import not_read

    new = sum(map(len, plan.batches.values()))
    if plan.known:
        say(f"{len(plan.known)} files are in the lake already.")
    if renewed := sum(map(len, plan.renewed.values())):
        say(
            f"{renewed} of its videos were found in a new place, or written anew: that is where they are read from now."
        )
    if plan.forgotten:
        say(f"{len(plan.forgotten)} files were taken down with `speakervid forget` and stay out.")
    for line in (*plan.found.passed_over(), *not_read(plan.unread)):
        say(line)
    if new:
        say(f"{new} new files in {len(plan.batches)} batch{'es' * (len(plan.batches) > 1)}.")
