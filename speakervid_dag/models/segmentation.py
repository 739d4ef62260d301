"""Speaker segmentation 3.0 of pyannote (Bredin 2023; MIT weights), reimplemented in torch: who talks in ten seconds.

Belongs here: the network, its loading, windows over a signal. Does not belong here: which voices of different windows
are one speaker (curation/voices).

In a window the network tells up to three voices apart, at most two of them at once. Its seven classes are the sets of
voices that talk (a powerset: Plaquet and Bredin 2023). The voices of a window are numbered by the network; the numbers
mean nothing in another window.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.models.torch_device import chosen_device, one_thread

if TYPE_CHECKING:
    import torch

WEIGHTS = "pyannote_segmentation"
RATE_HZ = 16_000
WINDOW_S = 10.0
_STEP_SAMPLES, _FIELD_SAMPLES = 270, 991  # distance of the frames, and the samples that one frame looks at
STEP_S, FIRST_S = _STEP_SAMPLES / RATE_HZ, (_FIELD_SAMPLES // 2) / RATE_HZ  # frame i is centred at FIRST_S + i STEP_S
SETS: tuple[tuple[int, ...], ...] = ((), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2))  # the classes: who talks
_SINC_TAPS, _SINC_STRIDE, _MIN_HZ = 251, 10, 50.0
_BATCH = 8

Floats = NDArray[np.float32]


def network() -> "torch.nn.ModuleDict":
    """Return the layers, with random weights, under the names of the published file."""
    import torch
    from torch import nn

    half, parts = _SINC_TAPS // 2, ("low_hz_", "band_hz_", "window_", "n_")
    bank = nn.Module()
    for name, shape in zip(parts, ((40, 1), (40, 1), (half,), (1, half)), strict=True):
        bank.register_buffer(name, torch.ones(shape))
    sincs = nn.ModuleDict({"filterbank": bank})
    sincnet = nn.ModuleDict(
        {
            "wav_norm1d": nn.InstanceNorm1d(1, affine=True),
            "conv1d": nn.ModuleList([sincs, nn.Conv1d(80, 60, 5), nn.Conv1d(60, 60, 5)]),
            "norm1d": nn.ModuleList([nn.InstanceNorm1d(channels, affine=True) for channels in (80, 60, 60)]),
        }
    )
    return nn.ModuleDict(
        {
            "sincnet": sincnet,
            "lstm": nn.LSTM(60, 128, num_layers=4, bidirectional=True, batch_first=True),
            "linear": nn.ModuleList([nn.Linear(256, 128), nn.Linear(128, 128)]),
            "classifier": nn.Linear(128, len(SETS)),
        }
    ).eval()


def _sinc_filters(bank: Any) -> "torch.Tensor":
    """Return the band filters of SincNet (Ravanelli and Bengio 2018): 40 even, then 40 odd ones, (80, 1, 251)."""
    import torch

    low = _MIN_HZ + bank.low_hz_.abs()
    high = (low + _MIN_HZ + bank.band_hz_.abs()).clamp(_MIN_HZ, RATE_HZ / 2)
    width = 2 * (high - low)
    a, b = low @ bank.n_, high @ bank.n_
    even = (torch.sin(b) - torch.sin(a)) / (bank.n_ / 2) * bank.window_
    odd = (torch.cos(a) - torch.cos(b)) / (bank.n_ / 2) * bank.window_
    pairs = [torch.cat([even, width, even.flip(1)], 1), torch.cat([odd, torch.zeros_like(width), -odd.flip(1)], 1)]
    return torch.cat([filters / width for filters in pairs]).unsqueeze(1)


def forward(net: Any, sound: "torch.Tensor") -> "torch.Tensor":
    """Return the logarithm of each class's probability: (n, frames, 7).

    Args:
        sound: (n, 1, samples) float32 mono at 16 kHz, -1 to 1.
    """
    import torch
    from torch.nn import functional

    front = net["sincnet"]
    filters = _sinc_filters(front["conv1d"][0]["filterbank"])
    x = functional.conv1d(front["wav_norm1d"](sound), filters, stride=_SINC_STRIDE).abs()
    for number, norm in enumerate(front["norm1d"]):
        x = front["conv1d"][number](x) if number else x
        x = functional.leaky_relu(norm(functional.max_pool1d(x, 3)))
    y = net["lstm"](x.transpose(1, 2))[0]
    for layer in net["linear"]:
        y = functional.leaky_relu(layer(y))
    return torch.log_softmax(net["classifier"](y), dim=-1)


class SpeakerSegmentation:
    """The network with weights.

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
        self._net.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True)["state_dict"])
        self._net.to(self.device)

    def windows(self, samples: Floats, step_s: float) -> Iterator[tuple[float, Floats]]:
        """Yield (start in s, probabilities of the seven classes) of windows that cover the signal.

        A window is 10 s long; the last one ends with the signal. A shorter signal is one window of its own length.

        Args:
            samples: (n,) float32 mono at 16 kHz, at least the 991 samples of one frame; fewer give no window.
            step_s: distance of the windows, s.

        Yields:
            start_s, (frames, 7) float32; frame i is centred at start_s + FIRST_S + i * STEP_S.
        """
        import torch

        if len(samples) < _FIELD_SAMPLES:
            return
        length = min(len(samples), round(WINDOW_S * RATE_HZ))
        last = len(samples) - length
        starts = [*range(0, last, round(step_s * RATE_HZ)), last]
        for at in range(0, len(starts), _BATCH):
            chosen = starts[at : at + _BATCH]
            sound = torch.from_numpy(np.stack([samples[s : s + length] for s in chosen])[:, None])
            with torch.inference_mode(), one_thread():
                told = forward(self._net, sound.to(self.device)).exp().cpu().numpy()
            for start, probabilities in zip(chosen, told, strict=True):
                yield start / RATE_HZ, np.asarray(probabilities, np.float32)
