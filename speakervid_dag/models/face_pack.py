"""Face model packs: folders of ONNX files that InsightFace loads, both the embedded CenterFace pack and a user's own.

Belongs here: turning CenterFace into a pack, opening a pack. Does not belong here: detecting (faces.py), embedding
(identity.py).

InsightFace treats a detector as SCRFD: input (x - 127.5) / 128 in RGB, and for strides 8, 16, 32 two anchors per cell
with score, distances to the box sides and 5 points, in units of the stride. CenterFace has one head of stride 4 on
0-255 RGB: a heat map, log height and width, the offset of the centre, and points relative to the box. The adapter
adds nodes that rescale the input, keep the best of each 2 x 2 block of cells (stride 4 to 8), and output its box as
SCRFD would. The second anchor and the strides 16 and 32 always score 0.
"""

import atexit
import hashlib
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from speakervid_dag.failures import WeightsUnusable
from speakervid_dag.files import write_bytes
from speakervid_dag.models.registry import file_hash, weight_hash, weight_path, weights_dir

_ADAPTER_VERSION = "1"  # part of the pack's folder name: raise it when the graph below changes
PACK_FILE, PACK_RECORD = "centerface_as_scrfd.onnx", "sha256"  # the network, and its hash when it was built
_OPSET = 11  # the first with a stepping Slice and a Clip-free Pad; CenterFace's nodes (opset 9) mean the same in it
_SCORE, _SIZE, _OFFSET, _POINTS = "537", "538", "539", "540"  # CenterFace's outputs


def embedded_pack() -> Path:
    """Return the folder of the CenterFace pack; build it from the pulled weights on first use or if it has changed.

    Raises:
        WeightsMissing, WeightsUnusable.
    """
    source = weight_path("centerface")
    key = hashlib.sha256(f"{weight_hash('centerface')} {_ADAPTER_VERSION}".encode()).hexdigest()[:12]
    folder = weights_dir() / "packs" / f"centerface-{key}"
    try:
        is_whole = file_hash(folder / PACK_FILE) == (folder / PACK_RECORD).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        is_whole = False
    if not is_whole:  # two processes may both build it: the bytes are the same
        content = adapt_centerface(source.read_bytes())
        try:
            _write_pack(folder, content)
        except OSError:  # the weights folder is read-only
            folder = _own_pack(content)
    return folder


def _write_pack(folder: Path, content: bytes) -> None:
    write_bytes(folder / PACK_FILE, content)
    write_bytes(folder / PACK_RECORD, hashlib.sha256(content).hexdigest().encode())


