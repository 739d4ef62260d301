"""Light-ASD (Liao et al., CVPR 2023; MIT weights), reimplemented in torch: is this face talking?

Belongs here: the network and its loading. Does not belong here: its input from a scene, and the answers made from its
scores (curation/speaking/light_asd.py).

Two encoders of three blocks each split their convolutions into space (or frequency) and time, at kernel sizes 3 and 5
in parallel. Face and sound are added and read by a GRU forwards, then by one backwards. The network detects that a face
talks, not that the voice belongs to it: in our measurements a talking face scores as high under a foreign voice.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.models.mfcc import mfcc
from speakervid_dag.models.torch_device import chosen_device

if TYPE_CHECKING:
    import torch

WEIGHTS, FILENAME = "light-asd", "light_asd_pretrain_AVA_CVPR.model"
_PIECE = 500  # pictures at once, to bound memory
_MEAN, _DEVIATION = 0.4161, 0.1688  # of the grey training pictures, 0-1

Floats = NDArray[np.float32]


def network() -> "torch.nn.ModuleDict":
    """Return the layers, with random weights, under the names of the published files."""
    from torch import nn

    model = nn.ModuleDict(
        {
            "visualEncoder": _encoder("s", nn.Conv3d, nn.BatchNorm3d, lambda k: (1, k, k), lambda k: (k, 1, 1)),
            "audioEncoder": _encoder("m", nn.Conv2d, nn.BatchNorm2d, lambda k: (k, 1), lambda k: (1, k)),
            "GRU": nn.ModuleDict({f"gru_{way}": nn.GRU(128, 128, batch_first=True) for way in ("forward", "backward")}),
        }
    )
    heads = {name: nn.ModuleDict({"FC": nn.Linear(128, 2)}) for name in ("lossAV", "lossV")}
    return nn.ModuleDict({"model": model, **heads}).eval()


def _encoder(first: str, convolution: Any, norm: Any, plane: Any, line: Any) -> "torch.nn.ModuleDict":
    """Return blocks 1-3 with 32, 64, 128 channels; `first` names the convolutions in the plane, `t` those in time."""
    from torch import nn

    blocks, before = {}, 1
    for number, channels in enumerate((32, 64, 128), start=1):
        layers = nn.ModuleDict()
        for k in (3, 5):
            halves = tuple(n // 2 for n in plane(k)), tuple(n // 2 for n in line(k))
            # the first block of the picture encoder halves the size
            stride = (1, 2, 2) if first == "s" and number == 1 else 1
            layers[f"{first}_{k}"] = convolution(before, channels, plane(k), stride, halves[0], bias=False)
            layers[f"t_{k}"] = convolution(channels, channels, line(k), 1, halves[1], bias=False)
            for name in (f"{first}_{k}", f"t_{k}"):
                layers[f"bn_{name}"] = norm(channels, momentum=0.01, eps=0.001)
        layers["last"] = convolution(channels, channels, 1, bias=False)
        layers["bn_last"] = norm(channels, momentum=0.01, eps=0.001)
        blocks[f"block{number}"], before = layers, channels
    return nn.ModuleDict(blocks)


@dataclass(frozen=True)
class _Convolution:
    """One convolution with its batch normalisation folded in: in the plane of a picture, or along time."""

    weight: "torch.Tensor"
    bias: "torch.Tensor"
    stride: int

    def __call__(self, x: "torch.Tensor") -> "torch.Tensor":
        from torch.nn import functional

        around = self.weight.shape[-2] // 2, self.weight.shape[-1] // 2
        return functional.relu_(functional.conv2d(x, self.weight, self.bias, self.stride, around))


class FoldedNetwork:
    """The same network with 2-D convolutions only, several times faster on a CPU than with the published 3-D ones.

    A kernel of (1, k, k) is a 2-D convolution of each picture; one of (k, 1, 1) is a 2-D convolution of time by place.
    """

    def __init__(self, net: Any) -> None:
        """Fold a loaded `network()`; it is left as it is."""
        self._model, self._head = net["model"], net["lossAV"]["FC"]
        self._seen = [_folded(self._model["visualEncoder"][f"block{n}"]) for n in (1, 2, 3)]
        self._heard = [_folded(self._model["audioEncoder"][f"block{n}"]) for n in (1, 2, 3)]

    def to(self, device: "torch.device | str") -> "FoldedNetwork":
        """Move all weights."""
        for blocks in (self._seen, self._heard):
            for layers in blocks:
                for name, one in layers.items():
                    layers[name] = replace(one, weight=one.weight.to(device), bias=one.bias.to(device))
        self._model.to(device)
        self._head.to(device)
        return self

    def logits(self, seen: "torch.Tensor", heard: "torch.Tensor") -> "torch.Tensor":
        """Return logits (t, 2) of not talking and talking, from (t, 128) of each side."""
        import torch
        from torch.nn.functional import gelu

        ahead = gelu(self._model["GRU"]["gru_forward"]((seen + heard)[None])[0])
        back = self._model["GRU"]["gru_backward"](torch.flip(ahead, (1,)))[0]
        logits: torch.Tensor = self._head(gelu(torch.flip(back, (1,))))[0]
        return logits

    def picture_features(self, faces: "torch.Tensor") -> "torch.Tensor":
        """Return (t, 128) of faces (t, 112, 112) float32, 0-255 grey."""
        import torch
        from torch.nn.functional import max_pool2d

        x = ((faces / 255 - _MEAN) / _DEVIATION).unsqueeze(1).contiguous(memory_format=torch.channels_last)
        for number, layers in enumerate(self._seen):
            x = layers["last"](
                _along_time(layers["t_3"], layers["s_3"](x)) + _along_time(layers["t_5"], layers["s_5"](x))
            )
            x = max_pool2d(x, 3, 2, 1) if number < 2 else x
        return x.amax(dim=(2, 3))

    def sound_features(self, cepstra: "torch.Tensor") -> "torch.Tensor":
        """Return (t, 128) of cepstra (4 t, 13) float32, MFCC at 100 Hz."""
        from torch.nn.functional import max_pool2d

        y = cepstra.T[None, None]
        for number, layers in enumerate(self._heard):
            y = layers["last"](layers["t_3"](layers["m_3"](y)) + layers["t_5"](layers["m_5"](y)))
            y = max_pool2d(y, (1, 3), (1, 2), (0, 1)) if number < 2 else y
        return y.mean(dim=2)[0].T


def _folded(layers: Any) -> dict[str, _Convolution]:
    """Return a block's convolutions, each with the batch normalisation behind it folded in."""
    return {name: _merged(layers[name], layers[f"bn_{name}"]) for name in layers if not name.startswith("bn_")}


