"""Sections that decide who speaks: active speaker, lip sync, bindings, calibration, a lake's own model."""

from typing import Literal

from pydantic import Field, PositiveFloat

from speakervid_dag.config.sections.base import Cosine, Section


class ActiveSpeakerSettings(Section):
    """Backends of the two tasks of active-speaker detection."""

    talking: Literal["lip_network", "light_asd", "lip_motion"] = Field(
        description="is this face talking? lip_network: the packaged network; light_asd: another one, until whose "
        "weights are there lip_network answers; lip_motion: no network looks, and turns come from sound first"
    )
    synchrony: Literal["lip_ridge", "syncnet", "lake_model"] = Field(
        description="where turns come first, does this voice belong to these lips? lake_model: the one trained on this "
        "lake, if it is better"
    )

    @property
    def needs_face_crops(self) -> bool:
        return self.talking != "lip_motion" or self.synchrony == "syncnet"


class SyncSettings(Section):
    """Lip-sync evidence of one track and one turn. Values without a source are our own defaults."""

    IN_ORDER = (("audio_low_hz", "<", "audio_high_hz"),)

    grid_hz: int = Field(description="common grid of lips and sound, Hz; SyncNet works at 25 frames per second", gt=0)
    max_lag_frames: int = Field(
        description="lags searched on either side, frames of the grid; SyncNet's scripts: 15", ge=1
    )
    min_overlap_s: float = Field(
        description="shortest common time of a scored track and turn, s; SpeakerVid-5M: 0.5", ge=0
    )
    min_evidence_s: float = Field(
        description="shortest common time of a person and a speaker that is regressed, s", ge=0
    )
    context_s: float = Field(description="sound before and after a turn that counts as its silence, s", ge=0)
    min_mesh_score: float = Field(description="lowest mesh presence of a frame whose lips are used, 0-1", ge=0, le=1)
    max_abs_yaw_deg: float = Field(description="largest head yaw of a frame whose lips are used, deg", ge=0, le=180)
    min_seen_share: float = Field(description="smallest share of the common time with visible lips, 0-1", ge=0, le=1)
    max_hole_s: float = Field(description="longest gap of missing frames that is interpolated, s", ge=0)
    audio_bands: int = Field(description="mel-spaced band energies", ge=1)
    audio_low_hz: float = Field(description="lowest band edge, Hz", ge=0)
    audio_high_hz: float = Field(description="highest band edge, Hz", gt=0)
    audio_range_db: float = Field(description="energies this far below the 99th percentile are silence, dB", gt=0)
    slow_s: float = Field(
        description="drift slower than this is removed from lips and sound, s (syllables: 2-8 Hz)", gt=0
    )
    shape_axes: int = Field(description="principal axes of a person's lip shape that predict the sound", ge=0)
    lip_noise: float = Field(description="jitter of a still mouth's points, inter-ocular distances", gt=0)
    still_speed: float = Field(description="speed of a still mouth's points, inter-ocular distances per s", gt=0)
    template_height: float = Field(description="increase in loudness per deviation of mouth height, deviations")
    template_width: float = Field(description="the same for mouth width")
    template_speed: float = Field(description="the same for the log speed of the lips")
    ridge_s: float = Field(description="weight of the template, as seconds of material", gt=0)
    fold_s: float = Field(description="length of a held-out stretch, s", gt=0)
    max_folds: int = Field(description="most held-out parts; longer material has longer parts", ge=2)
    prediction_floor: float = Field(
        description="predictions with less deviation than this count less (sound has 1)", gt=0
    )
    own_weight: float = Field(
        description="weight of a turn's own curve against that of all its speaker's turns, 0-1", ge=0, le=1
    )
    lag_tolerance_frames: int = Field(
        description="largest distance of a pair's peak from the video's lag, frames", ge=0
    )
    distance_scale: float = Field(
        description="distance = scale * (1 - correlation); 10 gives Sync-C of SyncNet's size", gt=0
    )


