"""Profiles: named sets of every threshold, read from profiles/*.yaml, with inheritance.

Belongs here: the profile model, loading, inheritance, hashes per section. Does not belong here: values (YAML) and use.
"""

import hashlib
import json
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError

from speakervid_dag.config.sections import (
    BindingSettings,
    BranchSettings,
    ClipSettings,
    DiarizationSettings,
    Gate,
    IdentitySettings,
    ScoreSettings,
    Section,
    ShotSettings,
    SyncSettings,
    TrackingSettings,
    TranscriptSettings,
)
from speakervid_dag.failures import UserError


class Profile(Section):
    """One way to curate: the parameters of every stage, and the gates that make tiers."""

    name: str
    description: str
    shots: ShotSettings
    diarization: DiarizationSettings
    transcripts: TranscriptSettings
    tracking: TrackingSettings
    identity: IdentitySettings
    sync: SyncSettings
    binding: BindingSettings
    clips: ClipSettings
    scores: ScoreSettings
    branches: BranchSettings
    gates: dict[str, Gate] = Field(description="gate name → rule")

    def digest(self, *sections: str) -> str:
        """Hex SHA-256 over the named sections: equal digests mean equal parameters."""
        body = self.model_dump(mode="json", include=set(sections))
        return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def profile_names() -> list[str]:
    """Names of the profiles that come with the package, sorted (`base` is only there to be inherited)."""
    folder = resources.files("speakervid_dag.config") / "profiles"
    names = [Path(entry.name).stem for entry in folder.iterdir() if entry.name.endswith(".yaml")]
    return sorted(n for n in names if n != "base")


def load_profile(name_or_path: str) -> Profile:
    """A profile by name, or by the path of a YAML file of the user's own.

    Raises:
        UserError: no such profile, a key that is not known, a missing or wrong value; the message names the place.
    """
    body = _resolved(name_or_path, ())
    body.pop("inherits", None)
    try:
        return Profile.model_validate(body)
    except ValidationError as problem:
        first = problem.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UserError(f"profile {name_or_path}: {place}: {first['msg']}") from problem


def _resolved(name_or_path: str, seen: tuple[str, ...]) -> dict[str, Any]:
    if name_or_path in seen:
        raise UserError(f"profile {name_or_path} inherits from itself ({' → '.join((*seen, name_or_path))})")
    body = _read(name_or_path)
    parent = body.get("inherits")
    return body if parent is None else _merged(_resolved(str(parent), (*seen, name_or_path)), body)


def _read(name_or_path: str) -> dict[str, Any]:
    if name_or_path.endswith((".yaml", ".yml")):
        path = Path(name_or_path)
        if not path.is_file():
            raise UserError(f"there is no profile file {name_or_path}")
        text = path.read_text()
    else:
        packaged = resources.files("speakervid_dag.config") / "profiles" / f"{name_or_path}.yaml"
        if not packaged.is_file():
            raise UserError(f"there is no profile '{name_or_path}'; there are {', '.join(profile_names())}")
        text = packaged.read_text()
    try:
        body = yaml.safe_load(text)
    except yaml.YAMLError as problem:
        raise UserError(f"profile {name_or_path} is not YAML: {problem}") from problem
    if not isinstance(body, dict):
        raise UserError(f"profile {name_or_path} must be a mapping")
    return body


def _merged(parent: dict[str, Any], child: dict[str, Any]) -> dict[str, Any]:
    """The child's values over the parent's, mapping by mapping; a gate set to null is removed."""
    out = dict(parent)
    for key, value in child.items():
        if isinstance(value, dict) and isinstance(out.get(key), dict):
            out[key] = _merged(out[key], value)
        elif value is None:
            out.pop(key, None)
        else:
            out[key] = value
    return out
