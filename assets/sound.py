"""The sound of a video as the stages hear it: decoded once, kept as an artifact of the lake.

Belongs here: making and reuse of that artifact. Does not belong here: decoding (speakervid_dag.media.audio).
"""

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.lake.artifacts import kept_sound
from speakervid_dag.media import audio as audio_reading
from speakervid_dag.media import probe as probing
from speakervid_dag.media import wav
from speakervid_dag.media.budget import MediaBudget
from speakervid_dag.stage import Skipped, Stage, VideoTask

RATE_HZ = 16_000


def sound_of(stage: Stage, video: VideoTask) -> NDArray[np.float32]:
    """Mono float32 at 16 kHz; sample 0 is the container's start.

    Raises:
        Skipped: the video has no sound, or nothing but zeros.
        PermanentFailure: it cannot be decoded.
    """
    if not video.row["has_audio"]:
        raise Skipped("no_audio_stream", "there is no sound")
    kept = kept_sound(stage.settings.lake_dir, video.video_id)
    with video.media():
        if not wav.is_whole(kept):
            budget = MediaBudget()
            samples = audio_reading.read_audio(video.path, probing.probe(video.path, budget), budget, RATE_HZ)
            kept.parent.mkdir(parents=True, exist_ok=True)
            wav.write_wav(kept, samples, RATE_HZ)
        samples = wav.read_wav(kept)[0]
    if not np.any(samples):
        raise Skipped("silent_audio", "every sample of the sound is zero")
    return samples
