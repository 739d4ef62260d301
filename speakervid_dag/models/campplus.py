"""CAM++ (Wang et al. 2023; 3D-Speaker's Chinese and English weights, Apache-2.0), reimplemented in torch: whose voice.

Belongs here: the network, its loading, its front end's use. Does not belong here: clustering (curation/voices).

A small two-dimensional network over the spectrum is followed by three blocks of densely connected layers over time.
Each layer masks its output by what it hears in a hundred frames around and in all of the sound.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.arrays import unit
from speakervid_dag.models.fbank import log_mels
from speakervid_dag.models.torch_device import chosen_device, one_thread

if TYPE_CHECKING:
    import torch

WEIGHTS = "campplus"
DIMENSIONS = 192
MIN_FRAMES = 5  # of 10 ms: less is no sound of speech
_BLOCKS = ((12, 1), (24, 2), (16, 2))  # layers, dilation
_GROWTH, _BOTTLENECK, _SEGMENT = 32, 128, 100  # channels, channels, frames

Floats = NDArray[np.float32]


def network() -> "torch.nn.ModuleDict":
    """Return the layers, with random weights, under the names of the published file."""
    from torch import nn

    head = nn.ModuleDict({"conv1": nn.Conv2d(1, 32, 3, padding=1, bias=False), "bn1": nn.BatchNorm2d(32)})
    head.update({f"layer{number}": nn.ModuleList([_residual(2), _residual(1)]) for number in (1, 2)})
    head.update({"conv2": nn.Conv2d(32, 32, 3, (2, 1), 1, bias=False), "bn2": nn.BatchNorm2d(32)})
    vector = nn.ModuleDict({"tdnn": nn.ModuleDict({"linear": nn.Conv1d(320, 128, 5, 2, 2, bias=False)} | _norm(128))})
    channels = 128
    for number, (layers, dilation) in enumerate(_BLOCKS, start=1):
        block = nn.ModuleDict()
        for layer in range(layers):
            block[f"tdnnd{layer + 1}"] = _dense_layer(channels, dilation)
            channels += _GROWTH
        vector[f"block{number}"] = block
        transit = nn.Conv1d(channels, channels // 2, 1, bias=False)
        vector[f"transit{number}"] = nn.ModuleDict(_norm(channels) | {"linear": transit})
        channels //= 2
    vector["out_nonlinear"] = _norm(channels)["nonlinear"]
    last = nn.ModuleDict({"batchnorm": nn.BatchNorm1d(DIMENSIONS, affine=False)})
    vector["dense"] = nn.ModuleDict({"linear": nn.Conv1d(2 * channels, DIMENSIONS, 1, bias=False), "nonlinear": last})
    return nn.ModuleDict({"head": head, "xvector": vector}).eval()


def _norm(channels: int, name: str = "nonlinear") -> "dict[str, torch.nn.Module]":
    from torch import nn

    return {name: nn.ModuleDict({"batchnorm": nn.BatchNorm1d(channels)})}


def _residual(stride: int) -> "torch.nn.ModuleDict":
    """Return a residual block of 32 channels that divides the frequencies by `stride`."""
    from torch import nn

    block = nn.ModuleDict()
    for number, step in ((1, stride), (2, 1)):
        block[f"conv{number}"] = nn.Conv2d(32, 32, 3, (step, 1), 1, bias=False)
        block[f"bn{number}"] = nn.BatchNorm2d(32)
    if stride > 1:
        block["shortcut"] = nn.Sequential(nn.Conv2d(32, 32, 1, (stride, 1), bias=False), nn.BatchNorm2d(32))
    return block


def _dense_layer(channels: int, dilation: int) -> "torch.nn.ModuleDict":
    from torch import nn

    mask = nn.ModuleDict(
        {
            "linear_local": nn.Conv1d(_BOTTLENECK, _GROWTH, 3, padding=dilation, dilation=dilation, bias=False),
            "linear1": nn.Conv1d(_BOTTLENECK, _BOTTLENECK // 2, 1),
            "linear2": nn.Conv1d(_BOTTLENECK // 2, _GROWTH, 1),
        }
    )
    layers = _norm(channels, "nonlinear1") | {"linear1": nn.Conv1d(channels, _BOTTLENECK, 1, bias=False)}
    return nn.ModuleDict(layers | _norm(_BOTTLENECK, "nonlinear2") | {"cam_layer": mask})


def forward(net: Any, mels: "torch.Tensor") -> "torch.Tensor":
    """Return embeddings (n, 192), of any length.

    Args:
        mels: (n, frames, 80) float32, log mel energies with the mean over the frames removed.
    """
    import torch

    head, vector = net["head"], net["xvector"]
    x = torch.relu(head["bn1"](head["conv1"](mels.transpose(1, 2).unsqueeze(1))))
    for number in (1, 2):
        for block in head[f"layer{number}"]:
            y = torch.relu(block["bn1"](block["conv1"](x)))
            straight = block["shortcut"](x) if "shortcut" in block else x
            x = torch.relu(block["bn2"](block["conv2"](y)) + straight)
    x = torch.relu(head["bn2"](head["conv2"](x))).flatten(1, 2)
    x = _normed(vector["tdnn"]["nonlinear"], vector["tdnn"]["linear"](x))
    for number in range(1, len(_BLOCKS) + 1):
        for layer in vector[f"block{number}"].values():
            x = torch.cat([x, _masked(layer, x)], 1)
        transit = vector[f"transit{number}"]
        x = transit["linear"](_normed(transit["nonlinear"], x))
    x = _normed(vector["out_nonlinear"], x)
    pooled = torch.cat([x.mean(-1), x.std(-1)], 1)
    dense = vector["dense"]
    out: torch.Tensor = dense["nonlinear"]["batchnorm"](dense["linear"](pooled.unsqueeze(-1)).squeeze(-1))
    return out  # no ReLU after the last norm: the published weights were trained without


def _normed(layer: Any, x: "torch.Tensor") -> "torch.Tensor":
    import torch

    return torch.relu(layer["batchnorm"](x))


def _masked(layer: Any, x: "torch.Tensor") -> "torch.Tensor":
    """Return a dense layer's new channels, times a mask from the context."""
    import torch
    from torch.nn import functional

    mask = layer["cam_layer"]
    x = _normed(layer["nonlinear2"], layer["linear1"](_normed(layer["nonlinear1"], x)))
    near = functional.avg_pool1d(x, _SEGMENT, _SEGMENT, ceil_mode=True).repeat_interleave(_SEGMENT, -1)
    context = x.mean(-1, keepdim=True) + near[..., : x.shape[-1]]
    weight = torch.sigmoid(mask["linear2"](torch.relu(mask["linear1"](context))))
    return torch.as_tensor(mask["linear_local"](x) * weight)


