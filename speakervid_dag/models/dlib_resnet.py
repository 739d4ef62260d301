"""dlib's face recognition network (ResNet, 128-d), read from dlib's own file and computed by torch.

Belongs here: the file's format, the layers. Does not belong here: alignment of the face, comparison (identity.py).

dlib's package computes the same numbers (they differ by 3e-7), at 11 × the processor time: it is built without a fast
convolution. The file is `dlib::serialize` of `anet_type` (dnn_face_recognition_ex.cpp), innermost layer first.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.failures import WeightsUnusable

if TYPE_CHECKING:
    import torch

CHIP_PX = 150  # side of the input
DIM = 128
_MEAN_RGB = (122.782, 117.001, 104.298)  # input_rgb_image_sized
_SCALE = 256.0
_TENSOR_VERSION = 2
_LAYER = re.compile(rb"\x01[\x04-\x07](con_4|affine_|fc_2)")  # length and name, as dlib writes a string
_STEM, _STEM_KERNEL = 32, 7
# Filters of each residual block, and whether it halves the picture.
_BLOCKS = (
    *[(32, False)] * 3,
    *[(64, True), (64, False), (64, False), (64, False)],
    *[(128, True), (128, False), (128, False)],
    *[(256, True), (256, False), (256, False)],
    (256, True),
)
Floats = NDArray[np.float32]
Convolution = tuple["torch.Tensor", "torch.Tensor"]  # weights (out, in, side, side) and bias (out,)


class DlibResNet:
    """The network. Raises WeightsUnusable: the file is not dlib's network."""

    def __init__(self, path: Path) -> None:
        layers = _layers(path)
        self._stem = _convolution(layers, _STEM, 3, _STEM_KERNEL)
        self._blocks: list[tuple[Convolution, Convolution, bool]] = []
        width = _STEM
        for filters, is_halving in _BLOCKS:
            first, second = _convolution(layers, filters, width, 3), _convolution(layers, filters, filters, 3)
            self._blocks.append((first, second, is_halving))
            width = filters
        self._last = _tensor(_values(layers, "fc_2", width * DIM)).reshape(width, DIM)

    def describe(self, chips: NDArray[np.uint8]) -> Floats:
        """Return the descriptors of aligned faces, (n, 128), not of unit length.

        Args:
            chips: (n, 150, 150, 3) RGB.
        """
        import torch

        from speakervid_dag.models.torch_device import one_thread

        with torch.inference_mode(), one_thread():
            pictures = torch.from_numpy(chips).permute(0, 3, 1, 2).float()
            x = (pictures - torch.tensor(_MEAN_RGB)[:, None, None]) / _SCALE
            return np.asarray(self._forward(x).numpy(), np.float32)

    def _forward(self, x: "torch.Tensor") -> "torch.Tensor":
        from torch.nn import functional as f

        x = f.max_pool2d(f.relu(f.conv2d(x, *self._stem, stride=2)), 3, 2)
        for first, second, is_halving in self._blocks:
            stride, pad = (2, 0) if is_halving else (1, 1)
            y = f.conv2d(f.relu(f.conv2d(x, *first, stride=stride, padding=pad)), *second, padding=1)
            x = _padded_sum(f.avg_pool2d(x, 2, 2) if is_halving else x, y).relu()
        return x.mean((2, 3)) @ self._last


def _padded_sum(a: "torch.Tensor", b: "torch.Tensor") -> "torch.Tensor":
    """Return the sum of two (n, channels, h, w), the smaller one filled up with zeros, as dlib's `add_prev` does it."""
    from torch.nn import functional as f

    channels, height, width = (max(a.shape[i], b.shape[i]) for i in (1, 2, 3))
    a, b = (
        f.pad(part, (0, width - part.shape[3], 0, height - part.shape[2], 0, channels - part.shape[1]))
        for part in (a, b)
    )
    return a + b


def _layers(path: Path) -> Iterator[tuple[str, Floats]]:
    """Yield name and parameters of each layer that has some."""
    data = path.read_bytes()
    for layer in _LAYER.finditer(data):
        name, at = layer.group(1).decode(), layer.end()
        if name == "fc_2":  # numbers of outputs and inputs come first
            for _ in range(2):
                _, at = _integer(data, at)
        try:
            version, at = _integer(data, at)
            size = 1
            for _ in range(4):  # samples, channels, rows, columns
                side, at = _integer(data, at)
                size *= side
            values = np.frombuffer(data, "<f4", size, at)
        except (IndexError, ValueError) as problem:
            raise WeightsUnusable(f"{path.name} ends in the middle of a layer") from problem
        if version != _TENSOR_VERSION:
            raise WeightsUnusable(f"{path.name} has a tensor of version {version}, not {_TENSOR_VERSION}")
        yield name, values.astype(np.float32)


def _integer(data: bytes, at: int) -> tuple[int, int]:
    """Return the integer at a position and the position behind it: a byte with sign and length, then that many."""
    length = data[at] & 0x0F
    value = int.from_bytes(data[at + 1 : at + 1 + length], "little")
    return (-value if data[at] & 0x80 else value), at + 1 + length


def _values(layers: Iterator[tuple[str, Floats]], name: str, size: int) -> Floats:
    found, values = next(layers, ("nothing", np.zeros(0, np.float32)))
    if found != name or len(values) != size:
        raise WeightsUnusable(f"expected a layer {name} of {size} numbers and found {found} of {len(values)}")
    return values


def _convolution(layers: Iterator[tuple[str, Floats]], filters: int, channels: int, side: int) -> Convolution:
    """Return a convolution with the scale and shift that follow it folded in."""
    count = filters * channels * side * side
    values = _values(layers, "con_4", count + filters)
    scale, shift = (_tensor(part) for part in np.split(_values(layers, "affine_", 2 * filters), 2))
    weights = _tensor(values[:count]).reshape(filters, channels, side, side)
    return weights * scale[:, None, None, None], _tensor(values[count:]) * scale + shift


def _tensor(values: Floats) -> "torch.Tensor":
    import torch

    return torch.from_numpy(values)
