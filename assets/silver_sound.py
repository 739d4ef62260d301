"""Silver sound stages: speech turns and transcripts.

Belongs here: wiring of the sound stages. Does not belong here: diarization and recognition themselves.
"""

from collections.abc import Mapping

import numpy as np
import polars as pl

from speakervid_dag.assets import backends
from speakervid_dag.assets.recipes import makes
from speakervid_dag.config.sections import JointSettings
from speakervid_dag.curation.joint.diarization import diarize_jointly, heard_face_rows, turn_face_rows
from speakervid_dag.curation.joint.evidence import TalkingFace, on_grid
from speakervid_dag.curation.speaking.lip_frames import FPS
from speakervid_dag.curation.voices import diarization as diarizing
from speakervid_dag.curation.voices import transcripts as transcribing
from speakervid_dag.curation.voices.diarization import Heard, Sound
from speakervid_dag.curation.voices.local_speakers import FrameClock, windows_of
from speakervid_dag.curation.voices.unheard import why_no_speech
from speakervid_dag.lake.schemas import ACTIVE_SPEAKER, FACE_TRACKS, SPEECH_TURNS, TRANSCRIPTS, TURN_FACES, VIDEOS
from speakervid_dag.models import segmentation, vad
from speakervid_dag.models.fbank import HOP_HZ, log_mels
from speakervid_dag.stages.sound import RATE_HZ, sound_of
from speakervid_dag.stages.stage import Rows, Stage, VideoTask

CLOCK = FrameClock(segmentation.FIRST_S, segmentation.STEP_S)


@makes(
    SPEECH_TURNS,
    TURN_FACES,
    reads=[VIDEOS, FACE_TRACKS, ACTIVE_SPEAKER],
    sections=["diarization", "joint"],
    weights=backends.speech_weights,
    kinds=frozenset({"torch"}),
)
def speech_turns(stage: Stage) -> Mapping[str, pl.DataFrame]:
    """Find who speaks when, and whose face that is: voices, talking faces and their number in one inference."""
    settings = stage.profile.diarization
    is_local = settings.voices == "campplus"
    if is_local and not backends.are_there(backends.LOCAL_VOICES):
        pull = f"speakervid models pull {' '.join(backends.LOCAL_VOICES)}"
        stage.log(f"voices are told apart by GE2E until `{pull}` has been run")
        is_local = False

    def work(video: VideoTask) -> Mapping[str, Rows]:
        samples = sound_of(stage, video)
        with video.model():
            sound = Sound(samples, RATE_HZ, vad.speech_probabilities(samples))
            heard = _by_local_speakers(stage, sound) if is_local else _by_windows(stage, sound)
            found = _turns(stage, video, heard) if heard else {"speech_turns": [], "turn_faces": []}
        if not len(found["speech_turns"]):
            video.remark = why_no_speech(samples, RATE_HZ, *sound.speech, settings)
        return found

    return stage.each_video([SPEECH_TURNS, TURN_FACES], work, tolerates=["face_tracks", "active_speaker"])


def _by_local_speakers(stage: Stage, sound: Sound) -> Heard | None:
    """Return who is heard by the segmentation network and CAM++."""
    settings, samples = stage.profile.diarization, sound.samples
    steady = samples - samples.mean(dtype=np.float64).astype(np.float32)
    told = backends.speaker_segmentation().windows(steady, settings.local_speakers.step_s)
    windows = windows_of(told, segmentation.SETS, CLOCK)
    if windows is None or not windows.talks.any():
        return None
    encoder = backends.campplus_encoder()
    return diarizing.hear_windows(sound, windows, log_mels(steady), HOP_HZ, encoder, settings)


def _by_windows(stage: Stage, sound: Sound) -> Heard | None:
    """Return who is heard by Silero's regions and GE2E."""
    return diarizing.hear_regions(sound, backends.voice_encoder(), stage.profile.diarization)


def _turns(stage: Stage, video: VideoTask, heard: Heard) -> Mapping[str, Rows]:
    """Return who speaks when, and whose face that is, if a network looked at any."""
    settings, joint = stage.profile.diarization, stage.profile.joint
    faces = _faces(video, heard.voices.frames, joint)
    if not faces:
        turns = diarizing.turn_rows(video.video_id, diarizing.diarize(heard, settings), settings)
        return {"speech_turns": turns, "turn_faces": heard_face_rows(turns)}
    people = dict(video["face_tracks"].select("track_id", "person_id").iter_rows())
    seen = diarize_jointly(heard, faces, people, settings, joint)
    turns = diarizing.turn_rows(video.video_id, seen.found, settings)
    return {"speech_turns": turns, "turn_faces": turn_face_rows(turns, seen.stretches, faces, joint)}


def _faces(video: VideoTask, frames: int, joint: JointSettings) -> list[TalkingFace]:
    """Return what a network says of the faces of a video, on the grid of the joint inference."""
    told = video["active_speaker"].filter(pl.col("status") == "ok").sort("start_s", "track_id")
    placed = (on_grid(row, FPS, frames, joint) for row in told.to_dicts())
    return [face for face in placed if face is not None]


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
