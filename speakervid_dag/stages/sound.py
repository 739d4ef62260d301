"""The sound of a video for the stages: chosen by intake, decoded once more, kept as an artifact of the lake.

Belongs here: running the choice, writing and reusing that artifact. Does not belong here: decoding (media/audio.py),
the rules of the choice (curation/sources/sound_choice.py).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.config.sections import SoundSettings
from speakervid_dag.curation.sources import sound_choice
from speakervid_dag.failures import PermanentFailure
from speakervid_dag.lake.artifacts import kept_sound
from speakervid_dag.media import audio as audio_reading
from speakervid_dag.media import probe as probing
from speakervid_dag.media import wav
from speakervid_dag.media.audio import Taken
from speakervid_dag.media.budget import MediaBudget
from speakervid_dag.models import vad
from speakervid_dag.stages.stage import Skipped, Stage, VideoTask

RATE_HZ = 16_000
USUAL_PEAK = 0.3  # the speech detector's input is scaled to this: it misses speech 36 dB below it


def chosen_sound(
    path: Path, info: probing.MediaInfo, budget: MediaBudget, settings: SoundSettings
) -> sound_choice.Choice:
    """Measure a file's sound tracks, as many as the budget allows, and return the choice."""
    heard = []
    for number, track in enumerate(info.sound_tracks):
        if number >= budget.max_sound_tracks:
            heard.append(sound_choice.HeardTrack(track, reason=sound_choice.NOT_HEARD))
            continue
        try:
            heard.append(sound_choice.HeardTrack(track, audio_reading.read_levels(path, info, budget, track.track)))
        except PermanentFailure as problem:  # the others may be fine
            heard.append(sound_choice.HeardTrack(track, reason=problem.reason))

    def asked(taken: Sequence[Taken]) -> NDArray[np.bool_]:
        samples = audio_reading.read_audio(path, info, budget, RATE_HZ, taken)
        peak = float(np.percentile(np.abs(samples), 99.9)) if len(samples) else 0.0
        probabilities, _ = vad.speech_probabilities(samples * np.float32(USUAL_PEAK / peak if peak else 1.0))
        return np.asarray(probabilities >= settings.speech_probability)

    return sound_choice.choose(heard, asked, settings)


def sound_of(stage: Stage, video: VideoTask) -> NDArray[np.float32]:
    """Return mono float32 (samples,) at 16 kHz; sample 0 is the container's start.

    Raises:
        Skipped: the video has no sound, or only silence.
        PermanentFailure: it cannot be decoded.
    """
    if not video.row["has_audio"]:
        raise Skipped("no_audio_stream", "there is no sound")
    chosen = video.row["sound_taken"]
    if chosen is not None and not chosen:
        raise _nothing_taken(video)
    kept = kept_sound(stage.settings.lake_dir, video.video_id, chosen)
    with video.media():
        if not wav.is_whole(kept):
            budget = MediaBudget()
            info = probing.probe(video.path, budget)
            samples = audio_reading.read_audio(video.path, info, budget, RATE_HZ, audio_reading.taken_of(chosen))
            kept.parent.mkdir(parents=True, exist_ok=True)
            wav.write_wav(kept, samples, RATE_HZ)
        samples = wav.read_wav(kept)[0]
    if not np.any(samples):
        raise Skipped("silent_audio", "every sample of the sound is zero")
    return samples


def _nothing_taken(video: VideoTask) -> Skipped | PermanentFailure:
    """Return why no track is used, with the finding for each."""
    tracks = video.row["sound_tracks"] or []
    told = "; ".join(sound_choice.lines(tracks))
    failed = [t["found"] for t in tracks if t["found"] not in (sound_choice.SILENT, sound_choice.NOT_HEARD)]
    return PermanentFailure(failed[0], told) if failed else Skipped("silent_audio", told)
