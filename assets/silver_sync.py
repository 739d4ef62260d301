"""Silver calibration stage: synchrony scores of deliberately mismatched sound with the batch's backend.

Belongs here: wiring of that stage. Does not belong here: mismatches, trials, thresholds
(curation/speaking/sync_calibration.py).
"""

from collections.abc import Iterator, Mapping
from functools import partial

import numpy as np
import polars as pl

from speakervid_dag.assets import backends
from speakervid_dag.assets.recipes import makes, weight_state
from speakervid_dag.curation.speaking import active_speaker
from speakervid_dag.curation.speaking import sync_calibration as calibration
from speakervid_dag.curation.speaking.active_speaker import ActiveSpeakerBackend
from speakervid_dag.curation.speaking.lip_backends import LipMotion
from speakervid_dag.curation.speaking.sync_calibration import Sound, Trial, Voice
from speakervid_dag.failures import StageFailure, WeightsMissing
from speakervid_dag.lake.schemas import FACE_TRACKS, SPEECH_TURNS, SYNC_CALIBRATION, SYNC_SCORES, VIDEOS
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.stages.crops import crops_of
from speakervid_dag.stages.sound import RATE_HZ, sound_of
from speakervid_dag.stages.stage import Stage, VideoTask


@makes(
    SYNC_CALIBRATION,
    reads=[VIDEOS, SPEECH_TURNS, FACE_TRACKS, SYNC_SCORES],
    sections=["sync", "active_speaker", "binding", "calibration"],
    weights=lambda f: backends.synchrony_weights(f.profile.active_speaker, f.lake),
    kinds=frozenset({"numpy"}),
)
def sync_calibration(stage: Stage) -> Mapping[str, pl.DataFrame]:
    """Score other people's voices and large shifts against the batch's talking faces."""
    row: dict[str, object] = {"batch": stage.batch, "basis": _basis(stage)}
    try:
        backend = backends.synchrony_backend(stage.profile.active_speaker, _lake(stage))
    except WeightsMissing as problem:
        row |= {"backend": stage.profile.active_speaker.synchrony} | calibration.calibrate(
            [], [], stage.profile.calibration
        )
        return {
            "sync_calibration": SYNC_CALIBRATION.frame([row | {"reason": problem.reason, "detail": problem.detail}])
        }
    voices = calibration.foreign_voices(stage["speech_turns"], stage.profile.calibration)
    videos = {video.video_id: video for video in stage.videos()}
    matched: list[float] = []
    mismatched: list[float] = []
    for video in videos.values():
        matched += [t.score for t in calibration.best_trials(_real(stage, video))]
        mismatched += [t.score for t in _mismatched(stage, video, videos, voices, backend)]
    row |= {"backend": backend.name} | calibration.calibrate(matched, mismatched, stage.profile.calibration)
    return {"sync_calibration": SYNC_CALIBRATION.frame([row])}


def _real(stage: Stage, video: VideoTask) -> list[Trial]:
    """Return the trials with the video's own sound, from its stored scores."""
    people = dict(video["face_tracks"].select("track_id", "person_id").iter_rows())
    speakers = dict(video["speech_turns"].select("turn_id", "speaker_id").iter_rows())
    rows = video["sync_scores"].to_dicts()
    pairs = {(r["track_id"], r["turn_id"]): (speakers[r["turn_id"]], people[r["track_id"]]) for r in rows}
    return calibration.trials_of(rows, pairs, _talking(video), stage.profile.binding)


def _talking(video: VideoTask) -> dict[active_speaker.Key, float]:
    told = video["sync_scores"].filter(pl.col("talking_score").is_not_null())
    return {(r["track_id"], r["turn_id"]): r["talking_score"] for r in told.to_dicts()}


def _mismatched(
    stage: Stage,
    video: VideoTask,
    videos: Mapping[str, VideoTask],
    voices: Mapping[Voice, list[Voice]],
    backend: ActiveSpeakerBackend,
) -> Iterator[Trial]:
    talking, profile = _talking(video), stage.profile
    if not talking:
        return
    audio = sound_of(stage, video)
    for (speaker,), turns in video["speech_turns"].group_by(["speaker_id"], maintain_order=True):
        foreign = [_speech(stage, videos[v], s) for v, s in voices.get((video.video_id, str(speaker)), [])]
        for sound in calibration.mismatches(audio, turns, foreign, RATE_HZ, profile.calibration):
            yield from calibration.trials(
                turns,
                video["face_tracks"],
                talking,
                sound,
                RATE_HZ,
                backend,
                profile.sync,
                profile.binding,
                partial(crops_of, stage),
            )


def _speech(stage: Stage, video: VideoTask, speaker: str) -> Sound:
    """Return a speaker's speech; empty if the sound can no longer be read (its own stages have reported that)."""
    try:
        audio = sound_of(stage, video)
    except StageFailure:
        return np.zeros(0, np.float32)
    return calibration.speech_of(audio, video["speech_turns"].filter(pl.col("speaker_id") == speaker), RATE_HZ)


def _basis(stage: Stage) -> str:
    talking = "+".join(sorted(stage["sync_scores"]["talking_backend"].unique())) or LipMotion.name
    names = backends.synchrony_weights(stage.profile.active_speaker, _lake(stage))
    return calibration.basis_of(stage.profile, talking, map(weight_state, names))


def _lake(stage: Stage) -> DeltaLake:
    return DeltaLake(str(stage.settings.lake_dir))
