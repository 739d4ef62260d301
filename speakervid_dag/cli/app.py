"""`speakervid`: a thin face over the same jobs the Dagster UI runs.

Belongs here: arguments, help, exit statuses, one-line errors. Does not belong here: work (runner.py,
lake/, models/) and drawing (console.py). Heavy imports stay inside commands: `speakervid --help` answers at once.
"""

import io
import os
import sys
from pathlib import Path

import click

from speakervid_dag.cli import (
    batches,
    diff,
    explain,
    export,
    forget,
    funnel,
    maintain,
    profiles,
    quarantine,
    retier,
    snapshots,
    train_lips,
)
from speakervid_dag.cli.options import as_of_option, format_option, lake_option, port_option, profile_option
from speakervid_dag.cli.report import report
from speakervid_dag.cli.review import review
from speakervid_dag.failures import SpeakervidError, UserError
from speakervid_dag.version import VERSION


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(VERSION, prog_name="speakervid")
@click.option("--debug", is_flag=True, help="Show a traceback with an error.")
def cli(debug: bool) -> None:
    """Turn raw conversation videos into a tiered, searchable dataset of talking people.

    \b
    First steps:
      speakervid demo                       everything, on media it generates itself
      speakervid run VIDEOS/                curate your own videos into ./lake
      speakervid sql "FROM branch_statistics"
      speakervid ui                         the asset graph, runs and checks
    """


@cli.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@lake_option
@profile_option
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Take at most N new files.")
@click.option(
    "--follow-links",
    is_flag=True,
    help="Follow links (Hugging Face cache, git-annex, DVC); the links' names count.",
)
@click.option("--allow-loss", is_flag=True, help="Publish even if videos, clips or people are lost (see below).")
@click.option(
    "--plan", "only_plan", is_flag=True, help="Print which stages would run, for how many videos and how long."
)
def run(
    paths: tuple[Path, ...],
    lake: Path | None,
    profile: str | None,
    limit: int | None,
    follow_links: bool,
    allow_loss: bool,
    only_plan: bool,
) -> None:
    """Curate videos: files, or folders that are searched for media.

    New files form batches; every table of a batch is computed, audited and committed. Files whose content the lake
    already holds are not processed again; only their new location is recorded. Interrupted batches are finished. Lakes
    and exported releases inside a folder are skipped; name a path inside one to include it. Exit status: 0 on success,
    even if single videos were rejected (they are listed with reasons); 1 on an internal error, or if a source, a weight
    file or a named path was unavailable; 2 for invalid arguments.

    A missing source or weight file removes nothing: what is published stays, and the run reports it and exits with 1.
    --allow-loss recomputes those batches without the missing files. The videos return when their files do.

    --plan computes and writes nothing. Its hours are of one worker at the speed that this lake has measured so far.
    """
    from speakervid_dag.cli.run import print_plan, run_and_report
    from speakervid_dag.config.profiles import load_profile
    from speakervid_dag.config.settings import load_settings
    from speakervid_dag.runs import runner

    wished = {"follow_links": follow_links or None, "allow_loss": allow_loss or None}
    settings = load_settings(lake=lake, profile=profile, **wished)
    load_profile(settings.profile)
    plan = runner.plan_run(settings, list(paths), limit)
    sys.exit(print_plan(settings, plan) if only_plan else run_and_report(settings, plan))


@cli.command()
@lake_option
@click.option("--seed", default=0, show_default=True, help="Another seed makes other videos.")
def demo(lake: Path | None, seed: int) -> None:
    """Run everything on generated videos: no network, no tokens.

    A real two-speaker telephone call and read speech are combined with generated moving portraits and run through the
    whole pipeline. The branch × tier table is printed. Weights: `speakervid models pull --demo`.
    """
    from speakervid_dag.cli.console import say
    from speakervid_dag.cli.run import run_and_report
    from speakervid_dag.config.profiles import load_profile
    from speakervid_dag.config.settings import load_settings
    from speakervid_dag.demo import generate
    from speakervid_dag.lake.own_output import DEMO
    from speakervid_dag.runs import runner
    from speakervid_dag.runs.instance import prepare_home

    settings = load_settings(lake=lake)
    load_profile(settings.profile)
    prepare_home(settings)
    folder = settings.lake_dir / DEMO / f"seed{seed}"
    say("Making the demo videos (the pictures are generated; the voices are real).")
    videos = generate(folder, seed=seed, report=say)
    sys.exit(run_and_report(settings, runner.plan_run(settings, [v.path for v in videos], None)))


@cli.command()
@lake_option
@profile_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@port_option(3000)
def ui(lake: Path | None, profile: str | None, host: str, port: int) -> None:
    """Open the Dagster UI on this lake: graph, partitions, runs, checks."""
    import socket

    from speakervid_dag.cli.console import say
    from speakervid_dag.config.profiles import load_profile
    from speakervid_dag.config.settings import export_settings, load_settings
    from speakervid_dag.runs.instance import prepare_home

    settings = load_settings(lake=lake, profile=profile)
    load_profile(settings.profile)
    with socket.socket() as probe:
        if probe.connect_ex((host, port)) == 0:
            raise UserError(f"port {port} on {host} is in use: choose another with --port")
    home, lake_dir = prepare_home(settings), settings.lake_dir  # before the working folder is another
    os.environ.update(export_settings(settings))
    os.chdir(home)  # a `.env` where we are would win over the lake that was asked for
    say(f"Dagster UI of {lake_dir} on http://{host}:{port} in about 20 s (Ctrl-C ends it)")
    arguments = ["dagster", "dev", "-m", "speakervid_dag.definitions", "-h", host, "-p", str(port)]
    os.execv(sys.executable, [sys.executable, "-W", "ignore:Function `dev_command`", "-m", *arguments])


