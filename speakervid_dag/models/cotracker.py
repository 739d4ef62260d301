"""CoTracker 3, offline (Karaev et al. 2024): visibility of a grid of points over time, by its authors' own package.

Belongs here: building the tracker with a checkpoint of the registry, running it. Does not belong here: the choice of
pictures and the meaning of their visibility (curation/scores/points.py).

The package `cotracker` is not in the package index and has a non-commercial licence, so it is not a dependency: users
install it from the authors' repository (docs/scores.md). This module loads the checkpoint itself, as weights only;
torch.hub fetches nothing. Tests use a package with the same interface.
"""

import importlib
import importlib.metadata
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.failures import OperationError, PermanentFailure
from speakervid_dag.models.torch_device import chosen_device

WEIGHTS = "cotracker3"
PACKAGE = "cotracker"
_WINDOW_FRAMES = 60  # of the published offline model


class PackageMissing(PermanentFailure):
    """Failure: the package is not installed."""

    def __init__(self) -> None:
        super().__init__("package_missing", f"the package {PACKAGE} is not installed")


def package_state() -> str:
    """Return the package's version, or `missing`: rows made without it are recomputed once it is installed."""
    if importlib.util.find_spec(PACKAGE) is None:
        return "missing"
    try:
        return importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError:  # importable, but never installed
        return "unknown"


class CoTracker:
    """The tracker, loaded once.

    Args:
        checkpoint: scaled_offline.pth; None = the registry's (WeightsMissing if it is not on disk, OperationError if it
            is not the accepted file).
        device: torch device; None = cuda if present, else cpu.

    Raises:
        PackageMissing: `cotracker` is not installed.
        OperationError: the file contains another network.
    """

    def __init__(self, checkpoint: Path | None = None, device: str | None = None) -> None:
        if checkpoint is None:
            from speakervid_dag.models.registry import weight_path

            checkpoint = weight_path(WEIGHTS)
        if importlib.util.find_spec(PACKAGE) is None:
            raise PackageMissing

        self.device = chosen_device(device)
        self._predictor = _loaded(checkpoint).to(self.device)

    def visible(self, pictures: NDArray[np.uint8], grid: int) -> NDArray[np.bool_]:
        """Return which points of a grid×grid on the first picture are visible in each: bool (t, grid²).

        All are visible in the first picture.

        Args:
            pictures: (t, h, w, 3) BGR 0-255.
        """
        import torch

        rgb = np.ascontiguousarray(pictures[..., ::-1].transpose(0, 3, 1, 2))
        video = torch.from_numpy(rgb)[None].float().to(self.device)
        with torch.inference_mode():
            _, visibility = self._predictor(video, grid_size=grid, grid_query_frame=0)
        seen = np.asarray(visibility.bool().cpu().numpy(), np.bool_)
        return seen.reshape(len(pictures), grid * grid)


def _loaded(checkpoint: Path) -> Any:
    import torch

    predictor = importlib.import_module(f"{PACKAGE}.predictor").CoTrackerPredictor(
        checkpoint=None, offline=True, v2=False, window_len=_WINDOW_FRAMES
    )
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    try:
        predictor.model.load_state_dict(state.get("model", state))
    except RuntimeError as problem:
        raise OperationError(f"{checkpoint.name} is no CoTracker 3 (offline): {problem}") from problem
    return predictor.eval()
