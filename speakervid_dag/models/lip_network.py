"""The lip network: does this mouth talk, and does it produce this sound, at which lag?

Belongs here: the weights' file, loading it, and running the networks on a track and a video's sound. Does not belong
here: the layers (lip_layers.py), the pictures of a track (curation/speaking/lip_frames.py), evidence made from the
answers (curation/), training (speakervid_dag/training).

Two networks of one kind are stored in one file: `synchrony` and `talking`.
"""

import json
from collections.abc import Container
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.failures import WeightsUnusable
from speakervid_dag.models.lip_layers import (
    MAX_LAG,
    PICTURE_PX,
    STACK,
    Shape,
    encode_pictures,
    lip_features,
    log_mels,
    network,
    similarities,
    sound_side,
    state_features,
    sync_vectors,
    talk_lags,
    talking_logits,
    through_time,
)
from speakervid_dag.models.packaged import packaged_path, packaged_state
from speakervid_dag.models.registry import file_hash

if TYPE_CHECKING:
    import torch

NAME, OWN_NAME = "lip-network", "own-lip-network"  # OWN_NAME: weights that a setting names
WHAT = "talking and lip/sound synchrony per frame"  # as an entry of weights.yaml would say
LICENCE = "Apache-2.0; not for commercial use: most clips it was trained on state no licence"
IS_COMMERCIAL_OK = False  # until every clip of the card states a licence that permits it
WEIGHTS_FILE, CARD_FILE = "lip_network.safetensors", "lip_network.json"
MOUTH_CUT_PX, FACE_CUT_PX = 60, 60  # of the 72 and 64 px of LipFrames
Part = Literal["synchrony", "talking"]
PARTS: tuple[Part, ...] = ("synchrony", "talking")

_PACKAGE = "speakervid_dag"
_BLOCK_FRAMES = 1500  # frames in one pass of the picture encoder, to bound memory

Floats = NDArray[np.float32]


def packaged_file() -> Path:
    """Return the packaged weights, which have the hash on their card. Raise WeightsMissing, WeightsUnusable."""
    path = packaged_path(NAME, _PACKAGE, f"models/{WEIGHTS_FILE}")
    expected = json.loads(path.with_name(CARD_FILE).read_text(encoding="utf-8"))["weights_sha256"]
    if file_hash(path) != expected:
        raise WeightsUnusable(f"weights '{NAME}' are refused: {path} has another hash than its card says")
    return path


def package_state() -> str:
    """Return the SHA-256 of the packaged weights, or `missing`."""
    return packaged_state(_PACKAGE, f"models/{WEIGHTS_FILE}")


def own_state(path: Path) -> str:
    """Return the SHA-256 of weights of the user's own, or `missing`. Raise OSError."""
    return file_hash(path) if path.expanduser().is_file() else "missing"


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
    def of(cls, own: Path | None = None, parts: Container[Part] = PARTS, device: str | None = None) -> "LipNetwork":
        """Return the networks of a file of the user's own, or those that come with this package; or some of them.

        Raises:
            WeightsMissing: the package lacks them.
            WeightsUnusable: they are damaged, or the user's file holds no lip network.
        """
        nets = load(packaged_file()) if own is None else _load_own(own)
        return cls({part: net for part, net in nets.items() if part in parts}, device)

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

        half, blocks = STACK // 2, []
        for at in range(0, len(pictures), _BLOCK_FRAMES):
            first, last = max(0, at - half), min(len(pictures), at + _BLOCK_FRAMES + half)
            block = torch.from_numpy(pictures[first:last]).to(self.device).float()[None]
            kept = min(_BLOCK_FRAMES, len(pictures) - at)
            blocks.append(encode_pictures(layers, block)[:, at - first : at - first + kept])
        return torch.cat(blocks, dim=1)

    def synchrony(self, mouth: dict[Part, "torch.Tensor"], sound: dict[Part, "SoundFeatures"], first: int) -> Floats:
        """Return similarities (t, 31) of a track from frame `first` on; column l: sound l - 15 frames later."""
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
    import torch
    from safetensors.torch import save_file

    tensors = {
        f"{part}.{name}": values.half().contiguous() if values.dtype == torch.float32 else values.contiguous()
        for part, net in nets.items()
        for name, values in net.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    save_file(tensors, path, metadata={part: json.dumps(asdict(shape)) for part, shape in shapes.items()})


def _load_own(path: Path) -> dict[Part, Any]:
    from safetensors import SafetensorError

    try:
        nets = load(path.expanduser())
    except (OSError, TypeError, ValueError, SafetensorError) as problem:
        raise WeightsUnusable(f"SPEAKERVID_LIP_NETWORK: {path} holds no lip network: {problem}") from problem
    if missing := [part for part in PARTS if part not in nets]:
        raise WeightsUnusable(f"SPEAKERVID_LIP_NETWORK: {path} holds no lip network: no {' and '.join(missing)} in it")
    return nets


def load(path: Path) -> dict[Part, Any]:
    """Return the networks of a file that `save` wrote, in float32."""
    from safetensors import safe_open

    nets: dict[Part, Any] = {}
    with safe_open(path, framework="pt") as kept:
        for part, shape in (kept.metadata() or {}).items():
            net = network(Shape(**json.loads(shape)))
            prefix = f"{part}."
            names = [name for name in kept.keys() if name.startswith(prefix)]  # noqa: SIM118 (not a mapping)
            values = {name.removeprefix(prefix): kept.get_tensor(name).float() for name in names}
            missing, unexpected = net.load_state_dict(values, strict=False)
            if unexpected or any(not name.endswith("num_batches_tracked") for name in missing):
                raise ValueError(f"{path} does not hold the network that its metadata describes")
            nets[part] = net.eval()
    return nets
