"""Light-ASD (Liao et al., CVPR 2023; MIT weights), reimplemented in torch: is this face talking?

Belongs here: the network and its loading. Does not belong here: its input from a scene, and the answers made from its
scores (curation/speaking/light_asd.py).

Two encoders of three blocks each split their convolutions into space (or frequency) and time, at kernel sizes 3 and 5
in parallel. Face and sound are added and read by a GRU forwards, then by one backwards. The network detects that a face
talks, not that the voice belongs to it: in our measurements a talking face scores as high under a foreign voice.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.models.mfcc import mfcc
from speakervid_dag.models.torch_device import chosen_device

if TYPE_CHECKING:
    import torch

WEIGHTS, FILENAME = "light-asd", "light_asd_finetuning_TalkSet.model"
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


def _block(layers: Any, first: str, x: "torch.Tensor") -> "torch.Tensor":
    import torch

    def step(name: str, x: "torch.Tensor") -> "torch.Tensor":
        return torch.relu(layers[f"bn_{name}"](layers[name](x)))

    return step("last", step("t_3", step(f"{first}_3", x)) + step("t_5", step(f"{first}_5", x)))


def forward(net: Any, faces: "torch.Tensor", cepstra: "torch.Tensor") -> "torch.Tensor":
    """Return logits (n, t, 2) of not talking and talking.

    Args:
        faces: (n, t, 112, 112) float32, 0-255 grey.
        cepstra: (n, 4 t, 13) float32, MFCC at 100 Hz.
    """
    import torch
    from torch.nn import functional

    model = net["model"]
    x = ((faces / 255 - _MEAN) / _DEVIATION).unsqueeze(1)
    y = cepstra.unsqueeze(1).transpose(2, 3)
    for number in (1, 2, 3):
        x = _block(model["visualEncoder"][f"block{number}"], "s", x)
        y = _block(model["audioEncoder"][f"block{number}"], "m", y)
        if number < 3:
            x = functional.max_pool3d(x, (1, 3, 3), (1, 2, 2), (0, 1, 1))
            y = functional.max_pool2d(y, (1, 3), (1, 2), (0, 1))
    seen, heard = x.amax(dim=(3, 4)).transpose(1, 2), y.mean(dim=2).transpose(1, 2)
    gelu = functional.gelu
    ahead = gelu(model["GRU"]["gru_forward"](seen + heard)[0])
    back = model["GRU"]["gru_backward"](torch.flip(ahead, (1,)))[0]
    logits: torch.Tensor = net["lossAV"]["FC"](gelu(torch.flip(back, (1,))))
    return logits


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
        self._net = network()
        self._net.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True), strict=True)
        self._net.to(self.device)

    def scores(self, faces: NDArray[np.uint8], samples: Floats) -> Floats:
        """Return the logit of talking for each picture: (t,) float32, positive = talks.

        Args:
            faces: (t, 112, 112) grey, 25 per second.
            samples: float32 mono at 16 kHz; sample 0 is at the start of picture 0. Short sound is padded with silence.
        """
        import torch

        count = len(faces)
        samples = np.pad(samples, (0, max(0, count * 640 + 400 - len(samples))))
        cepstra = mfcc(samples)[: 4 * count]
        with torch.inference_mode():
            x = torch.from_numpy(faces.astype(np.float32))[None].to(self.device)
            y = torch.from_numpy(cepstra)[None].to(self.device)
            logits = forward(self._net, x, y)[0].cpu().numpy()
        return np.asarray(logits[:, 1], np.float32)
