"""Following faces that a script moves: one track a face, no track over a cut, ends where the face ends."""

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import polars as pl
import pytest
from made_faces import Box, Stage, frame_at

from speakervid_dag.config.profiles import load_profile
from speakervid_dag.curation.faces.tracking import match
from speakervid_dag.curation.frames.frame_pass import FacePass, FacePassResult, ShotSpan
from speakervid_dag.lake.schemas import FACE_TRACKS, FRAME_SERIES, POSES

pytestmark = pytest.mark.heavy

PROFILE = load_profile("speakervid-5m")
ALL_ALIVE = PROFILE.liveness.model_copy(update={"min_leftover": 0.0})  # the faces here are stretches of one picture
LEFT, RIGHT = (100.0, 100.0, 180.0, 200.0), (400.0, 100.0, 480.0, 200.0)
Script = Callable[[int], Sequence[Box]]


def moved(box: Box, dx: float, dy: float = 0.0) -> Box:
    return box[0] + dx, box[1] + dy, box[2] + dx, box[3] + dy


def followed(stage: Stage, frames: int, cuts: Sequence[int] = (), step_s: float = 0.04) -> FacePassResult:
    edges = [0, *cuts, frames]
    shots = [ShotSpan(f"v-s{i:04d}", a * step_s, b * step_s) for i, (a, b) in enumerate(itertools.pairwise(edges))]
    face_pass = FacePass(
        "v", shots, PROFILE.tracking, PROFILE.identity, ALL_ALIVE, PROFILE.sampling, stage, stage, stage, stage
    )
    return face_pass.run(frame_at(i, step_s) for i in range(frames))


def centres_x(row: dict[str, pl.Series]) -> np.ndarray:
    boxes = np.array(row["boxes"].to_list()) * [640, 360, 640, 360]
    return (boxes[:, 0] + boxes[:, 2]) / 2


def test_two_moving_faces_are_two_tracks_that_stay_with_their_face() -> None:
    result = followed(Stage(lambda i: (moved(LEFT, i), moved(RIGHT, -i))), 50)

    assert [row["track_id"] for row in result.tracks] == ["v-s0000-t00", "v-s0000-t01"]
    for row, truth in zip(result.tracks, (140 + np.arange(50), 440 - np.arange(50)), strict=True):
        np.testing.assert_allclose(centres_x(row), truth, atol=1.5)
        assert (row["start_s"], row["end_s"]) == pytest.approx((0.0, 2.0))
    assert {row["person_id"] for row in result.tracks} == {"v-p00", "v-p01"}


def test_no_track_crosses_a_cut_even_when_the_face_stays() -> None:
    result = followed(Stage(lambda _: [LEFT]), 60, cuts=[31])

    assert [(r["shot_id"], r["start_s"], r["end_s"]) for r in result.tracks] == [
        ("v-s0000", pytest.approx(0.0), pytest.approx(1.24)),
        ("v-s0001", pytest.approx(1.24), pytest.approx(2.4)),
    ]


def test_a_track_ends_when_the_face_leaves_and_begins_when_one_comes() -> None:
    result = followed(Stage(lambda i: [LEFT] if i < 30 else [RIGHT] if i >= 60 else []), 100)

    assert len(result.tracks) == 2
    assert result.tracks[0]["end_s"] == pytest.approx(1.2, abs=0.041)
    assert 2.4 <= result.tracks[1]["start_s"] <= 2.4 + 1.0 / PROFILE.tracking.detections_hz + 0.041


def test_a_face_that_jumps_away_is_a_new_track() -> None:
    result = followed(Stage(lambda i: [LEFT] if i < 40 else [RIGHT]), 80)

    assert [float(np.ptp(centres_x(row))) < 5 for row in result.tracks] == [True, True]


def test_a_profile_lives_on_by_detections_alone_and_says_so() -> None:
    turned = range(30, 60)
    stage = Stage(lambda _: [LEFT], unmeshed=lambda i: [LEFT] if i in turned else [])

    (row,) = followed(stage, 90).tracks

    assert row["end_s"] == pytest.approx(3.6)
    assert [bool(s < 0.5) for s in row["mesh_score"]] == [i in turned for i in range(90)]


def test_a_mesh_the_detector_does_not_confirm_is_dropped() -> None:
    stage = Stage(lambda _: [LEFT], undetected=lambda i: [LEFT] if i >= 25 else [])

    (row,) = followed(stage, 150).tracks

    assert row["end_s"] <= 1.0 + PROFILE.tracking.max_undetected_s + 0.1


def test_a_detection_on_a_face_that_is_followed_starts_no_second_track() -> None:
    larger = (90.0, 70.0, 190.0, 215.0)
    stage = Stage(lambda _: [LEFT])
    find = stage.detect
    stage.detect = lambda images: [[*faces, type(faces[0])(larger)] for faces in find(images)]  # type: ignore[method-assign]

    assert len(followed(stage, 50).tracks) == 1


def test_a_blink_of_a_face_is_no_track() -> None:
    assert followed(Stage(lambda i: [LEFT] if i < 4 else []), 50).tracks == []


def test_the_detector_runs_a_few_times_a_second_and_at_each_shot_start() -> None:
    stage = Stage(lambda _: [LEFT])
    followed(stage, 100, cuts=[51])

    assert stage.detector_runs == pytest.approx(4 * PROFILE.tracking.detections_hz, abs=2)


