"""Scores that a gate can test, with unit, scale and meaning.

Belongs here: names, units, scales and meanings of the scores, and which of them need weights that are not pulled by
default. Does not belong here: computing them (curation/scores/), thresholds (profiles). A score is a float column of
clip_scores that has a `_status` column; its unit is stated in schemas/clips.py.
"""

from dataclasses import dataclass

from speakervid_dag.lake.schemas import CLIP_SCORES, CLIPS, FLOAT

# score → registry name of the opt-in weights that it needs; without them its status is `weights_missing` in every clip
_RESTS_ON = {"video_quality": "dover", "dover_technical": "dover", "cotracker_ratio": "cotracker3"}

Scale = tuple[float | None, float | None]  # least and greatest possible value; None: unbounded

# the others (sync_conf, dover_technical) have no known bounds; DNSMOS is a polynomial fit that may exceed 1-5 slightly
_SCALES: dict[str, Scale] = {
    "luminance": (0, 255),
    "dark_run_frames": (0, None),
    "bright_run_frames": (0, None),
    "clarity": (0, None),
    "face_blur": (0, None),
    "face_repeat_share": (0, 1),
    "hand_blur": (0, None),
    "hand_blur_left": (0, None),
    "hand_blur_right": (0, None),
    "blur_effect": (0, 1),
    "noise_sigma": (0, 255),
    "blockiness": (0, None),
    "border_share": (0, 1),
    "video_quality": (0, 1),
    "motion_degree": (1, 5),
    "motion_speed": (0, None),
    "camera_pan": (0, None),
    "camera_zoom": (0, None),
    "camera_shake": (0, None),
    "point_track_ratio": (0, 1),
    "cotracker_ratio": (0, 1),
    **{
        f"head_{part}{end}": (0, 100)
        for part in ("movement", "rotation", "orientation", "resolution", "completeness")
        for end in ("", "_min")
    },
    "face_consistency": (0, 100),
    "emotion_probability": (0, 1),
    "language_probability": (0, 1),
    "language_match": (0, 1),
    "silence_share": (0, 1),
    "motion": (0, 255),
    "face_motion": (0, None),
    "freeze_share": (0, 1),
    "splice_jump": (0, None),
    "text_share": (0, 1),
    "head_yaw_deg": (0, 180),
    "head_pitch_deg": (0, 180),
    "head_roll_deg": (0, 180),
    "face_share": (0, 1),
    "face_height_px": (0, None),
    "face_count_consistency": (0, 1),
    "asr_confidence": (None, 0),
    "no_speech_prob": (0, 1),
    "compression_ratio": (0, None),
    "words_per_s": (0, 20),
    "speech_share": (0, 1),
    "dnsmos_sig": (0.5, 5.5),
    "dnsmos_bak": (0.5, 5.5),
    "dnsmos_ovrl": (0.5, 5.5),
    "dnsmos_p808": (0.5, 5.5),
    "snr_db": (-60, 160),
    "clipping_share": (0, 1),
    "duration_s": (0, None),
}


@dataclass(frozen=True)
class Measure:
    """One score; `weights`: opt-in weights that it needs; `scale`: its possible values."""

    name: str
    unit: str
    doc: str
    weights: str | None = None
    scale: Scale = (None, None)

    @property
    def scale_text(self) -> str:
        """Return the scale as text: `0 to 1`, `0 or more`; '' if neither bound is known."""
        low, high = self.scale
        if low is not None and high is not None:
            return f"{low:g} to {high:g}"
        return f"{low:g} or more" if low is not None else "" if high is None else f"{high:g} or less"

    def can_be(self, value: float) -> bool:
        low, high = self.scale
        return (low is None or low <= value) and (high is None or value <= high)


def scores() -> list[str]:
    """Return the names of the scores in clip_scores: its float columns that have a `_status` column."""
    schema = CLIP_SCORES.schema
    return [n for n, dtype in schema.items() if dtype == FLOAT and f"{n}_status" in schema]


def _all() -> dict[str, Measure]:
    scored = set(scores())
    columns = [c for c in CLIP_SCORES.columns if c.name in scored] + [
        c for c in CLIPS.columns if c.name == "duration_s"
    ]
    return {
        c.name: Measure(c.name, c.unit or "1", c.doc, _RESTS_ON.get(c.name), _SCALES.get(c.name, (None, None)))
        for c in columns
    }


MEASURES = _all()
