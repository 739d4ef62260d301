"""Profiles: named sets of all thresholds, read from profiles/*.yaml, with inheritance.

Belongs here: the profile model, loading, hashes per section. Does not belong here: values (YAML), files and inheritance
(profile_files.py), validation (profile_check.py), and use.
"""

import hashlib
import json
from typing import Annotated

from pydantic import Field, StringConstraints

from speakervid_dag.config.profile_check import problems
from speakervid_dag.config.profile_files import merged, profile_names, read_layers
from speakervid_dag.config.sections import (
    ActiveSpeakerSettings,
    BindingSettings,
    BranchSettings,
    ClipSettings,
    DiarizationSettings,
    Gate,
    IdentitySettings,
    JointSettings,
    LivenessSettings,
    NearDuplicateSettings,
    SamplingSettings,
    ScoreSettings,
    Section,
    ShotSettings,
    SoundSettings,
    SyncSettings,
    TrackingSettings,
    TranscriptSettings,
)
from speakervid_dag.failures import UserError

__all__ = ["Profile", "load_profile", "profile_names"]

GateName = Annotated[str, StringConstraints(pattern="^[a-z][a-z0-9_]*$")]


class Profile(Section):
    """One way to curate: the parameters of every stage, and the gates that decide the tiers."""

    name: str = Field(
        description="stored in every row of gold; default: the name of the file",
        pattern="^[A-Za-z0-9][A-Za-z0-9._-]*$",
    )
    description: str
    shots: ShotSettings
    sound: SoundSettings
    near_duplicates: NearDuplicateSettings
    diarization: DiarizationSettings
    joint: JointSettings
    transcripts: TranscriptSettings
    tracking: TrackingSettings
    liveness: LivenessSettings
    identity: IdentitySettings
    active_speaker: ActiveSpeakerSettings
    sampling: SamplingSettings
    sync: SyncSettings
    binding: BindingSettings
    clips: ClipSettings
    scores: ScoreSettings
    branches: BranchSettings
    gates: dict[GateName, Gate] = Field(description="gate name → rule, in the order of the funnel")

    def digest(self, *sections: str) -> str:
        """Return the hex SHA-256 over the named sections: equal digests mean equal parameters."""
        body = self.model_dump(mode="json", include=set(sections))
        if "gates" in sections:
            body["gate_order"] = list(self.gates)
        return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def load_profile(name_or_path: str) -> Profile:
    """Load a profile by name, or by the path of the user's own YAML file.

    Raises:
        UserError: the profile does not exist or is invalid; the message names file, line and key.
    """
    layers = read_layers(name_or_path)
    found = problems(layers, Profile)
    if found:
        more = f" (and {len(found) - 1} more: `speakervid profiles check {name_or_path}`)" if len(found) > 1 else ""
        raise UserError(f"profile {found[0]}{more}")
    return Profile.model_validate(merged(layers))
