"""Options that several commands share.

Belongs here: click options. Does not belong here: commands.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from speakervid_dag.places import check_lake_name

Command = Callable[..., Any]
LAKE_HELP = "Folder of the lake. [default: $SPEAKERVID_LAKE, else ./lake]"
PROFILE_HELP = "Profile by name, or the path of a YAML file. [default: $SPEAKERVID_PROFILE, else laptop]"


class LakeFolder(click.Path):
    """A folder. A URI is refused here, where it can still be recognised (`Path` turns it into `s3:/bucket`)."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path. Raises UserError for a URI."""
        check_lake_name(str(value))
        return super().convert(value, param, ctx)


def lake_option(command: Command) -> Command:
    return click.option("--lake", type=LakeFolder(path_type=Path, file_okay=False), help=LAKE_HELP)(command)


def profile_option(command: Command) -> Command:
    return click.option("--profile", metavar="P", help=PROFILE_HELP)(command)


def format_option(command: Command) -> Command:
    """`--format`, given to the command as `form`."""
    kinds = click.Choice(["table", "json", "csv"])
    return click.option("--format", "form", type=kinds, default="table", show_default=True)(command)


def port_option(default: int) -> Callable[[Command], Command]:
    kind = click.IntRange(1, 65535)
    return click.option("--port", type=kind, default=default, show_default=True, help="Port to listen on.")


def as_of_option(command: Command) -> Command:
    told = "An earlier published state; see `speakervid snapshots`."
    return click.option("--as-of", metavar="NUMBER|TIME", help=told)(command)
