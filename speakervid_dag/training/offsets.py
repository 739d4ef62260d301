"""By how many frames the sound of each training clip is late, estimated by networks that never saw its people.

Belongs here: the cross-fit. Does not belong here: the offset of a video in the pipeline.

Real clips are off by up to several frames. A network that is trained with lag 0 as the answer learns each clip's offset
by heart and is blurred on other people. So the people are halved, a network of lip coordinates is trained on each half
and asked about the other one, and this is repeated with the offsets found.
"""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from speakervid_dag.models.lip_layers import Shape
from speakervid_dag.models.lip_network import LipNetwork
from speakervid_dag.training.clips import halves
from speakervid_dag.training.evaluation import HeldOut
from speakervid_dag.training.loop import TrainingPlan, train
from speakervid_dag.training.losses import Weights
from speakervid_dag.training.views import Example, View

_SHAPE = Shape(has_mouth=False, has_lips=True)
_MOST_FRAMES = 10.0


def find_offsets(
    examples: Sequence[Example], steps: int, rounds: int, seed: int, report: Callable[[str], None]
) -> list[Any]:
    """Set `offset` of every example, and return the last round's two networks."""
    nets: list[Any] = []
    first, second = (set(half) for half in halves(e.person for e in examples))
    for round_number in range(1, rounds + 1):
        nets = []
        found: dict[int, float] = {}
        for half, (seen, other) in enumerate(((first, second), (second, first))):
            plan = TrainingPlan(_SHAPE, steps, 10 * round_number + half + seed, 0, Weights(talk=0, features=0))
            material = [e for e in examples if e.person in seen]
            nets.append(train(renumbered(material), plan, lambda line: report(f"offsets: {line}")))
            asked = [e for e in examples if e.person in other]
            held_out = HeldOut(LipNetwork({"synchrony": nets[-1]}, "cpu"), asked)
            found |= {id(e): offset for e, offset in zip(asked, held_out.offsets(), strict=True)}
        for example in examples:
            example.offset = float(np.clip(found[id(example)], -_MOST_FRAMES, _MOST_FRAMES))
        middle = float(np.median([e.offset for e in examples]))
        report(f"offsets, round {round_number}: median {middle:.2f} frames")
    return nets


def mean_offsets(nets: Sequence[Any], examples: Sequence[Example]) -> list[float]:
    """Return the offsets of other clips, from the mean of what these networks find."""
    found = [HeldOut(LipNetwork({"synchrony": net}, "cpu"), examples).offsets() for net in nets]
    return [float(value) for value in np.mean(found, axis=0)]


def renumbered(examples: Sequence[Example]) -> list[Example]:
    """Return examples whose own sounds refer to their places in this list; other sounds are dropped."""
    out = []
    for number, example in enumerate(examples):
        moved = copy.copy(example)
        view = example.views[0]
        own = view.sounds[0]
        moved.listeners = []
        moved.views = [View(view.order, [type(own)(number, own.start, own.logits)], view.features, view.is_own)]
        out.append(moved)
    return out
