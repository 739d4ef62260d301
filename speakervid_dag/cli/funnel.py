"""`speakervid funnel`: what is left after every step and gate, as a table and as a picture.

Belongs here: arguments, help, printing. Does not belong here: counting (sql/statistics) and drawing (report/funnel).
"""

from pathlib import Path

import click

from speakervid_dag.cli.options import as_of_option, format_option, lake_option, profile_option
from speakervid_dag.failures import UserError


@click.command()
@lake_option
@profile_option
@click.option("--batch", metavar="B", help="Only this batch. [default: all together]")
@as_of_option
@click.option("--picture", type=click.Path(path_type=Path, dir_okay=False), help="Also draw it, as an .svg file.")
@format_option
def funnel(
    lake: Path | None, profile: str | None, batch: str | None, as_of: str | None, picture: Path | None, form: str
) -> None:
    """Clips and hours before and after every step and gate of a profile.

    Enforced gates come in the profile's order, and each sees what none before it took: first those that reject (the
    last keeps the tiers pretrain and sft), then those that bar from sft (the last keeps sft). `held:` is a gate that
    would reject but had no value. The picture has the papers' published funnels beside it.

    \b
    Examples:
      speakervid funnel --profile talkvid
      speakervid funnel --batch b000003 --format csv
      speakervid funnel --picture funnel.svg
    """
    from speakervid_dag.cli.console import print_frame, say
    from speakervid_dag.cli.output import print_answer
    from speakervid_dag.config.profiles import load_profile
    from speakervid_dag.config.settings import load_settings
    from speakervid_dag.files import write_bytes
    from speakervid_dag.lake.queries.published import open_published
    from speakervid_dag.report.funnel import picture as draw
    from speakervid_dag.tiering import funnel as work

    if picture is not None and picture.suffix != ".svg":
        raise UserError(f"--picture {picture}: the picture is SVG, give it a name that ends in .svg")
    settings = load_settings(lake=lake, profile=profile)
    rows = work.funnel_of(settings, settings.profile, batch, as_of)
    names = rows["profile"].drop_nulls().to_list()
    name = names[0] if names else load_profile(settings.profile).name
    where = f"batch {batch}" if batch else "all batches"
    if form == "table":
        print_frame(rows, title=f"Funnel of {name}, {where}", columns=work.SHOWN)
    else:
        print_answer(rows, form)
    if picture is not None:
        with open_published(settings.lake_dir) as con:
            drawn = draw(rows, work.published(con), f"This lake, {name}, {where}")
        write_bytes(picture, drawn)
        say(f"Drawn: {picture}")
