"""One way to open a network with ONNX Runtime.

Belongs here: options and devices that hold for every network. Does not belong here: what goes in and comes out, where
the file is (registry.py), InsightFace's packs, which open theirs themselves (face_pack.py).
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

QUIET = 3  # errors only
CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


def open_session(path: Path, threads: int, *, on_gpu: bool = True) -> "InferenceSession":
    """The network in `path`, on a GPU where one is usable unless told otherwise. Raises what ONNX Runtime raises."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.enable_cpu_mem_arena = False  # it keeps the largest size ever asked for
    options.log_severity_level = QUIET
    providers = [CUDA, CPU] if on_gpu and CUDA in onnxruntime.get_available_providers() else [CPU]
    return onnxruntime.InferenceSession(str(path), options, providers=providers)
