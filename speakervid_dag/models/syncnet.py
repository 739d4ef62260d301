"""SyncNet v2 (Chung and Zisserman, "Out of time", 2016), reimplemented in torch: does this voice belong to these lips?

Belongs here: the network under the names and shapes of the VGG group's `syncnet_v2.model`, and its loading. Does not
belong here: its input from a scene and the distances of its embeddings (curation/speaking/syncnet.py).

Two streams of convolutions give 1024 numbers for 0.2 s of face (5 frames of 224×224 BGR, 0-255) and of sound (20 frames
of 13 MFCC). Their Euclidean distance, averaged over a turn, is least at the lag where sound and lips match. The
project's tests cannot fetch the weights, so they test architecture, loader and formulas with random weights.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.failures import OperationError
from speakervid_dag.models.mfcc import mfcc
from speakervid_dag.models.torch_device import chosen_device

if TYPE_CHECKING:
    import torch

FRAMES, CEPSTRA = 5, 20  # a window: 5 pictures, 20 frames of sound
DIMENSIONS = 1024
WEIGHTS = "syncnet"
_BATCH = 16  # windows per call
_COUNTER = "num_batches_tracked"  # of batch norms; files older than torch 0.4.1 lack it

Floats = NDArray[np.float32]


def network() -> "torch.nn.ModuleDict":
    """Return the four parts, with random weights, under the names of the published file."""
    from torch import nn

    def step(convolution: Any, norm: Any) -> list[Any]:
        return [convolution, norm(convolution.out_channels), nn.ReLU()]

    def heard(a: int, b: int, kernel: Any = 3, padding: int = 1) -> list[Any]:
        return step(nn.Conv2d(a, b, kernel, padding=padding), nn.BatchNorm2d)

    def seen(a: int, b: int, kernel: Any = (1, 3, 3), stride: int = 1, padding: int = 1) -> list[Any]:
        made = nn.Conv3d(a, b, kernel, (1, stride, stride), (0, padding, padding))
        return step(made, nn.BatchNorm3d)

    def pool(padding: int = 0) -> Any:
        return nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, padding, padding))

    def head() -> Any:
        return nn.Sequential(nn.Linear(512, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, DIMENSIONS))

    sound = [*heard(1, 64), nn.MaxPool2d(1, 1), *heard(64, 192), nn.MaxPool2d(3, (1, 2)), *heard(192, 384)]
    sound += [*heard(384, 256), *heard(256, 256), nn.MaxPool2d(3, 2), *heard(256, 512, (5, 4), 0)]
    lips = [*seen(3, 96, (5, 7, 7), 2, 0), pool(), *seen(96, 256, (1, 5, 5), 2), pool(1), *seen(256, 256)]
    lips += [*seen(256, 256), *seen(256, 256), pool(), *seen(256, 512, (1, 6, 6), 1, 0)]
    parts = {"netcnnaud": nn.Sequential(*sound), "netfcaud": head(), "netcnnlip": nn.Sequential(*lips)}
    return nn.ModuleDict({**parts, "netfclip": head()}).eval()


def load(weights: Path) -> "torch.nn.ModuleDict":
    """Return the network with the weights of a file. Raise OperationError if it contains another network."""
    import torch

    net = network()
    state = torch.load(weights, map_location="cpu", weights_only=True)
    try:
        missing, foreign = net.load_state_dict(state, strict=False)
    except RuntimeError as problem:
        raise OperationError(f"{weights.name} is no SyncNet v2: {problem}") from problem
    wrong = [name for name in missing if not name.endswith(_COUNTER)] + list(foreign)
    if wrong:
        raise OperationError(f"{weights.name} is no SyncNet v2: {', '.join(sorted(wrong)[:4])} …")
    return net


class SyncNet:
    """The network with weights.

    Args:
        weights: the published file; None = the registry's (WeightsMissing if it is not on disk, OperationError if it
            is not the accepted file).
        device: torch device; None = cuda if present, else cpu.
    """

    def __init__(self, weights: Path | None = None, device: str | None = None) -> None:

        if weights is None:
            from speakervid_dag.models.registry import weight_path

            weights = weight_path(WEIGHTS)
        self.device = chosen_device(device)
        self._net = load(weights).to(self.device)

    def embed_faces(self, pictures: NDArray[np.uint8]) -> Floats:
        """Embed windows of five pictures of (t, 224, 224, 3) BGR: (t - 4, 1024) float32; row i begins at picture i."""
        series = pictures.transpose(3, 0, 1, 2)
        return self._embed("lip", [series[:, i : i + FRAMES] for i in range(len(pictures) - FRAMES + 1)])

    def embed_sound(self, samples: Floats, count: int) -> Floats:
        """Embed windows of 0.2 s, one every 40 ms: (count, 1024) float32.

        Args:
            samples: (n,) float32 mono at 16 kHz, from the first window on; 40 ms per window plus 0.2 s.
        """
        cepstra = mfcc(samples)
        return self._embed("aud", [cepstra.T[None, :, 4 * i : 4 * i + CEPSTRA] for i in range(count)])

    def _embed(self, stream: str, pieces: list[NDArray[Any]]) -> Floats:
        import torch

        out = np.zeros((len(pieces), DIMENSIONS), np.float32)
        with torch.inference_mode():
            for at in range(0, len(pieces), _BATCH):
                batch = torch.from_numpy(np.stack(pieces[at : at + _BATCH]).astype(np.float32)).to(self.device)
                features = self._net[f"netcnn{stream}"](batch).flatten(1)
                out[at : at + _BATCH] = self._net[f"netfc{stream}"](features).cpu().numpy()
        return out
