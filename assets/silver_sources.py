"""Silver source stage: content that an earlier source also shows.

Belongs here: wiring of the stage that compares videos. Does not belong here: the comparison (speakervid_dag.curation).
"""

from collections.abc import Mapping

import polars as pl

from speakervid_dag.assets.recipes import makes
from speakervid_dag.curation.sources import near_duplicates as duplicates
from speakervid_dag.curation.sources.fingerprints import Fingerprint
from speakervid_dag.lake.schemas import NEAR_DUPLICATES, VIDEOS
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.stages.stage import Rows, Stage, VideoTask

LOOKS = ["video_id", "look_hashes"]


@makes(
    NEAR_DUPLICATES,
    reads=[VIDEOS],
    sections=["near_duplicates"],
    kinds=frozenset({"numpy"}),
)
def near_duplicates(stage: Stage) -> Mapping[str, pl.DataFrame]:
    """Find stretches that an earlier source shows; earlier by the order of batches, then of ids within a batch."""
    settings = stage.profile.near_duplicates
    lake = DeltaLake(str(stage.settings.lake_dir))
    own = stage["videos"].filter(pl.col("look_hashes").is_not_null()).sort("video_id")
    is_known = (pl.col("batch") < stage.batch) & pl.col("look_hashes").is_not_null()
    known = lake.read(VIDEOS, where=is_known, columns=LOOKS)
    near = duplicates.candidates(own.select(LOOKS).rows(), known.rows(), settings)
    is_near = is_known & pl.col("video_id").is_in(sorted({v for found in near.values() for v in found}))
    columns = [*LOOKS, "activity"]
    stored = lake.read(VIDEOS, where=is_near, columns=columns)
    prints = {row[0]: Fingerprint(*row[1:]) for row in pl.concat([own.select(columns), stored]).iter_rows()}

    def work(video: VideoTask) -> Mapping[str, Rows]:
        rows = [
            {"duplicate_of": other, **row}
            for other in near.get(video.video_id, [])
            for row in duplicates.duplicate_rows(
                prints[video.video_id], prints[other], float(video.row["duration_s"]), settings
            )
        ]
        return {"near_duplicates": rows}

    return stage.each_video([NEAR_DUPLICATES], work)
