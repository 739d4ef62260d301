"""`speakervid train-lips`: trains the lip network on a folder of talking people.

Belongs here: arguments, help, printing. Does not belong here: the training (speakervid_dag/training).
"""

from pathlib import Path

import click


@click.command("train-lips")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option(
    "--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder for weights and card."
)
@click.option("--cache", type=click.Path(path_type=Path, file_okay=False), help="Tracked faces. [default: OUT/cache]")
@click.option("--held-out", default=48, show_default=True, type=click.IntRange(min=0), help="People to test on.")
@click.option("--seed", default=0, show_default=True, help="Another seed makes another network.")
@click.option("--with-non-commercial", is_flag=True, help="Also use clips whose licence forbids commercial use.")
def train_lips(
    folder: Path, out: Path, cache: Path | None, held_out: int, seed: int, with_non_commercial: bool
) -> None:
    """Train the talking and synchrony network on videos of talking people.

    FOLDER has one mostly single talking person per video. With a MANIFEST.tsv (columns file, person, sha256, note,
    licence), people and licences come from it; without one, each subfolder is a person, and so is each other file.
    Prints figures on the people held out. About an hour on one CPU core. Needs `speakervid models pull light-asd`: the
    teacher.
    """
    from speakervid_dag.cli.console import say
    from speakervid_dag.models.registry import weight_path
    from speakervid_dag.training.recipe import Recipe, train_lip_network

    done = train_lip_network(
        folder,
        out,
        cache or out / "cache",
        weight_path("light-asd", "light_asd_pretrain_AVA_CVPR.model"),
        Recipe(seed=seed),
        say,
        held_out_people=held_out,
        with_non_commercial=with_non_commercial,
    )
    for name, figures in done.synchrony.items():
        areas = ", ".join(f"{area:.3f} in {seconds} s" for seconds, area in figures.auc.items())
        say(f"{name}: own above foreign sound {areas}; lag within a frame {figures.lag_share:.3f}")
    if done.talking is not None:
        told = done.talking
        say(
            f"talking above pauses {told.over_pauses:.3f}, quiet {told.over_quiet:.3f}, foreign {told.over_foreign:.3f}"
        )
    say(f"Written: {done.weights}, {done.card}")
    say(f"Use it: SPEAKERVID_LIP_NETWORK={done.weights}")
