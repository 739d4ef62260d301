"""Sync-C, Sync-D and offset of every pair of track and turn, with a network of known answers, and what has no score."""

from collections.abc import Mapping

import numpy as np
import polars as pl
import pytest
from conversations import RATE_HZ, Video, sync_settings
from numpy.typing import NDArray

from speakervid_dag.curation.faces.crops import CropCollector, FaceCrops
from speakervid_dag.curation.speaking.lip_scores import ZERO_FRAMES
from speakervid_dag.curation.speaking.lip_synchrony import LipSynchrony
from speakervid_dag.curation.speaking.pairs import MAX_LAG, Scene, pairs_of
from speakervid_dag.curation.speaking.sync import score_video
from speakervid_dag.lake.schemas import ACTIVE_SPEAKER, SYNC_SCORES

Floats = NDArray[np.float32]
TIMES = np.arange(0, 10, 0.04)
OWN, FOREIGN = "v1-s0000-t00", "v1-s0000-t01"


class Lips:
    """Lips of a bright face fit the sound `late` frames later, those of a dark one nowhere."""

    def __init__(self, late: int = 0) -> None:
        self.late, self.asked = late, 0

    def sound(self, samples: Floats, frames: int) -> int:
        assert frames == max(1, len(samples) // 640)
        return frames

    def mouth(self, mouths: NDArray[np.uint8], *_: object) -> Floats:
        self.asked += 1
        return np.asarray(mouths.mean(axis=(1, 2)) > 128, np.float32)

    def synchrony(self, mouth: Floats, sound: int, first: int) -> Floats:
        near = np.full((len(mouth), 2 * MAX_LAG + 1), 0.1, np.float32)
        near[:, MAX_LAG + self.late] += 0.4 * mouth
        return near

    def talking(self, mouth: Floats, sound: int, first: int, lag: int = 0) -> Floats:
        raise AssertionError("it is asked for synchrony alone")


def pictures(brightness: int) -> FaceCrops:
    kept = CropCollector()
    for time_s in TIMES:
        kept.add(float(time_s), np.full((60, 100, 3), brightness, np.uint8), (20.0, 12.0, 40.0, 30.0))
    return kept.done()


CROPS: Mapping[str, FaceCrops] = {OWN: pictures(200), FOREIGN: pictures(40)}


@pytest.fixture
def video() -> Video:
    """Two faces in one shot; A speaks 0.5 to 4.5 s, B 5 to 9 s."""
    made = Video()
    made.add_shot(0.0, 10.0)
    made.add_track("p00", TIMES)
    made.add_track("p01", TIMES)
    made.add_turn("A", 0.5, 4.5)
    made.add_turn("B", 5.0, 9.0)
    return made


def scores(
    video: Video, lips: Lips, talking: pl.DataFrame | None = None, seconds: float = 10, crops: object = CROPS.get
) -> pl.DataFrame:
    pairs = pairs_of(video.turns, video.tracks, sync_settings())
    scene = Scene(pairs, np.zeros(round(seconds * RATE_HZ), np.float32), RATE_HZ, crops)  # type: ignore[arg-type]
    return score_video(scene, ACTIVE_SPEAKER.empty() if talking is None else talking, LipSynchrony(lips))


@pytest.mark.parametrize("late", [-10, 0, 7])
def test_offset_is_positive_when_the_sound_is_late(video: Video, late: int) -> None:
    found = scores(video, Lips(late))
    assert found.schema == SYNC_SCORES.schema
    own, foreign = (found.filter(track_id=name) for name in (OWN, FOREIGN))
    assert own["offset_frames"].to_list() == [pytest.approx(late + ZERO_FRAMES)] * 2
    assert own["sync_conf"].to_list() == [pytest.approx(8.0)] * 2, "20 * 0.4"
    assert own["sync_dist"].to_list() == [pytest.approx(10.0)] * 2, "20 * (1 - 0.5)"
    assert foreign["sync_conf"].to_list() == [pytest.approx(0.0, abs=1e-5)] * 2
    assert [len(curve) for curve in found["lag_distances"]] == [2 * MAX_LAG + 1] * 4


def test_each_track_is_looked_at_once(video: Video) -> None:
    lips = Lips()
    scores(video, lips)
    assert lips.asked == 2


def test_how_long_a_face_talks_is_what_active_speaker_says(video: Video) -> None:
    half = {"track_id": OWN, "start_s": 0.0, "backend": "x", "status": "ok", "reason": None}
    half["log_odds"] = [1.0] * 63 + [-1.0] * 62 + [None] * 125  # type: ignore[assignment]
    lost = {"track_id": FOREIGN, "start_s": 0.0, "log_odds": [], "backend": "x", "status": "not_evaluated"}
    found = scores(video, Lips(), ACTIVE_SPEAKER.frame([half, lost])).sort("track_id", "start_s")
    assert found["talking_score"].to_list() == [pytest.approx(0.5, abs=0.02), None, None, None]
    assert found["talking_backend"].to_list() == ["x"] * 4


def test_what_cannot_be_measured_has_a_reason(video: Video) -> None:
    video.add_turn("B", 9.9, 12.0)  # too short a common time for a row
    video.add_track("p02", TIMES[:3])
    assert scores(video, Lips()).height == 4
    kept = CropCollector()
    kept.add(9.8, np.zeros((60, 100, 3), np.uint8), (20.0, 12.0, 40.0, 30.0))
    few = scores(video, Lips(), crops=lambda name: kept.done())
    assert set(few["reason"].to_list()) == {"too_short"}
    gone = scores(video, Lips(), crops=lambda name: None)
    assert set(gone["reason"].to_list()) == {"no_face_pictures"}
    assert gone["sync_conf"].null_count() == 4
    silent = scores(video, Lips(), seconds=4)
    assert silent.filter(pl.col("start_s") == 5.0)["reason"].to_list() == ["no_sound"] * 2
    assert silent.filter(pl.col("start_s") == 0.5)["status"].to_list() == ["ok"] * 2


def test_nothing_in_common_gives_no_rows(video: Video) -> None:
    video.rows["turns"].clear()
    video.add_turn("A", 9.9, 12.0)
    lips = Lips()
    assert scores(video, lips).is_empty()
    assert lips.asked == 0
