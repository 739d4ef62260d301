"""`speakervid report`: the page about a lake, and one video's timeline.

Belongs here: arguments, help, printing. Does not belong here: the report (report/report.py).
"""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from speakervid_dag.cli.options import as_of_option, lake_option
from speakervid_dag.failures import UserError

if TYPE_CHECKING:
    from speakervid_dag.config.settings import Settings


@click.command()
@lake_option
@click.option("--profile", metavar="P", help="Whose decisions are told. [default: the snapshot's]")
@as_of_option
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="File to write. [default: LAKE/report.html]"
)
@click.option("--timeline", "video", metavar="VIDEO", help="Only the timeline of this video (id or file name), as SVG.")
@click.option("--from", "start_s", type=click.FloatRange(min=0), help="With --timeline: first second.")
@click.option("--to", "end_s", type=click.FloatRange(min=0, min_open=True), help="With --timeline: last second.")
@click.option("--no-words", is_flag=True, help="With --timeline: leave out what is said.")
def report(
    lake: Path | None,
    profile: str | None,
    as_of: str | None,
    out: Path | None,
    video: str | None,
    start_s: float | None,
    end_s: float | None,
    no_words: bool,
) -> None:
    """Write one self-contained HTML page about a lake: figures, reasons, samples of each branch, timelines.

    It works offline from disk and loads nothing from elsewhere. Prints the path of what was written.
    """
    from speakervid_dag.config.settings import load_settings
    from speakervid_dag.report import report as work

    settings = load_settings(lake=lake, profile=profile)
    if video is None:
        if start_s is not None or end_s is not None or no_words:
            raise UserError("--from, --to and --no-words need --timeline VIDEO")
        click.echo(work.write_report(settings, out, profile=profile, as_of=as_of))
        return
    if out is None:
        raise UserError("--timeline needs --out FILE.svg")
    start_s = start_s or 0.0
    if end_s is not None and end_s <= start_s:
        raise UserError("--to must be later than --from")
    told = work.write_timeline(settings, video, out, start_s=start_s, end_s=end_s, as_of=as_of, has_words=not no_words)
    click.echo(told)


def write_after_run(settings: "Settings") -> None:
    """The report of a run that has ended: quick, and its failure is told, never the run's."""
    from speakervid_dag.cli.console import say
    from speakervid_dag.report.report import POSTER_WALL_AFTER_RUN_S, write_report

    began = time.monotonic()
    try:
        path = write_report(settings, poster_wall_s=POSTER_WALL_AFTER_RUN_S)
    except Exception as problem:  # noqa: BLE001 - the run's work is done and published: a page must not make it fail
        say(f"The report was not written: {type(problem).__name__}: {problem} (try again: speakervid report)")
        return
    say(f"Report: {path} ({time.monotonic() - began:.1f} s)")
