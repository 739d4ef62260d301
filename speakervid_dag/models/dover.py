"""DOVER (Wu et al., ICCV 2023), technical and aesthetic quality, from the ONNX file that its authors' script writes.

Belongs here: loading that file, rejecting any other, running it. Does not belong here: views and formulas
(curation/scores/dover.py), gates.

No ONNX file is published, and the architecture is not copied here: `convert_to_onnx.py` of the authors' repository
turns DOVER.pth into onnx_dover.onnx (docs/scores.md). Its inputs are `aes_view` (1, 3, 32, 224, 224) and `tech_view`
(runs, 3, 32, 224, 224). Its outputs are the aesthetic and the technical raw scores, in this order. The script fixes
four runs, dover.yml has three; the number is read from the file. Tests use small networks with the same interface.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.failures import OperationError
from speakervid_dag.models.onnx_session import open_session

WEIGHTS = "dover"
DEFAULT_RUNS = 3  # from dover.yml, for a file that accepts any number
_VIEW = (3, 32, 224, 224)
_INPUTS = ("aes_view", "tech_view")

Floats = NDArray[np.float32]


class Dover:
    """The network, loaded once.

    Args:
        path: the ONNX file; None = the registry's (WeightsMissing if it is not on disk, OperationError if it is not
            the accepted file).
        threads: CPU threads of the runtime.

    Raises:
        OperationError: the file is not an ONNX network with DOVER's inputs and outputs.
    """

    def __init__(self, path: Path | None = None, threads: int = 2) -> None:
        if path is None:
            from speakervid_dag.models.registry import weight_path

            path = weight_path(WEIGHTS)
        try:
            self._session = open_session(path, threads)
        except Exception as problem:  # onnxruntime's errors have no common base class
            raise OperationError(f"{path.name} is no ONNX network: {problem}") from problem
        self.runs = self._runs(path.name)

    def _runs(self, name: str) -> int:
        shapes = {given.name: tuple(given.shape) for given in self._session.get_inputs()}
        if set(shapes) != set(_INPUTS) or len(self._session.get_outputs()) != 2:
            raise OperationError(f"{name} is not DOVER: its inputs are {', '.join(shapes)}, not {', '.join(_INPUTS)}")
        for shape in shapes.values():
            if len(shape) != 5 or any(isinstance(n, int) and n != m for n, m in zip(shape[1:], _VIEW, strict=True)):
                raise OperationError(f"{name} is not DOVER: a view of shape {shape}, not (n, {_VIEW})")
        runs = shapes["tech_view"][0]
        return runs if isinstance(runs, int) else DEFAULT_RUNS

    def raw(self, aesthetic: Floats, technical: Floats) -> tuple[float, float]:
        """Return (technical, aesthetic) raw scores, each the mean over its view's runs.

        Args:
            aesthetic: float32 (1, 3, 32, 224, 224), normalised RGB.
            technical: float32 (runs, 3, 32, 224, 224).
        """
        aesthetic_raw, technical_raw = self._session.run(None, {"aes_view": aesthetic, "tech_view": technical})
        return float(np.mean(technical_raw)), float(np.mean(aesthetic_raw))
