"""The generated files: what their truth says is what is in them."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from speakervid_dag.demo import DemoVideo, generate
from speakervid_dag.demo.acting import FPS, HOP, Pose, blinks, mouth
from speakervid_dag.demo.compose import poses
from speakervid_dag.demo.materials import PORTRAITS, Find, Samples, load_picture
from speakervid_dag.demo.puppet import Puppet
from speakervid_dag.media.budget import MediaBudget
from speakervid_dag.media.decode import read_frames
from speakervid_dag.media.probe import probe

pytestmark = pytest.mark.heavy


def frames_of(path: Path) -> list[NDArray[np.uint8]]:
    budget = MediaBudget()
    with read_frames(path, probe(path, budget), budget) as reader:
        return [frame.image for frame in reader]


def test_every_kind_is_made(stand_in_videos: list[DemoVideo]) -> None:
    assert [v.plan.kind for v in stand_in_videos] == ["split", "cuts", "degraded", "voiceover"]
    verdicts = [json.loads(v.truth_path.read_text())["expected_quality"]["verdict"] for v in stand_in_videos]
    assert verdicts == ["ok", "ok", "ok", "no_talking"]


def test_files_are_as_long_and_large_as_the_truth_says(stand_in_videos: list[DemoVideo]) -> None:
    for video in stand_in_videos:
        truth, info = json.loads(video.truth_path.read_text()), probe(video.path, MediaBudget())
        assert truth["file"] == video.path.name
        assert (info.width_px, info.height_px, info.has_audio) == (truth["width"], truth["height"], True)
        assert info.frame_count == round(truth["duration_s"] * FPS)
        assert info.duration_s == pytest.approx(truth["duration_s"], abs=0.06)


def test_truth_is_consistent(stand_in_videos: list[DemoVideo]) -> None:
    for video in stand_in_videos:
        truth: dict[str, Any] = json.loads(video.truth_path.read_text())
        shots, end_s = truth["shots"], truth["duration_s"]
        assert shots[0]["start_s"] == 0
        assert shots[-1]["end_s"] == end_s
        for turn in truth["turns"]:
            assert 0 <= turn["start_s"] < turn["end_s"] <= end_s
            for a, b in turn["visible"]:
                assert turn["start_s"] <= a < b <= turn["end_s"]
                assert any(s["start_s"] <= a and b <= s["end_s"] for s in shots)
        for face in truth["faces"]:
            assert {"start_s": face["start_s"], "end_s": face["end_s"]} in shots
            outer, inner = face["box"], face["face_box"]
            assert outer[0] <= inner[0] < inner[2] <= outer[2]
            assert outer[1] <= inner[1] < inner[3] <= outer[3]


def test_both_listening_modes_and_a_dialogue_exist(stand_in_videos: list[DemoVideo]) -> None:
    truths = [json.loads(v.truth_path.read_text()) for v in stand_in_videos]
    long = {r["mode"] for t in truths for r in t["listening"] if r["end_s"] - r["start_s"] >= 3}
    assert long == {"co_present", "non_co_present"}
    assert truths[0]["dialogue_pairs"]


def test_a_cut_changes_the_picture_and_nothing_else_does(stand_in_videos: list[DemoVideo]) -> None:
    video = next(v for v in stand_in_videos if v.plan.kind == "cuts")
    images = [image[::4, ::4].astype(np.float32) for image in frames_of(video.path)]
    change = np.array([np.abs(b - a).mean() for a, b in itertools.pairwise(images)])
    cuts = [shot.start - 1 for shot in video.plan.shots[1:]]
    assert sorted(np.argsort(change)[-len(cuts) :]) == cuts
    assert change[cuts].min() > 3 * np.delete(change, cuts).max()


def test_the_same_seed_gives_the_same_video_and_another_does_not(stand_in: Find, tmp_path: Path) -> None:
    # pictures are compared, not bytes: the H.264 encoder's packets differ now and then for the same input
    first, again, other = (
        np.stack(frames_of(video.path)).astype(np.float64)
        for i, seed in enumerate((5, 5, 6))
        for video in generate(tmp_path / str(i), seed=seed, find=stand_in, names=("demo_blurred",), longest_s=1.0)
    )
    assert np.abs(first - other).mean() > 4 * np.abs(first - again).mean()


def test_a_silent_face_keeps_its_mouth_shut(stand_in_videos: list[DemoVideo]) -> None:
    video = next(v for v in stand_in_videos if v.plan.kind == "split")
    acted = poses(video.plan, 3)
    for person, series in acted.items():
        spoken = np.zeros(video.plan.frames, bool)
        for turn in (t for t in video.plan.turns if t.person == person):
            spoken[max(0, int(turn.start_s * FPS) - 3) : int(turn.end_s * FPS) + 4] = True
        opening = np.array([pose.opening for pose in series])
        assert opening[~spoken].max() < 0.02
        assert opening[spoken].max() > 0.5


def test_mouth_follows_the_voice_without_delay(voice: Samples) -> None:
    frames = len(voice) // HOP
    loudness = np.sqrt(np.convolve(voice**2, np.ones(HOP) / HOP, "same")[::HOP][:frames])
    opening, spread = mouth(voice, frames)
    lags = {lag: np.corrcoef(np.roll(opening, -lag)[5:-5], loudness[5:-5])[0, 1] for lag in range(-3, 4)}
    assert max(lags, key=lags.__getitem__) == 0
    assert lags[0] > 0.85
    assert np.abs(spread).max() <= 1.1


def test_blinks_are_rare_and_short() -> None:
    lids = blinks(60 * FPS, np.random.default_rng(0))
    started = np.flatnonzero((lids[1:] > 0.5) & (lids[:-1] <= 0.5))
    assert 10 <= len(started) <= 30
    assert (lids > 0.5).mean() < 0.1


@pytest.mark.parametrize("name", sorted(PORTRAITS))
def test_opening_the_mouth_darkens_its_inside_only(stand_in: Find, name: str) -> None:
    portrait = PORTRAITS[name]
    puppet = Puppet(load_picture(stand_in, portrait), portrait, (480, 540))
    shut, wide = puppet.draw(Pose()), puppet.draw(Pose(opening=1.0))
    scale = 540 / portrait.crop[2]
    middle = np.array(portrait.lower[3]) - (portrait.crop[0], portrait.crop[1])
    x, y = (middle * scale + (240, 270)).astype(int)
    half = int(0.5 * (portrait.upper[-1][0] - portrait.upper[0][0]) * scale)
    inside = (slice(y, y + half // 3), slice(x - half // 4, x + half // 4))
    assert wide[inside].mean() < 0.75 * shut[inside].mean()
    forehead = (slice(0, int(270 + (portrait.eyes[0].upper[1] - portrait.crop[1]) * scale) - 10), slice(None))
    np.testing.assert_array_equal(wide[forehead], shut[forehead])


@pytest.mark.weights
def test_a_face_mesh_sees_the_lips_follow_the_voice(demo_videos: list[DemoVideo]) -> None:
    from speakervid_dag.models.mesh import INNER_LIP_BOTTOM, INNER_LIP_TOP, LEFT_EYE_OUTER, RIGHT_EYE_OUTER, FaceMesh

    mesh = FaceMesh(threads=2)
    for video in demo_videos:
        truth, images, acted = json.loads(video.truth_path.read_text()), frames_of(video.path), poses(video.plan, 0)
        scale = np.array([truth["width"], truth["height"]] * 2)
        for turn in (t for t in truth["turns"] if t["end_s"] - t["start_s"] > 3):
            a, b = (round(v * FPS) for v in turn["visible"][0])
            face = next(f for f in truth["faces"] if f["person"] == turn["speaker"])
            box = tuple(np.array(face["face_box"]) * scale)
            gaps = []
            for image in images[a:b]:
                points = mesh.landmarks(image, [box])[0].points_px[:, :2]
                lips, eyes = points[[INNER_LIP_TOP, INNER_LIP_BOTTOM]], points[[LEFT_EYE_OUTER, RIGHT_EYE_OUTER]]
                gaps.append(np.linalg.norm(np.diff(lips, axis=0)) / np.linalg.norm(np.diff(eyes, axis=0)))
            opening = [pose.opening for pose in acted[turn["speaker"]][a:b]]
            assert np.corrcoef(gaps, opening)[0, 1] > 0.8, (video.path.name, turn["speaker"])


def test_a_finished_video_is_kept_until_its_recipe_or_bytes_change(stand_in: Find, tmp_path: Path) -> None:
    def made(seed: int) -> tuple[int, bytes]:
        video = generate(tmp_path, seed=seed, find=stand_in, names=("demo_blurred",), longest_s=1.0)[0]
        return video.path.stat().st_mtime_ns, video.path.read_bytes()

    first = made(0)
    assert made(0) == first
    other = made(1)
    assert other[0] != first[0]
    (tmp_path / "demo_blurred.mp4").write_bytes(b"cut short")
    assert len(made(1)[1]) > 1000
