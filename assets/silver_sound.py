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
from speakervid_dag.curation.intervals import Interval
from speakervid_dag.curation.speaking import active_speaker
from speakervid_dag.curation.voices import diarization as diarizing
from speakervid_dag.curation.voices import talking_faces as seeing
from speakervid_dag.curation.voices import transcripts as transcribing
from speakervid_dag.lake.schemas import FACE_TRACKS, SPEECH_TURNS, TRANSCRIPTS, VIDEOS
from speakervid_dag.models import vad
from speakervid_dag.stages.crops import crops_of
from speakervid_dag.stages.sound import RATE_HZ, sound_of
from speakervid_dag.stages.stage import Rows, Stage, VideoTask


@makes(
    SPEECH_TURNS,
    reads=[VIDEOS, FACE_TRACKS],
    sections=["diarization", "sync", "active_speaker"],
    weights=lambda f: backends.speech_weights(f.profile.active_speaker),
    kinds=frozenset({"torch"}),
)
def speech_turns(stage: Stage) -> Mapping[str, pl.DataFrame]:
    """Find speech regions, embed voices and cluster an unknown number of speakers, with hints from talking faces."""
    settings = stage.profile.diarization

    def work(video: VideoTask) -> Mapping[str, Rows]:
        samples = sound_of(stage, video)
        with video.model():
            regions = diarizing.speech_regions(*vad.speech_probabilities(samples), settings)
            if not regions:
                return {"speech_turns": []}
            faces = _talking_faces(stage, video, samples, regions)
            found = diarizing.diarize(samples, RATE_HZ, regions, backends.voice_encoder(), settings, faces)
        return {"speech_turns": diarizing.turn_rows(video.video_id, found, settings)}

    return stage.each_video([SPEECH_TURNS], work, tolerates=["face_tracks"])


def _talking_faces(
    stage: Stage, video: VideoTask, samples: NDArray[np.float32], regions: Sequence[Interval]
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
    weights=lambda factory: [factory.profile.transcripts.weights],
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
        rows, homeless = transcribing.transcript_rows(heard, turns, recogniser.backend, settings)
        if homeless:
            stage.log(f"{video.row['source_name']}: {homeless} recognised words lie outside every turn")
        return {"transcripts": rows}

    return stage.each_video([TRANSCRIPTS], work)
