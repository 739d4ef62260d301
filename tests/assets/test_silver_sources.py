"""The stage that compares sources: with those of its batch and of earlier ones, never with later ones."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from rows import frame

from speakervid_dag.assets.silver_sources import NEAR_DUPLICATES, near_duplicates
from speakervid_dag.config.profiles import load_profile
from speakervid_dag.config.settings import load_settings
from speakervid_dag.lake.schemas import VIDEOS
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.lake.storage.slices import Slice
from speakervid_dag.stages.stage import Stage

pytestmark = pytest.mark.heavy


def video(video_id: str, seed: int, skip_s: int = 0) -> dict[str, object]:
    """20 s of a picture that changes all the time, without its first `skip_s`."""
    rng = np.random.default_rng(seed)
    looks, activity = rng.integers(-(2**62), 2**62, 40).tolist(), rng.random(100).tolist()
    return {
        "video_id": video_id,
        "status": "ok",
        "duration_s": 20.0 - skip_s,
        "look_hashes": looks[2 * skip_s :],
        "activity": activity[5 * skip_s :],
    }


def found(root: Path, batch: str, videos: dict[str, list[dict[str, object]]]) -> pl.DataFrame:
    frames = {b: frame(VIDEOS, [{"batch": b, **v} for v in rows]) for b, rows in videos.items()}
    for b, rows in frames.items():
        DeltaLake(str(root)).replace(VIDEOS, rows, [(Slice({"batch": b}), 1)], {"run_id": "r"})
    settings = load_settings(lake=root)
    stage = Stage("near_duplicates", batch, "r", 1, settings, load_profile("laptop"), {"videos": frames[batch]})
    made = near_duplicates.compute(stage)["near_duplicates"]
    assert made.schema == NEAR_DUPLICATES.schema
    assert {o["status"] for o in stage.outcomes} == {"ok"}
    return made.select("video_id", "duplicate_of", "start_s", "end_s", "offset_s", "share")


def test_a_source_is_the_duplicate_of_an_earlier_batch_and_of_its_own_never_of_a_later(tmp_path: Path) -> None:
    videos = {
        "b1": [video("v9", 1)],
        "b2": [video("v1", 1, skip_s=3), video("v2", 2), video("v3", 2), video("v4", 4)],
        "b3": [video("v0", 4)],
    }

    assert found(tmp_path, "b2", videos).rows() == [
        ("v1", "v9", 0.0, 17.0, 3.0, 1.0),
        ("v3", "v2", 0.0, 20.0, 0.0, 1.0),
    ]


def test_a_source_that_was_fingerprinted_by_no_pass_is_compared_with_nothing(tmp_path: Path) -> None:
    bare = {**video("v1", 1), "look_hashes": None, "activity": None}

    assert found(tmp_path, "b2", {"b1": [video("v0", 1)], "b2": [bare]}).is_empty()
    assert found(tmp_path, "b2", {"b1": [bare], "b2": [video("v2", 1)]}).is_empty()
