"""DNSMOS P.835 over overlapping windows: the layers that do not look far are computed once for all windows.

Belongs here: the network cut in two, and what windows share. Does not belong here: windows, calibration, P.808
(speech_quality.py).

Windows of 9.01 s begin every second, so eight ninths of a window are in the next one, too. 95 % of the network's work
is its first four convolutions of 3 × 3: a value there depends on four frames (40 ms) to either side, and on the zeros
around a window only nearer to its ends. Those ends are computed for each window, the rest once: equal to the network
run on each window (within 1e-5), at a third of the time for a clip of 15 s.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.models.onnx_session import open_session

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

FRAME_SAMPLES, HOP_SAMPLES = 320, 160  # of the spectrum, at 16 kHz
WINDOW_FRAMES, WINDOW_STEP = 900, 100  # in hops; a window begins each second
REACH = 4  # frames: one for each convolution of the shared part
BLOCK = 512  # frames at once: 128 filters of 161 bins are 42 MB
Floats = NDArray[np.float32]


class Value(NamedTuple):
    """A value inside the network: its name and shape; a letter is any size."""

    name: str
    shape: tuple[str | int, ...]


_FRAMES = Value("mos_estimator_logpow/concat:0", ("n", "t", FRAME_SAMPLES))
_SHARED = Value("mos_estimator_logpow/conv2d_3/Relu:0", ("n", 32, "t", FRAME_SAMPLES // 2 + 1))
_SCORES = Value("Identity:0", ("n", 3))


class P835:
    """The network. Args: its file, CPU threads."""

    def __init__(self, path: Path, threads: int) -> None:
        import onnx

        whole = onnx.load(path)
        self._near = _part(whole, _FRAMES, _SHARED, threads)
        self._far = _part(whole, _SHARED, _SCORES, threads)

    def raw(self, samples: Floats, count: int) -> Floats:
        """Return the raw scores of `count` windows: (count, 3) float32.

        Args:
            samples: mono at 16 kHz, long enough for the windows, one a second.
        """
        frames = framed(samples[: HOP_SAMPLES * (WINDOW_STEP * (count - 1) + WINDOW_FRAMES + 1)])
        inside = self._inside(frames)
        found = []
        for at in range(0, count * WINDOW_STEP, WINDOW_STEP):
            window = inside[:, at : at + WINDOW_FRAMES].copy()
            ends = np.stack([frames[at : at + 2 * REACH], frames[at + WINDOW_FRAMES - 2 * REACH : at + WINDOW_FRAMES]])
            first, last = self._run(self._near, ends)
            window[:, :REACH], window[:, -REACH:] = first[:, :REACH], last[:, -REACH:]
            found.append(self._run(self._far, window[None]))
        return np.concatenate(found)

    def _inside(self, frames: Floats) -> Floats:
        """Return the shared layers over all frames, (filters, frames, bins); not valid where the sound ends."""
        parts = []
        for at in range(0, len(frames), BLOCK):
            low = max(0, at - REACH)
            (found,) = self._run(self._near, frames[None, low : at + BLOCK + REACH])
            parts.append(found[:, at - low : at - low + BLOCK])
        return np.concatenate(parts, axis=1)

    @staticmethod
    def _run(session: "InferenceSession", given: Floats) -> Floats:
        (name,) = (each.name for each in session.get_inputs())
        return np.asarray(session.run(None, {name: given})[0], np.float32)


def framed(samples: Floats) -> Floats:
    """Return frames of 20 ms, one every 10 ms: (n, 320) float32."""
    return np.lib.stride_tricks.sliding_window_view(samples, FRAME_SAMPLES)[::HOP_SAMPLES]


def _part(whole: Any, given: Value, wanted: Value, threads: int) -> "InferenceSession":
    """Return the nodes between two values of a network, for any number of windows and frames."""
    import onnx

    maker = {name: node for node in whole.graph.node for name in node.output}
    reached, waiting = set(), [wanted.name]
    while waiting:
        name = waiting.pop()
        if name != given.name and name in maker and name not in reached:
            reached.add(name)
            waiting += maker[name].input
    nodes = [node for node in whole.graph.node if reached.intersection(node.output)]
    used = {name for node in nodes for name in node.input}
    ends = [
        [onnx.helper.make_tensor_value_info(value.name, onnx.TensorProto.FLOAT, value.shape)]
        for value in (given, wanted)
    ]
    graph = onnx.helper.make_graph(nodes, "part", *ends, [t for t in whole.graph.initializer if t.name in used])
    part = onnx.helper.make_model(graph, opset_imports=whole.opset_import, ir_version=whole.ir_version)
    return open_session(part.SerializeToString(), threads)
