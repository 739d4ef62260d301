"""Sections of clips and what is decided of them: cutting, scores, branches, gates."""

from typing import Literal, Self

from pydantic import Field, model_validator

from speakervid_dag.config.sections.base import Section


class ClipSettings(Section):
    """Cutting tracks and turns into clips."""

    min_s: float = Field(description="shortest clip, s; SpeakerVid-5M: 3")
    max_s: float = Field(description="longest clip, s; SpeakerVid-5M: 14")
    join_pause_s: float = Field(description="turns of a speaker this close with nobody between are one contribution, s")
    max_listener_talking: float = Field(
        description="who moves the lips from this talking score on in a turn of no face does not listen to it, 0-1",
        gt=0,
        le=1,
    )
    min_step_conf: float = Field(description="... nor in another face's turn, with this Sync-C or more; ours, Sync-C")
    pad_s: float = Field(description="a talking clip may reach this far outside its turns, inside its shot, s")
    box_margin: float = Field(description="added on each side of the union box, in face widths and heights")


class ScoreSettings(Section):
    """Parameters of measurements (not their thresholds: those are gates)."""

    dark_luma: float = Field(description="a frame with less mean BT.709 luma is dark, 0-255; SpeakerVid-5M: 10")
    bright_luma: float = Field(description="a frame with more is too bright, 0-255; SpeakerVid-5M: 210")
    run_grid_hz: float = Field(description="runs of frames are given at this rate, Hz; SpeakerVid-5M works at 25")
    freeze_motion: float = Field(
        description="a frame that differs by less repeats the one before, 0-255 luma at 160 px"
    )
    min_frames: int = Field(description="fewest frames, decoded or tracked, for a figure")
    sharpness_reference: float = Field(
        description="Laplacian variance of a 128x128 face crop that has face_blur 1: "
        "face_blur = ln(1 + variance) / ln(1 + reference)"
    )
    min_speech_s: float = Field(description="shortest own speech in a clip for DNSMOS and SNR, s")
    disabled: tuple[str, ...] = Field(description="scores that are not evaluated (columns of clip_scores)")
    languages: tuple[str, ...] = Field(description="ISO 639-1 codes that language_match expects; none = not evaluated")
    video_quality: Literal["off", "dover"] = Field(
        description="model of video_quality and dover_technical; without its weights the scores say `weights_missing`"
    )
    point_tracks: Literal["off", "cotracker"] = Field(
        description="model of cotracker_ratio; without its weights the score says `weights_missing`"
    )
    point_hz: float = Field(description="pictures a second in which points are tracked; TalkVid: 2", gt=0)
    point_window_s: float = Field(description="longest window that points are tracked through, s; TalkVid: 6", gt=0)
    point_trim_s: float = Field(description="left out at either end of the clip, s; TalkVid: 0.2", ge=0)
    point_grid: int = Field(
        description="points a side of the grid laid over a window's first picture; TalkVid: 50", ge=2
    )
    head_sample_hz: float = Field(description="frames a second of TalkVid's head scores; TalkVid does not say", gt=0)
    min_mesh_score: float = Field(description="a frame's head pose and points count from this mesh presence on, 0-1")
    min_visibility: float = Field(description="a body's point is seen from this belief on, 0-1; SpeakerVid-5M: 0.3")
    min_samples: int = Field(description="fewest looks at a person, a picture or a hand for a figure", ge=1)
    still_speed: float = Field(description="body speed of motion degree 1, face heights/s", gt=0)
    lively_speed: float = Field(description="body speed of motion degree 5, face heights/s", gt=0)
    shake_window_s: float = Field(description="the camera's path less its mean over this time is its shake, s", gt=0)
    shake_share: float = Field(description="shake from this deviation on, share of the picture's long side")
    zoom_per_s: float = Field(description="zoom from this change of scale on, natural log per s")
    pan_per_s: float = Field(description="pan from this speed on, long sides of the picture per s")


class BranchSettings(Section):
    """Dialogue, listening and multi-turn; the paper does not disclose these values, they are ours."""

    dialogue_max_gap_s: float = Field(description="longest silence between question and answer, s", ge=0)
    dialogue_max_overlap_s: float = Field(description="longest talking over each other at the change, s", ge=0)
    dialogue_backchannel_max_s: float = Field(description="a shorter turn between two of another is no answer, s", ge=0)
    dialogue_min_palette: float = Field(
        description="with more than two voices a pair has an answer each way, or both people in one shot, or shots of "
        "the two whose colours have this share in common, 0-1 (0: not asked, above 1: colours do not count)",
        ge=0,
    )
    listening_min_overlap_s: float = Field(description="shortest common time of listener's clip and turn, s", ge=0)
    listening_min_margin: float = Field(
        description="co-present: Sync-C of the speaker minus that of the listener is at least this, Sync-C"
    )
    listening_needs_margin: bool = Field(description="co-present: a margin that is not evaluated drops the sample")
    listening_max_sync_conf: float | None = Field(
        description="non-co-present: the listener's Sync-C is at most this (null: not asked), Sync-C"
    )
    listening_needs_words: bool = Field(description="non-co-present: the turn has recognised words")
    multi_turn_window_s: float = Field(description="T: how far back a contextual history reaches, s", gt=0)
    multi_turn_max_gap_s: float = Field(description="delta t: longer silence ends a sequential session, s", gt=0)


class Gate(Section):
    """One rule: a measurement against a threshold."""

    measure: str = Field(description="a measure: a score of clip_scores, or duration_s")
    keep: Literal[">", ">=", "<", "<=", "==", "between"] = Field(
        description="a clip passes when `value keep threshold` holds; between: threshold <= value <= upper_threshold"
    )
    threshold: float | None = Field(default=None, description="in `unit`; left out in a percentile gate")
    upper_threshold: float | None = Field(default=None, description="in `unit`; only with `keep: between`")
    percentile: float | None = Field(
        default=None, description="0-100: the threshold is this percentile of the measure over the lake", ge=0, le=100
    )
    unit: str = Field(description="unit of value and threshold: that of the measure; '1' for a ratio or an index")
    applies_to: Literal["all", "talking", "listening"] = Field(
        default="all", description="role of the clips that are asked: a listener's speech is not missing"
    )
    level: Literal["pretrain", "sft"] = Field(
        description="pretrain: failing rejects the clip; sft: failing bars it from sft"
    )
    mode: Literal["enforce", "score_only", "off"] = Field(
        default="enforce", description="score_only: recorded, decides nothing"
    )
    not_evaluated: Literal["fail", "pass", "hold"] = Field(
        description="what a missing value means: fail or pass the gate, or hold the clip out of sft only"
    )
    stands_for: str | None = Field(
        default=None, description="a paper's measure that cannot be had here, which this one stands for"
    )
    source: str = Field(description="where rule and threshold come from", min_length=1)

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
        """The rule as a person writes it, without its unit: `>= 0.1`, `in [0.85, 0.999]`, `>= 5th percentile`."""
        if self.keep == "between":
            return f"in [{self.threshold:g}, {self.upper_threshold:g}]"
        return (
            f"{self.keep} {self.threshold:g}"
            if self.percentile is None
            else f"{self.keep} percentile {self.percentile:g}"
        )
