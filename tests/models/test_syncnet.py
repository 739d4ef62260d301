"""SyncNet v2: shapes, loading, refusal, and its answer about a scene, with random weights (no file here)."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scenes import grey_crops, scene_of

from speakervid_dag.curation.speaking.syncnet import SyncNetBackend
from speakervid_dag.failures import OperationError, WeightsMissing
from speakervid_dag.models import registry, syncnet
from speakervid_dag.models.syncnet import SyncNet

pytestmark = pytest.mark.heavy


def save(path: Path, **changes: torch.Tensor) -> Path:
    """Random weights as the published file has them: without the counters of newer torch versions."""
    torch.manual_seed(0)
    state = syncnet.network().state_dict()
    torch.save({k: v for k, v in (state | changes).items() if "num_batches" not in k}, path)
    return path


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> SyncNet:
    return SyncNet(save(tmp_path_factory.mktemp("weights") / "syncnet_v2.model"), device="cpu")


def test_names_and_shapes_are_those_of_the_published_file() -> None:
    shapes = {k: tuple(v.shape) for k, v in syncnet.network().state_dict().items()}
    expected = {
        "netcnnaud.0.weight": (64, 1, 3, 3),
        "netcnnaud.4.weight": (192, 64, 3, 3),
        "netcnnaud.8.weight": (384, 192, 3, 3),
        "netcnnaud.11.weight": (256, 384, 3, 3),
        "netcnnaud.14.weight": (256, 256, 3, 3),
        "netcnnaud.18.weight": (512, 256, 5, 4),
        "netcnnlip.0.weight": (96, 3, 5, 7, 7),
        "netcnnlip.4.weight": (256, 96, 1, 5, 5),
        "netcnnlip.8.weight": (256, 256, 1, 3, 3),
        "netcnnlip.18.weight": (512, 256, 1, 6, 6),
        "netfcaud.0.weight": (512, 512),
        "netfclip.1.running_mean": (512,),
        "netfclip.3.weight": (1024, 512),
    }
    assert {k: shapes.get(k) for k in expected} == expected


def test_windows_of_both_streams_meet_in_one_space(net: SyncNet) -> None:
    rng = np.random.default_rng(0)
    assert net.embed_faces(rng.integers(0, 255, (6, 224, 224, 3)).astype(np.uint8)).shape == (2, 1024)
    assert net.embed_sound(rng.normal(0, 0.1, 8 * 640).astype(np.float32), 3).shape == (3, 1024)


def test_another_network_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(OperationError, match=r"shape\.model\b.*SyncNet"):
        SyncNet(save(tmp_path / "shape.model", **{"netfclip.3.weight": torch.zeros(512, 512)}))
    with pytest.raises(OperationError, match=r"more\.model\b.*\bstranger\b"):
        SyncNet(save(tmp_path / "more.model", stranger=torch.zeros(1)))


def test_the_hash_accepted_first_is_enforced_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from speakervid_dag.models.fetch import pull

    monkeypatch.setenv(registry.WEIGHTS_ENV, str(tmp_path / "weights"))
    with pytest.raises(WeightsMissing):
        SyncNet()
    save(tmp_path / "syncnet_v2.model")
    pull(["syncnet"], report=lambda _: None, accept_hash=True, from_folder=tmp_path)
    SyncNet(device="cpu")
    save(registry.weight_path("syncnet"), **{"netfclip.3.bias": torch.ones(1024)})
    with pytest.raises(OperationError, match="refused"):
        SyncNet(device="cpu")


def test_a_scene_gives_distances_or_a_reason(net: SyncNet) -> None:
    (found,) = SyncNetBackend(net).measure(scene_of(grey_crops(25), 1.0)).values()
    assert found.distances is not None
    assert found.distances.values.shape == (31,)
    assert found.distances.zero_frames == 0
    (missing,) = SyncNetBackend(net).measure(scene_of(None, 1.0)).values()
    assert (missing.distances, missing.reason) == (None, "no_face_pictures")
