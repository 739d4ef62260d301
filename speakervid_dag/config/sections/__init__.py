"""The sections of a profile: one frozen model per stage, each field with its unit, meaning and source.

Belongs here: field names, types and descriptions, in one module per topic. Does not belong here: values (only in
profiles/*.yaml, so that each threshold is in one place) and code that uses them.
"""

from speakervid_dag.config.sections.base import Section
from speakervid_dag.config.sections.clips import (
    BranchSettings,
    ClipSettings,
    Gate,
    ScoreSettings,
)
from speakervid_dag.config.sections.faces import (
    BlockingSettings,
    IdentitySettings,
    LivenessSettings,
    SamplingSettings,
    TrackingSettings,
)
from speakervid_dag.config.sections.joint import JointSettings
from speakervid_dag.config.sections.sources import (
    NearDuplicateSettings,
    ShotSettings,
    SoundSettings,
)
from speakervid_dag.config.sections.speaking import (
    ActiveSpeakerSettings,
    BindingSettings,
    SyncSettings,
)
from speakervid_dag.config.sections.voices import (
    DiarizationSettings,
    LocalSpeakerSettings,
    TranscriptSettings,
)

__all__ = [
    "ActiveSpeakerSettings",
    "BindingSettings",
    "BlockingSettings",
    "BranchSettings",
    "ClipSettings",
    "DiarizationSettings",
    "Gate",
    "IdentitySettings",
    "JointSettings",
    "LivenessSettings",
    "LocalSpeakerSettings",
    "NearDuplicateSettings",
    "SamplingSettings",
    "ScoreSettings",
    "Section",
    "ShotSettings",
    "SoundSettings",
    "SyncSettings",
    "TrackingSettings",
    "TranscriptSettings",
]
