"""Voice embeddings: the GE2E network of Resemblyzer (Apache-2.0 weights), reimplemented, with its mel front end.

Belongs here: the network, its front end, batching, windows over a signal. Does not belong here: clustering
(curation/voices/clusters.py), turns and speech regions (curation/voices/diarization.py).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.arrays import unit
from speakervid_dag.models.mel import mel_power
from speakervid_dag.models.torch_device import chosen_device, one_thread

if TYPE_CHECKING:
    import torch

RATE_HZ = 16_000
WINDOW_SAMPLES, HOP_SAMPLES, MELS = 400, 160, 40  # 25 ms, 10 ms
HIDDEN, LAYERS, DIMENSIONS = 256, 3, 256
PARTIAL_FRAMES = 160  # 1.6 s: the length the network was trained on
MIN_FRAMES = 25  # 0.25 s: shorter sound is less than a syllable, and the result is noise
TARGET_DBFS = -30.0  # quiet sound is raised to this level, as in training
BATCH = 64

Floats = NDArray[np.float32]


def voice_mels(samples: Floats) -> Floats:
    """Return mel power, one frame per 10 ms, of sound raised to at least -30 dBFS: (1 + n // 160, 40) float32."""
    rms = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0
    gain = max(1.0, 10 ** (TARGET_DBFS / 20) / rms) if rms > 0 else 1.0
    # power is quadratic in the gain, so the gain can be applied to the small array
    return mel_power(samples, RATE_HZ, WINDOW_SAMPLES, HOP_SAMPLES, MELS) * np.float32(gain**2)


def _network(state: dict[str, "torch.Tensor"]) -> "torch.nn.ModuleDict":
    import torch

    net = torch.nn.ModuleDict(
        {
            "lstm": torch.nn.LSTM(MELS, HIDDEN, LAYERS, batch_first=True),
            "linear": torch.nn.Linear(HIDDEN, DIMENSIONS),
        }
    )
    wanted = net.state_dict()
    net.load_state_dict({name: state[name] for name in wanted})  # the file also has the training loss's parameters
    return net.eval()


class VoiceEncoder:
    """GE2E: 3-layer LSTM over mels, linear, ReLU, unit length.

    The cosine of two embeddings measures how alike the voices are.

    Args:
        weights: the .pt file; None = the registry's `resemblyzer` (WeightsMissing if it is not on disk).
        device: torch device; None = cuda if present, else cpu.
    """

    def __init__(self, weights: Path | None = None, device: str | None = None) -> None:
        import torch

        if weights is None:
            from speakervid_dag.models.registry import weight_path

            weights = weight_path("resemblyzer")
        self.device = chosen_device(device)
        checkpoint = torch.load(weights, map_location="cpu", weights_only=True)
        self._net = _network(checkpoint["model_state"]).to(self.device)

    def embed_mels(self, mels: Sequence[Floats]) -> Floats:
        """Return embeddings of mel pieces of any length, each (frames, 40): (n, 256) float32 of unit length."""
        import torch

        out = np.zeros((len(mels), DIMENSIONS), np.float32)
        order = sorted(range(len(mels)), key=lambda i: len(mels[i]))
        with torch.inference_mode(), one_thread():
            for at in range(0, len(order), BATCH):
                chosen = order[at : at + BATCH]
                lengths = torch.tensor([len(mels[i]) for i in chosen])
                padded = np.zeros((len(chosen), int(lengths.max()), MELS), np.float32)
                for row, i in enumerate(chosen):
                    padded[row, : len(mels[i])] = mels[i]
                batch = torch.from_numpy(padded).to(self.device)
                if int(lengths.min()) < padded.shape[1]:
                    batch = torch.nn.utils.rnn.pack_padded_sequence(batch, lengths, True, enforce_sorted=False)
                _, (hidden, _) = self._net["lstm"](batch)
                out[chosen] = torch.relu(self._net["linear"](hidden[-1])).cpu().numpy()
        return unit(out)

    def embed(self, segments: Sequence[Floats]) -> Floats:
        """Return one embedding per segment: the unit mean over half-overlapping partials of 1.6 s that cover it.

        Args:
            segments: mono float32 at 16 kHz, each at least 0.25 s of speech.

        Returns:
            (n, 256) float32 of unit length.

        Raises:
            ValueError: a segment is shorter than 0.25 s.
        """
        pieces: list[Floats] = []
        owners: list[int] = []
        for index, samples in enumerate(segments):
            mels = voice_mels(samples)
            if len(mels) < MIN_FRAMES:
                raise ValueError(f"segment {index} has {len(samples) / RATE_HZ:.3f} s, at least 0.25 s are needed")
            last = max(0, len(mels) - PARTIAL_FRAMES)
            starts = np.linspace(0, last, 1 + -(-last // (PARTIAL_FRAMES // 2))).astype(int)
            pieces += [mels[s : s + PARTIAL_FRAMES] for s in starts]
            owners += [index] * len(starts)
        sums = np.zeros((len(segments), DIMENSIONS), np.float32)
        np.add.at(sums, owners, self.embed_mels(pieces))
        return unit(sums)

    def embed_windows(self, samples: Floats, centres_s: NDArray[np.float64], window_s: float) -> Floats:
        """Return embeddings of windows of `window_s` seconds around given moments of one signal.

        Windows are moved inwards at the ends of the signal.

        Args:
            samples: (n,) float32 mono at 16 kHz, at least 0.25 s.
            centres_s: (m,) float64, seconds from the first sample.

        Returns:
            (m, 256) float32 of unit length.
        """
        mels = voice_mels(samples)
        width = max(MIN_FRAMES, round(window_s * RATE_HZ / HOP_SAMPLES))
        starts = np.rint(centres_s * RATE_HZ / HOP_SAMPLES).astype(int) - width // 2
        starts = np.clip(starts, 0, max(0, len(mels) - width))
        return self.embed_mels([mels[s : s + width] for s in starts])
