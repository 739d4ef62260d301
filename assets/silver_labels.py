"""Silver label stages: lip sync, bindings, people, clips.

Belongs here: wiring of the label stages. Does not belong here: deciding labels (speakervid_dag.curation).
"""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

import polars as pl

from speakervid_dag.assets import backends
from speakervid_dag.assets.recipes import DataVersions, makes
from speakervid_dag.curation.clips import boundaries
from speakervid_dag.curation.faces import clusters as person_clusters
from speakervid_dag.curation.faces import people as describing
from speakervid_dag.curation.speaking import bindings as binding
from speakervid_dag.curation.speaking import stretch_bindings, sync
from speakervid_dag.curation.speaking import sync_calibration as calibration
from speakervid_dag.curation.speaking.lip_backends import LipMotion
from speakervid_dag.curation.speaking.talking_series import LIP_NETWORK, talking_rows, unknown_rows
from speakervid_dag.failures import WeightsMissing
from speakervid_dag.lake.schemas import (
    ACTIVE_SPEAKER,
    CLIPS,
    DROPPED_SPANS,
    FACE_TRACKS,
    PEOPLE,
    SHOTS,
    SPEAKER_BINDINGS,
    SPEECH_TURNS,
    SYNC_CALIBRATION,
    SYNC_SCORES,
    TURN_FACES,
    VIDEOS,
)
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.lake.storage.slices import Slice, data_version_of
from speakervid_dag.models import light_asd
from speakervid_dag.stages.crops import crops_of
from speakervid_dag.stages.sound import RATE_HZ, sound_of
from speakervid_dag.stages.stage import Rows, Stage, VideoTask

if TYPE_CHECKING:
    from speakervid_dag.assets.resources import Lakehouse


@makes(
    ACTIVE_SPEAKER,
    reads=[VIDEOS, FACE_TRACKS],
    sections=["active_speaker"],
    weights=lambda f: backends.talking_weights(f.profile.active_speaker),
    kinds=frozenset({"torch"}),
)
def active_speaker(stage: Stage) -> Mapping[str, pl.DataFrame]:
    """Score each face track frame by frame: does it talk, and do its lips agree with the sound?"""
    choice = stage.profile.active_speaker
    if choice.talking == "light_asd" and not backends.are_there([light_asd.WEIGHTS]):
        stage.log("the packaged lip network says who talks until `speakervid models pull light-asd`")

    def work(video: VideoTask) -> Mapping[str, Rows]:
        if choice.talking == "lip_motion" or video["face_tracks"].is_empty():
            return {"active_speaker": []}
        samples = sound_of(stage, video)
        with video.model():
            try:
                lips, talking = backends.lip_network(), backends.talking_network(choice)
            except WeightsMissing as problem:
                rows = unknown_rows(video["face_tracks"], LIP_NETWORK, problem.reason, problem.detail)
                return {"active_speaker": rows}
            rows = talking_rows(video["face_tracks"], samples, partial(crops_of, stage), lips, talking)
        return {"active_speaker": rows}

    return stage.each_video([ACTIVE_SPEAKER], work)


@makes(
    SYNC_SCORES,
    reads=[VIDEOS, SPEECH_TURNS, FACE_TRACKS],
    sections=["sync", "active_speaker"],
    weights=lambda f: backends.synchrony_weights(f.profile.active_speaker, f.lake),
    kinds=frozenset({"numpy"}),
)
def sync_scores(stage: Stage) -> Mapping[str, pl.DataFrame]:
    """Score active-speaker evidence of each overlapping track and turn: talking score, Sync-C, Sync-D, offset."""
    choice, lake = stage.profile.active_speaker, DeltaLake(str(stage.settings.lake_dir))

    def work(video: VideoTask) -> Mapping[str, Rows]:
        if video["speech_turns"].is_empty() or video["face_tracks"].is_empty():
            return {"sync_scores": []}
        samples = sound_of(stage, video)
        with video.model():  # loads them, the first time
            synchrony = backends.synchrony_backend(choice, lake)
            scores = sync.score_video(
                video["speech_turns"],
                video["face_tracks"],
                samples,
                RATE_HZ,
                stage.profile.sync,
                LipMotion(),
                synchrony,
                partial(crops_of, stage),
            )
        return {"sync_scores": scores}

    return stage.each_video([SYNC_SCORES], work)


