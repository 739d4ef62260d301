"""Silero VAD v6 (MIT), the ONNX file inside the faster-whisper package: probability of speech in each 32 ms.

Belongs here: running that network. Does not belong here: thresholds and regions (curation/voices/diarization.py).
"""

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.models.onnx_session import open_session
from speakervid_dag.models.packaged import packaged_path, packaged_state

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

NAME = "silero-vad"
WHAT, LICENCE = "speech detection (Silero VAD v6)", "MIT"  # as an entry of weights.yaml would say
_PACKAGE, _FILE = "faster_whisper", "assets/silero_vad_v6.onnx"
RATE_HZ = 16_000
HOP_SAMPLES = 512
HOP_S = HOP_SAMPLES / RATE_HZ
CONTEXT_SAMPLES = 64  # the network also gets the end of the step before
BLOCK_STEPS = 4096  # steps per call (131 s of sound), to bound memory; the state is carried over


@functools.cache
def _session() -> "InferenceSession":
    return open_session(
        network_path(), threads=1, on_gpu=False
    )  # tiny steps: threads and a GPU cost more than they gain


def network_path() -> Path:
    """Return the network's file. Raise WeightsMissing, WeightsUnusable."""
    return packaged_path(NAME, _PACKAGE, _FILE)


def package_state() -> str:
    """Return the network's SHA-256, or `missing` if the installed faster-whisper does not contain it."""
    return packaged_state(_PACKAGE, _FILE)


def speech_probabilities(samples: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
    """Return the speech probability of each step of the signal; step i covers [i * hop_s, (i + 1) * hop_s).

    Args:
        samples: (n,) float32 mono at 16 kHz, -1 to 1. Not changed. The last step is padded with zeros.

    Returns:
        ((ceil(n / 512),) float32 probabilities 0-1, hop in seconds = 0.032).

    Raises:
        WeightsMissing: the installed faster-whisper does not contain the network.
        WeightsUnusable: the file differs from the one that was installed.
    """
    steps = -(-len(samples) // HOP_SAMPLES)
    state = {name: np.zeros((1, 1, 128), np.float32) for name in ("h", "c")}
    before = np.zeros(CONTEXT_SAMPLES, np.float32)
    found = [np.zeros(0, np.float32)]
    for at in range(0, steps, BLOCK_STEPS):
        block = samples[at * HOP_SAMPLES : (at + BLOCK_STEPS) * HOP_SAMPLES].astype(np.float32, copy=False)
        block = np.pad(block, (0, -len(block) % HOP_SAMPLES)).reshape(-1, HOP_SAMPLES)
        context = np.vstack([before[None], block[:-1, -CONTEXT_SAMPLES:]])
        before = block[-1, -CONTEXT_SAMPLES:].copy()
        probs, state["h"], state["c"] = _session().run(None, {"input": np.hstack([context, block]), **state})
        found.append(np.asarray(probs, np.float32).ravel())
    return np.concatenate(found), HOP_S
