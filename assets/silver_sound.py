"""Silver sound stages: speech turns and transcripts.

Belongs here: wiring of the sound stages. Does not belong here: diarization and recognition themselves.
"""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import polars as pl
from numpy.typing import NDArray

from speakervid_dag.assets import backends
from speakervid_dag.assets.recipes import makes
from speakervid_dag.config.sections import DiarizationSettings
from speakervid_dag.curation.intervals import Interval
from speakervid_dag.curation.speaking import active_speaker
from speakervid_dag.curation.voices import diarization as diarizing
from speakervid_dag.curation.voices import talking_faces as seeing
from speakervid_dag.curation.voices import transcripts as transcribing
from speakervid_dag.curation.voices.diarization import Diarization
from speakervid_dag.curation.voices.local_speakers import FrameClock, windows_of
from speakervid_dag.lake.schemas import FACE_TRACKS, SPEECH_TURNS, TRANSCRIPTS, VIDEOS
from speakervid_dag.models import segmentation, vad
from speakervid_dag.models.fbank import HOP_HZ, log_mels
from speakervid_dag.stages.crops import crops_of
from speakervid_dag.stages.sound import RATE_HZ, sound_of
from speakervid_dag.stages.stage import Rows, Stage, VideoTask

Sound = NDArray[np.float32]
CLOCK = FrameClock(segmentation.FIRST_S, segmentation.STEP_S)


@makes(
    SPEECH_TURNS,
    reads=[VIDEOS, FACE_TRACKS],
    sections=["diarization", "sync", "active_speaker"],
    weights=backends.speech_weights,
    kinds=frozenset({"torch"}),
)
def speech_turns(stage: Stage) -> Mapping[str, pl.DataFrame]:
    """Find who speaks when, an unknown number of speakers: with the faces that talk, or by voices alone."""
    settings = stage.profile.diarization
    if "campplus" in (settings.voices, settings.voices_without_faces) and not backends.local_voices_are_there():
        pull = f"speakervid models pull {' '.join(backends.LOCAL_VOICES)}"
        stage.log(f"voices are told apart by GE2E until `{pull}` has been run")

    def work(video: VideoTask) -> Mapping[str, Rows]:
        choice = settings.voices_without_faces if video["face_tracks"].is_empty() else settings.voices
        samples = sound_of(stage, video)
        with video.model():
            if choice == "campplus" and backends.local_voices_are_there():
                found = _by_local_speakers(samples, settings)
            else:
                found = _by_windows(stage, video, samples)
        return {"speech_turns": diarizing.turn_rows(video.video_id, found, settings) if found else []}

    return stage.each_video([SPEECH_TURNS], work, tolerates=["face_tracks"])


def _by_local_speakers(samples: Sound, settings: DiarizationSettings) -> Diarization | None:
    """Return who speaks when by the segmentation network and CAM++; None if nobody does."""
    samples = samples - samples.mean(dtype=np.float64).astype(np.float32)
    told = backends.speaker_segmentation().windows(samples, settings.local_speakers.step_s)
    windows = windows_of(told, segmentation.SETS, CLOCK)
    if windows is None or not windows.talks.any():
        return None
    encoder, speech = backends.campplus_encoder(), vad.speech_probabilities(samples)
    return diarizing.diarize_local(samples, RATE_HZ, windows, log_mels(samples), HOP_HZ, encoder, speech, settings)


def _by_windows(stage: Stage, video: VideoTask, samples: Sound) -> Diarization | None:
    """Return who speaks when by Silero's regions, GE2E and the faces that talk; None if nobody does."""
    settings = stage.profile.diarization
    regions = diarizing.speech_regions(*vad.speech_probabilities(samples), settings)
    if not regions:
        return None
    faces = _talking_faces(stage, video, samples, regions)
    return diarizing.diarize(samples, RATE_HZ, regions, backends.voice_encoder(), settings, faces)


def _talking_faces(
    stage: Stage, video: VideoTask, samples: Sound, regions: Sequence[Interval]
) -> seeing.TalkingFaces | None:
    """Return the faces that are visibly talking during speech; None without faces."""
    if video["face_tracks"].is_empty():
        return None
    settings, sync = stage.profile.diarization.faces, stage.profile.sync
    parts = seeing.pieces(regions, settings)
    pairs = active_speaker.pairs_of(parts, video["face_tracks"], sync)
    scene = active_speaker.Scene(pairs, samples, RATE_HZ, sync, partial(crops_of, stage))
    talking = backends.talking_backend(stage.profile.active_speaker)
    return seeing.talking_faces(parts, pairs, talking.measure(scene), settings)


@makes(
    TRANSCRIPTS,
    reads=[VIDEOS, SPEECH_TURNS],
    sections=["transcripts"],
    weights=lambda lakehouse: [lakehouse.profile.transcripts.weights],
    kinds=frozenset({"whisper"}),
)
def transcripts(stage: Stage) -> Mapping[str, pl.DataFrame]:
    """Transcribe speech word by word with times, split at turns; the language is detected."""
    settings = stage.profile.transcripts

    def work(video: VideoTask) -> Mapping[str, Rows]:
        turns = [
            transcribing.TurnSpan(*row)
            for row in video["speech_turns"].select("turn_id", "speaker_id", "start_s", "end_s").iter_rows()
        ]
        if not turns:
            return {"transcripts": []}
        samples = sound_of(stage, video)
        with video.model():
            recogniser = backends.recognizer(settings.weights, stage.settings.threads)
            spoken = [(t.start_s, t.end_s) for t in turns]
            heard = recogniser.transcribe(samples, spoken, settings)
        rows, unassigned = transcribing.transcript_rows(heard, turns, recogniser.backend, settings)
        if unassigned:
            stage.log(f"{video.row['source_name']}: {unassigned} recognised words lie outside every turn")
        return {"transcripts": rows}

    return stage.each_video([TRANSCRIPTS], work)
