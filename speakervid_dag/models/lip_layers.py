"""Layers of the lip network, as functions of tensors.

Belongs here: the networks' parts, their forward passes, and the front end of the sound. Does not belong here: weights
and inference on whole tracks (lip_network.py), losses (speakervid_dag/training).

A mouth side (pictures of the mouth or face, lip coordinates, state of the face) and a sound side give 128 features per
frame of 25 Hz each. Synchrony compares 64 numbers of either side at 31 lags; talking reads both sides and the seven
middle lags with a GRU.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

FPS, RATE_HZ, MEL_HZ, MELS = 25, 16_000, 100, 40
MAX_LAG = 15  # frames
FEATURES, SYNC_FEATURES = 128, 64
PICTURE_PX = 48
LIP_FEATURES, STATE_FEATURES = 84, 5

_TALK_LAGS = 3
_LIP_WIDTH = 64
_LIP_MEAN_FRAMES, _MEL_MEAN_FRAMES = 75, 420  # 3 s and 4.2 s, the length of a training segment
STACK = 5  # frames that the picture encoder sees at once
_LOW_HZ, _HIGH_HZ, _WINDOW, _HOP, _FFT = 60.0, 7600.0, 400, 160, 512
_RMS, _FLOOR = 0.1, 1e-5
_TOP, _BOTTOM, _LEFT, _RIGHT = 14, 18, 12, 16  # of the 20 lip points: inner lips' middles and corners

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Shape:
    """What a network sees: pictures of the mouth, of the whole face, lip coordinates."""

    has_mouth: bool = True
    has_face: bool = False
    has_lips: bool = True

    def parts(self) -> dict[str, slice]:
        """Return where each input's features lie in the joined ones, in order."""
        widths = {"state": STATE_FEATURES}
        widths |= {"mouth": FEATURES} if self.has_mouth else {}
        widths |= {"face": FEATURES} if self.has_face else {}
        widths |= {"lips": _LIP_WIDTH} if self.has_lips else {}
        ends = np.cumsum(list(widths.values())).tolist()
        return {name: slice(end - width, end) for (name, width), end in zip(widths.items(), ends, strict=True)}


def network(shape: Shape) -> "torch.nn.ModuleDict":
    """Return the layers with random weights."""
    from torch import nn

    parts = shape.parts()
    sides: dict[str, Any] = {name: _picture_encoder() for name in ("mouth", "face") if name in parts}
    if shape.has_lips:
        sides["lips"] = nn.Sequential(nn.Linear(LIP_FEATURES, 96), nn.ReLU(), nn.Linear(96, _LIP_WIDTH), nn.ReLU())
    width = max(part.stop for part in parts.values())
    sound = nn.ModuleDict(
        {
            "first": _layer(nn.Conv2d(1, 24, 3, (1, 2), 1, bias=False), 24),
            "second": _layer(nn.Conv2d(24, 32, 3, (2, 2), 1, bias=False), 32),
            "third": _layer(nn.Conv2d(32, 48, 3, (2, 2), 1, bias=False), 48),
            "time": _time(48 * 5, (3, 3, 3)),
        }
    )
    return nn.ModuleDict(
        {
            **sides,
            "time": _time(width, (5, 3, 3)),
            "sound": sound,
            "mouth_sync": nn.Conv1d(FEATURES, SYNC_FEATURES, 1),
            "sound_sync": nn.Conv1d(FEATURES, SYNC_FEATURES, 1),
            "talk_in": nn.Linear(2 * FEATURES + 2 * _TALK_LAGS + 1, 128),
            "talk_time": nn.GRU(128, 64, batch_first=True, bidirectional=True),
            "talk_out": nn.Linear(128, 1),
        }
    )


def start_from(net: Any, shape: Shape, trained: Any, trained_shape: Shape) -> None:
    """Copy into `net` the weights of a trained network that sees other inputs; inputs that it lacks stay random."""
    import torch

    first, values = "time.first.0.weight", trained.state_dict()
    with torch.no_grad():
        for name, own in net.state_dict().items():
            if name == first:
                old, new = trained_shape.parts(), shape.parts()
                for part in old.keys() & new.keys():
                    own[:, new[part]] = values[name][:, old[part]]
            elif name in values and values[name].shape == own.shape:
                own.copy_(values[name])


def _layer(convolution: Any, channels: int) -> Any:
    from torch import nn

    norm = nn.BatchNorm1d if isinstance(convolution, nn.Conv1d) else nn.BatchNorm2d
    return nn.Sequential(convolution, norm(channels), nn.ReLU())


