"""Registry of model weights: entries, their sources, their paths on disk, and verification.

Belongs here: entries, paths and hashes. Does not belong here: fetching (fetch.py), loading a model (one module per
family), weights inside a Python package (packaged.py). Get files only by `weight_path`: it verifies them.
"""

import hashlib
import os
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

from speakervid_dag.failures import UserError, WeightsMissing, WeightsUnusable
from speakervid_dag.hashing import HashMemory
from speakervid_dag.user_cache import cache_folder, memory_file

WEIGHTS_ENV = "SPEAKERVID_WEIGHTS"
_ACCEPTED_SUFFIX = ".accepted-sha256"  # beside an unpinned file: the hash that `pull --accept-hash` stored


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
        """Return whether every file has a hash in the registry."""
        return all(file.sha256 is not None for file in self.files)


class VerifyResult(_Frozen):
    """Comparison of the files on disk with the registry. `detail` names the offending file.

    `sha256` identifies the files found, for provenance: the file's own hash, or that of sorted `sha256  filename`
    lines; None if a file is missing or unreadable.
    """

    name: str
    status: Literal["ok", "missing", "wrong_hash", "unreadable"]
    detail: str = ""
    sha256: str | None = None

    @property
    def is_damaged(self) -> bool:
        """Return whether files are present that must not be used."""
        return self.status in ("wrong_hash", "unreadable")


@cache
def load_registry() -> dict[str, Weight]:
    """Return all entries by name, in the order of weights.yaml."""
    return parse_registry(files("speakervid_dag.models").joinpath("weights.yaml").read_text(encoding="utf-8"))


def parse_registry(text: str) -> dict[str, Weight]:
    """Return the entries of a YAML text `name: {stage, what, licence, ...}`.

    Raises:
        pydantic.ValidationError: an entry is malformed.
    """
    return {name: Weight(name=name, **entry) for name, entry in yaml.safe_load(text).items()}


def get_weight(name: str) -> Weight:
    """Return one entry. Raise UserError if there is no such name."""
    registry = load_registry()
    if name not in registry:
        raise UserError(f"no weights are called '{name}'; there are: {', '.join(registry)}")
    return registry[name]


def names_of(group: Literal["default", "demo"]) -> list[str]:
    """Return the names that `models pull` (default) or `models pull --demo` fetches."""
    if group == "demo":
        return [weight.name for weight in load_registry().values() if weight.stage == "demo"]
    return [weight.name for weight in load_registry().values() if weight.is_default]


def weights_dir() -> Path:
    """Return the folder of all weights: $SPEAKERVID_WEIGHTS, else speakervid-dag/weights in the user's cache folder."""
    if chosen := os.environ.get(WEIGHTS_ENV):
        return Path(chosen).expanduser().resolve()
    return cache_folder() / "weights"


def weight_path(name: str, filename: str | None = None) -> Path:
    """Return the path of a weight file on disk that matches the registry.

    Without `filename`: the file of a one-file model, the folder of a model with several files. A file is hashed the
    first time and after each change.

    Raises:
        WeightsMissing, WeightsUnusable.
    """
    wanted = _files(name, filename)
    found = examine(name, filename)
    if found.status == "missing":
        raise WeightsMissing(name)
    if found.is_damaged:
        raise WeightsUnusable(refusal(found))
    folder = weights_dir() / name
    return folder if len(wanted) > 1 else folder / wanted[0].filename


def refusal(found: VerifyResult) -> str:
    """Return a message on files that must not be used: which, why, and the command that replaces them."""
    options = "" if get_weight(found.name).is_pinned else " --accept-hash"
    path = weights_dir() / found.name / found.detail
    return f"weights '{found.name}' are refused: {path}; run `speakervid models pull {found.name}{options}`"


def weight_hash(name: str) -> str:
    """Return the hex SHA-256 that identifies the files on disk, valid or not (see VerifyResult.sha256).

    Raises:
        WeightsMissing: a file is missing.
        WeightsUnusable: a file is unreadable.
    """
    found = examine(name)
    if found.sha256 is None:
        raise WeightsMissing(name) if found.status == "missing" else WeightsUnusable(refusal(found))
    return found.sha256


def verify(name: str) -> VerifyResult:
    """Rehash every file of a model, ignoring remembered hashes, and compare with the registry."""
    return examine(name, afresh=True)


def examine(name: str, filename: str | None = None, *, afresh: bool = False) -> VerifyResult:
    """Compare the files of a model, or one of them, with the registry.

    Files that changed since they were last hashed are hashed again; with `afresh`, all are.
    """
    lines, problem = [], ""
    for file in _files(name, filename):
        path = weights_dir() / name / file.filename
        try:
            found = file_hash(path, afresh=afresh)
        except (FileNotFoundError, NotADirectoryError):
            return VerifyResult(name=name, status="missing", detail=file.filename)
        except OSError as failure:
            detail = f"{file.filename}: cannot be read ({failure.strerror})"
            return VerifyResult(name=name, status="unreadable", detail=detail)
        expected = expected_hash(name, file)
        if found != expected and not problem:
            problem = f"{file.filename}: found {found}, expected {expected or 'a hash accepted with --accept-hash'}"
        lines.append((found, file.filename))
    joined = "".join(f"{digest}  {called}\n" for digest, called in sorted(lines)).encode()
    digest = lines[0][0] if len(lines) == 1 else hashlib.sha256(joined).hexdigest()
    return VerifyResult(name=name, status="wrong_hash" if problem else "ok", detail=problem, sha256=digest)


def _files(name: str, filename: str | None) -> list[WeightFile]:
    wanted = [file for file in get_weight(name).files if filename in (None, file.filename)]
    if not wanted:
        raise UserError(f"weights '{name}' have no file '{filename}'")
    return wanted


@cache
def _memory(file: Path | None) -> HashMemory:
    return HashMemory(file)


def file_hash(path: Path, *, afresh: bool = False) -> str:
    """Return the hex SHA-256 of a model's file; compute it the first time, after each change, and if `afresh`.

    Hashes are remembered in the user's own cache folder: a shared weights folder may be read-only, and those who can
    write there must not be able to vouch for its content.

    Raises:
        OSError: the file cannot be read.
    """
    return _memory(memory_file("weight_hashes.json")).sha256(path, afresh=afresh)


def expected_hash(name: str, file: WeightFile) -> str | None:
    """Return the registry's hash of a file, else the one the user accepted when pulling, else None."""
    accepted = accepted_hash_path(name, file.filename)
    if file.sha256 is None and accepted.is_file():
        return accepted.read_text(encoding="ascii").strip()
    return file.sha256


def accepted_hash_path(name: str, filename: str) -> Path:
    """Return the path of the file that stores the accepted hash of an unpinned file."""
    return weights_dir() / name / f"{filename}{_ACCEPTED_SUFFIX}"
