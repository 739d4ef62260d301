"""The training loop of one lip network.

Belongs here: schedule, optimiser, running average of weights, one step. Does not belong here: losses, batches, which
clips (recipe.py).
"""

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from speakervid_dag.models import lip_layers as lip
from speakervid_dag.training import losses
from speakervid_dag.training.batches import Batch, BatchMaker
from speakervid_dag.training.views import Example

if TYPE_CHECKING:
    import torch

_RATE, _DECAY, _WARM_UP, _LAST_RATE, _CLIP = 2e-3, 0.02, 0.06, 0.02, 3.0
_AVERAGE, _DROPOUT = 0.995, 0.15
_LOG_STEPS = 50
_FIRST_SCALE = 2.3


@dataclass(frozen=True)
class TrainingPlan:
    """How one network is trained.

    Attributes:
        shape: what it sees.
        steps: batches of 20 + `quiet` segments.
        seed: of weights and batches.
        weights: of the losses; talk and features at 0 leave the teacher out.
    """

    shape: lip.Shape
    steps: int
    seed: int = 0
    quiet: int = 4
    weights: losses.Weights = field(default_factory=losses.Weights)


def train(
    examples: Sequence[Example],
    plan: TrainingPlan,
    report: Callable[[str], None],
    at_step: Callable[[int, Any], None] | None = None,
    start: tuple[Any, lip.Shape] | None = None,
) -> Any:
    """Return the network with the running average of its weights, ready for inference.

    Args:
        report: gets a line every 50 steps.
        at_step: gets the step and the averaged network, every 50 steps.
        start: a trained network and its shape, whose weights are the first ones.
    """
    import torch

    torch.manual_seed(plan.seed)
    net = lip.network(plan.shape)
    if start is not None:
        lip.start_from(net, plan.shape, *start)
    heads = torch.nn.ModuleDict({"features": torch.nn.Linear(lip.FEATURES, lip.FEATURES)})
    scale = torch.nn.Parameter(torch.tensor(_FIRST_SCALE))
    parameters = [*net.parameters(), *heads.parameters(), scale]
    optimiser = torch.optim.AdamW(parameters, lr=_RATE, weight_decay=_DECAY)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: rate(step, plan.steps))
    average = copy.deepcopy(net).eval()
    maker = BatchMaker(
        examples,
        plan.seed,
        uses_pictures=plan.shape.has_mouth or plan.shape.has_face,
        has_others=plan.weights.talk > 0,
        quiet=plan.quiet,
    )
    norm = feature_norm(examples)
    began, sums = time.monotonic(), np.zeros(5)
    net.train()
    for step in range(1, plan.steps + 1):
        values = step_losses(net, heads, scale, maker.draw(), plan.weights, norm)
        optimiser.zero_grad(set_to_none=True)
        values[0].backward()
        torch.nn.utils.clip_grad_norm_(parameters, _CLIP)
        optimiser.step()
        schedule.step()
        update_average(average, net, min(_AVERAGE, (1 + step) / (10 + step)))
        sums += [float(v.detach()) for v in values[1:]]
        if step % _LOG_STEPS == 0 or step == plan.steps:
            count = step % _LOG_STEPS or _LOG_STEPS
            lag, people, right, talk, features = sums / count
            report(
                f"step {step}: lag {lag:.3f} people {people:.3f} right {right:.2f} talk {talk:.3f} "
                f"features {features:.3f}, {time.monotonic() - began:.0f} s"
            )
            sums[:] = 0
            if at_step is not None:
                at_step(step, average)
    return average


def rate(step: int, steps: int) -> float:
    """Return the share of the learning rate: a linear start, then a cosine to 2 %."""
    warm = max(1, round(_WARM_UP * steps))
    if step < warm:
        return (step + 1) / warm
    done = (step - warm) / max(1, steps - warm)
    return float(_LAST_RATE + (1 - _LAST_RATE) * (1 + np.cos(np.pi * min(1.0, done))) / 2)


def update_average(average: Any, net: Any, keep: float) -> None:
    """Move the average's weights and normalisations towards the network's."""
    import torch

    with torch.no_grad():
        now = net.state_dict()
        for name, values in average.state_dict().items():
            if values.dtype.is_floating_point:
                values.mul_(keep).add_(now[name], alpha=1 - keep)


