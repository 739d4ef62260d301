"""The whole training of the lip network: clips in, weights and card out.

Belongs here: the order of the steps, and the constants of the shipped network. Does not belong here: any step.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speakervid_dag.config.profiles import load_profile
from speakervid_dag.failures import UserError
from speakervid_dag.models import lip_network as lip
from speakervid_dag.models.light_asd import LightASD
from speakervid_dag.models.lip_layers import Shape
from speakervid_dag.training import card as cards
from speakervid_dag.training import clips as clip_lists
from speakervid_dag.training import material
from speakervid_dag.training.clips import Clip
from speakervid_dag.training.evaluation import HeldOut, SynchronyReport
from speakervid_dag.training.loop import TrainingPlan, train
from speakervid_dag.training.losses import Weights
from speakervid_dag.training.offsets import find_offsets, mean_offsets, renumbered
from speakervid_dag.training.talk_evaluation import TalkReport, talk_report
from speakervid_dag.training.views import Example

HELD_OUT_PEOPLE = 48
_FEWEST_CLIPS = 8

Report = Callable[[str], None]


@dataclass(frozen=True)
class Recipe:
    """Constants of a training. `seed` moves every random choice but the split by person."""

    seed: int = 0
    offset_steps: int = 400
    offset_rounds: int = 2
    lips_steps: int = 500
    synchrony_steps: int = 450
    talking_steps: int = 400

    def first_plan(self) -> TrainingPlan:
        """Return the plan of a network of lip coordinates, from whose weights both others start: it learns quickly."""
        shape = Shape(has_mouth=False, has_lips=True)
        return TrainingPlan(shape, self.lips_steps, self.seed, 0, Weights(talk=0, features=0))

    def plans(self) -> dict[lip.Part, TrainingPlan]:
        """Return the plans of the two networks: talking sees pictures only, more quiet faces, and fewer steps."""
        quiet = Weights(talk=3.0, quiet_share=1 / 3, foreign_logit=-1.0)
        shape = Shape(has_mouth=True, has_lips=False)
        return {
            "talking": TrainingPlan(shape, self.talking_steps, self.seed, quiet=8, weights=quiet),
            "synchrony": TrainingPlan(Shape(), self.synchrony_steps, self.seed),
        }


@dataclass(frozen=True)
class Trained:
    """Figures on held-out people, by group, and where weights and card are."""

    weights: Path
    card: Path
    synchrony: dict[str, SynchronyReport]
    talking: TalkReport | None


def train_lip_network(
    folder: Path,
    out: Path,
    cache: Path,
    teacher_file: Path,
    recipe: Recipe,
    report: Report,
    *,
    held_out_people: int = HELD_OUT_PEOPLE,
    with_non_commercial: bool = False,
) -> Trained:
    """Train on a folder of talking people and write weights and card into `out`.

    Args:
        cache: folder for tracked faces, reused by the next call.
        teacher_file: Light-ASD's AVA weights.
        held_out_people: people who are never trained on; the figures are theirs.
        with_non_commercial: also use clips whose licence forbids commercial use.

    Raises:
        UserError: too few clips.
    """
    from speakervid_dag.files import sha256_of

    clips = clip_lists.read_clips(folder)
    held = set(clip_lists.held_out_people((c.person for c in clips), held_out_people))
    chosen = [c for c in clips if c.person not in held and (with_non_commercial or c.is_commercial_ok)]
    tests = [c for c in clips if c.person in held]
    if len(chosen) < _FEWEST_CLIPS:
        raise UserError(
            f"{folder} has {len(chosen)} clips to train on beside held-out people; at least {_FEWEST_CLIPS}"
        )
    faces = material.tracked([*chosen, *tests], held, load_profile("laptop"), cache, report)
    teacher = LightASD(teacher_file, "cpu")
    used, examples = material.examples_of(chosen, faces, teacher, recipe.seed, report)
    nets = find_offsets(examples, recipe.offset_steps, recipe.offset_rounds, recipe.seed, report)
    first, plans = recipe.first_plan(), recipe.plans()
    start = train(renumbered(examples), first, _prefixed("lips", report)), first.shape
    trained = {part: train(examples, plan, _prefixed(part, report), start=start) for part, plan in plans.items()}
    out.mkdir(parents=True, exist_ok=True)
    lip.save(trained, {part: plan.shape for part, plan in plans.items()}, out / lip.WEIGHTS_FILE)
    shown, asked = material.examples_of(tests, faces, teacher, recipe.seed, report) if tests else ([], [])
    network = lip.LipNetwork(lip.load(out / lip.WEIGHTS_FILE), "cpu")
    offsets = mean_offsets(nets, asked)
    synchrony = synchrony_figures(network, shown, asked, offsets)
    talking = talk_report(network, asked, offsets) if asked else None
    content = cards.card(
        used,
        {clip.sha256: example.offset for clip, example in zip(used, examples, strict=True)},
        shown,
        {"lips": first, **{str(part): plan for part, plan in plans.items()}},
        synchrony,
        talking,
        sha256_of(teacher_file),
        sha256_of(out / lip.WEIGHTS_FILE),
    )
    cards.write_card(content, out / lip.CARD_FILE)
    return Trained(out / lip.WEIGHTS_FILE, out / lip.CARD_FILE, synchrony, talking)


def synchrony_figures(
    network: lip.LipNetwork, clips: Sequence[Clip], examples: Sequence[Example], offsets: Sequence[float]
) -> dict[str, SynchronyReport]:
    """Return figures of free speech, of fixed phrases, and of free speech with faces of 60 and 40 px."""
    rows = list(zip(clips, examples, offsets, strict=True))
    groups: dict[str, list[tuple[Any, float]]] = {
        "free_speech": [(e, o) for c, e, o in rows if not c.has_fixed_phrases],
        "fixed_phrases": [(e, o) for c, e, o in rows if c.has_fixed_phrases],
    }
    for side in material.TEST_SIDES_PX:
        small = [(_only(e, side), o) for c, e, o in rows if not c.has_fixed_phrases and side in e.sides]
        groups[f"free_speech_{side}_px"] = small
    return {
        name: HeldOut(network, [e for e, _ in group]).report([o for _, o in group])
        for name, group in groups.items()
        if len({e.person for e, _ in group}) > 1
    }


def _only(example: Example, side: int) -> Example:
    """Return the example with its copy of that face size alone."""
    alone = copy.copy(example)
    alone.copies = [example.copies[example.sides.index(side)]]
    return alone


def _prefixed(part: str, report: Report) -> Report:
    return lambda line: report(f"{part}: {line}")