@pytest.mark.parametrize(("fps", "tracked"), [(25, 50), (30, 60), (60, 60), (120, 60)])
def test_the_mesh_is_capped_but_every_frame_is_measured(fps: int, tracked: int) -> None:
    result = followed(Stage(lambda _: [LEFT]), 2 * fps, step_s=1 / fps)

    assert len(result.tracks[0]["boxes"]) == tracked
    assert len(result.frames[0]["luma"]) == 2 * fps
    assert result.frames[0]["face_count"].to_list() == [1.0] * (2 * fps)


def test_rows_fit_their_tables() -> None:
    result = followed(Stage(lambda _: [LEFT]), 60, cuts=[30])
    ids = {"batch": "b", "video_id": "v"}

    tracks = FACE_TRACKS.frame([ids | row for row in result.tracks])
    frames = FRAME_SERIES.frame([ids | row for row in result.frames])
    poses = POSES.frame([ids | row for row in result.poses])

    assert tracks["lip_shape"].list.len().to_list() == [30, 30]
    assert tracks["lip_shape"][0].list.len().unique().to_list() == [40]
    assert tracks["embedding_status"].to_list() == ["ok", "ok"]
    assert tracks["keypoints"][0].list.len().unique().to_list() == [10]
    assert frames.height == 2
    assert poses["track_id"].to_list() == tracks["track_id"].to_list()
    assert poses["body_status"].to_list() == ["weights_missing"] * 2
    assert poses["sample_times_s"].list.len().to_list() == [3, 3]
    assert set(result.spent_s) == {
        "detector",
        "mesh",
        "embedder",
        "luma",
        "camera",
        "texture",
        "face_repeat",
        "region",
        "liveness",
    }


def test_a_track_that_becomes_another_person_is_two_people() -> None:
    result = followed(Stage(lambda _: [LEFT], who=lambda i: int(i >= 150)), 400)

    first, second = result.tracks
    assert (first["person_id"], second["person_id"]) == ("v-p00", "v-p01")
    assert first["start_s"] == 0.0
    assert 4.8 <= first["end_s"] <= 6.0 <= second["start_s"] <= 7.2
    assert second["end_s"] == pytest.approx(16.0)
    assert [np.argmax(row["embedding"]) for row in result.tracks] == [0, 1]
    assert first["frame_times_s"][-1] < second["frame_times_s"][0]


@pytest.mark.parametrize(
    "who",
    [lambda i: int(150 <= i < 200), lambda i: i // 30 % 5, lambda i: 1 + i // 25 % 9 if i >= 150 else 0],
    ids=["unlike for 2 s", "never twice alike", "unlike, and unlike itself"],
)
def test_a_face_that_is_unlike_for_a_moment_stays_one_track(who: Callable[[int], int]) -> None:
    assert len(followed(Stage(lambda _: [LEFT], who=who), 400).tracks) == 1


def swaying(phase: float) -> dict[str, float]:
    return {
        "yaw": 8 * np.sin(phase),
        "pitch": 5 * np.cos(phase / 2),
        "roll": 4 * np.sin(phase / 3),
        "gap": 0.08 + 0.05 * np.sin(2 * phase),
    }


@pytest.mark.parametrize(("late", "is_copy"), [(0.0, True), (2.0, False)], ids=["one face twice", "two people"])
def test_a_second_picture_of_a_face_is_a_copy_and_a_second_person_is_none(late: float, is_copy: bool) -> None:
    stage = Stage(lambda _: [LEFT, RIGHT], pose=lambda i, face: swaying(i / 5 + late * (face == RIGHT)))

    left, right = followed(stage, 100).tracks

    assert sum(row["copy_of"] is not None for row in (left, right)) == is_copy
    assert (left["person_id"] == right["person_id"]) == is_copy
    assert {left["copy_of"], right["copy_of"]} - {None} <= {left["track_id"], right["track_id"]}


def test_two_faces_of_which_one_changes_keep_their_tracks() -> None:
    watched = Stage(lambda i: [LEFT, moved(RIGHT, i / 10)], who=lambda i: int(i >= 150))

    result = followed(watched, 300)

    assert len(result.tracks) == 4
    for row in result.tracks:
        assert np.ptp(centres_x(row)) < 40


def test_a_shot_without_frames_and_frames_outside_shots_do_not_derail() -> None:
    stage = Stage(lambda _: [LEFT])
    shots = [ShotSpan("v-s0000", 0.4, 1.2), ShotSpan("v-s0001", 5.0, 6.0)]
    face_pass = FacePass(
        "v", shots, PROFILE.tracking, PROFILE.identity, ALL_ALIVE, PROFILE.sampling, stage, stage, stage, stage
    )

    result = face_pass.run(frame_at(i) for i in range(60))

    assert [len(row["luma"]) for row in result.frames] == [20, 0]
    assert [(r["start_s"], r["end_s"]) for r in result.tracks] == [(pytest.approx(0.4), pytest.approx(1.2))]


def test_matching_prefers_the_greatest_total_overlap() -> None:
    tracks = [(0.0, 0.0, 10.0, 10.0), (4.0, 0.0, 14.0, 10.0)]
    found = [(3.0, 0.0, 13.0, 10.0), (20.0, 0.0, 30.0, 10.0)]

    assert match(tracks, found, 0.3) == [(1, 0)]
    assert match([], found, 0.3) == []
