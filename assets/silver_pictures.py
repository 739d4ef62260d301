"""Silver, what is seen: face tracks and per-frame measurements, from one pass over the full frames.

Belongs here: wiring of the picture pass. Does not belong here: tracking (speakervid_dag.curation.face_pass).
"""

from collections.abc import Mapping

import polars as pl

from speakervid_dag.assets.table_asset import table_asset
from speakervid_dag.curation import face_geometry, face_pass, frame_measures, person_clusters, tracking
from speakervid_dag.lake.schemas import FACE_TRACKS, FRAME_SERIES, SHOTS, VIDEOS
from speakervid_dag.models import faces, identity, mesh
from speakervid_dag.stage import Rows, Stage, VideoTask


@table_asset(
    FACE_TRACKS,
    FRAME_SERIES,
    reads=[VIDEOS, SHOTS],
    sections=["tracking", "identity"],
    weights=lambda _: ["centerface", "face_mesh", "dlib_face"],
    modules=[face_geometry, face_pass, frame_measures, person_clusters, tracking, faces, identity, mesh],
    kinds=frozenset({"insightface"}),
    pool="faces",
)
def face_tracks(stage: Stage) -> Mapping[str, pl.DataFrame]:
    """Faces followed through each shot, with mesh, head pose, lips and identity; one person_id over the video's shots."""

    def work(video: VideoTask) -> Mapping[str, Rows]: ...

    return stage.each_video([FACE_TRACKS, FRAME_SERIES], work)
