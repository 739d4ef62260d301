"""`speakervid diff`: what entered and left each tier between two published states, and which gate did it.

Belongs here: arguments, help, printing. Does not belong here: comparing (tiering/diff.py).
"""

from pathlib import Path

import click

from speakervid_dag.cli.options import lake_option
from speakervid_dag.failures import UserError


@click.command()
@click.argument("before", metavar="V1")
@click.argument("after", metavar="V2")
@lake_option
@click.option("--profile", "profiles", multiple=True, metavar="P", help="Whose decisions; twice: of V1, then of V2.")
@click.option("--preview", is_flag=True, help="Decide V2 anew, as `retier` would now; nothing is written.")
@click.option("--list", "with_clips", is_flag=True, help="Also every clip that moved, with the gates that did it.")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
def diff(
    before: str, after: str, lake: Path | None, profiles: tuple[str, ...], preview: bool, with_clips: bool, form: str
) -> None:
    """What entered and left each tier between two published states V1 and V2, and which gate did it.

    V1 and V2 are numbers or times of `speakervid snapshots`. With --profile twice it compares profiles; one that the
    lake has not seen is applied to the stored scores on the fly. `only_clips` counts clips that moved for no other
    cause. Videos, clips and people of which V2 shows fewer are listed by video. `--format json` is an array of four
    sections: tiers, causes, clips, losses.

    \b
    Examples:
      speakervid diff 3 4                                            what the last run or re-tiering changed
      speakervid diff 4 4 --profile laptop --profile mine.yaml       what your own profile would change
      speakervid diff 4 4 --profile mine.yaml --preview --list       what an edit of mine.yaml would change
    """
    import polars as pl

    from speakervid_dag.cli.console import print_frame, say
    from speakervid_dag.cli.output import print_json
    from speakervid_dag.config.settings import load_settings
    from speakervid_dag.tiering import diff as work

    if len(profiles) > 2:
        raise UserError("--profile is given once for both sides, or twice: of V1, then of V2")
    settings = load_settings(lake=lake, profile=profiles[0] if profiles else None)
    sides = profiles[:1] + profiles[-1:] if profiles else (settings.profile, settings.profile)
    found = work.diff(settings, work.Side(before, sides[0]), work.Side(after, sides[1], preview))
    if form == "json":
        parts = (
            ("tiers", found.tiers),
            ("causes", found.causes),
            ("clips", found.clips),
            ("losses", found.losses),
        )
        print_json([{"section": n, "rows": f.to_dicts()} for n, f in parts])
        return
    names = [f"{v}, {p}" for v, p in zip((before, after), found.profiles, strict=True)]
    print_frame(found.tiers, title=f"Tiers: {names[0]} → {names[1]}")
    if found.losses.height:
        print_frame(found.losses, title="Fewer videos, clips or people than before")
    if found.clips.is_empty():
        say("No clip is in another tier.")
        return
    print_frame(found.causes, title="By which gate")
    if with_clips:
        print_frame(found.clips.with_columns(pl.col("by").list.join("; ")), title="Clips")
