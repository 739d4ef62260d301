"""`speakervid explain`: why a video, clip, pair … has the labels and tier it has.

Belongs here: arguments, help, printing. Does not belong here: the answer (speakervid_dag/tiering/explain.py).
"""

from pathlib import Path

import click

from speakervid_dag.cli.options import as_of_option, lake_option, profile_option


@click.command()
@click.argument("wanted", metavar="ID")
@lake_option
@profile_option
@as_of_option
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
def explain(wanted: str, lake: Path | None, profile: str | None, as_of: str | None, form: str) -> None:
    """Explain ID: its rows upstream, every gate's value and threshold, its tier and reasons, its branches.

    ID is the id of a video, shot, track, person, turn, clip, pair, listening sample or session, a video's file name, or
    the path of a file (the video with the same content is meant). If it is in no clip or branch, the answer says why.
    A profile that was never applied to this lake is applied on the fly, so that you can try your own; one that was
    applied needs no file, only its name. `--format json` prints an array of sections with their rows.

    \b
    Examples:
      speakervid explain interview.mp4
      speakervid explain v0123456789abcdef-c89abcdef --profile mine.yaml
    """
    import polars as pl

    from speakervid_dag.cli.console import print_frame, say
    from speakervid_dag.cli.output import print_json
    from speakervid_dag.config.settings import load_settings
    from speakervid_dag.tiering import explain as work

    settings = load_settings(lake=lake, profile=profile)
    sections = work.explain(settings, wanted, settings.profile, as_of)
    if form == "json":
        told = [{"section": s.title, "rows": s.rows.to_dicts()} for s in sections]
        print_json(told)
        return
    for section in sections:
        if section.rows.height:
            lists = pl.col(pl.List(pl.String)).list.join(", ")
            shown = [c for c in section.rows.columns if not section.rows[c].is_null().all()]
            hidden = {"threshold", "upper_threshold"} if "rule" in shown else set()
            print_frame(
                section.rows.with_columns(lists), title=section.title, columns=[c for c in shown if c not in hidden]
            )
        else:
            say(f"{section.title}: none")
