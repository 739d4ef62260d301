"""The lip network with random weights: shapes, lags, the file; with the packaged ones, a voice of one's own."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from speakervid_dag.failures import WeightsUnusable
from speakervid_dag.models import lip_layers, lip_network
from speakervid_dag.models.lip_layers import Shape
from speakervid_dag.models.lip_network import LipNetwork

SHAPES: dict[lip_network.Part, Shape] = {"synchrony": Shape(), "talking": Shape(has_face=True, has_lips=False)}


@pytest.fixture(scope="module")
def nets() -> dict[lip_network.Part, torch.nn.ModuleDict]:
    torch.manual_seed(0)
    return {part: lip_layers.network(shape).eval() for part, shape in SHAPES.items()}


def track(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    mouths, faces = (random.integers(0, 255, (count, side, side)).astype(np.uint8) for side in (72, 64))
    lips = random.normal(size=(count, 40)).astype(np.float32)
    return mouths, faces, lips, np.tile(np.array([1, 100, 0], np.float32), (count, 1)), np.ones(count, bool)


def test_every_frame_has_31_similarities_and_a_logit(nets: dict[lip_network.Part, torch.nn.ModuleDict]) -> None:
    network = LipNetwork(nets, "cpu")
    sound = network.sound(np.random.default_rng(1).normal(0, 0.1, 640 * 60).astype(np.float32), 60)
    mouth = network.mouth(*track(33))
    near = network.synchrony(mouth, sound, 20)
    assert near.shape == (33, 31)
    assert np.abs(near).max() <= 1 + 1e-5
    assert network.talking(mouth, sound, 20).shape == (33,)


def test_a_lag_moves_the_similarities_by_as_much(nets: dict[lip_network.Part, torch.nn.ModuleDict]) -> None:
    network = LipNetwork(nets, "cpu")
    sound = network.sound(np.random.default_rng(1).normal(0, 0.1, 640 * 120).astype(np.float32), 120)
    mouth = network.mouth(*track(40))
    here, later = network.synchrony(mouth, sound, 30), network.synchrony(mouth, sound, 33)
    np.testing.assert_allclose(here[:, 3:], later[:, :-3], atol=1e-5)


def test_a_long_track_in_blocks_is_the_same(
    nets: dict[lip_network.Part, torch.nn.ModuleDict], monkeypatch: pytest.MonkeyPatch
) -> None:
    network = LipNetwork(nets, "cpu")
    whole = network.mouth(*track(50))
    monkeypatch.setattr(lip_network, "_BLOCK_FRAMES", 16)
    for part, values in network.mouth(*track(50)).items():
        torch.testing.assert_close(values, whole[part], atol=1e-4, rtol=1e-4)


def test_level_does_not_matter_to_the_sound() -> None:
    samples = torch.randn(1, 640 * 50)
    torch.testing.assert_close(
        lip_layers.log_mels(samples, 50), lip_layers.log_mels(samples * 0.1, 50), atol=1e-3, rtol=1e-3
    )


def test_lips_that_are_not_measured_do_not_move() -> None:
    lips = torch.randn(1, 100, 40)
    lips[:, 40:60] = 0
    features = lip_layers.lip_features(lips)
    assert features.shape == (1, 100, lip_layers.LIP_FEATURES)
    assert not features[:, 41:60].any()


def test_a_file_has_the_same_networks(nets: dict[lip_network.Part, torch.nn.ModuleDict], tmp_path: Path) -> None:
    path = tmp_path / "lips.safetensors"
    lip_network.save(nets, SHAPES, path)
    assert path.stat().st_size <= 4_000_000
    near = [
        LipNetwork(each, "cpu").synchrony(
            LipNetwork(each, "cpu").mouth(*track(30)),
            LipNetwork(each, "cpu").sound(np.ones(640 * 40, np.float32), 40),
            0,
        )
        for each in (nets, lip_network.load(path))
    ]
    np.testing.assert_allclose(near[0], near[1], atol=0.01)


def test_a_network_starts_from_one_that_sees_less() -> None:
    small, large = Shape(has_mouth=False), Shape()
    trained, net = lip_layers.network(small), lip_layers.network(large)
    lip_layers.start_from(net, large, trained, small)
    name = "time.first.0.weight"
    old, new = trained.state_dict()[name], net.state_dict()[name]
    torch.testing.assert_close(new[:, large.parts()["lips"]], old[:, small.parts()["lips"]])
    torch.testing.assert_close(net["sound"]["first"][0].weight, trained["sound"]["first"][0].weight)


def test_the_packaged_file_is_the_one_of_its_card() -> None:
    network = LipNetwork.of(device="cpu")
    sound = network.sound(np.random.default_rng(1).normal(0, 0.1, 640 * 40).astype(np.float32), 40)
    assert network.talking(network.mouth(*track(30)), sound, 0).shape == (30,)
    card = json.loads(lip_network.packaged_file().with_name(lip_network.CARD_FILE).read_text(encoding="utf-8"))
    assert card["is_commercial_ok"] is lip_network.IS_COMMERCIAL_OK
    assert not {clip["person"] for clip in card["clips"]} & set(card["held_out_people"])
    forbidden = ("non-commercial", "research", "NC")
    assert not [clip for clip in card["clips"] if any(word in clip["licence"] for word in forbidden)]


def test_a_file_of_ones_own_takes_the_place_of_the_packaged_one(
    nets: dict[lip_network.Part, torch.nn.ModuleDict], tmp_path: Path
) -> None:
    path = tmp_path / "own.safetensors"
    lip_network.save(nets, SHAPES, path)
    both, one = LipNetwork.of(path, device="cpu"), LipNetwork.of(path, ["synchrony"], "cpu")
    sound = both.sound(np.random.default_rng(1).normal(0, 0.1, 640 * 40).astype(np.float32), 40)
    mouth = one.mouth(*track(30))
    assert mouth.keys() == {"synchrony"}
    np.testing.assert_array_equal(one.synchrony(mouth, sound, 0), both.synchrony(both.mouth(*track(30)), sound, 0))


def test_a_file_that_is_no_lip_network_is_refused_by_name(
    nets: dict[lip_network.Part, torch.nn.ModuleDict], tmp_path: Path
) -> None:
    damaged, half = tmp_path / "damaged.safetensors", tmp_path / "half.safetensors"
    damaged.write_bytes(b"no network")
    lip_network.save({"talking": nets["talking"]}, {"talking": SHAPES["talking"]}, half)
    for path, why in ((damaged, "damaged"), (half, "synchrony"), (tmp_path / "absent", "absent")):
        with pytest.raises(WeightsUnusable, match=f"SPEAKERVID_LIP_NETWORK.*{why}"):
            LipNetwork.of(path, device="cpu")
