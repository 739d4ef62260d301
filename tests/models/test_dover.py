"""DOVER's ONNX file: its interface, refusal of any other, and the hash that was accepted."""

from pathlib import Path

import numpy as np
import pytest
from video_models import VIEW, write_dover

from speakervid_dag.failures import OperationError, WeightsMissing
from speakervid_dag.models import registry
from speakervid_dag.models.dover import Dover


@pytest.mark.parametrize(("written", "runs"), [(4, 4), (3, 3), ("n", 3)])
def test_the_file_says_how_many_runs_it_sees(tmp_path: Path, written: int | str, runs: int) -> None:
    model = Dover(write_dover(tmp_path / "d.onnx", written), threads=1)
    assert model.runs == runs
    technical = np.broadcast_to(np.arange(runs, dtype=np.float32)[:, None, None, None, None], (runs, *VIEW))
    raw = model.raw(np.full((1, *VIEW), -0.5, np.float32), np.ascontiguousarray(technical))
    assert raw == (pytest.approx((runs - 1) / 2), pytest.approx(-0.5))  # technical, aesthetic


def test_another_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OperationError, match=r"names\.onnx\b.*\bleft, right\b"):
        Dover(write_dover(tmp_path / "names.onnx", names=("left", "right")), threads=1)
    (tmp_path / "DOVER.pth").write_bytes(b"no network")
    with pytest.raises(OperationError, match=r"DOVER\.pth\b.*\bONNX\b"):
        Dover(tmp_path / "DOVER.pth", threads=1)


def test_views_of_another_size_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import video_models

    monkeypatch.setattr(video_models, "VIEW", (3, 16, 224, 224))
    with pytest.raises(OperationError, match=r"short\.onnx\b.*\b3, 16, 224, 224\b"):
        Dover(write_dover(tmp_path / "short.onnx"), threads=1)


def test_the_file_is_taken_from_a_folder_and_its_accepted_hash_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from speakervid_dag.models.fetch import pull

    monkeypatch.setenv(registry.WEIGHTS_ENV, str(tmp_path / "weights"))
    with pytest.raises(WeightsMissing, match="models pull dover"):
        Dover()
    write_dover(tmp_path / "onnx_dover.onnx")
    pull(["dover"], report=lambda _: None, accept_hash=True, from_folder=tmp_path)
    assert Dover(threads=1).runs == 4
    write_dover(registry.weight_path("dover"), runs=5)
    with pytest.raises(OperationError, match="refused"):
        Dover(threads=1)
