"""The registry of model weights: what exists, where it comes from and lies, and whether it is what it claims to be.

Belongs here: entries, paths and hashes. Does not belong here: fetching (fetch.py) and loading a model (one module a
family).
"""

import hashlib
import os
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

from speakervid_dag.failures import OperationError, UserError, WeightsMissing
from speakervid_dag.files import sha256_of

WEIGHTS_ENV = "SPEAKERVID_WEIGHTS"
_ACCEPTED_SUFFIX = ".accepted-sha256"  # beside an unpinned file: the hash the user accepted at `pull --accept-hash`


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class WeightFile(_Frozen):
    """One file of a model."""

    filename: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="its name inside the model's folder")
    sha256: str | None = Field(pattern=r"^[0-9a-f]{64}$", description="of the finished file; None = unpinned")
    sources: tuple[str, ...] = Field(min_length=1, description="joined in order; see weights.yaml for the kinds")


class Weight(_Frozen):
    """One entry of the registry."""

    name: str
    stage: str
    what: str
    licence: str
    is_commercial_ok: bool
    is_default: bool = Field(description="pulled when no name is given")
    files: tuple[WeightFile, ...] = Field(min_length=1)

    @property
    def is_pinned(self) -> bool:
        """Whether every file has a known hash."""
        return all(file.sha256 is not None for file in self.files)


class VerifyResult(_Frozen):
    """What lies on disk against what the registry says. `detail` names the offending file."""

    name: str
    status: Literal["ok", "missing", "wrong_hash"]
    detail: str = ""


@cache
def load_registry() -> dict[str, Weight]:
    """All entries by name, in the order of weights.yaml."""
    return parse_registry(files("speakervid_dag.models").joinpath("weights.yaml").read_text(encoding="utf-8"))


def parse_registry(text: str) -> dict[str, Weight]:
    """Entries of a YAML text `name: {stage, what, licence, ...}`; pydantic.ValidationError if one is malformed."""
    return {name: Weight(name=name, **entry) for name, entry in yaml.safe_load(text).items()}


def get_weight(name: str) -> Weight:
    """One entry; UserError if there is no such name."""
    registry = load_registry()
    if name not in registry:
        raise UserError(f"no weights are called '{name}'; there are: {', '.join(registry)}")
    return registry[name]


def names_of(group: Literal["default", "demo"]) -> list[str]:
    """Names that `models pull` (default) or `models pull --demo` fetches."""
    if group == "demo":
        return [weight.name for weight in load_registry().values() if weight.stage == "demo"]
    return [weight.name for weight in load_registry().values() if weight.is_default]


def weights_dir() -> Path:
    """Folder of all weights: $SPEAKERVID_WEIGHTS, else speakervid-dag/weights in the user's cache folder."""
    if chosen := os.environ.get(WEIGHTS_ENV):
        return Path(chosen).expanduser().resolve()
    # An empty or relative XDG_CACHE_HOME counts as unset (XDG base directory specification).
    cache_home = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (cache_home if cache_home.is_absolute() else Path.home() / ".cache") / "speakervid-dag" / "weights"


def weight_path(name: str, filename: str | None = None) -> Path:
    """Path of a weight file on disk.

    Without `filename`: the file of a one-file model, the folder of a model with several files. Existence is checked,
    the hash is not (`verify` does that, and `pull` did). Raises WeightsMissing.
    """
    weight = get_weight(name)
    folder = weights_dir() / name
    wanted = [file.filename for file in weight.files if filename in (None, file.filename)]
    if not wanted:
        raise UserError(f"weights '{name}' have no file '{filename}'")
    if not all((folder / each).is_file() for each in wanted):
        raise WeightsMissing(name)
    return folder if len(wanted) > 1 else folder / wanted[0]


def verified_path(name: str, filename: str | None = None) -> Path:
    """`weight_path` of files that are what the registry says. Raises WeightsMissing, OperationError on another hash."""
    path = weight_path(name, filename)
    found = verify(name)
    if found.status == "wrong_hash":
        raise OperationError(f"weights '{name}' are refused: {found.detail}")
    return path


def weight_hash(name: str) -> str:
    """Hex SHA-256 that identifies a model in provenance: the file's own, or that of sorted `sha256  filename` lines.

    Raises WeightsMissing for an unpinned model that was never pulled.
    """
    hashes = sorted((expected_hash(name, file), file.filename) for file in get_weight(name).files)
    if any(digest is None for digest, _ in hashes):
        raise WeightsMissing(name)
    if len(hashes) == 1:
        return str(hashes[0][0])
    return hashlib.sha256("".join(f"{digest}  {filename}\n" for digest, filename in hashes).encode()).hexdigest()


def verify(name: str) -> VerifyResult:
    """Hash every file of a model and compare."""
    for file in get_weight(name).files:
        path = weights_dir() / name / file.filename
        if not path.is_file():
            return VerifyResult(name=name, status="missing", detail=file.filename)
        expected, found = expected_hash(name, file), sha256_of(path)
        if found != expected:
            detail = f"{file.filename}: found {found}, expected {expected or 'a hash accepted with --accept-hash'}"
            return VerifyResult(name=name, status="wrong_hash", detail=detail)
    return VerifyResult(name=name, status="ok")


def expected_hash(name: str, file: WeightFile) -> str | None:
    """The registry's hash of a file, else the one the user accepted when pulling, else None."""
    accepted = accepted_hash_path(name, file.filename)
    if file.sha256 is None and accepted.is_file():
        return accepted.read_text(encoding="ascii").strip()
    return file.sha256


def accepted_hash_path(name: str, filename: str) -> Path:
    """Where the accepted hash of an unpinned file is kept."""
    return weights_dir() / name / f"{filename}{_ACCEPTED_SUFFIX}"
