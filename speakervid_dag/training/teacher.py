"""Light-ASD as the teacher of the talking network: features and logits of a face under any sound.

Belongs here: running the teacher quickly on whole clips. Does not belong here: its layers (models/light_asd.py), which
faces and sounds are put together (views.py).

The teacher sees the whole face box in 112 px, in pieces of 20 s. Its convolutions of one picture or of one pixel's
history are run as 2-D convolutions with the normalisation folded in: the same numbers at a quarter of the time.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.models.light_asd import _DEVIATION, _MEAN, network
from speakervid_dag.models.mfcc import mfcc

if TYPE_CHECKING:
    import torch

FACE_PX = 112
PIECE_FRAMES = 500  # 20 s
_SAMPLES = 640  # of sound per picture

Floats = NDArray[np.float32]


class Teacher:
    """Light-ASD with weights that were trained on AVA. `weights`: light_asd_pretrain_AVA_CVPR.model."""

    def __init__(self, weights: Path) -> None:
        import torch

        net = network()
        net.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True), strict=True)
        self._net = net.eval()
        blocks = net["model"]["visualEncoder"]
        self._blocks = [_folded(blocks[f"block{number}"]) for number in (1, 2, 3)]

    def features(self, faces: NDArray[np.uint8]) -> Floats:
        """Return (t, 128) of grey faces (t, 112, 112) at 25 Hz."""
        import torch

        found = []
        with torch.inference_mode():
            for at in range(0, len(faces), PIECE_FRAMES):
                x = torch.from_numpy(faces[at : at + PIECE_FRAMES].astype(np.float32))
                x = ((x / 255 - _MEAN) / _DEVIATION)[:, None]
                for number, layers in enumerate(self._blocks):
                    x = _block(layers, x, stride=2 if number == 0 else 1)
                    if number < 2:
                        x = torch.nn.functional.max_pool2d(x, 3, 2, 1)
                found.append(x.amax(dim=(2, 3)).numpy())
        return np.concatenate(found)

    def logits(self, features: Floats, samples: Floats) -> Floats:
        """Return logit of talking minus logit of not talking (t,); sample 0 is at the start of picture 0."""
        import torch
        from torch.nn.functional import gelu, max_pool2d

        from speakervid_dag.models.light_asd import _block as sound_block

        model, count = self._net["model"], len(features)
        samples = np.pad(samples, (0, max(0, count * _SAMPLES + 400 - len(samples))))
        cepstra = mfcc(samples[: count * _SAMPLES + 400])[: 4 * count]
        found = []
        with torch.inference_mode():
            for at in range(0, count, PIECE_FRAMES):
                seen = torch.from_numpy(features[at : at + PIECE_FRAMES])[None]
                y = torch.from_numpy(cepstra[4 * at : 4 * (at + PIECE_FRAMES)])[None, None].transpose(2, 3)
                for number in (1, 2, 3):
                    y = sound_block(model["audioEncoder"][f"block{number}"], "m", y)
                    if number < 3:
                        y = max_pool2d(y, (1, 3), (1, 2), (0, 1))
                heard = y.mean(dim=2).transpose(1, 2)[:, : seen.shape[1]]
                ahead = gelu(model["GRU"]["gru_forward"](seen + heard)[0])
                back = model["GRU"]["gru_backward"](torch.flip(ahead, (1,)))[0]
                both = self._net["lossAV"]["FC"](gelu(torch.flip(back, (1,))))[0]
                found.append((both[:, 1] - both[:, 0]).numpy())
        return np.concatenate(found)


def _folded(layers: Any) -> dict[str, tuple["torch.Tensor", "torch.Tensor"]]:
    """Return weight and bias of each convolution of a picture block, with its normalisation folded in."""
    folded = {}
    for name in ("s_3", "s_5", "t_3", "t_5", "last"):
        norm = layers[f"bn_{name}"]
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        weight = (layers[name].weight * scale.view(-1, 1, 1, 1, 1)).detach()
        folded[name] = weight, (norm.bias - norm.running_mean * scale).detach()
    return folded


def _block(layers: dict[str, tuple["torch.Tensor", "torch.Tensor"]], x: "torch.Tensor", stride: int) -> "torch.Tensor":
    """Return (t, channels, height, width) of one block for frames (t, channels, height, width) in order of time."""
    import torch
    from torch.nn.functional import conv2d

    channels_last = torch.channels_last
    total = 0
    x = x.contiguous(memory_format=channels_last)
    for k in (3, 5):
        weight, bias = layers[f"s_{k}"]
        y = conv2d(x, weight[:, :, 0].contiguous(memory_format=channels_last), bias, stride, k // 2).relu_()
        t, channels, height, width = y.shape
        lines = y.permute(0, 2, 3, 1).reshape(1, t, height * width, channels).permute(0, 3, 1, 2)
        weight, bias = layers[f"t_{k}"]
        lines = conv2d(lines, weight[:, :, :, 0].contiguous(memory_format=channels_last), bias, 1, (k // 2, 0)).relu_()
        total = total + lines.permute(0, 2, 3, 1).reshape(t, height, width, channels).permute(0, 3, 1, 2)
    weight, bias = layers["last"]
    return conv2d(total, weight[:, :, 0].contiguous(memory_format=channels_last), bias).relu_()
