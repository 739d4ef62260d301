"""Opening of networks with ONNX Runtime, the same way for all.

Belongs here: options and devices common to every network. Does not belong here: inputs and outputs, the place of the
file (registry.py), InsightFace's packs, which InsightFace opens itself (face_pack.py).
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

QUIET = 3  # errors only
CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


def open_session(network: Path | bytes, threads: int, *, on_gpu: bool = True) -> "InferenceSession":
    """Return a network, on a GPU if one is usable and `on_gpu`. Raise ONNX Runtime's own errors.

    Args:
        network: its file, or the bytes of one.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.enable_cpu_mem_arena = False  # it keeps the largest size ever requested
    options.log_severity_level = QUIET
    providers = [CUDA, CPU] if on_gpu and CUDA in onnxruntime.get_available_providers() else [CPU]
    return onnxruntime.InferenceSession(
        network if isinstance(network, bytes) else str(network), options, providers=providers
    )