class BindingSettings(Section):
    """Binding of speakers to faces. Values without a source are our own defaults."""

    IN_ORDER = (("still_talking", "<=", "min_talking"), ("min_log_odds", "<=", "min_log_odds_in_overlap"))

    min_probability: float = Field(
        description="joint inference: lowest calibrated probability of a face that is bound, 0-1", ge=0, le=1
    )
    min_log_odds: float = Field(description="joint inference: lowest mean talking log odds of it")
    min_log_odds_in_overlap: float = Field(description="... while somebody else talks too")
    min_face_share: float = Field(
        description="joint inference: share of a stretch in which it is seen, 0-1", ge=0, le=1
    )
    min_sync_s: float = Field(
        description="joint inference: a speaker whose face was bound for this long is asked if the sound is theirs, s",
        gt=0,
    )
    min_sync_margin: float = Field(
        description="... lowest mean margin of synchrony of a sound that is theirs", ge=-2, le=2
    )
    min_sync_margin_unaligned: float = Field(
        description="... where the offset of the sound is not measurable", ge=-2, le=2
    )
    min_readable_share: float = Field(
        description="... share of frames in which the lips can be read; with less, nothing is refused, 0-1", ge=0, le=1
    )
    foreign_deviation: float = Field(
        description="deviation of a foreign voice's synchrony over 1 s; times 1 / sqrt(length); a lake's calibration "
        "replaces it (`sync_calibration`)",
        gt=0,
    )
    peak_frames: int = Field(description="lags this near the peak belong to it, frames", ge=0)
    min_talking: float = Field(description="lowest mean talking score of a face that speaks, 0-1", ge=0, le=1)
    min_evidence: float = Field(description="synchrony needed to bind, in deviations of a foreign voice", gt=0)
    min_margin: float = Field(description="lead over the best other answer needed to bind, same unit", ge=0)
    max_synchrony: float | None = Field(
        default=None, description="most that synchrony counts for a face, same unit; null: no limit", ge=0
    )
    uncalibrated_synchrony: float = Field(
        description="that limit without a calibration: synchrony cannot bind alone then, same unit", ge=0
    )
    talking_weight: float = Field(description="evidence of a full talking score against a still mouth, same unit", ge=0)
    max_contrary: float = Field(description="most that synchrony counts against a face, same unit", ge=0)
    min_partner_evidence: float = Field(
        description="evidence needed by a free face that talks while the bound one beside it falls silent, same unit",
        ge=0,
    )
    min_lead: float = Field(
        description="lead in talking score at which one face talks and another is silent, 0-1", ge=0, le=1
    )
    still_talking: float = Field(
        description="a mouth with a lower talking score is still, 0-1 (photograph, listener)", ge=0, le=1
    )
    co_visible_weight: float = Field(description="evidence per nat that cuts follow the voice, same unit", ge=0)
    min_coincidences: int = Field(
        description="fewest changes of voice that coincide with a cut to the other's face", ge=1
    )
    cut_tolerance_s: float = Field(description="a cut this far outside a pause between voices still coincides, s", ge=0)
    follow_share: float = Field(
        description="share of voice changes that coincide with a cut if the picture follows the voice", gt=0, lt=1
    )
    min_shown_share: float = Field(
        description="a shot shows a person who is visible in this share of it, 0-1", gt=0, le=1
    )


class ShippedMismatches(Section):
    """Scores of mismatches that we measured (docs/accuracy.md): the prior of every lake's calibration."""

    basis: str = Field(description="`sync_calibration.basis` of the scores: they are invalid under other settings")
    count: int = Field(description="their weight, as a number of the lake's own mismatches", ge=0)
    mean: float = Field(description="their mean, a score of `sync_calibration`")
    deviation: float = Field(description="their standard deviation", gt=0)


class CalibrationSettings(Section):
    """Calibration of synchrony against foreign voices. Values without a source are our own defaults."""

    false_accept_rate: float = Field(description="share of mismatches above the threshold, 0-1", gt=0, lt=0.5)
    min_count: int = Field(
        description="fewest mismatches (shipped plus the lake's) for a threshold; with fewer, synchrony alone binds "
        "nobody",
        ge=3,
    )
    shipped: dict[str, ShippedMismatches] = Field(description="per backend, the mismatches every lake starts with")
    threshold_step: float = Field(
        description="the lake's own mismatches move the threshold in steps of this share of it", gt=0, lt=1
    )
    foreign_voices: int = Field(description="other people's voices tried with each speaker's turns", ge=0)
    max_voice_cosine: dict[int, Cosine] = Field(
        description="a voice with a lower cosine than this is another person's (mean of turns); by length of the vector"
    )
    min_shift_s: float = Field(description="smallest shift of the speaker's own speech, s", gt=0)
    shift_step_s: float = Field(description="distance between shifts, s: the 31 lags searched are 1.24 s", gt=0)
    max_shifts: int = Field(description="most shifts of one speaker's speech", ge=0)


class TrainingSettings(Section):
    """The lake's own synchrony model. Values without a source are our own, tested on real videos."""

    held_out_share: float = Field(description="share of the speech, of people not trained on, 0-1", gt=0, lt=1)
    min_people: int = Field(description="fewest people to train on", ge=2)
    min_windows: int = Field(description="fewest held-out windows per judged length", ge=2)
    min_seen_share: float = Field(description="smallest share of a turn with a visible mouth, 0-1", ge=0, le=1)
    judged_windows_s: tuple[PositiveFloat, ...] = Field(
        description="window lengths at which it is judged, s", min_length=1
    )
    window_cells: int = Field(description="length of a training window, cells of sync.grid_hz", gt=0)
    batch: int = Field(description="windows per step", ge=2)
    steps: int = Field(description="training steps", ge=1)
    learning_rate: float = Field(description="AdamW, cosine decay to 0", gt=0)
    weight_decay: float = Field(description="AdamW", ge=0)
    dropout: float = Field(description="share of inputs and hidden units dropped in training", ge=0, lt=1)
    noise: float = Field(description="deviation of noise on the lips in training (they have 1)", ge=0)
    temperature: float = Field(description="of the cosines in InfoNCE", gt=0)
    seed: int = Field(description="of weights and batches", ge=0)
