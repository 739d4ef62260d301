"""Sections of clips and the decisions about them: cutting, scores, branches, gates."""

from typing import Literal, Self

from pydantic import Field, model_validator

from speakervid_dag.config.sections.base import Section
from speakervid_dag.config.sections.languages import SpokenLanguage


class ClipSettings(Section):
    """Cutting of tracks and turns into clips."""

    IN_ORDER = (("min_s", "<=", "max_s"),)

    min_s: float = Field(description="shortest clip, s; SpeakerVid-5M: 3", ge=0)
    max_s: float = Field(description="longest clip, s; SpeakerVid-5M: 14", gt=0)
    join_pause_s: float = Field(description="turns of a speaker this close, with nobody between, are joined, s", ge=0)
    max_listener_talking: float = Field(
        description="in a turn without a face, a person with this talking score or more is not listening, 0-1",
        gt=0,
        le=1,
    )
    min_step_conf: float = Field(description="... nor in another face's turn, with this Sync-C or more; ours, Sync-C")
    pad_s: float = Field(description="most that a talking clip extends beyond its turns, within its shot, s", ge=0)
    box_margin: float = Field(description="margin on each side of the union box, in face widths and heights", ge=0)


class ScoreSettings(Section):
    """Parameters of scores (not their thresholds: those are gates)."""

    IN_ORDER = (("dark_luma", "<=", "bright_luma"), ("still_speed", "<", "lively_speed"))

    dark_luma: float = Field(
        description="a frame with less mean BT.709 luma is dark, 0-255; SpeakerVid-5M: 10", ge=0, le=255
    )
    bright_luma: float = Field(description="a frame with more is too bright, 0-255; SpeakerVid-5M: 210", ge=0, le=255)
    run_grid_hz: float = Field(
        description="frame rate in which runs of frames are counted, Hz; SpeakerVid-5M: 25", gt=0
    )
    freeze_motion: float = Field(
        description="a frame that differs by less repeats the previous one, 0-255 luma at 160 px", ge=0
    )
    min_frames: int = Field(description="fewest frames, decoded or tracked, for a score", ge=1)
    sharpness_reference: float = Field(
        description="Laplacian variance of a 128x128 face crop that has face_blur 1: "
        "face_blur = ln(1 + variance) / ln(1 + reference)",
        gt=0,
    )
    min_speech_s: float = Field(description="shortest own speech in a clip for DNSMOS and SNR, s", ge=0)
    disabled: tuple[str, ...] = Field(description="scores that are not evaluated (columns of clip_scores)")
    languages: tuple[SpokenLanguage, ...] = Field(
        description="ISO 639-1 codes that language_match expects; none: not evaluated"
    )
    video_quality: Literal["off", "dover"] = Field(
        description="model of video_quality and dover_technical; status without its weights: `weights_missing`"
    )
    point_tracks: Literal["off", "cotracker"] = Field(
        description="model of cotracker_ratio; status without its weights: `weights_missing`"
    )
    point_hz: float = Field(description="frames/s in which points are tracked; TalkVid: 2", gt=0)
    point_window_s: float = Field(description="longest window through which points are tracked, s; TalkVid: 6", gt=0)
    point_trim_s: float = Field(description="skipped at either end of the clip, s; TalkVid: 0.2", ge=0)
    point_grid: int = Field(description="points per side of the grid on a window's first frame; TalkVid: 50", ge=2)
    head_sample_hz: float = Field(description="frames/s of TalkVid's head scores; TalkVid does not state it", gt=0)
    min_mesh_score: float = Field(
        description="lowest mesh presence at which head pose and points count, 0-1", ge=0, le=1
    )
    min_visibility: float = Field(
        description="lowest confidence of a visible body point, 0-1; SpeakerVid-5M: 0.3", ge=0, le=1
    )
    min_samples: int = Field(description="fewest samples of a person, a picture or a hand for a score", ge=1)
    still_speed: float = Field(description="body speed of motion degree 1, face heights/s", gt=0)
    lively_speed: float = Field(description="body speed of motion degree 5, face heights/s", gt=0)
    shake_window_s: float = Field(description="shake is the camera's path minus its mean over this time, s", gt=0)
    shake_share: float = Field(description="smallest deviation that is shake, share of the picture's long side", ge=0)
    zoom_per_s: float = Field(description="smallest change of scale that is a zoom, natural log per s", ge=0)
    pan_per_s: float = Field(description="lowest speed that is a pan, long sides of the picture per s", ge=0)


