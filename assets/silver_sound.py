"""Silver sound stages: speech turns and transcripts.

Belongs here: wiring of the sound stages. Does not belong here: diarization and recognition themselves.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from speakervid_dag.assets import backends
from speakervid_dag.assets.recipes import makes
from speakervid_dag.config.sections import DiarizationSettings, JointSettings
from speakervid_dag.curation.intervals import Interval
from speakervid_dag.curation.joint.diarization import diarize_jointly, turn_face_rows
from speakervid_dag.curation.joint.evidence import GRID_HZ, TalkingFace, on_grid
from speakervid_dag.curation.speaking import active_speaker
from speakervid_dag.curation.speaking.lip_backends import LipMotion
from speakervid_dag.curation.speaking.lip_frames import FPS
from speakervid_dag.curation.voices import diarization as diarizing
from speakervid_dag.curation.voices import talking_faces as seeing
from speakervid_dag.curation.voices import transcripts as transcribing
from speakervid_dag.curation.voices.diarization import Diarization
from speakervid_dag.curation.voices.local_speakers import FrameClock, windows_of
from speakervid_dag.curation.voices.unheard import why_no_speech
from speakervid_dag.lake.schemas import ACTIVE_SPEAKER, FACE_TRACKS, SPEECH_TURNS, TRANSCRIPTS, TURN_FACES, VIDEOS
from speakervid_dag.models import segmentation, vad
from speakervid_dag.models.fbank import HOP_HZ, log_mels
from speakervid_dag.stages.sound import RATE_HZ, sound_of
from speakervid_dag.stages.stage import Rows, Stage, VideoTask

Sound = NDArray[np.float32]
CLOCK = FrameClock(segmentation.FIRST_S, segmentation.STEP_S)


@makes(
    SPEECH_TURNS,
    TURN_FACES,
    reads=[VIDEOS, FACE_TRACKS, ACTIVE_SPEAKER],
    sections=["diarization", "joint", "sync"],
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
        has_face = not video["face_tracks"].is_empty()
        with video.model():
            if is_local and not (has_face and video["active_speaker"].is_empty()):
                faces = _faces(video, samples, stage.profile.joint)
                found = _by_local_speakers(stage, video, samples, faces)
            else:
                found = _rows(video, _by_windows(stage, video, samples), settings)
            if not len(found["speech_turns"]):
                video.remark = why_no_speech(samples, RATE_HZ, *vad.speech_probabilities(samples), settings)
        return found

    return stage.each_video([SPEECH_TURNS, TURN_FACES], work, tolerates=["face_tracks", "active_speaker"])


def _rows(video: VideoTask, found: Diarization | None, settings: DiarizationSettings) -> Mapping[str, Rows]:
    turns = diarizing.turn_rows(video.video_id, found, settings) if found else []
    return {"speech_turns": turns, "turn_faces": []}


def _faces(video: VideoTask, samples: Sound, joint: JointSettings) -> list[TalkingFace]:
    """Return what a network says of the faces of a video, on the grid of the joint inference."""
    frames = math.ceil(len(samples) / RATE_HZ * GRID_HZ)
    told = video["active_speaker"].filter(pl.col("status") == "ok").sort("start_s", "track_id")
    placed = (on_grid(row, FPS, frames, joint) for row in told.to_dicts())
    return [face for face in placed if face is not None]


def _by_local_speakers(
    stage: Stage, video: VideoTask, samples: Sound, faces: Sequence[TalkingFace]
) -> Mapping[str, Rows]:
    """Return who speaks when by the segmentation network and CAM++, and by the faces, if there are any."""
    settings, joint = stage.profile.diarization, stage.profile.joint
    samples = samples - samples.mean(dtype=np.float64).astype(np.float32)
    told = backends.speaker_segmentation().windows(samples, settings.local_speakers.step_s)
    windows = windows_of(told, segmentation.SETS, CLOCK)
    if windows is None or not windows.talks.any():
        return _rows(video, None, settings)
    encoder, speech, mels = backends.campplus_encoder(), vad.speech_probabilities(samples), log_mels(samples)
    if not faces:
        found = diarizing.diarize_local(samples, RATE_HZ, windows, mels, HOP_HZ, encoder, speech, settings)
        return _rows(video, found, settings)
    people = dict(video["face_tracks"].select("track_id", "person_id").iter_rows())
    seen = diarize_jointly(samples, RATE_HZ, windows, mels, HOP_HZ, encoder, speech, faces, people, settings, joint)
    turns = diarizing.turn_rows(video.video_id, seen.found, settings)
    return {"speech_turns": turns, "turn_faces": turn_face_rows(turns, seen.stretches, faces, joint)}


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
    scene = active_speaker.Scene(pairs, samples, RATE_HZ, sync)
    return seeing.talking_faces(parts, pairs, LipMotion().measure(scene), settings)


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