def _lake_threshold(lakehouse: "Lakehouse", recorded: DataVersions, batch: str) -> int:
    """Return a hash of the current synchrony threshold, which the mismatches of all batches determine."""
    known = recorded.once(
        "calibrations",
        lambda: lakehouse.lake.read(
            SYNC_CALIBRATION,
            version=recorded.versions.get(SYNC_CALIBRATION.name),
            columns=calibration.POOLED_COLUMNS,
        ),
    )
    own = known.filter(pl.col("batch") == batch)
    threshold = calibration.threshold_for(own, known, lakehouse.profile.calibration)
    return data_version_of(f"{threshold}")


@makes(
    SPEAKER_BINDINGS,
    reads=[VIDEOS, SHOTS, SPEECH_TURNS, TURN_FACES, FACE_TRACKS, SYNC_SCORES, SYNC_CALIBRATION],
    sections=["binding", "calibration"],
    cross_batch=_lake_threshold,
)
def speaker_bindings(stage: Stage) -> Mapping[str, pl.DataFrame]:
    """Bind turns to faces, or abstain: by the joint inference's stretches, or by all evidence about whole turns."""
    known = DeltaLake(str(stage.settings.lake_dir)).read(SYNC_CALIBRATION, columns=calibration.POOLED_COLUMNS)
    threshold = calibration.threshold_for(stage["sync_calibration"], known, stage.profile.calibration)
    settings = calibration.calibrated(stage.profile.binding, threshold)

    def work(video: VideoTask) -> Mapping[str, Rows]:
        turns, tracks, faces = video["speech_turns"], video["face_tracks"], video["turn_faces"]
        if faces.is_empty():
            rows = binding.bind_video(video["shots"], turns, tracks, video["sync_scores"], settings)
        else:
            rows = stretch_bindings.bind_stretches(faces, tracks, settings)
        return {"speaker_bindings": rows}

    return stage.each_video([SPEAKER_BINDINGS], work)


def _earlier_people(lakehouse: "Lakehouse", recorded: DataVersions, batch: str) -> int | None:
    """Return a hash of the marks of the people of earlier batches; None if there are none."""

    def before_each() -> dict[str, int | None]:
        found: dict[str, int | None] = {}
        so_far = None
        for name in sorted(lakehouse.book.names()):
            found[name] = so_far
            data_version = recorded.of(PEOPLE, Slice({"batch": name}))
            if data_version is not None:
                so_far = data_version_of(str(so_far), name, str(data_version))
        return found

    return recorded.once("people before each batch", before_each).get(batch)


@makes(
    PEOPLE,
    reads=[VIDEOS, SPEECH_TURNS, FACE_TRACKS, SPEAKER_BINDINGS],
    sections=["identity"],
    cross_batch=_earlier_people,
)
def people(stage: Stage) -> Mapping[str, pl.DataFrame]:
    """Describe people, one row per person; `identity_id` links them to earlier batches by face."""

    def work(video: VideoTask) -> Mapping[str, Rows]:
        rows = describing.describe_people(video["face_tracks"], video["speech_turns"], video["speaker_bindings"])
        return {"people": rows}

    found = stage.each_video([PEOPLE], work, tolerates=["speech_turns", "sync_scores", "speaker_bindings"])["people"]
    return {"people": person_clusters.link_identities(found, _known_people(stage), stage.profile.identity)}


def _known_people(stage: Stage) -> pl.DataFrame:
    """Return the people of earlier batches. The batch order decides who was first, so reruns give the same result."""
    lake = DeltaLake(str(stage.settings.lake_dir))
    are_known = (pl.col("batch") < stage.batch) & pl.col("face_embedding").is_not_null()
    return lake.read(PEOPLE, where=are_known, columns=person_clusters.KNOWN_COLUMNS)


@makes(
    CLIPS,
    DROPPED_SPANS,
    reads=[VIDEOS, SHOTS, SPEECH_TURNS, FACE_TRACKS, SPEAKER_BINDINGS, SYNC_SCORES],
    sections=["clips"],
)
def clips(stage: Stage) -> Mapping[str, pl.DataFrame]:
    """Cut clips: 3-14 s of one person in one shot, talking or listening; other time is listed in `dropped_spans`."""

    def work(video: VideoTask) -> Mapping[str, Rows]:
        made, dropped = boundaries.make_clips(
            video["shots"],
            video["face_tracks"],
            video["speech_turns"],
            video["speaker_bindings"],
            video["sync_scores"],
            stage.profile.clips,
        )
        return {"clips": made, "dropped_spans": dropped}

    return stage.each_video([CLIPS, DROPPED_SPANS], work)
