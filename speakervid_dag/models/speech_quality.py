"""DNSMOS (Microsoft, MIT): perceived speech quality without a reference, P.835 and P.808, run from the ONNX files.

Belongs here: windows, features of P.808, the calibration. Does not belong here: how the windows share layers of P.835
(dnsmos_p835.py), gates on the scores, scores that need no model (curation/scores/sound.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.models.dnsmos_p835 import P835
from speakervid_dag.models.mel import mel_power
from speakervid_dag.models.onnx_session import open_session

RATE_HZ = 16_000
WINDOW_SAMPLES = 144_160  # 9.01 s, the networks' fixed input
HOP_SAMPLES = RATE_HZ
MELS, MEL_WINDOW, MEL_HOP = 120, 321, 160
BATCH = 8  # windows per call of P.808
SHARED = 32  # windows of P.835 that share their layers: 82 MB

# Raw network output to MOS: the DNSMOS authors' polynomials, highest power first (non-personalised).
CALIBRATION = {
    "sig": (-0.08397278, 1.22083953, 0.0052439),
    "bak": (-0.13166888, 1.60915514, -0.39604546),
    "ovrl": (-0.06766283, 1.11546468, 0.04602535),
}

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class SpeechQuality:
    """Mean opinion scores, 1-5: signal, background and overall (P.835), overall (P.808)."""

    sig: float
    bak: float
    ovrl: float
    p808: float


def repeated(samples: Floats) -> Floats:
    """Return sound of at least one window: shorter sound is doubled until then, as in the original."""
    audio = samples.astype(np.float32, copy=False)
    while len(audio) < WINDOW_SAMPLES:
        audio = np.concatenate([audio, audio])
    return audio


def windows(audio: Floats) -> Floats:
    """Return windows of 9.01 s, one per second: (n, 144160) float32.

    The original loses some windows to a rounding error of 9.01 * 16000; here none are lost (MOS differ by about 0.01).

    Args:
        audio: at least one window (`repeated`).
    """
    count = int(len(audio) // RATE_HZ - WINDOW_SAMPLES / RATE_HZ) + 1
    return np.stack([audio[i * HOP_SAMPLES :][:WINDOW_SAMPLES] for i in range(count)])


def p808_features(window: Floats) -> Floats:
    """Return a window's log mel spectrum, (dB relative to its maximum + 40) / 40, floor -80 dB: (900, 120) float32."""
    power = mel_power(window[:-MEL_HOP], RATE_HZ, MEL_WINDOW, MEL_HOP, MELS)
    floor = 1e-10  # as in librosa's power_to_db
    level = 10 * np.log10(np.maximum(power, floor)) - 10 * np.log10(max(floor, float(power.max())))
    return np.asarray((np.maximum(level, level.max() - 80) + 40) / 40, dtype=np.float32)


class SpeechQualityModel:
    """The two networks, loaded once.

    Args:
        folder: contains sig_bak_ovr.onnx and model_v8.onnx; None = the registry's `dnsmos`.
        threads: CPU threads of the runtime.
    """

    def __init__(self, folder: Path | None = None, threads: int = 2) -> None:
        paths = []
        for name in ("sig_bak_ovr.onnx", "model_v8.onnx"):
            if folder is None:
                from speakervid_dag.models.registry import weight_path

                paths.append(weight_path("dnsmos", name))
            else:
                paths.append(folder / name)
        self._p835, self._p808 = P835(paths[0], threads), open_session(paths[1], threads)

    def score(self, clips: Sequence[Floats]) -> list[SpeechQuality]:
        """Return the scores of each clip: the mean over its windows.

        Args:
            clips: mono float32 at 16 kHz, -1 to 1, none empty.

        Raises:
            ValueError: a clip is empty or exceeds full scale.
        """
        return [self._score(c) for c in clips]

    def _score(self, samples: Floats) -> SpeechQuality:
        if not len(samples) or not float(np.abs(samples).max()) <= 1.0:
            raise ValueError("a clip must hold samples between -1 and 1")
        audio = repeated(samples)
        parts = windows(audio)
        raw, p808 = [], []
        for at in range(0, len(parts), SHARED):
            raw.append(self._p835.raw(audio[at * HOP_SAMPLES :], min(SHARED, len(parts) - at)))
        for at in range(0, len(parts), BATCH):
            features = np.stack([p808_features(w) for w in parts[at : at + BATCH]])
            p808.append(self._p808.run(None, {"input_1": features})[0])
        columns = dict(zip(CALIBRATION, np.concatenate(raw).T.astype(np.float64), strict=True))
        mos = {name: float(np.polyval(CALIBRATION[name], values).mean()) for name, values in columns.items()}
        return SpeechQuality(**mos, p808=float(np.concatenate(p808).mean()))
