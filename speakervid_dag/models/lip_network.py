"""The lip network: does this mouth talk, and does it produce this sound, at which lag?

Belongs here: the layers, the sound's front end, loading and running. Does not belong here: the pictures of a track
(curation/speaking/lip_frames.py), evidence made from the answers (curation/), training (speakervid_dag/training).

Two networks of one shape are stored in one file: `synchrony` and `talking`. Each has a mouth side (pictures of the
mouth, lip coordinates, state of the face) and a sound side, 128 features per frame of 25 Hz. Synchrony compares 64
numbers of either side at 31 lags; talking reads both sides and the seven middle lags with a GRU.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

FPS, RATE_HZ, MEL_HZ, MELS = 25, 16_000, 100, 40
MAX_LAG = 15  # frames
FEATURES, SYNC_FEATURES = 128, 64
PICTURE_PX = 48
MOUTH_CUT_PX, FACE_CUT_PX = 60, 60  # of the 72 and 64 px of LipFrames
LIP_FEATURES, STATE_FEATURES = 84, 5
Part = Literal["synchrony", "talking"]

_TALK_LAGS = 3
_LIP_MEAN_FRAMES, _MEL_MEAN_FRAMES = 75, 420  # 3 s and 4.2 s, the length of a training segment
_STACK = 5  # frames that the picture encoder sees at once
_LOW_HZ, _HIGH_HZ, _WINDOW, _HOP, _FFT = 60.0, 7600.0, 400, 160, 512
_RMS, _FLOOR = 0.1, 1e-5
_TOP, _BOTTOM, _LEFT, _RIGHT = 14, 18, 12, 16  # of the 20 lip points: inner lips' middles and corners
_BLOCK_FRAMES = 1500  # frames in one pass of the picture encoder, to bound memory

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Shape:
    """What a network sees: pictures of the mouth, of the whole face, lip coordinates."""

    has_mouth: bool = True
    has_face: bool = False
    has_lips: bool = True


def network(shape: Shape) -> "torch.nn.ModuleDict":
    """Return the layers with random weights."""
    from torch import nn

    sides = {}
    width = STATE_FEATURES
    if shape.has_mouth:
        sides["mouth"], width = _picture_encoder(), width + FEATURES
    if shape.has_face:
        sides["face"], width = _picture_encoder(), width + FEATURES
    if shape.has_lips:
        lips = nn.Sequential(nn.Linear(LIP_FEATURES, 96), nn.ReLU(), nn.Linear(96, 64), nn.ReLU())
        sides["lips"], width = lips, width + 64
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


def _layer(convolution: Any, channels: int) -> Any:
    from torch import nn

    norm = nn.BatchNorm1d if isinstance(convolution, nn.Conv1d) else nn.BatchNorm2d
    return nn.Sequential(convolution, norm(channels), nn.ReLU())


def _picture_encoder() -> Any:
    from torch import nn

    return nn.ModuleDict(
        {
            "first": _layer(nn.Conv2d(_STACK, 24, 5, 2, 2, bias=False), 24),
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
    half = _STACK // 2
    padded = torch.cat([pictures[:, :1]] * half + [pictures] + [pictures[:, -1:]] * half, dim=1)
    x = torch.stack([padded[:, i : i + t] for i in range(_STACK)], dim=2).flatten(0, 1)
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
        ends = torch.cat([sums, sums[:, -1:].expand(-1, half, -1)], 1), torch.cat(
            [counts, counts[:, -1:].expand(-1, half, -1)], 1
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


def mouth_side(
    net: Any,
    mouths: "torch.Tensor | None",
    faces: "torch.Tensor | None",
    lips: "torch.Tensor | None",
    state: "torch.Tensor",
) -> "torch.Tensor":
    """Return features (n, 128, t): pictures (n, t, 48, 48) 0-255, lips (n, t, 84), state (n, t, 5); None = not seen."""
    import torch

    n, t = state.shape[:2]
    parts = [state]
    for name, pictures in (("mouth", mouths), ("face", faces)):
        if name in net:
            blank = state.new_zeros(n, t, FEATURES)
            parts.append(blank if pictures is None else encode_pictures(net[name], pictures))
    if "lips" in net:
        parts.append(net["lips"](lips if lips is not None else state.new_zeros(n, t, LIP_FEATURES)))
    return through_time(net["time"], torch.cat(parts, dim=2).transpose(1, 2))


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


class LipNetwork:
    """The two networks, ready to run.

    Args:
        nets: by part, from `load`; a part that is missing cannot be asked.
        device: torch device; None = cuda if present, else cpu.
    """

    def __init__(self, nets: dict[Part, Any], device: str | None = None) -> None:
        from speakervid_dag.models.torch_device import chosen_device

        self.device = chosen_device(device)
        self._nets = {part: net.eval().to(self.device) for part, net in nets.items()}

    @classmethod
    def packaged(cls, device: str | None = None) -> "LipNetwork":
        """Return the networks that come with this package. Raise WeightsMissing, WeightsUnusable."""
        return cls(load(packaged_file()), device)

    def sound(self, samples: Floats, frames: int) -> dict[Part, "SoundFeatures"]:
        """Return the sound's side for all frames of a video; frame i begins at sample 640 i."""
        import torch

        with torch.inference_mode():
            mels = log_mels(torch.from_numpy(np.ascontiguousarray(samples, np.float32))[None].to(self.device), frames)
            return {part: SoundFeatures(sound_side(net, mels)[0]) for part, net in self._nets.items()}

    def mouth(
        self,
        mouths: NDArray[np.uint8],
        faces: NDArray[np.uint8],
        lips: Floats,
        state: Floats,
        is_seen: NDArray[np.bool_],
    ) -> dict[Part, "torch.Tensor"]:
        """Return the mouth's side (128, t) of each network for one track; see LipFrames for the arguments."""
        import torch

        cut = _middles(mouths, MOUTH_CUT_PX), _middles(faces, FACE_CUT_PX)
        with torch.inference_mode():
            seen = torch.from_numpy(is_seen)[None].to(self.device)
            looks = state_features(torch.from_numpy(state)[None].to(self.device), seen)
            moves = lip_features(torch.from_numpy(lips)[None].to(self.device))
            return {part: self._mouth(net, cut, moves, looks)[0] for part, net in self._nets.items()}

    def _mouth(
        self, net: Any, pictures: tuple[NDArray[np.uint8], NDArray[np.uint8]], lips: Any, state: Any
    ) -> "torch.Tensor":
        import torch

        encoded = [state]
        for name, shown in zip(("mouth", "face"), pictures, strict=True):
            if name in net:
                encoded.append(self._encoded(net[name], shown))
        if "lips" in net:
            encoded.append(net["lips"](lips))
        return through_time(net["time"], torch.cat(encoded, dim=2).transpose(1, 2))

    def _encoded(self, layers: Any, pictures: NDArray[np.uint8]) -> "torch.Tensor":
        import torch

        half, blocks = _STACK // 2, []
        for at in range(0, len(pictures), _BLOCK_FRAMES):
            first, last = max(0, at - half), min(len(pictures), at + _BLOCK_FRAMES + half)
            block = torch.from_numpy(pictures[first:last]).to(self.device).float()[None]
            kept = min(_BLOCK_FRAMES, len(pictures) - at)
            blocks.append(encode_pictures(layers, block)[:, at - first : at - first + kept])
        return torch.cat(blocks, dim=1)

    def synchrony(self, mouth: dict[Part, "torch.Tensor"], sound: dict[Part, "SoundFeatures"], first: int) -> Floats:
        """Return similarities (t, 31) of a track that begins at frame `first`; column l: the sound l - 15 frames later."""
        near = self._similarities("synchrony", mouth, sound, first, 0)
        return np.asarray(near[0].cpu().numpy(), np.float32)

    def talking(
        self, mouth: dict[Part, "torch.Tensor"], sound: dict[Part, "SoundFeatures"], first: int, lag: int = 0
    ) -> Floats:
        """Return talking logits (t,), positive = talks. `lag`: the video's sound offset in frames, + = sound late."""
        import torch

        net = self._nets["talking"]
        with torch.inference_mode():
            near = talk_lags(self._similarities("talking", mouth, sound, first, lag))
            frames = mouth["talking"]
            heard = sound["talking"].cut(first + lag, frames.shape[1])
            logits = talking_logits(net, frames[None], heard[None], near)
        return np.asarray(logits[0].cpu().numpy(), np.float32)

    def _similarities(self, part: Part, mouth: Any, sound: Any, first: int, lag: int) -> "torch.Tensor":
        import torch

        frames = mouth[part]
        heard = sound[part].cut(first + lag - MAX_LAG, frames.shape[1] + 2 * MAX_LAG)
        with torch.inference_mode():
            vectors = sync_vectors(self._nets[part], frames[None], heard[None])
            return similarities(*vectors, MAX_LAG)


