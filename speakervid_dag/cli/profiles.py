"""`speakervid profiles`: which there are, what their gates ask, and whether one of your own is right.

Belongs here: arguments, help, printing. Does not belong here: reading and checking (config/profile_*.py).
"""

import sys
from typing import TYPE_CHECKING

import click

from speakervid_dag.cli.options import format_option

if TYPE_CHECKING:
    from speakervid_dag.config.profiles import Profile


@click.group()
def profiles() -> None:
    """Profiles: the named sets of all thresholds, and how to make one of your own.

    \b
    A profile of your own is a YAML file that says only what differs:
      inherits: laptop                 # or another file
      gates:
        face_blur: {threshold: 0.2}    # another threshold
        snr: {mode: enforce}           # enforce, score_only (recorded, decides nothing) or off
        frozen: null                   # without this gate
    Check it with `speakervid profiles check mine.yaml`, and give it to any command as `--profile mine.yaml`.
    """


@profiles.command("list")
@format_option
def list_profiles(form: str) -> None:
    """The profiles of the package: what each is for, how many gates decide, which further weights it needs."""
    import polars as pl

    from speakervid_dag.cli.output import print_answer
    from speakervid_dag.config.profile_views import summaries

    print_answer(pl.DataFrame(summaries()), form)


@profiles.command("show")
@click.argument("profile")
@format_option
def show_profile(profile: str, form: str) -> None:
    """Every gate of PROFILE (a name, or the path of a YAML file), in the order in which the funnel shows them.

    `missing` is what the absence of a value means; `from` is the file and line that stated the gate, and what younger
    files changed in it.
    """
    import polars as pl

    from speakervid_dag.cli.console import print_frame, say
    from speakervid_dag.cli.output import print_answer
    from speakervid_dag.config.profile_views import gate_rows, removed_gates

    rows = pl.DataFrame(gate_rows(profile), infer_schema_length=None)
    if form != "table":
        print_answer(rows, form)
        return
    print_frame(rows.drop("source", "from", "stands_for"), title=f"Gates of {profile}")
    print_frame(rows.select("gate", "stands_for", "source", "from"), title="Where they come from")
    for gate, place in removed_gates(profile).items():
        say(f"{gate} is inherited and removed by {place}")


@profiles.command("check")
@click.argument("profile", metavar="FILE")
def check_profile(profile: str) -> None:
    """Say all that is wrong with a profile, each with file, line and key. Exit status: 0, or 2 when something is."""
    from speakervid_dag.cli.console import say
    from speakervid_dag.config.profile_check import problems
    from speakervid_dag.config.profile_files import is_file_name, profile_names, read_layers
    from speakervid_dag.config.profiles import Profile, load_profile
    from speakervid_dag.formats import quantity

    layers = read_layers(profile)
    found = problems(layers, Profile)
    for problem in found:
        click.echo(str(problem), err=True)
    if found:
        sys.exit(2)
    right = load_profile(profile)
    if is_file_name(profile) and right.name in profile_names():
        say(f"It is called {right.name}: in a lake its rows take the place of the packaged profile's.")
    for name, measures in _unmeasured(right).items():
        say(f"Not evaluated until the weights '{name}' are on disk (docs/scores.md): {', '.join(measures)}")
    sources = " < ".join(layer.source for layer in reversed(layers))
    say(f"{profile} is valid: {quantity(len(right.gates), 'gate')}, {sources}")


def _unmeasured(profile: "Profile") -> dict[str, list[str]]:
    """Measures that the profile's gates ask for and that have no weights on this machine, by the weights."""
    from speakervid_dag.lake.schemas.measures import MEASURES
    from speakervid_dag.models.registry import examine

    asked = sorted({gate.measure for gate in profile.gates.values()})
    wanted = {name for measure in asked if (name := MEASURES[measure].weights)}
    return {n: [m for m in asked if MEASURES[m].weights == n] for n in sorted(wanted) if examine(n).status != "ok"}
