"""Lip sync on made-up conversations: the offset and its sign, own against foreign voice, what cannot be measured."""

import numpy as np
import polars as pl
import pytest
from conversations import RATE_HZ, Video, lips, loudness, sound, sync_settings

from speakervid_dag.curation.speaking.sync import score_video
from speakervid_dag.lake.schemas import SYNC_SCORES

TIMES = np.arange(0, 10, 0.04)


def scores(video: Video, audio: np.ndarray) -> pl.DataFrame:
    return score_video(video.turns, video.tracks, audio, RATE_HZ, sync_settings())


def one_face(late_s: float = 0.0, times: np.ndarray = TIMES) -> Video:
    video = Video()
    video.add_shot(0.0, 10.0)
    video.add_track("p00", times, lips(loudness(10, 1), times, late_s=late_s))
    video.add_turn("A", 0.5, 9.5)
    return video


@pytest.mark.parametrize("late_frames", [-10, -3, 0, 7])
def test_offset_is_positive_when_the_sound_is_late(late_frames: int) -> None:
    found = scores(one_face(late_frames / 25), sound(loudness(10, 1)))
    assert found.schema == SYNC_SCORES.schema
    assert found["status"].to_list() == ["ok"]
    assert abs(found["offset_frames"][0] - late_frames) <= 1
    assert len(found["lag_curve"][0]) == 2 * sync_settings().max_lag_frames + 1


def test_irregular_frames_are_read_by_their_times() -> None:
    kept = np.random.default_rng(3).random(len(TIMES)) > 0.25
    found = scores(one_face(0.2, TIMES[kept]), sound(loudness(10, 1)))
    assert abs(found["offset_frames"][0] - 5) <= 1


def test_own_voice_scores_above_a_foreign_one() -> None:
    own = scores(one_face(), sound(loudness(10, 1)))
    foreign = scores(one_face(), sound(loudness(10, 2)))
    assert own["sync_conf"][0] > 3
    assert own["sync_conf"][0] > foreign["sync_conf"][0] + 2
    assert own["sync_dist"][0] < foreign["sync_dist"][0]


def test_of_two_moving_mouths_the_speakers_scores_higher_in_each_turn() -> None:
    video = Video()
    video.add_shot(0.0, 10.0)
    first, second = loudness(10, 1), loudness(10, 2)
    a = video.add_track("p00", TIMES, lips(first, TIMES, seed=1))
    b = video.add_track("p01", TIMES, lips(second, TIMES, seed=2))
    half = len(first) // 2
    for speaker, start, end in (("A", 0.2, 2.4), ("B", 5.1, 7.4), ("A", 2.6, 4.9), ("B", 7.6, 9.9)):
        video.add_turn(speaker, start, end)
    found = scores(video, sound(np.concatenate([first[:half], second[half:]])))
    best = found.sort("sync_conf").group_by("turn_id", maintain_order=True).last()
    speakers = dict(video.turns.select("turn_id", "speaker_id").iter_rows())
    assert {(speakers[t], track) for t, track in best.select("turn_id", "track_id").iter_rows()} == {("A", a), ("B", b)}


def test_a_still_mouth_does_not_talk() -> None:
    video = Video()
    video.add_track("p00", TIMES, lips(np.zeros(2000), TIMES))
    video.add_track("p01", TIMES, lips(loudness(10, 1), TIMES))
    video.add_turn("A", 1.0, 9.0)
    still, moving = scores(video, sound(loudness(10, 1)))["talking_score"].to_list()
    assert still < 0.2 < 0.5 < moving


def test_every_pair_has_a_row_and_what_is_missing_has_a_reason() -> None:
    video = one_face()
    video.add_turn("B", 8.7, 9.5)
    hidden = video.add_track("p01", TIMES, lips(loudness(10, 4), TIMES))
    video.rows["tracks"][-1]["mesh_score"] = [0.1] * len(TIMES)
    found = scores(video, sound(loudness(10, 1)))
    assert found.height == 4
    missing = found.filter(pl.col("status") == "not_evaluated")
    assert set(missing["reason"].to_list()) == {"mouth_not_visible", "too_short"}
    assert missing.filter(pl.col("track_id") == hidden)["talking_score"].null_count() == 2
    assert missing["sync_conf"].null_count() == missing.height


def test_frames_without_a_mesh_are_holes_not_errors() -> None:
    video = one_face()
    shape = video.rows["tracks"][0]["lip_shape"]
    assert isinstance(shape, list)
    video.rows["tracks"][0]["lip_shape"] = [[] if i % 10 == 3 else row for i, row in enumerate(shape)]
    assert scores(video, sound(loudness(10, 1)))["status"].to_list() == ["ok"]


def test_sound_that_ends_before_the_turn_is_told() -> None:
    found = scores(one_face(), np.zeros(100, np.float32))
    assert found["reason"].to_list() == ["no_sound"]


def test_nothing_in_common_gives_no_rows() -> None:
    video = one_face()
    video.rows["turns"].clear()
    video.add_turn("A", 9.9, 12.0)
    assert scores(video, sound(loudness(12, 1))).is_empty()
