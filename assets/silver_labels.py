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
from speakervid_dag.curation.speaking import bindings, sync
from speakervid_dag.curation.speaking.pairs import Scene, pairs_of
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
    weights=backends.talking_weights,
    kinds=frozenset({"torch"}),
)
def active_speaker(stage: Stage) -> Mapping[str, pl.DataFrame]:
    """Score each face track frame by frame: does it talk, and do its lips agree with the sound?"""
    choice = stage.profile.active_speaker
    if choice.talking == "light_asd" and not backends.are_there([light_asd.WEIGHTS]):
        stage.log("the packaged lip network says who talks until `speakervid models pull light-asd`")

    def work(video: VideoTask) -> Mapping[str, Rows]:
        if video["face_tracks"].is_empty():
            return {"active_speaker": []}
        samples = sound_of(stage, video)
        with video.model():
            try:
                lips = backends.lip_network(stage.settings.lip_network)
                talking = backends.talking_network(choice)
            except WeightsMissing as problem:
                rows = unknown_rows(video["face_tracks"], LIP_NETWORK, problem.reason, problem.detail)
                return {"active_speaker": rows}
            rows = talking_rows(video["face_tracks"], samples, partial(crops_of, stage), lips, talking)
        return {"active_speaker": rows}

    return stage.each_video([ACTIVE_SPEAKER], work)


@makes(
    SYNC_SCORES,
    reads=[VIDEOS, SPEECH_TURNS, FACE_TRACKS, ACTIVE_SPEAKER],
    sections=["sync", "active_speaker"],
    weights=backends.synchrony_weights,
    kinds=frozenset({"torch"}),
)
def sync_scores(stage: Stage) -> Mapping[str, pl.DataFrame]:
    """Score each overlapping track and turn: Sync-C, Sync-D, offset, and how long the face talks."""
    choice = stage.profile.active_speaker

    def work(video: VideoTask) -> Mapping[str, Rows]:
        pairs = pairs_of(video["speech_turns"], video["face_tracks"], stage.profile.sync)
        if not pairs:
            return {"sync_scores": []}
        scene = Scene(pairs, sound_of(stage, video), RATE_HZ, partial(crops_of, stage))
        with video.model():  # loads it, the first time
            backend = backends.synchrony_backend(choice, stage.settings.lip_network)
            return {"sync_scores": sync.score_video(scene, video["active_speaker"], backend)}

    return stage.each_video([SYNC_SCORES], work)


@makes(
    SPEAKER_BINDINGS,
    reads=[VIDEOS, TURN_FACES, FACE_TRACKS, ACTIVE_SPEAKER, SPEECH_TURNS],
    sections=["binding"],
)
def speaker_bindings(stage: Stage) -> Mapping[str, pl.DataFrame]:
    """Bind the stretches of turns to faces, or abstain."""

    def work(video: VideoTask) -> Mapping[str, Rows]:
        faces, tracks, talking = video["turn_faces"], video["face_tracks"], video["active_speaker"]
        return {"speaker_bindings": bindings.bind_stretches(faces, tracks, talking, stage.profile.binding)}

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