@cli.command()
@click.argument("query")
@lake_option
@format_option
@as_of_option
def sql(query: str, lake: Path | None, form: str, as_of: str | None) -> None:
    """Query the lake: read-only DuckDB over every table and statistic, by bare name.

    \b
    Examples:
      speakervid sql "SELECT branch, tier, clips, hours FROM branch_statistics"
      speakervid sql "SELECT reason, count(*) FROM videos GROUP BY ALL" --format json
      speakervid sql "FROM funnel" --as-of 2026-11-20T18:00
    """
    from speakervid_dag.cli.output import print_query
    from speakervid_dag.config.settings import load_settings

    print_query(load_settings(lake=lake).lake_dir, query, form, as_of)


@cli.command()
@lake_option
@click.argument("file", required=False, type=click.Path(path_type=Path))
@profile_option
def doctor(file: Path | None, lake: Path | None, profile: str | None) -> None:
    """Report what is installed, which model serves each stage, what is missing and how to get it.

    With FILE: report what the media file contains (sound tracks and channels, colour, frame rate, geometry) and what
    intake would decide. Nothing is written. Exit status 1 if it would be rejected, or skipped because its content was
    taken down.
    """
    from speakervid_dag.cli import doctor as checks
    from speakervid_dag.cli import file_report
    from speakervid_dag.config.settings import load_settings

    settings = load_settings(lake=lake, profile=profile)
    sys.exit(checks.report(settings) if file is None else file_report.report(file, settings))


@cli.group()
def models() -> None:
    """List, fetch and verify model weights."""


@models.command("list")
def models_list() -> None:
    """List every known weight: stage, source, licence, whether it is on disk."""
    from speakervid_dag.cli import doctor as checks

    checks.print_weights()


@models.command("pull")
@click.argument("names", nargs=-1)
@click.option("--demo", "with_demo", is_flag=True, help="Also the voices and portraits of the demo.")
@click.option("--accept-hash", is_flag=True, help="Accept weights whose hash is not pinned (their hash is printed).")
@click.option("--from", "folder", type=click.Path(path_type=Path, file_okay=False), help="Take the files from here.")
def models_pull(names: tuple[str, ...], with_demo: bool, accept_hash: bool, folder: Path | None) -> None:
    """Fetch weights (the defaults if no NAMES are given). Hashes are checked; existing files are kept."""
    from speakervid_dag.cli.console import say
    from speakervid_dag.models import fetch, registry

    chosen = list(names) or registry.names_of("default")
    chosen += registry.names_of("demo") if with_demo else []
    fetch.pull(chosen, report=say, accept_hash=accept_hash, from_folder=folder)


@models.command("verify")
@click.argument("names", nargs=-1)
def models_verify(names: tuple[str, ...]) -> None:
    """Compare the hashes of the weights on disk with the registry. Exit status 1 if one is wrong."""
    from speakervid_dag.cli import doctor as checks

    sys.exit(checks.verify_weights(list(names)))


cli.add_command(quarantine.quarantine)
cli.add_command(report)
cli.add_command(batches.batches)
cli.add_command(review)
cli.add_command(retier.retier)
cli.add_command(snapshots.list_snapshots)
cli.add_command(profiles.profiles)
cli.add_command(diff.diff)
cli.add_command(explain.explain)
cli.add_command(funnel.funnel)
cli.add_command(export.export)
cli.add_command(export.releases)
cli.add_command(maintain.maintain)
cli.add_command(forget.forget)
cli.add_command(train_lips.train_lips)


def main() -> None:
    """Entry point: errors become one line and an exit status; tracebacks only with --debug."""
    debug = "--debug" in sys.argv
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a letter that the terminal lacks ends no command
    try:
        cli.main(standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Abort:
        _end("interrupted; finished work is kept: run the same command again to continue", 130)
    except click.ClickException as problem:
        context = getattr(problem, "ctx", None)
        hint = f" (see `{context.command_path} --help`)" if context is not None else ""
        _end(f"{problem.format_message()}{hint}", 2)
    except click.exceptions.Exit as wanted:
        sys.exit(wanted.exit_code)
    except KeyboardInterrupt:
        _end("interrupted; finished work is kept: run the same command again to continue", 130)
    except SpeakervidError as problem:
        if debug:
            raise
        _end(str(problem), 2 if isinstance(problem, UserError) else 1)
    except BrokenPipeError:  # the reader, such as `head`, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as problem:
        if debug:
            raise
        _end(f"{problem.strerror or problem}: {problem.filename or ''}", 1)
    except Exception as problem:
        from speakervid_dag.lake.storage import integrity

        told = integrity.told_by(problem)  # a query of ours, wherever it was asked
        if debug or not told:
            raise
        _end(told, 1)


def _end(message: str, status: int) -> None:
    click.echo(f"speakervid: {' '.join(message.split())}", err=True)
    sys.exit(status)


if __name__ == "__main__":
    main()
