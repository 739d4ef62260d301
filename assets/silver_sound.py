"""Silver, what is heard: speech turns and transcripts.

Belongs here: wiring of the sound stages. Does not belong here: diarization and recognition themselves.
"""

from collections.abc import Mapping

import polars as pl

from speakervid_dag.assets import backends
from speakervid_dag.assets.sound import RATE_HZ, sound_of
from speakervid_dag.assets.table_asset import table_asset
from speakervid_dag.curation import diarization as diarizing
from speakervid_dag.curation import intervals, overlaps, voice_clusters
from speakervid_dag.curation import transcripts as transcribing
from speakervid_dag.lake.schemas import SPEECH_TURNS, TRANSCRIPTS, VIDEOS
from speakervid_dag.models import asr, mel, vad, voice
from speakervid_dag.stage import Rows, Stage, VideoTask


@table_asset(
    SPEECH_TURNS,
    reads=[VIDEOS],
    sections=["diarization"],
    weights=lambda _: ["resemblyzer"],
    modules=[vad, voice, mel, diarizing, voice_clusters, overlaps, intervals],
    kinds=frozenset({"torch"}),
)
def speech_turns(stage: Stage) -> Mapping[str, pl.DataFrame]:
    """Speech regions, voice embeddings, clustering with an unknown number of speakers."""
    settings = stage.profile.diarization

    def work(video: VideoTask) -> Mapping[str, Rows]:
        samples = sound_of(stage, video)
        with video.model():
            regions = diarizing.speech_regions(*vad.speech_probabilities(samples), settings)
            if not regions:
                return {"speech_turns": []}
            turns, embeddings = diarizing.diarize(samples, RATE_HZ, regions, backends.voice_encoder(), settings)
        return {"speech_turns": diarizing.turn_rows(video.video_id, turns, embeddings, settings)}

    return stage.each_video([SPEECH_TURNS], work)


@table_asset(
    TRANSCRIPTS,
    reads=[VIDEOS, SPEECH_TURNS],
    sections=["transcripts"],
    weights=lambda factory: [factory.profile.transcripts.weights],
    modules=[asr, transcribing],
    kinds=frozenset({"whisper"}),
)
def transcripts(stage: Stage) -> Mapping[str, pl.DataFrame]:
    """What is said, word by word with times, cut at the turns; the language is detected."""
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