@cache
def _own_pack(content: bytes) -> Path:
    """Return a folder with the pack for this process only."""
    folder = Path(tempfile.mkdtemp(prefix="speakervid-pack-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _write_pack(folder, content)
    return folder


def open_pack(pack: Path | None, modules: list[str], threads: int) -> Any:
    """Return an `insightface.app.FaceAnalysis` over a folder of ONNX files.

    Args:
        pack: any InsightFace pack with a detector; None = the embedded CenterFace pack.
        modules: InsightFace task names to load, `detection` among them.
        threads: CPU threads of each network.

    Raises:
        WeightsUnusable: no such folder, or no detector in it. Without one a run must not replace what is published.
    """
    import onnxruntime
    from insightface.app import FaceAnalysis

    folder = embedded_pack() if pack is None else pack.expanduser().resolve()
    if not folder.is_dir():
        raise WeightsUnusable(f"face pack: no such folder: {folder}; SPEAKERVID_FACE_PACK names it")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    try:
        app = FaceAnalysis(name=str(folder), allowed_modules=modules, sess_options=options)
    except AssertionError as error:  # InsightFace asserts that the folder has a detector
        raise WeightsUnusable(
            f"face pack: no face detector among the ONNX files of {folder}; SPEAKERVID_FACE_PACK names it"
        ) from error
    return app


def pack_hash(pack: Path | None) -> str:
    """Return the hex SHA-256 that identifies a pack in provenance: over the hashes and names of its ONNX files."""
    lines = [f"{file_hash(path)}  {path.name}\n" for path in _networks(embedded_pack() if pack is None else pack)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def pack_state(pack: Path) -> str:
    """Return `pack_hash`, or `missing` if the folder does not exist or has no ONNX file. Raise OSError."""
    return pack_hash(pack) if _networks(pack) else "missing"


def _networks(folder: Path) -> list[Path]:
    """Return the files that InsightFace loads, sorted."""
    return sorted(p for p in folder.expanduser().glob("*.onnx") if not p.name.startswith("."))


def adapt_centerface(content: bytes) -> bytes:
    """Return CenterFace's ONNX file with SCRFD's input convention, nine outputs, dynamic batch, height and width."""
    import onnx

    model = onnx.load_from_string(content)
    graph = model.graph
    weights = {tensor.name for tensor in graph.initializer}
    name = next(value.name for value in graph.input if value.name not in weights)
    nodes = _Nodes()
    # SCRFD's blob is (x - 127.5) / 128; CenterFace was trained on 0-255.
    raw = nodes.op("Add", nodes.op("Mul", "input", nodes.const(128.0)), nodes.const(127.5))
    before, nodes.made = nodes.made, []
    outputs = _as_scrfd(nodes)
    for node in graph.node:
        node.input[:] = [raw if each == name else each for each in node.input]
    body = [*before, *graph.node, *nodes.made]
    pixels = onnx.helper.make_tensor_value_info("input", onnx.TensorProto.FLOAT, ["batch", 3, "height", "width"])
    values = [
        onnx.helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, ["batch", f"{output}_count", channels])
        for output, channels in outputs
    ]
    made = onnx.helper.make_graph(body, "centerface_as_scrfd", [pixels], values, [*graph.initializer, *nodes.constants])
    adapted = onnx.helper.make_model(made, opset_imports=[onnx.helper.make_opsetid("", _OPSET)], ir_version=7)
    onnx.checker.check_model(adapted)
    return bytes(adapted.SerializeToString())


def _as_scrfd(nodes: "_Nodes") -> list[tuple[str, int]]:
    """Add nodes from CenterFace's four heads to SCRFD's nine outputs; return (output name, channels), SCRFD's order."""
    score = nodes.blocks(_SCORE)  # (batch, 4 sub-cells, rows / 8, columns / 8); sub-cells 0 1 / 2 3
    best = nodes.op("ReduceMax", score, axes=[1], keepdims=1)
    # One-hot choice of the best sub-cell; ArgMax takes the first of equals.
    index = nodes.op("ArgMax", score, axis=1, keepdims=0)
    chosen = nodes.op("OneHot", index, nodes.const(4, np.int64), nodes.const([0.0, 1.0]), axis=1)

    def pick(channel: int, head: str) -> str:
        one = nodes.op("Slice", head, *(nodes.const([v], np.int64) for v in (channel, channel + 1, 1)))
        return nodes.op("ReduceSum", nodes.op("Mul", nodes.blocks(one), chosen), axes=[1], keepdims=1)

    def along(size_channel: int, sub_cell: list[float]) -> tuple[str, str, str]:
        """Return box length, low and high side on one axis, in strides of 8 from the block's corner.

        Channels of the heads: 0 = y, 1 = x.
        """
        length = nodes.op("Mul", nodes.op("Exp", pick(size_channel, _SIZE)), nodes.const(4 / 8))
        grid = nodes.const(np.reshape(sub_cell, (1, 4, 1, 1)))
        cell = nodes.op("ReduceSum", nodes.op("Mul", chosen, grid), axes=[1], keepdims=1)
        offset = nodes.op("Add", pick(size_channel, _OFFSET), nodes.const(0.5))
        centre = nodes.op("Mul", nodes.op("Add", cell, offset), nodes.const(4 / 8))
        half = nodes.op("Mul", length, nodes.const(0.5))
        return length, nodes.op("Sub", centre, half), nodes.op("Add", centre, half)

    width, left, right = along(1, [0.0, 1.0, 0.0, 1.0])
    height, top, bottom = along(0, [0.0, 0.0, 1.0, 1.0])
    sides = [nodes.op("Neg", left), nodes.op("Neg", top), right, bottom]
    points = []
    for point in range(5):
        points.append(nodes.op("Add", nodes.op("Mul", pick(2 * point + 1, _POINTS), width), left))
        points.append(nodes.op("Add", nodes.op("Mul", pick(2 * point, _POINTS), height), top))
    return nodes.levels({"score": [best], "bbox": sides, "kps": points})


class _Nodes:
    """Collector of ONNX nodes and constants under fresh names."""

    def __init__(self) -> None:
        self.made: list[Any] = []
        self.constants: list[Any] = []

    def op(self, kind: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        import onnx

        output = output or f"adapter_{len(self.constants)}_{len(self.made)}_{kind}"
        self.made.append(onnx.helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def const(self, value: Any, dtype: Any = np.float32) -> str:
        import onnx

        name = f"adapter_constant_{len(self.constants)}"
        self.constants.append(onnx.numpy_helper.from_array(np.asarray(value, dtype=dtype), name))
        return name

    def blocks(self, head: str) -> str:
        return self.op("SpaceToDepth", head, blocksize=2)

    def levels(self, parts: dict[str, list[str]]) -> list[tuple[str, int]]:
        """Add outputs per part: (batch, cells x 2 anchors, channels) for stride 8, fitting zeros for 16 and 32."""
        outputs: list[tuple[str, int]] = []
        for part, channels in parts.items():
            stacked = channels[0] if len(channels) == 1 else self.op("Concat", *channels, axis=1)
            rows_last = self.op("Transpose", stacked, perm=[0, 2, 3, 1])
            nothing = self.op("Mul", rows_last, self.const(0.0))
            pairs = self.op("Concat", rows_last, nothing, axis=3)
            shape = self.const([0, -1, len(channels)], np.int64)
            first = self.op("Reshape", pairs, shape, output=f"{part}_8")
            outputs.append((first, len(channels)))
            zeros = self.op("Mul", first, self.const(0.0))
            for stride, step in ((16, 4), (32, 16)):  # a quarter, a sixteenth of the anchors
                limits = [self.const([v], np.int64) for v in (0, np.iinfo(np.int64).max, 1, step)]
                outputs.append((self.op("Slice", zeros, *limits, output=f"{part}_{stride}"), len(channels)))
        return outputs
