"""Silver score stage: every score of every clip.

Belongs here: wiring of the scores. Does not belong here: formulas (speakervid_dag.curation), thresholds (profiles).
"""

from collections.abc import Mapping

import polars as pl

from speakervid_dag.assets import backends
from speakervid_dag.assets.recipes import makes
from speakervid_dag.curation import clock
from speakervid_dag.curation.scores import clip as scoring
from speakervid_dag.curation.scores import dover as dover_views
from speakervid_dag.curation.scores import looks as clip_looks
from speakervid_dag.curation.scores import points as point_tracks
from speakervid_dag.failures import StageFailure, WeightsMissing
from speakervid_dag.lake.schemas import (
    CLIP_SCORES,
    CLIPS,
    FACE_TRACKS,
    FRAME_SERIES,
    POSES,
    SHOTS,
    SPEECH_TURNS,
    SYNC_SCORES,
    TRANSCRIPTS,
    VIDEOS,
)
from speakervid_dag.media import decode as decoding
from speakervid_dag.media import probe as probing
from speakervid_dag.media.budget import MediaBudget
from speakervid_dag.stages.sound import RATE_HZ, sound_of
from speakervid_dag.stages.stage import Rows, Stage, VideoTask

BUDGET = MediaBudget()


@makes(
    CLIP_SCORES,
    reads=[VIDEOS, SHOTS, CLIPS, FACE_TRACKS, FRAME_SERIES, POSES, TRANSCRIPTS, SPEECH_TURNS, SYNC_SCORES],
    sections=["scores", "sampling"],
    weights=lambda f: ["dnsmos", *backends.clip_look_weights(f.profile.scores)],
    kinds=frozenset({"numpy", "onnx"}),
)
def clip_scores(stage: Stage) -> Mapping[str, pl.DataFrame]:
    """Score picture, face, words, sound and synchrony of each clip; a missing value has a status with the reason."""

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
        looked = _looked_at(stage, video, parts)
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
                shots=video["shots"],
                looked=looked,
                sampling_disabled=stage.profile.sampling.disabled,
                clock=parts,
            )
        video.costs |= parts.spent_s
        return {"clip_scores": rows}

    return stage.each_video([CLIP_SCORES], work, tolerates=["transcripts", "sync_scores"])


def _looked_at(stage: Stage, video: VideoTask, parts: clock.PartClock) -> clip_looks.Answers:
    """Return the scores of the models that read clips' own pictures; the file is decoded only if one is available."""
    scores = stage.profile.scores
    with video.model():  # loads them, the first time
        makers = backends.clip_looks(scores, stage.settings.threads)
    clips, series = video["clips"].to_dicts(), video["frame_series"].to_dicts()
    plan = clip_looks.ClipLooks.plan(clips, series, makers, scores.disabled)
    if plan.is_needed:
        try:
            with video.media():
                info = probing.probe(video.path, BUDGET)
            with decoding.read_frames(video.path, info, BUDGET) as reader:
                plan.watch(video.timed(reader), parts)
        except StageFailure as problem:
            plan.give_up(problem.reason)
        video.model_s += sum(
            parts.spent_s.get(part, 0.0) for part in (dover_views.DoverLook.part, point_tracks.PointLook.part)
        )
    return plan.answers
