"""Stand-ins for two models whose weights cannot be had here: an ONNX network with DOVER's interface, and a package with
CoTracker's. Both answer something that can be worked out by hand."""

import sys
from pathlib import Path
from typing import Any

import pytest

VIEW = (3, 32, 224, 224)


def write_dover(path: Path, runs: int | str = 4, names: tuple[str, str] = ("aes_view", "tech_view")) -> Path:
    """Each output is the mean of its view over all but the first axis, as DOVER pools its own."""
    from onnx import TensorProto, helper, save

    shapes = (1, runs)
    inputs = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, [s, *VIEW]) for n, s in zip(names, shapes, strict=True)
    ]
    outputs = [helper.make_tensor_value_info(f"out{i}", TensorProto.FLOAT, [s]) for i, s in enumerate(shapes)]
    axes = helper.make_tensor("axes", TensorProto.INT64, [4], [1, 2, 3, 4])
    nodes = [helper.make_node("ReduceMean", [n, "axes"], [f"out{i}"], keepdims=0) for i, n in enumerate(names)]
    graph = helper.make_graph(nodes, "dover", inputs, outputs, [axes])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), str(path))
    return path


COTRACKER = '''
import torch


class CoTrackerPredictor(torch.nn.Module):
    """A point is seen while the picture under it is within `model.weight` of the first one."""

    def __init__(self, checkpoint=None, offline=True, v2=False, window_len=60):
        super().__init__()
        assert checkpoint is None and offline and not v2 and window_len == 60
        self.model = torch.nn.Linear(1, 1, bias=False)

    def forward(self, video, queries=None, segm_mask=None, grid_size=0, grid_query_frame=0, backward_tracking=False):
        batch, count, channels, height, width = video.shape
        assert (batch, channels, grid_query_frame) == (1, 3, 0) and video.dtype == torch.float32
        rows = torch.linspace(0, height - 1, grid_size).long()
        columns = torch.linspace(0, width - 1, grid_size).long()
        red = video[:, :, 0][:, :, rows][..., columns].reshape(1, count, -1)
        near = (red - red[:, :1]).abs() <= self.model.weight.item()
        return torch.zeros(1, count, grid_size**2, 2), near
'''


def install_cotracker(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on `import cotracker` finds the stand-in."""
    package = folder / "cotracker"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "predictor.py").write_text(COTRACKER)
    monkeypatch.syspath_prepend(str(folder))
    for name in ("cotracker", "cotracker.predictor"):
        monkeypatch.setitem(sys.modules, name, None)  # so that what is imported now is forgotten with the test
        del sys.modules[name]


def write_cotracker(path: Path, near: float = 20.0, **more: Any) -> Path:
    """Its checkpoint: the bare state, as published."""
    import torch

    torch.save({"weight": torch.full((1, 1), near), **more}, path)
    return path
