"""CoTracker 3: loading by its own package's interface, refusal, and what is missing told apart."""

from pathlib import Path

import numpy as np
import pytest
import torch
from video_models import install_cotracker, write_cotracker

from speakervid_dag.failures import OperationError, WeightsMissing
from speakervid_dag.models import cotracker, registry
from speakervid_dag.models.cotracker import CoTracker, PackageMissing, package_state


def test_points_that_stay_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_cotracker(tmp_path / "site", monkeypatch)
    tracker = CoTracker(write_cotracker(tmp_path / "c.pth"), device="cpu")
    pictures = np.zeros((5, 384, 512, 3), np.uint8)
    pictures[3:, :, 256:, 2] = 100  # red, the last channel of BGR, changes on the right
    seen = tracker.visible(pictures, 4)
    assert (seen.shape, seen.dtype) == ((5, 16), np.bool_)
    assert seen.mean(axis=1).tolist() == [1, 1, 1, 0.5, 0.5]
    assert seen[4].reshape(4, 4)[0].tolist() == [True, True, False, False]


def test_package_and_weights_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from speakervid_dag.models.fetch import pull

    monkeypatch.setenv(registry.WEIGHTS_ENV, str(tmp_path / "weights"))
    with pytest.raises(WeightsMissing):
        CoTracker()
    write_cotracker(tmp_path / "scaled_offline.pth")
    pull(["cotracker3"], report=lambda _: None, accept_hash=True, from_folder=tmp_path)
    with monkeypatch.context() as bare:
        bare.setattr(cotracker, "PACKAGE", "cotracker_that_is_not_here")
        assert package_state() == "missing"
        with pytest.raises(PackageMissing) as missing:
            CoTracker()
        assert missing.value.reason == "package_missing"
    install_cotracker(tmp_path / "site", monkeypatch)
    assert package_state() == "unknown"
    CoTracker(device="cpu")
    write_cotracker(registry.weight_path("cotracker3"), near=1.0)
    with pytest.raises(OperationError, match="refused"):
        CoTracker(device="cpu")


def test_another_checkpoint_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_cotracker(tmp_path / "site", monkeypatch)
    with pytest.raises(OperationError, match=r"\bc\.pth\b.*CoTracker"):
        CoTracker(write_cotracker(tmp_path / "c.pth", stranger=torch.zeros(1)), device="cpu")