class BranchSettings(Section):
    """Dialogue, listening and multi-turn. The paper does not disclose these values; they are ours."""

    dialogue_max_gap_s: float = Field(description="longest silence between question and answer, s", ge=0)
    dialogue_max_overlap_s: float = Field(description="longest overlap of both voices at the change, s", ge=0)
    dialogue_min_palette: float = Field(
        description="with more than two voices, a pair needs an answer each way, or both people in one shot, or shots "
        "of the two whose colours have this share in common, 0-1 (0: not required, above 1: colours do not count)",
        ge=0,
    )
    listening_min_overlap_s: float = Field(description="shortest common time of listener's clip and turn, s", ge=0)
    listening_min_margin: float = Field(
        description="co-present: lowest difference of the log odds that the speaker's face and the listener's talk"
    )
    listening_needs_margin: bool = Field(description="co-present: drop samples whose margin is not evaluated")
    listening_max_log_odds: float | None = Field(
        description="non-co-present: highest log odds that the listener talks (null: no limit)"
    )
    listening_needs_words: bool = Field(description="non-co-present: the turn must have recognised words")
    multi_turn_window_s: float = Field(description="T: length of a contextual history, s", gt=0)
    multi_turn_max_gap_s: float = Field(description="delta t: a longer silence ends a sequential session, s", gt=0)


class Gate(Section):
    """One rule: a score compared with a threshold."""

    measure: str = Field(description="a score of clip_scores, or duration_s")
    keep: Literal[">", ">=", "<", "<=", "==", "between"] = Field(
        description="a clip passes when `value keep threshold` holds; between: threshold <= value <= upper_threshold"
    )
    threshold: float | None = Field(default=None, description="in `unit`; left out in a percentile gate")
    upper_threshold: float | None = Field(default=None, description="in `unit`; only with `keep: between`")
    percentile: float | None = Field(
        default=None, description="0-100: the threshold is this percentile of the measure over the lake", ge=0, le=100
    )
    unit: str = Field(description="unit of value and threshold, the measure's own; '1' for a ratio or an index")
    applies_to: Literal["all", "talking", "listening"] = Field(
        default="all", description="role of the clips tested, so that listeners are not tested for speech"
    )
    level: Literal["pretrain", "sft"] = Field(
        description="pretrain: failing rejects the clip; sft: failing bars it from sft"
    )
    mode: Literal["enforce", "score_only", "off"] = Field(
        default="enforce", description="score_only: recorded, decides nothing"
    )
    not_evaluated: Literal["fail", "pass", "hold"] = Field(
        description="effect of a missing value: fail or pass the gate, or only hold the clip out of sft"
    )
    stands_for: str | None = Field(
        default=None, description="the paper's measure that this one replaces, because it is not available here"
    )
    source: str = Field(description="origin of rule and threshold", min_length=1)

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        if (self.threshold is None) == (self.percentile is None):
            raise ValueError("give either threshold or percentile")
        if (self.keep == "between") != (self.upper_threshold is not None):
            raise ValueError(
                "keep 'between' takes threshold and upper_threshold, any other keep has no upper_threshold"
            )
        if self.upper_threshold is not None and (self.threshold is None or self.upper_threshold < self.threshold):
            raise ValueError("between takes a threshold that is not above upper_threshold")
        return self

    @property
    def rule(self) -> str:
        """The rule as text, without its unit: `>= 0.1`, `in [0.85, 0.999]`, `>= percentile 5`."""
        if self.keep == "between":
            return f"in [{self.threshold:g}, {self.upper_threshold:g}]"
        return (
            f"{self.keep} {self.threshold:g}"
            if self.percentile is None
            else f"{self.keep} percentile {self.percentile:g}"
        )
