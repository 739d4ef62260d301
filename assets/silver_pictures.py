"""Silver picture stage: face tracks and per-frame measurements, from one pass over the full frames.

Belongs here: wiring of the picture pass. Does not belong here: tracking (speakervid_dag.curation.frames.frame_pass).
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import polars as pl

from speakervid_dag.assets import backends
from speakervid_dag.assets.recipes import makes
from speakervid_dag.curation.frames import frame_pass as face_pass
from speakervid_dag.curation.frames import log as frame_log
from speakervid_dag.lake.schemas import FACE_TRACKS, FRAME_SERIES, POSES, SHOTS, VIDEOS
from speakervid_dag.media import decode as decoding
from speakervid_dag.media import probe as probing
from speakervid_dag.media.budget import MediaBudget
from speakervid_dag.stages.crops import keep_crops
from speakervid_dag.stages.stage import Rows, Stage, VideoTask

BUDGET = MediaBudget()


@makes(
    FACE_TRACKS,
    POSES,
    FRAME_SERIES,
    reads=[VIDEOS, SHOTS],
    sections=["tracking", "identity", "liveness", "sampling"],
    weights=lambda f: backends.picture_weights(f.settings.face_pack),
    kinds=frozenset({"insightface"}),
    pool="faces",
)
def face_tracks(stage: Stage) -> Mapping[str, pl.DataFrame]:
    """Track faces through each shot: mesh, head pose, lips, identity; one person_id across the video's shots."""
    tracking, identity_settings = stage.profile.tracking, stage.profile.identity

    def work(video: VideoTask) -> Mapping[str, Rows]:
        pack, threads = stage.settings.face_pack, stage.settings.threads
        shots = [shot_of(row, tracking.long_side_px) for row in video["shots"].iter_rows(named=True)]
        with video.model():  # loads them, the first time
            detector = backends.face_detector(
                pack, tracking.detector_long_side_px, tracking.min_detection_score, threads
            )
            mesher, embedder = backends.face_mesh(threads), backends.face_embedder(pack, threads)
            people = backends.person_models(threads)
            text = "off" if stage.profile.sampling.is_off("text") else backends.text_detector(threads)
        with video.media():
            info = probing.probe(video.path, BUDGET)
        pass_ = face_pass.FacePass(
            video.video_id,
            shots,
            tracking,
            identity_settings,
            stage.profile.liveness,
            stage.profile.sampling,
            detector,
            mesher,
            embedder,
            people,
            partial(keep_crops, stage),
            text=text,
        )
        size, full_hz = tracking.long_side_px, stage.profile.sampling.full_hz
        with decoding.read_frames(video.path, info, BUDGET, max_long_side_px=size, full_hz=full_hz) as reader:
            found = pass_.run(video.timed(reader))
        video.costs |= found.spent_s
        video.model_s += sum(s for part, s in found.spent_s.items() if part in face_pass.MODEL_PARTS)
        return {"face_tracks": found.tracks, "poses": found.poses, "frame_series": found.frames}

    return stage.each_video([FACE_TRACKS, POSES, FRAME_SERIES], work)


def shot_of(row: Mapping[str, Any], long_side_px: int) -> frame_log.Shot:
    """Convert a row of `shots` to the picture pass's type."""
    is_shrunk = max(row["width_px"] or 0, row["height_px"] or 0) > long_side_px
    return frame_log.Shot(row["shot_id"], row["start_s"], row["end_s"], is_shrunk)