class CamPlusPlus:
    """The network with weights: embeddings of unit length, whose cosine says how alike two voices are.

    Args:
        weights: the published file; None = the registry's (WeightsMissing if it is not on disk).
        device: torch device; None = cuda if present, else cpu.
    """

    def __init__(self, weights: Path | None = None, device: str | None = None) -> None:
        import torch

        if weights is None:
            from speakervid_dag.models.registry import weight_path

            weights = weight_path(WEIGHTS)
        self.device = chosen_device(device)
        self._net = network()
        self._net.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
        self._net.to(self.device)

    def embed_mels(self, mels: Sequence[Floats]) -> Floats:
        """Return one embedding per piece of log mel energies, (frames, 80), at least MIN_FRAMES each: (n, 192)."""
        import torch

        out = np.zeros((len(mels), DIMENSIONS), np.float32)
        for i, piece in enumerate(mels):
            if len(piece) < MIN_FRAMES:
                raise ValueError(f"piece {i} has {len(piece)} frames, at least {MIN_FRAMES} are needed")
            centred = torch.from_numpy(piece - piece.mean(axis=0))[None]
            with torch.inference_mode(), one_thread():
                out[i] = forward(self._net, centred.to(self.device))[0].cpu().numpy()
        return unit(out)

    def embed(self, segments: Sequence[Floats]) -> Floats:
        """Return one embedding per segment of mono float32 sound at 16 kHz: (n, 192) float32 of unit length.

        Raises:
            ValueError: a segment is shorter than 0.065 s.
        """
        return self.embed_mels([log_mels(samples) for samples in segments])
