"""`speakervid export` and `speakervid releases`: write a dataset, list and compare the ones written.

Belongs here: arguments, help, progress, printing. Does not belong here: the export (release/export.py), manifests
(release/releases.py).
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from speakervid_dag.cli.options import as_of_option, format_option, lake_option

if TYPE_CHECKING:
    from speakervid_dag.release.export import Release

NAMED = 5  # moved people that are printed; `releases diff` lists all
BRANCHES = ["single", "dialogue", "listening", "multi_turn_contextual", "multi_turn_sequential"]


@click.command()
@lake_option
@click.option("--branch", type=click.Choice(BRANCHES), required=True, help="Kind of samples.")
@click.option(
    "--tier",
    "tiers",
    type=click.Choice(["sft", "pretrain", "rejected"]),
    multiple=True,
    default=["sft"],
    show_default=True,
    help="Repeat for several; tiers are disjoint.",
)
@click.option("--format", "form", type=click.Choice(["hf", "webdataset", "parquet"]), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="DIR", help="Must not exist yet.")
@click.option("--profile", metavar="P", help="Profile whose decisions are used. [default: the snapshot's]")
@as_of_option
@click.option(
    "--split",
    default="train=.9,val=.05,test=.05",
    show_default=True,
    help="Shares of clips; no person is in two.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Another seed, other splits.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N samples, as a preview.")
@click.option(
    "--crop/--no-crop",
    "is_cropped",
    default=True,
    help="--no-crop keeps the whole picture, re-encoded only if needed.",
)
@click.option(
    "--margin",
    type=click.FloatRange(0, 2),
    default=0.1,
    show_default=True,
    help="Around the box, as a share of its size.",
)
@click.option("--licence", default="not stated", show_default=True, help="For the dataset card.")
@click.option(
    "--consent",
    default="not stated",
    show_default=True,
    help="For the dataset card: what the people agreed to.",
)
@click.option(
    "--verify",
    "by_hash",
    is_flag=True,
    help="If DIR holds the release already: compare by hash, not size.",
)
@click.option(
    "--workers", type=click.IntRange(min=1), metavar="N", help="Clips encoded in parallel. [default: all cores]"
)
def export(
    lake: Path | None,
    branch: str,
    tiers: tuple[str, ...],
    form: str,
    out: Path,
    profile: str | None,
    as_of: str | None,
    split: str,
    seed: int,
    limit: int | None,
    is_cropped: bool,
    margin: float,
    licence: str,
    consent: str,
    by_hash: bool,
    workers: int | None,
) -> None:
    """Cut the clips of one branch and write a dataset: annotations, splits by person, dataset card and manifest.

    \b
    hf           datasets.load_dataset("DIR"): Parquet with videos and sounds inside
    webdataset   tar shards: SAMPLE.mp4, .wav, .json
    parquet      clips/KEY.mp4, .wav, .json; clips.parquet, samples.parquet, talkvid.json

    DIR appears only when it is complete. Cut clips are kept in the lake, so an interrupted export continues, and a
    second one (for example in another format) cuts nothing. A clip whose source is missing or was changed is listed and
    left out; once the source is back, the same command writes the release again and moves the old one to DIR.ID.

    Exit status: 0 if DIR holds the release, even if samples were left out; 1 if it is damaged, contains a video that
    was taken down, or nothing could be cut; 2 if DIR holds anything else.

    \b
    Examples:
      speakervid export --branch single --tier sft --format hf --out data/single
      speakervid export --branch dialogue --tier sft --tier pretrain --format webdataset --out data/pairs
      speakervid export --branch dialogue --format parquet --limit 20 --out /tmp/look
    """
    from speakervid_dag.cli.console import counted
    from speakervid_dag.config.settings import load_settings
    from speakervid_dag.media.cut import Encoding
    from speakervid_dag.release import export as work
    from speakervid_dag.release.clip_store import default_workers
    from speakervid_dag.release.request import Request
    from speakervid_dag.release.splits import parse_shares

    request = Request(
        branch=branch,
        tiers=tuple(dict.fromkeys(tiers)),
        form=form,
        shares=parse_shares(split),
        seed=seed,
        limit=limit,
        is_cropped=is_cropped,
        encoding=Encoding(margin=margin),
        licence=licence,
        consent=consent,
        workers=workers or default_workers(),
    )
    with counted() as shown:
        made = work.export(
            load_settings(lake=lake, profile=profile),
            request,
            out,
            profile=profile,
            as_of=as_of,
            by_hash=by_hash,
            tally=shown,
        )
    _print_release(made)
    sys.exit(1 if made.release_id is None else 0)


def _print_release(made: "Release") -> None:
    import polars as pl

    from speakervid_dag.cli.console import print_frame, say
    from speakervid_dag.release.export import missing_counts

    if made.release_id is not None:
        columns = ("split", "samples", "clips", "hours", "people")
        print_frame(pl.DataFrame(made.statistics), title=f"Release {made.release_id}", columns=columns)
    for reason, samples in missing_counts(made).items():
        say(f"left out: {samples} × {reason}")
    if made.moved:
        first = ", ".join(f"{m.identity_id} ({m.before} → {m.after})" for m in made.moved[:NAMED])
        more = f" and {len(made.moved) - NAMED} more" if len(made.moved) > NAMED else ""
        say(f"Moved to another split than in an earlier export, because identities were merged: {first}{more}")
    if made.aside is not None:
        say(f"The previous release, with fewer samples, was moved to {made.aside}")
    if made.release_id is None:
        say("Nothing was written: no sample could be cut")
    else:
        say(f"{'Already written' if made.was_there else 'Written'}: {made.place}")


@click.group()
def releases() -> None:
    """List the datasets exported from this lake, or compare two."""


@releases.command("list")
@lake_option
@format_option
def list_releases(lake: Path | None, form: str) -> None:
    """List every export: time, snapshot, content, size, location.

    taken_down counts sources that `speakervid forget` has removed since: withdraw such a release.
    """
    from speakervid_dag.cli.output import print_answer
    from speakervid_dag.config.settings import load_settings
    from speakervid_dag.lake.queries.published import open_lake
    from speakervid_dag.release import releases as work

    found = work.listed(open_lake(load_settings(lake=lake).lake_dir))
    print_answer(found if form == "json" else found.drop("filters", "manifest_sha256"), form)


@releases.command("diff")
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@lake_option
@format_option
def diff_releases(before: str, after: str, lake: Path | None, form: str) -> None:
    """List samples added, removed or changed from release A to B (ids or exported folders), and people who moved.

    Differences between the two requests, including licence and consent, are printed first.
    """
    from speakervid_dag.cli.console import say
    from speakervid_dag.cli.output import print_answer
    from speakervid_dag.config.settings import load_settings
    from speakervid_dag.release import releases as work

    lake_dir = load_settings(lake=lake).lake_dir
    sides = [work.load(lake_dir, what) for what in (before, after)]
    for told in work.asked_differently(*sides):
        say(told)
    print_answer(work.diff(*sides), form)
