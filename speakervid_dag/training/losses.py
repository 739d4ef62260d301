"""Losses of the lip network.

Belongs here: what is asked of one batch. Does not belong here: batches, the loop.

Lag: of 31 lags the right one is 0, in means of 7 and of 31 frames. People: of the batch's sounds the own one, in means
of 25 frames. Talk: the teacher's opinion, with own and with another sound. Features: the teacher's picture features.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

_LAG_FRAMES = ((7, 0.4, 1.0), (31, 0.6, 1.5))  # length of the mean, weight of the loss, factor of the scale
_LAG_TARGET = (0.2, 0.6, 0.2)
_PEOPLE_FRAMES = 25
_MIN_SPEECH, _MIN_VALID = 0.4, 0.6
_MAX_LOGIT = 6.0


@dataclass(frozen=True)
class Weights:
    """Weights of the four losses.

    Attributes:
        quiet_share: part of the talk loss that quiet faces and listeners get.
        foreign_logit: added to the teacher's logit under another sound: it hardly minds whose voice it hears.
    """

    lag: float = 1.0
    people: float = 1.0
    talk: float = 2.0
    features: float = 0.5
    quiet_share: float = 1 / 6
    foreign_logit: float = 0.0


def lag_loss(near: "torch.Tensor", scale: "torch.Tensor", valid: "torch.Tensor", speech: "torch.Tensor") -> Any:
    """Return the cross entropy over lags of similarities (n, t, 31), over windows that are seen and have speech."""
    import torch
    from torch.nn.functional import avg_pool1d

    middle = near.shape[2] // 2
    target = torch.zeros(near.shape[2])
    target[middle - 1 : middle + 2] = torch.tensor(_LAG_TARGET)
    total = near.new_zeros(())
    for frames, weight, factor in _LAG_FRAMES:
        means = avg_pool1d(near.transpose(1, 2), frames, 1).transpose(1, 2)
        used = (avg_pool1d(valid[:, None], frames, 1)[:, 0] >= _MIN_VALID) & (
            avg_pool1d(speech[:, None], frames, 1)[:, 0] >= _MIN_SPEECH
        )
        losses = -(torch.log_softmax(means * scale * factor, dim=2) * target).sum(2)
        total = total + weight * (losses * used).sum() / used.sum().clamp(min=1)
    return total


def people_loss(
    mouth: "torch.Tensor",
    sound: "torch.Tensor",
    scale: "torch.Tensor",
    valid: "torch.Tensor",
    speech: "torch.Tensor",
    people: "torch.Tensor",
) -> tuple[Any, "torch.Tensor"]:
    """Return the cross entropy of who belongs to whom, both ways, and the share that is right.

    Args:
        mouth, sound: (n, 64, t) unit vectors at the right lag.
        people: (n,); other segments of the same person are left out.
    """
    import torch

    n, _, t = mouth.shape
    total, right, counted = mouth.new_zeros(()), mouth.new_zeros(()), mouth.new_zeros(())
    same = (people[:, None] == people[None]) & ~torch.eye(n, dtype=torch.bool)
    for at in range(0, t - _PEOPLE_FRAMES + 1, _PEOPLE_FRAMES):
        part = slice(at, at + _PEOPLE_FRAMES)
        between = torch.einsum("ift,jft->ij", mouth[:, :, part], sound[:, :, part]) / _PEOPLE_FRAMES
        between = (between * scale * 1.5).masked_fill(same, -1e4)
        used = ((valid[:, part].mean(1) >= _MIN_VALID) & (speech[:, part].mean(1) >= _MIN_SPEECH)).float()
        losses = -(torch.log_softmax(between, 1).diagonal() + torch.log_softmax(between, 0).diagonal()) / 2
        total = total + (losses * used).sum()
        right = right + ((between.argmax(1) == torch.arange(n)) * used).sum()
        counted = counted + used.sum()
    return total / counted.clamp(min=1), (right / counted.clamp(min=1)).detach()


def talk_loss(logits: "torch.Tensor", teacher: "torch.Tensor", valid: "torch.Tensor") -> "torch.Tensor":
    """Return the mean loss of logits (n, t) against the teacher's, over valid frames."""
    from torch.nn.functional import binary_cross_entropy_with_logits, smooth_l1_loss

    losses = binary_cross_entropy_with_logits(logits, teacher.sigmoid(), reduction="none")
    cut = teacher.clamp(-_MAX_LOGIT, _MAX_LOGIT)
    losses = losses + 0.15 * smooth_l1_loss(logits.clamp(-2 * _MAX_LOGIT, 2 * _MAX_LOGIT), cut, reduction="none")
    mean: torch.Tensor = (losses * valid).sum() / valid.sum().clamp(min=1)
    return mean


def feature_loss(found: "torch.Tensor", teacher: "torch.Tensor", valid: "torch.Tensor") -> "torch.Tensor":
    """Return the mean squared error of features (n, t, 128), over valid frames."""
    mean: torch.Tensor = (((found - teacher) ** 2).mean(2) * valid).sum() / valid.sum().clamp(min=1)
    return mean