def feature_norm(examples: Sequence[Example]) -> tuple["torch.Tensor", "torch.Tensor"]:
    """Return mean and deviation of the teacher's features over the clips as they are."""
    import torch

    features = np.concatenate([e.views[0].features for e in examples])
    mean, deviation = features.mean(axis=0), features.std(axis=0) + 0.1
    return torch.from_numpy(mean), torch.from_numpy(deviation)


def step_losses(
    net: Any,
    heads: Any,
    scale: "torch.Tensor",
    batch: Batch,
    weights: losses.Weights,
    norm: tuple["torch.Tensor", "torch.Tensor"],
) -> list["torch.Tensor"]:
    """Return the whole loss, then lag, people, share of people right, talk and features of one batch."""
    import torch
    from torch.nn.functional import dropout

    n, m = len(batch.sounds), len(batch.people)
    valid = torch.from_numpy(batch.is_valid.astype(np.float32))
    mouth = _mouth(net, batch)
    mels = lip.log_mels(
        torch.from_numpy(np.concatenate([batch.sounds, batch.others])), lip.MAX_LAG * 2 + valid.shape[1]
    )
    with torch.autocast("cpu", torch.bfloat16):
        sound = lip.sound_side(net, mels)
    sound = dropout(sound.float(), _DROPOUT, net.training)
    vectors, heard = lip.sync_vectors(net, mouth, sound[:n])
    near = lip.similarities(vectors, heard, lip.MAX_LAG)
    middle = slice(lip.MAX_LAG, lip.MAX_LAG + valid.shape[1])
    speech, people = torch.from_numpy(batch.speech), torch.from_numpy(batch.people)
    factor = scale.exp()
    lag = losses.lag_loss(near[:m], factor, valid[:m], speech)
    who, right = losses.people_loss(vectors[:m], heard[:m, :, middle], factor, valid[:m], speech, people)
    talk = features = torch.zeros(())
    if weights.talk:
        other_vectors = torch.nn.functional.normalize(net["sound_sync"](sound[n:]), dim=1)
        other_near = lip.similarities(vectors[:m], other_vectors, lip.MAX_LAG)
        logits = lip.talking_logits(net, mouth, sound[:n, :, middle], lip.talk_lags(near))
        foreign = lip.talking_logits(net, mouth[:m], sound[n:, :, middle], lip.talk_lags(other_near))
        teacher, other = torch.from_numpy(batch.logits), torch.from_numpy(batch.other_logits) + weights.foreign_logit
        share = (1 - weights.quiet_share) / 2 if n > m else 0.5
        talk = share * (
            losses.talk_loss(logits[:m], teacher[:m], valid[:m]) + losses.talk_loss(foreign, other, valid[:m])
        )
        if n > m:
            talk = talk + weights.quiet_share * losses.talk_loss(logits[m:], teacher[m:], valid[m:])
    if weights.features:
        wanted = (torch.from_numpy(batch.features) - norm[0]) / norm[1]
        features = losses.feature_loss(heads["features"](mouth.transpose(1, 2)), wanted, valid)
    total = weights.lag * lag + weights.people * who + weights.talk * talk + weights.features * features
    return [total, lag, who, right, talk, features]


def _mouth(net: Any, batch: Batch) -> "torch.Tensor":
    """Return the mouth's side (n, 128, 75) of a batch, each input left out where the batch says so."""
    import torch
    from torch.nn.functional import dropout

    state = lip.state_features(torch.from_numpy(batch.state), torch.from_numpy(batch.is_seen))
    shown = torch.from_numpy(batch.has_pictures.astype(np.float32))[:, None, None]
    known = torch.from_numpy(batch.has_lips.astype(np.float32))[:, None, None]
    parts = [state]
    for name, pictures in (("mouth", batch.mouths), ("face", batch.faces)):
        if name in net:
            with torch.autocast("cpu", torch.bfloat16):
                encoded = lip.encode_pictures(net[name], torch.from_numpy(pictures).float())
            parts.append(encoded.float() * shown)
    if "lips" in net:
        # left-out coordinates look like those of a face without a mesh
        parts.append(net["lips"](lip.lip_features(torch.from_numpy(batch.lips) * known)))
    joined = dropout(torch.cat(parts, dim=2).transpose(1, 2), _DROPOUT, net.training)
    with torch.autocast("cpu", torch.bfloat16):
        found = lip.through_time(net["time"], joined)
    return dropout(found.float(), _DROPOUT, net.training)
