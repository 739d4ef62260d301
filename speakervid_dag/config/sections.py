"""The sections of a profile: one frozen model a stage, each field with its unit, meaning and source.

Belongs here: field names, types and descriptions. Does not belong here: values (they stand in profiles/*.yaml,
so that a threshold has one place) and code that uses them.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """Base of all sections: immutable, and a key that is not known is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ShotSettings(Section):
    """Shot boundaries (PySceneDetect over a low-resolution pass)."""

    long_side_px: int = Field(description="long side of the low-resolution pass, px")
    histogram_threshold: float = Field(description="HistogramDetector threshold, 0-1; SpeakerVid-5M scripts: 0.05")
    histogram_bins: int = Field(description="luma bins of the histogram; SpeakerVid-5M scripts: 256")
    min_shot_s: float = Field(description="shortest shot, s; SpeakerVid-5M scripts: 15 frames")


class DiarizationSettings(Section):
    """Speech regions, speaker embeddings and their clustering."""


class TranscriptSettings(Section):
    """Speech recognition."""


class TrackingSettings(Section):
    """Face detection, mesh and tracking inside a shot."""


class IdentitySettings(Section):
    """Which face tracks and voices are one person."""


class SyncSettings(Section):
    """Lip-sync evidence of one track and one turn. Without a source, a value is our own default."""

    grid_hz: int = Field(description="common grid of lips and sound, Hz; SyncNet works at 25 frames per second")
    max_lag_frames: int = Field(description="lags searched on either side, frames of the grid; SyncNet's scripts: 15")
    min_overlap_s: float = Field(description="shortest common time of a scored track and turn, s; SpeakerVid-5M: 0.5")
    min_evidence_s: float = Field(description="shortest time of one person and one speaker that is regressed, s")
    context_s: float = Field(description="sound before and after a turn that counts as its silence, s")
    min_mesh_score: float = Field(description="a frame's lips are used from this mesh presence on, 0-1")
    max_abs_yaw_deg: float = Field(description="a frame's lips are used up to this head yaw, deg")
    min_seen_share: float = Field(description="share of the common time in which the lips are seen, 0-1")
    max_hole_s: float = Field(description="missing frames are interpolated up to this long, s")
    audio_bands: int = Field(description="mel-spaced band energies")
    audio_low_hz: float = Field(description="lowest band edge, Hz")
    audio_high_hz: float = Field(description="highest band edge, Hz")
    audio_range_db: float = Field(description="energies this far under the loud parts (99th percentile) are silence, dB")
    slow_s: float = Field(description="drift slower than this is taken out of lips and sound, s (syllables: 2-8 Hz)")
    shape_axes: int = Field(description="principal axes of a person's lip shape that predict the sound")
    lip_noise: float = Field(description="jitter of a still mouth's points, inter-ocular distances")
    still_speed: float = Field(description="speed of a still mouth's points, inter-ocular distances per s")
    ridge: float = Field(description="ridge penalty per sample (predictors have unit variance)")
    fold_s: float = Field(description="length of a held-out stretch, s")
    max_folds: int = Field(description="most held-out parts; longer material has longer parts")
    prediction_floor: float = Field(description="a prediction with less deviation than this counts less (sound has 1)")
    own_weight: float = Field(description="weight of a turn's own curve against that of all turns of its speaker, 0-1")
    lag_tolerance_frames: int = Field(description="a pair's peak lies this close to the lag of the whole video, frames")
    distance_scale: float = Field(description="distance = scale * (1 - correlation); 10 gives Sync-C of SyncNet's size")


class BindingSettings(Section):
    """Whose face a speaker is. Without a source, a value is our own default."""

    foreign_conf: float = Field(description="Sync-C deviation of a foreign voice over 1 s; falls with the root of the length")
    min_talking: float = Field(description="a face with a lower talking score in the speaker's turns does not speak, 0-1")
    min_evidence: float = Field(description="synchrony needed to bind, in deviations of a foreign voice")
    min_margin: float = Field(description="lead over the best other answer needed to bind, same unit")
    talking_weight: float = Field(description="evidence of a full talking score against a still mouth, same unit")
    min_visible_s: float = Field(description="shortest time a track is seen in a turn to be judged, s")


class ClipSettings(Section):
    """Cutting tracks and turns into clips."""

    min_s: float = Field(description="shortest clip, s; SpeakerVid-5M: 3")
    max_s: float = Field(description="longest clip, s; SpeakerVid-5M: 14")
    join_pause_s: float = Field(description="turns of one speaker this close with nobody between are one contribution, s")
    pad_s: float = Field(description="a talking clip may reach this far outside its turns, inside its shot, s")
    box_margin: float = Field(description="added on each side of the union box, in face widths and heights")


class ScoreSettings(Section):
    """Parameters of measurements (not their thresholds: those are gates)."""


class BranchSettings(Section):
    """Dialogue, listening and multi-turn; the paper does not disclose these values, they are ours."""


class Gate(Section):
    """One rule: a measurement against a threshold."""

    measure: str = Field(description="a numeric column of clip_scores")
    keep: Literal[">", ">=", "<", "<=", "=="] = Field(description="a clip passes when `value keep threshold` holds")
    threshold: float | None = Field(default=None, description="in `unit`; null for a percentile gate")
    percentile: float | None = Field(
        default=None, description="0-100: the threshold is this percentile of the measure over the lake", ge=0, le=100
    )
    unit: str = Field(description="unit of value and threshold; '1' for a ratio or an index")
    level: Literal["pretrain", "sft"] = Field(
        description="pretrain: failing rejects the clip; sft: failing bars it from sft"
    )
    mode: Literal["enforce", "score_only", "off"] = Field(
        default="enforce", description="score_only: recorded, decides nothing"
    )
    not_evaluated: Literal["fail", "pass", "hold"] = Field(
        description="what a missing value means: fail or pass the gate, or hold the clip out of sft only"
    )
    source: str = Field(description="where rule and threshold come from")
