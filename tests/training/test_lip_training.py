"""Training of the lip network on canned clips: batches, losses, loop, evaluation, card."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from small_clips import example_of, frames_like

from speakervid_dag.curation.faces.crops import FaceCrops
from speakervid_dag.curation.speaking.lip_scores import best_lag, margins
from speakervid_dag.failures import UserError
from speakervid_dag.models.lip_layers import MAX_LAG, Shape
from speakervid_dag.models.lip_network import LipNetwork
from speakervid_dag.training import augmentation, card, clips, losses, offsets, tracks, views
from speakervid_dag.training.batches import FRAMES, BatchMaker
from speakervid_dag.training.evaluation import HeldOut, area_under_curve
from speakervid_dag.training.loop import TrainingPlan, train
from speakervid_dag.training.talk_evaluation import talk_report
from speakervid_dag.training.views import Example

LIPS = Shape(has_mouth=False)


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    return [example_of(number) for number in range(4)]


def test_the_same_seed_draws_the_same_batch(examples: list[Example]) -> None:
    first, second = (BatchMaker(examples, 3, uses_pictures=True, quiet=1).draw() for _ in range(2))
    assert first.mouths.shape == (5, FRAMES, 48, 48)
    assert first.sounds.shape == (5, (FRAMES + 2 * MAX_LAG) * 640)
    assert first.others.shape == (4, first.sounds.shape[1])
    np.testing.assert_array_equal(first.mouths, second.mouths)
    np.testing.assert_array_equal(first.sounds, second.sounds)


def test_lips_are_mirrored_back_by_a_second_mirror() -> None:
    lips = np.random.default_rng(0).normal(size=(5, 40)).astype(np.float32)
    np.testing.assert_allclose(augmentation.mirrored_lips(augmentation.mirrored_lips(lips)), lips)


def test_the_right_lag_costs_least() -> None:
    near = torch.zeros(1, 75, 31)
    valid = torch.ones(1, 75)
    costs = []
    for lag in (0, 4):
        near.zero_()
        near[:, :, MAX_LAG + lag] = 1
        costs.append(float(losses.lag_loss(near, torch.tensor(10.0), valid, valid)))
    assert costs[0] < costs[1]


def test_a_network_learns_whose_lips_a_sound_moves(examples: list[Example]) -> None:
    lines: list[str] = []
    plan = TrainingPlan(LIPS, 25, quiet=0, weights=losses.Weights(talk=0, features=0))
    net = train(examples, plan, lines.append)
    again = train(examples, plan, lines.append)
    for name, values in net.state_dict().items():
        torch.testing.assert_close(values, again.state_dict()[name])
    assert lines[0].split(",")[0] == lines[1].split(",")[0]
    found = HeldOut(LipNetwork({"synchrony": net}, "cpu"), examples).report()
    assert found.own[1] > 0
    assert found.foreign[1] > 0
    assert 0 <= found.auc[1] <= 1


def test_talking_learns_from_the_teacher(examples: list[Example]) -> None:
    net = train(examples, TrainingPlan(Shape(has_face=True), 2, quiet=1), lambda _: None)
    found = talk_report(LipNetwork({"talking": net}, "cpu"), examples, [0.0] * 4)
    assert found.frames > 0
    assert -1 <= found.teacher_r <= 1


def test_offsets_come_from_networks_of_the_other_half(examples: list[Example]) -> None:
    nets = offsets.find_offsets(examples, steps=1, rounds=1, seed=0, report=lambda _: None)
    assert len(nets) == 2
    assert all(-10 <= example.offset <= 10 for example in examples)
    assert len(offsets.mean_offsets(nets, examples[:2])) == 2


def test_a_profile_has_its_lag_and_margin() -> None:
    profile = np.zeros(31, np.float32)
    profile[18:21] = (0.2, 0.5, 0.2)
    assert best_lag(profile) == pytest.approx(4, abs=0.05)
    assert margins(profile[None], 4)[0] == pytest.approx(0.3, abs=1e-6)
    assert area_under_curve([2, 3], [1, 2]) == pytest.approx(0.875)


def test_the_folder_without_a_manifest_and_with_one(tmp_path: Path) -> None:
    (tmp_path / "anna").mkdir()
    for name in ("anna/1.mp4", "anna/2.mp4", "solo.mp4"):
        (tmp_path / name).write_bytes(name.encode())
    found = clips.read_clips(tmp_path)
    assert [clip.person for clip in found] == ["anna", "anna", "solo.mp4"]
    assert not found[0].is_licence_stated
    (tmp_path / "MANIFEST.tsv").write_text("file\tperson\tlicence\nsolo.mp4\tp1\town, non-commercial\n")
    (only,) = clips.read_clips(tmp_path)
    assert not only.is_commercial_ok
    (tmp_path / "MANIFEST.tsv").write_text("file\tperson\tsha256\nsolo.mp4\tp1\t00\n")
    with pytest.raises(UserError, match="another hash"):
        clips.read_clips(tmp_path)


def test_people_are_held_out_by_name_alone() -> None:
    people = [f"p{n:03d}" for n in range(20)]
    held = clips.held_out_people(people, 6)
    assert held == clips.held_out_people(people[::-1] * 2, 6)
    first, second = clips.halves(people)
    assert len(first) == len(second) == 10
    assert not set(first) & set(second)


def test_tracked_clips_are_kept_whole(tmp_path: Path) -> None:
    names = ("boxes", "keypoints", "lip_shape", "mesh_score", "yaw_deg", "frame_times_s")
    row = {name: np.arange(2.0) for name in names}
    face = tracks.TrackedFace(
        row, FaceCrops(np.array([0.0, 0.04]), np.ones((2, 3)), np.ones((2, 3)), [b"one", b"three"]), 640, 360
    )
    tracks.save(tracks.TrackedClip({0: [face], 40: []}, np.ones(3, np.float32)), tmp_path / "a.npz")
    back = tracks.load(tmp_path / "a.npz")
    assert back.faces[40] == []
    assert back.faces[0][0].crops.jpegs == [b"one", b"three"]
    assert (back.faces[0][0].width_px, back.faces[0][0].height_px) == (640, 360)


def test_a_still_face_is_played_to_and_fro() -> None:
    frames = frames_like(np.array([0.0, 1.0, 0.0] + [0.5] * 30, np.float32), 0)
    order = views._still(frames)
    assert order.min() >= 3
    assert np.abs(np.diff(order)).max() <= 1
    assert len(views.aligned(frames, 10, 40).is_seen) == 40


def test_the_card_lists_every_clip_with_its_licence(tmp_path: Path) -> None:
    clip = clips.Clip(Path("x.mp4"), "p1", "repo", clips.NONE_STATED, "ab" * 32, has_fixed_phrases=False)
    content = card.card([clip], {clip.sha256: 1.234}, [clip], {"talking": TrainingPlan(LIPS, 3)}, {}, None, "c", "d")
    card.write_card(content, tmp_path / "card.json")
    read = json.loads((tmp_path / "card.json").read_text())
    assert read["is_commercial_ok"] is False
    assert read["clips"][0] == {
        "sha256": clip.sha256, "person": "p1", "source": "repo", "licence": "none stated", "offset_frames": 1.23
    }  # fmt: skip
