"""Silver, how good it is: every measurement of every clip.

Belongs here: wiring of the measurements. Does not belong here: formulas (speakervid_dag.curation), thresholds
(profiles).
"""

from collections.abc import Mapping

import polars as pl

from speakervid_dag.assets import backends
from speakervid_dag.assets.sound import RATE_HZ, sound_of
from speakervid_dag.assets.table_asset import table_asset
from speakervid_dag.curation import (
    audio_measures,
    camera_measures,
    clock,
    head_scores,
    person_measures,
    picture_measures,
)
from speakervid_dag.curation import clip_scores as scoring
from speakervid_dag.failures import StageFailure, WeightsMissing
from speakervid_dag.lake.schemas import (
    CLIP_SCORES,
    CLIPS,
    FACE_TRACKS,
    FRAME_SERIES,
    POSES,
    SPEECH_TURNS,
    SYNC_SCORES,
    TRANSCRIPTS,
    VIDEOS,
)
from speakervid_dag.models import speech_quality
from speakervid_dag.stage import Rows, Stage, VideoTask


@table_asset(
    CLIP_SCORES,
    reads=[VIDEOS, CLIPS, FACE_TRACKS, FRAME_SERIES, POSES, TRANSCRIPTS, SPEECH_TURNS, SYNC_SCORES],
    sections=["scores", "sampling"],
    weights=lambda _: ["dnsmos"],
    modules=[
        scoring,
        camera_measures,
        clock,
        head_scores,
        person_measures,
        picture_measures,
        audio_measures,
        speech_quality,
    ],
    kinds=frozenset({"numpy", "onnx"}),
)
def clip_scores(stage: Stage) -> Mapping[str, pl.DataFrame]:
    """Picture, face, words, sound and synchrony of each clip; what could not be measured says why."""

    def work(video: VideoTask) -> Mapping[str, Rows]:
        missing = dict(video.upstream)
        audio, dnsmos = None, None
        try:
            audio = sound_of(stage, video)
        except StageFailure as problem:
            missing["audio"] = problem.reason
        try:
            dnsmos = backends.speech_quality(stage.settings.threads).score
        except WeightsMissing as problem:
            missing["dnsmos"] = problem.reason
        parts = clock.PartClock()
        with video.model():
            rows = scoring.score_clips(
                video["clips"],
                stage["videos"].filter(pl.col("video_id") == video.video_id),
                video["face_tracks"],
                video["frame_series"],
                video["poses"],
                video["transcripts"],
                video["speech_turns"],
                video["sync_scores"],
                audio,
                RATE_HZ,
                stage.profile.scores,
                dnsmos,
                missing,
                sampling_disabled=stage.profile.sampling.disabled,
                clock=parts,
            )
        video.costs |= parts.spent_s
        return {"clip_scores": rows}

    return stage.each_video([CLIP_SCORES], work, tolerates=["transcripts", "sync_scores"])
