"""Why a video has sound and no speech turn: nobody speaks, or somebody does too faintly to be told.

Belongs here: that question, from level and speech probabilities. Does not belong here: finding speech (diarization.py,
local_speakers.py).
"""

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.config.sections import DiarizationSettings

NO_SPEECH, UNCLEAR = "no_speech", "speech_unclear"
_BAND_HZ = (300.0, 3400.0)  # of a telephone: what makes speech intelligible
_WINDOW_S = 0.5  # about two syllables; a single step of noise may look like speech
_LEAST_DBFS = -100.0

Floats = NDArray[np.float32]


def why_no_speech(
    samples: Floats, rate_hz: int, probabilities: Floats, step_s: float, settings: DiarizationSettings
) -> tuple[str, str]:
    """Return a reason, `no_speech` or `speech_unclear`, and the figures behind it.

    Args:
        samples: (n,) float32 mono, -1 to 1.
        probabilities: (k,) speech probability of each step of `step_s` seconds.
    """
    steps = max(1, min(len(probabilities), round(_WINDOW_S / step_s)))
    likely = float(np.convolve(probabilities, np.ones(steps) / steps, "valid").max()) if len(probabilities) else 0.0
    told = f"voice band {voice_level_dbfs(samples, rate_hz):.0f} dBFS, highest speech probability {likely:.2f}"
    return (UNCLEAR if likely >= settings.unclear_probability else NO_SPEECH), told


def voice_level_dbfs(samples: Floats, rate_hz: int) -> float:
    """Return the level of the loudest second between 300 and 3400 Hz, dB below a full-scale square wave; -100 at least.

    Args:
        samples: (n,) float32 mono, -1 to 1.
    """
    from scipy.signal import butter, sosfilt

    if not len(samples):
        return _LEAST_DBFS
    band = sosfilt(butter(4, _BAND_HZ, "bandpass", fs=rate_hz, output="sos"), samples)
    whole = min(len(band), rate_hz)
    power = max(float(np.mean(band[at : at + whole] ** 2)) for at in range(0, len(band) - whole + 1, whole))
    return max(_LEAST_DBFS, 10 * float(np.log10(max(power, 1e-12))))