def _merged(convolution: Any, norm: Any) -> _Convolution:
    import torch

    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    weight = convolution.weight.detach() * scale.detach().reshape(-1, *[1] * (convolution.weight.ndim - 1))
    if weight.ndim == 5:  # (1, k, k): a picture; (k, 1, 1): time by place
        weight = weight.squeeze(2) if weight.shape[2] == 1 else weight.squeeze(4)
    weight = weight.contiguous(memory_format=torch.channels_last)  # twice as fast on a CPU
    return _Convolution(weight, (norm.bias - norm.running_mean * scale).detach(), convolution.stride[-1])


def _along_time(convolution: _Convolution, x: "torch.Tensor") -> "torch.Tensor":
    """Convolve pictures (t, c, h, w), channels last in memory, along t; nothing is copied."""
    height, width = x.shape[2:]
    lines = x.permute(0, 2, 3, 1).flatten(1, 2).permute(2, 0, 1).unsqueeze(0)  # (1, c, t, h w)
    return convolution(lines)[0].permute(1, 2, 0).unflatten(1, (height, width)).permute(0, 3, 1, 2)


class LightASD:
    """The network with weights.

    Args:
        weights: a published file; None = the registry's (WeightsMissing if it is not on disk, OperationError if it has
            another hash).
        device: torch device; None = cuda if present, else cpu.
    """

    def __init__(self, weights: Path | None = None, device: str | None = None) -> None:
        import torch

        if weights is None:
            from speakervid_dag.models.registry import weight_path

            weights = weight_path(WEIGHTS, FILENAME)
        self.device = chosen_device(device)
        net = network()
        net.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True), strict=True)
        self._net = FoldedNetwork(net).to(self.device)

    def scores(self, faces: NDArray[np.uint8], samples: Floats) -> Floats:
        """Return the log odds that the face talks, for each picture: (t,) float32.

        Args:
            faces: (t, 112, 112) grey, 25 per second.
            samples: float32 mono at 16 kHz; sample 0 is at the start of picture 0. Short sound is padded with silence.
        """
        return self.log_odds(self.features(faces), samples)

    def features(self, faces: NDArray[np.uint8]) -> Floats:
        """Return (t, 128) float32 of grey faces (t, 112, 112); the sound has no part in them."""
        import torch

        found = []
        with torch.inference_mode():
            for at in range(0, len(faces), _PIECE):
                x = torch.from_numpy(faces[at : at + _PIECE].astype(np.float32)).to(self.device)
                found.append(self._net.picture_features(x).cpu().numpy())
        return np.concatenate(found)

    def log_odds(self, features: Floats, samples: Floats) -> Floats:
        """Return the log odds that the face of these features talks: (t,) float32. `samples`: see `scores`."""
        import torch

        count = len(features)
        samples = np.pad(samples, (0, max(0, count * 640 + 400 - len(samples))))
        cepstra = mfcc(samples[: count * 640 + 400])[: 4 * count]
        found = []
        with torch.inference_mode():
            for at in range(0, count, _PIECE):
                seen = torch.from_numpy(features[at : at + _PIECE]).to(self.device)
                heard = self._net.sound_features(torch.from_numpy(cepstra[4 * at :][: 4 * len(seen)]).to(self.device))
                logits = self._net.logits(seen, heard).cpu().numpy()
                found.append(logits[:, 1] - logits[:, 0])
        return np.concatenate(found).astype(np.float32)