def _picture_encoder() -> Any:
    from torch import nn

    return nn.ModuleDict(
        {
            "first": _layer(nn.Conv2d(STACK, 24, 5, 2, 2, bias=False), 24),
            "second": _layer(nn.Conv2d(24, 40, 3, 2, 1, bias=False), 40),
            "second_more": _layer(nn.Conv2d(40, 40, 3, 1, 1, bias=False), 40),
            "third": _layer(nn.Conv2d(40, 64, 3, 2, 1, bias=False), 64),
            "third_more": _layer(nn.Conv2d(64, 64, 3, 1, 1, bias=False), 64),
            "fourth": _layer(nn.Conv2d(64, 96, 3, 2, 1, bias=False), 96),
            "out": nn.Sequential(nn.Linear(96 * 9, FEATURES, bias=False), nn.BatchNorm1d(FEATURES), nn.ReLU()),
        }
    )


def _time(width: int, kernels: tuple[int, int, int]) -> Any:
    from torch import nn

    first, second, third = kernels
    return nn.ModuleDict(
        {
            "first": _layer(nn.Conv1d(width, FEATURES, first, 1, first // 2, bias=False), FEATURES),
            "second": _layer(nn.Conv1d(FEATURES, FEATURES, second, 1, second // 2, bias=False), FEATURES),
            "third": _layer(nn.Conv1d(FEATURES, FEATURES, third, 1, third - 1, 2, bias=False), FEATURES),
        }
    )


def through_time(layers: Any, x: "torch.Tensor") -> "torch.Tensor":
    """Return features (n, 128, t) of (n, width, t), by three convolutions over time."""
    x = layers["first"](x)
    x = x + layers["second"](x)
    y: torch.Tensor = x + layers["third"](x)
    return y


def encode_pictures(layers: Any, pictures: "torch.Tensor") -> "torch.Tensor":
    """Return features (n, t, 128) of pictures (n, t, 48, 48), standardised frame by frame, five frames at once."""
    import torch

    n, t = pictures.shape[:2]
    mean = pictures.mean(dim=(2, 3), keepdim=True)
    pictures = (pictures - mean) / (pictures.std(dim=(2, 3), keepdim=True) + 8)
    half = STACK // 2
    padded = torch.cat([pictures[:, :1]] * half + [pictures] + [pictures[:, -1:]] * half, dim=1)
    x = torch.stack([padded[:, i : i + t] for i in range(STACK)], dim=2).flatten(0, 1)
    x = x.contiguous(memory_format=torch.channels_last)
    x = layers["second"](layers["first"](x))
    x = layers["third"](x + layers["second_more"](x))
    x = layers["fourth"](x + layers["third_more"](x))
    features: torch.Tensor = layers["out"](x.flatten(1)).view(n, t, FEATURES)
    return features


def lip_features(lips: "torch.Tensor") -> "torch.Tensor":
    """Return movements and shape (n, t, 84) from lip coordinates (n, t, 40); frames of zeros are not measured."""
    import torch

    n, t = lips.shape[:2]
    known = (lips.abs().sum(dim=2, keepdim=True) > 0).to(lips.dtype)
    points = lips.view(n, t, 20, 2)
    centre = points.mean(dim=2)
    shape = (points - centre[:, :, None]).flatten(2)
    both = torch.cat([shape, centre], dim=2)
    moved = (both - _running_mean(both, known, _LIP_MEAN_FRAMES)) * known
    steps = torch.zeros_like(shape)
    steps[:, 1:] = (shape[:, 1:] - shape[:, :-1]) * known[:, 1:] * known[:, :-1]
    gap = points[:, :, _BOTTOM, 1:] - points[:, :, _TOP, 1:]
    width = points[:, :, _RIGHT, :1] - points[:, :, _LEFT, :1]
    parts = [20 * moved[:, :, :40], 10 * moved[:, :, 40:], 40 * steps, 10 * gap * known, 3 * (width - 0.7) * known]
    return torch.cat(parts, dim=2).clamp(-8, 8)


def _running_mean(values: "torch.Tensor", known: "torch.Tensor", frames: int) -> "torch.Tensor":
    """Return the mean of the known values (n, t, c) over `frames` around each one; over all of a shorter series."""
    import torch

    sums, counts = values * known, known
    if values.shape[1] <= frames:
        total, count = sums.sum(dim=1, keepdim=True), counts.sum(dim=1, keepdim=True)
    else:
        half = frames // 2
        sums, counts = (torch.nn.functional.pad(x.cumsum(1), (0, 0, half + 1, 0)) for x in (sums, counts))
        ends = (
            torch.cat([sums, sums[:, -1:].expand(-1, half, -1)], 1),
            torch.cat([counts, counts[:, -1:].expand(-1, half, -1)], 1),
        )
        t = values.shape[1]
        total, count = (x[:, 2 * half + 1 : 2 * half + 1 + t] - x[:, :t] for x in ends)
    return total / count.clamp(min=1)


def state_features(state: "torch.Tensor", is_seen: "torch.Tensor") -> "torch.Tensor":
    """Return (n, t, 5) from mesh score, face side in px and yaw in degrees (n, t, 3), and `is_seen` (n, t)."""
    import torch

    seen = is_seen.to(state.dtype)
    score, side, yaw = state.unbind(dim=2)
    parts = [score, torch.log(side.clamp(min=10) / 100) * seen, yaw / 45, (yaw / 45).abs(), seen]
    return torch.stack(parts, dim=2)


def sound_side(net: Any, mels: "torch.Tensor") -> "torch.Tensor":
    """Return features (n, 128, t) of log mels (n, 4 t, 40)."""
    layers = net["sound"]
    x = layers["third"](layers["second"](layers["first"](mels.unsqueeze(1))))
    return through_time(layers["time"], x.permute(0, 1, 3, 2).flatten(1, 2))


def sync_vectors(net: Any, mouth: "torch.Tensor", sound: "torch.Tensor") -> tuple["torch.Tensor", "torch.Tensor"]:
    """Return unit vectors (n, 64, t) of either side."""
    from torch.nn.functional import normalize

    return normalize(net["mouth_sync"](mouth).float(), dim=1), normalize(net["sound_sync"](sound).float(), dim=1)


def similarities(mouth: "torch.Tensor", sound: "torch.Tensor", lags: int) -> "torch.Tensor":
    """Return (n, t, 2 lags + 1): entry l compares mouth frame i with sound frame i + l, or i + l - lags of the mouth's.

    Args:
        mouth: (n, 64, t) unit vectors.
        sound: (n, 64, t + 2 lags): `lags` frames before the mouth's first one and after its last.
    """
    import torch

    t = mouth.shape[2]
    return torch.stack([(mouth * sound[:, :, i : i + t]).sum(1) for i in range(2 * lags + 1)], dim=2)


def talking_logits(net: Any, mouth: "torch.Tensor", sound: "torch.Tensor", near: "torch.Tensor") -> "torch.Tensor":
    """Return logits (n, t) from features (n, 128, t) of both sides and similarities (n, t, 7) at lags -3 to 3."""
    import torch

    joined = torch.cat([mouth.transpose(1, 2), sound.transpose(1, 2), near], dim=2)
    states = net["talk_time"](torch.relu(net["talk_in"](joined)))[0]
    logits: torch.Tensor = net["talk_out"](states).squeeze(2)
    return logits


def talk_lags(near: "torch.Tensor") -> "torch.Tensor":
    """Return the seven middle lags of similarities (n, t, 31), without gradient."""
    middle = near.shape[2] // 2
    return near[:, :, middle - _TALK_LAGS : middle + _TALK_LAGS + 1].detach()


def mel_filters() -> Floats:
    """Return triangular filters, equally spaced in mel = 2595 log10(1 + f / 700) from 60 to 7600 Hz: (257, 40)."""
    low, high = (2595 * np.log10(1 + hz / 700) for hz in (_LOW_HZ, _HIGH_HZ))
    edges = 700 * (10 ** (np.linspace(low, high, MELS + 2) / 2595) - 1)
    bins = np.fft.rfftfreq(_FFT, 1 / RATE_HZ)[:, None]
    rising = (bins - edges[None, :-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[None, 2:] - bins) / (edges[2:] - edges[1:-1])
    return np.maximum(0, np.minimum(rising, falling)).astype(np.float32)


def log_mels(samples: "torch.Tensor", frames: int) -> "torch.Tensor":
    """Return log mels (n, 4 frames, 40), free of level and of the mean spectrum of the 4.2 s around.

    Args:
        samples: (n, m) float32 at 16 kHz; picture frame i covers samples 640 i to 640 (i + 1). Padded with silence.
        frames: pictures.
    """
    import torch

    count = frames * MEL_HZ // FPS
    margin = (_WINDOW - _HOP) // 2
    missing = max(0, count * _HOP + margin - samples.shape[1])
    padded = torch.nn.functional.pad(samples, (margin, missing))[:, : count * _HOP + 2 * margin]
    windows = padded.unfold(1, _WINDOW, _HOP)
    window = torch.hann_window(_WINDOW, device=samples.device)
    power = torch.fft.rfft(windows * window, n=_FFT).abs().square()
    mels = power @ torch.from_numpy(mel_filters()).to(samples.device)
    level = _running_mean(windows.square().mean(dim=2, keepdim=True), torch.ones_like(mels[:, :, :1]), _MEL_MEAN_FRAMES)
    logs = torch.log((mels * (_RMS**2 / level.clamp(min=1e-10)) / _WINDOW).clamp(min=_FLOOR))
    return (logs - _running_mean(logs, torch.ones_like(logs[:, :, :1]), _MEL_MEAN_FRAMES)) / 2
