"""Silver, the calibration of synchrony: what the batch's backend says of deliberately mismatched sound.

Belongs here: wiring of that stage. Does not belong here: mismatches, trials, thresholds (curation/sync_calibration.py).
"""

import hashlib
from collections.abc import Iterator, Mapping
from functools import partial

import numpy as np
import polars as pl

from speakervid_dag.assets import backends
from speakervid_dag.assets.crops import crops_of
from speakervid_dag.assets.recipes import weight_state
from speakervid_dag.assets.sound import RATE_HZ, sound_of
from speakervid_dag.assets.table_asset import table_asset
from speakervid_dag.curation import (
    active_speaker,
    binding_evidence,
    lip_backends,
    sync,
    sync_regression,
    synchrony_training,
)
from speakervid_dag.curation import sync_calibration as calibration
from speakervid_dag.curation.active_speaker import ActiveSpeakerBackend
from speakervid_dag.curation.sync_calibration import Sound, Trial, Voice
from speakervid_dag.failures import StageFailure, WeightsMissing
from speakervid_dag.lake.delta import DeltaLake
from speakervid_dag.lake.schemas import FACE_TRACKS, SPEECH_TURNS, SYNC_CALIBRATION, SYNC_SCORES, VIDEOS
from speakervid_dag.stage import Stage, VideoTask


@table_asset(
    SYNC_CALIBRATION,
    reads=[VIDEOS, SPEECH_TURNS, FACE_TRACKS, SYNC_SCORES],
    sections=["sync", "active_speaker", "binding", "calibration"],
    weights=lambda f: backends.active_speaker_weights(f.profile.active_speaker, f.lake),
    modules=[calibration, active_speaker, binding_evidence, lip_backends, sync, sync_regression, synchrony_training],
    kinds=frozenset({"numpy"}),
)
def sync_calibration(stage: Stage) -> Mapping[str, pl.DataFrame]:
    """Threshold and margin of synchrony from other people's voices and large shifts under the batch's talking faces."""
    basis = _basis(stage)
    try:
        backend = backends.synchrony_backend(stage.profile.active_speaker, _lake(stage))
    except WeightsMissing as problem:
        return {"sync_calibration": _none(stage, basis, problem)}
    voices = calibration.foreign_voices(stage["speech_turns"], stage.profile.calibration)
    videos = {video.video_id: video for video in stage.videos()}
    matched: list[float] = []
    mismatched: list[float] = []
    for video in videos.values():
        matched += [t.score for t in calibration.best_trials(_real(stage, video))]
        mismatched += [t.score for t in _mismatched(stage, video, videos, voices, backend)]
    earlier = _earlier(stage, backend.name, basis)
    found = calibration.calibrate(matched, mismatched, earlier, stage.profile.calibration, stage.profile.binding)
    row = {"batch": stage.batch, "backend": backend.name, "basis": basis, **found}
    return {"sync_calibration": SYNC_CALIBRATION.frame([row])}


def _none(stage: Stage, basis: str, problem: WeightsMissing) -> pl.DataFrame:
    row = calibration.calibrate([], [], {}, stage.profile.calibration, stage.profile.binding)
    row |= {"batch": stage.batch, "backend": stage.profile.active_speaker.synchrony, "basis": basis}
    return SYNC_CALIBRATION.frame([row | {"reason": problem.reason, "detail": problem.detail}])


def _real(stage: Stage, video: VideoTask) -> list[Trial]:
    """Trials under the video's own sound, from its stored scores."""
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
    """A speaker's speech; none where the sound cannot be read any more (its own stages have told)."""
    try:
        audio = sound_of(stage, video)
    except StageFailure:
        return np.zeros(0, np.float32)
    return calibration.speech_of(audio, video["speech_turns"].filter(pl.col("speaker_id") == speaker), RATE_HZ)


def _basis(stage: Stage) -> str:
    weights = [
        weight_state(name) for name in backends.active_speaker_weights(stage.profile.active_speaker, _lake(stage))
    ]
    settings = stage.profile.digest("sync", "active_speaker", "calibration", "binding")
    return hashlib.sha256("|".join([settings, *weights]).encode()).hexdigest()[:16]


def _lake(stage: Stage) -> DeltaLake:
    return DeltaLake(str(stage.settings.lake_dir))


def _earlier(stage: Stage, backend: str, basis: str) -> dict[str, list[float]]:
    """Mismatches of earlier batches, the nearest first: the order of batches decides, so a rerun gives the same.

    They are told in `pooled_batches` and are no part of the fingerprint (docs/decisions/0006).
    """
    same = (pl.col("batch") < stage.batch) & (pl.col("backend") == backend) & (pl.col("basis") == basis)
    known = _lake(stage).read(SYNC_CALIBRATION, where=same).sort("batch", descending=True)
    return dict(known.select("batch", "mismatched_scores").iter_rows())