@dataclass(frozen=True, eq=False)
class SoundFeatures:
    """Features (128, frames) of a video's sound."""

    values: "torch.Tensor"

    def cut(self, first: int, count: int) -> "torch.Tensor":
        """Return `count` frames from `first` on; frames outside the sound repeat its first or last one."""
        import torch

        index = torch.arange(first, first + count).clamp(0, self.values.shape[1] - 1)
        return self.values[:, index.to(self.values.device)]


def _middles(pictures: NDArray[np.uint8], cut_px: int) -> NDArray[np.uint8]:
    """Return the middle `cut_px` of each picture, scaled to 48 px."""
    import cv2

    low = (pictures.shape[1] - cut_px) // 2
    inner = pictures[:, low : low + cut_px, low : low + cut_px]
    out = np.empty((len(pictures), PICTURE_PX, PICTURE_PX), np.uint8)
    for n, picture in enumerate(inner):
        out[n] = cv2.resize(picture, (PICTURE_PX, PICTURE_PX), interpolation=cv2.INTER_LINEAR)
    return out


def save(nets: dict[Part, Any], shapes: dict[Part, Shape], path: Path) -> None:
    """Write networks as float16 into one safetensors file; their shapes are in its metadata."""
    import json
    from dataclasses import asdict

    import torch
    from safetensors.torch import save_file

    tensors = {
        f"{part}.{name}": values.half().contiguous() if values.dtype == torch.float32 else values.contiguous()
        for part, net in nets.items()
        for name, values in net.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    save_file(tensors, path, metadata={part: json.dumps(asdict(shape)) for part, shape in shapes.items()})


def load(path: Path) -> dict[Part, Any]:
    """Return the networks of a file that `save` wrote, in float32."""
    import json

    from safetensors import safe_open

    nets: dict[Part, Any] = {}
    with safe_open(path, framework="pt") as kept:
        for part, shape in (kept.metadata() or {}).items():
            net = network(Shape(**json.loads(shape)))
            prefix = f"{part}."
            values = {n.removeprefix(prefix): kept.get_tensor(n).float() for n in kept.keys() if n.startswith(prefix)}
            missing, unexpected = net.load_state_dict(values, strict=False)
            if unexpected or any(not name.endswith("num_batches_tracked") for name in missing):
                raise ValueError(f"{path} does not hold the network that its metadata describes")
            nets[part] = net.eval()
    return nets
