"""Sections of faces and frames: tracking, liveness, identity, sampling."""

from typing import Literal

from pydantic import Field

from speakervid_dag.config.sections.base import Cosine, Seconds, Section

SampledPart = Literal["camera", "texture", "body", "hands", "emotion", "text"]


class TrackingSettings(Section):
    """Face detection, mesh and tracking inside a shot. Values without a source are our own, tested on real videos."""

    long_side_px: int = Field(description="frames are shrunk to at most this long side, px", gt=0)
    detector_long_side_px: int = Field(description="long side of the detector's input, px", gt=0)
    detections_hz: float = Field(description="detector runs per second; also one at the start of each shot", gt=0)
    max_mesh_hz: float = Field(description="most mesh runs per second and face; frames between are not tracked", gt=0)
    min_detection_score: float = Field(description="lowest score of a detected face that counts, 0-1", ge=0, le=1)
    min_face_height_px: float = Field(
        description="smallest height of a detected face that counts, px of shrunk frame", ge=0
    )
    min_mesh_score: float = Field(
        description="lowest presence at which a mesh locates a face, 0-1; MediaPipe: 0.5", ge=0, le=1
    )
    min_iou: float = Field(description="lowest overlap of a face with itself one frame or detection later", ge=0, le=1)
    same_face_share: float = Field(
        description="two boxes are one face if this share of either is inside the other", gt=0, le=1
    )
    max_undetected_s: float = Field(description="a track ends if the detector misses its face for this long, s", ge=0)
    max_unseen_s: float = Field(description="a track ends if neither mesh nor detector finds it for this long, s", ge=0)
    min_detections: int = Field(description="fewest detections of a track that counts", ge=1)
    min_track_s: float = Field(description="shortest track that counts, s", ge=0)


class LivenessSettings(Section):
    """Telling living faces from pictures of faces. Our own values, measured (docs/accuracy.md)."""

    looks_hz: float = Field(description="samples of a face per second", gt=0)
    lags_s: tuple[Seconds, ...] = Field(
        description="each sample is compared with those this long before, s; the largest difference counts",
        min_length=1,
    )
    min_looks: int = Field(description="fewest comparisons for a result; without one a face counts as alive", ge=1)
    min_face_height_px: float = Field(description="smaller faces are not tested, px of the shrunk frame", ge=0)
    quantile: float = Field(description="quantile of a track's comparisons that counts, 0-1", ge=0, le=1)
    min_leftover: float = Field(
        description="a face is alive if an affine map leaves this residual in a part of it, deviations; 0: all are",
        ge=0,
        le=1,
    )


class BlockingSettings(Section):
    """Blocking of face comparisons in a large lake; chosen by measured recall and comparisons (faces/blocks.py)."""

    exact_people: int = Field(description="up to this many people, each is compared with every other", ge=0)
    bucket_people: float = Field(description="approximate number of people in one bucket of a table", gt=0)
    tables: int = Field(description="tables of buckets: more raise recall and the number of comparisons", ge=1)
    probes: int = Field(description="buckets searched per table", ge=1, le=22)


class IdentitySettings(Section):
    """Grouping of face tracks and voices into people. Values without a source are our own, tested on real videos."""

    max_portraits: int = Field(description="most frames of a track that are embedded", ge=1)
    portrait_spacing_s: float = Field(description="smallest distance between two portraits of a track, s", ge=0)
    min_portrait_mesh_score: float = Field(description="lowest mesh presence in a portrait, 0-1", ge=0, le=1)
    min_portrait_height_px: float = Field(description="smallest height of the face in a portrait, px", ge=0)
    good_portrait_height_px: float = Field(description="height from which a larger face is no better, px", gt=0)
    max_portrait_yaw_deg: float = Field(description="largest |yaw| of a portrait, deg", ge=0, le=180)
    max_portrait_pitch_deg: float = Field(description="largest |pitch| of a portrait, deg", ge=0, le=180)
    min_portrait_sharpness: float = Field(
        description="lowest Laplacian variance of a portrait; below it is a smear", ge=0
    )
    good_portrait_sharpness: float = Field(description="Laplacian variance at which sharpness counts one half", gt=0)
    min_person_cosine: dict[int, Cosine] = Field(
        description="lowest cosine at which two faces of one video are one person; by length of the vector (model)"
    )
    min_identity_cosine: dict[int, Cosine] = Field(
        description="the same across videos, where more people are compared and errors are more likely"
    )
    max_shared_s: float = Field(description="tracks of one shot visible together for longer are two people, s", ge=0)
    max_continuation_gap_s: float = Field(
        description="a track without a portrait continues one that ended at most this long before, s", ge=0
    )
    min_continuation_iou: float = Field(
        description="... and overlaps it at least this much, IoU of last and first box", ge=0, le=1
    )
    change_looks: int = Field(
        description="a track changes person after this many consecutive samples, two portrait_spacing_s apart", ge=2
    )
    max_other_cosine: dict[int, Cosine] = Field(
        description="... whose mean has a lower cosine than this to the previous person; by length of the vector"
    )
    min_copy_s: float = Field(description="a copy of a face moves with it for at least this long, s", gt=0)
    min_copy_share: float = Field(description="... and in at least this share of its own time, 0-1", gt=0, le=1)
    min_copy_correlation: float = Field(
        description="... with this correlation of the mouths, and of mouth, yaw, pitch and roll on average", gt=0, lt=1
    )
    min_blurred_copy_correlation: float = Field(
        description="... for a face too blurred for an identity: of yaw, pitch and roll on average", gt=0, lt=1
    )
    blocking: BlockingSettings


class SamplingSettings(Section):
    """Sampling of everything besides faces in the picture pass. Our own values, a trade of cost against stability."""

    disabled: tuple[SampledPart, ...] = Field(description="parts that are not sampled; status of their scores: `off`")
    camera_hz: float = Field(description="camera movement and point tracks, frames/s; shake needs 10", gt=0)
    texture_hz: float = Field(description="blur, noise, blockiness, borders, frames/s", gt=0)
    full_hz: float = Field(description="samples of faces at full size where frames are shrunk, frames/s", ge=0)
    region_margin: float = Field(
        description="region of a person: the face plus this many face widths and heights on each side, like a clip's "
        "box",
        ge=0,
    )
    text_hz: float = Field(description="burnt-in text, frames/s", gt=0)
    text_long_side_px: int = Field(description="frames are shrunk to this for text, px", ge=64)
    min_text_score: float = Field(
        description="lowest confidence of a pixel that belongs to text, 0-1; PP-OCR: 0.3", ge=0, le=1
    )
    person_hz: float = Field(description="skeleton, hands, expression, frames/s per face", gt=0)
    min_presence: float = Field(
        description="lowest confidence of a body or hand that counts, 0-1; MediaPipe: 0.5", ge=0, le=1
    )
    min_visibility: float = Field(
        description="lowest confidence of a visible body point, 0-1; SpeakerVid-5M: 0.3", ge=0, le=1
    )

    def is_off(self, part: str) -> bool:
        return part in self.disabled
