"""Sections of faces and frames: tracking, liveness, identity, sampling."""

from typing import Literal

from pydantic import Field

from speakervid_dag.config.sections.base import Section

SampledPart = Literal["camera", "texture", "body", "hands", "emotion", "text"]


class TrackingSettings(Section):
    """Face detection, mesh and tracking inside a shot. Without a source, a value is our own, tried on real videos."""

    long_side_px: int = Field(description="frames are shrunk so that their long side is at most this, px", gt=0)
    detector_long_side_px: int = Field(description="long side of the detector's input, px", gt=0)
    detections_hz: float = Field(description="detector runs a second; also one at the start of each shot", gt=0)
    max_mesh_hz: float = Field(description="mesh runs a second and face at most; frames between are not tracked", gt=0)
    min_detection_score: float = Field(description="a found face counts from this score on, 0-1")
    min_face_height_px: float = Field(description="a found face counts from this height on, px of the shrunk frame")
    min_mesh_score: float = Field(description="a mesh places a face from this presence on, 0-1; MediaPipe: 0.5")
    min_iou: float = Field(description="overlap of a face with itself a frame or a detection later, at least")
    same_face_share: float = Field(description="two boxes are one face when this share of either lies in the other")
    max_undetected_s: float = Field(description="a track ends when the detector does not find its face for so long, s")
    max_unseen_s: float = Field(description="a track ends when neither mesh nor detector see it for so long, s")
    min_detections: int = Field(description="a track counts from this number of detections on", ge=1)
    min_track_s: float = Field(description="a track counts from this length on, s", ge=0)
    face_crops: bool = Field(
        description="keep pictures of every face (about 0.2 MB a second) for backends that look at them"
    )


class LivenessSettings(Section):
    """Which tracked faces are alive, and which are pictures of faces. Our own values, measured (docs/accuracy.md)."""

    looks_hz: float = Field(description="looks at a face a second", gt=0)
    lags_s: tuple[float, ...] = Field(
        description="each look is compared with those so long before, s; the largest difference counts", min_length=1
    )
    min_looks: int = Field(description="fewest comparisons for an answer; without one a face counts as alive", ge=1)
    min_face_height_px: float = Field(description="a smaller face is not asked, px of the shrunk frame", ge=0)
    quantile: float = Field(description="which of a track's comparisons counts, 0-1", ge=0, le=1)
    min_leftover: float = Field(
        description="a face is alive if an affine map leaves so much of a part of it, deviations; 0: all are",
        ge=0,
        le=1,
    )


class BlockingSettings(Section):
    """Which faces of a large lake are compared at all; chosen by measuring recall and comparisons (face_blocks)."""

    exact_people: int = Field(description="up to so many people each is compared with every other", ge=0)
    bucket_people: float = Field(description="people in one bucket of a table, about", gt=0)
    tables: int = Field(description="tables of buckets: more find more of the alike, at more comparisons", ge=1)
    probes: int = Field(description="buckets of a table that are looked into", ge=1, le=22)


class IdentitySettings(Section):
    """Which face tracks and voices are one person. Without a source, a value is our own, tried on real videos."""

    max_portraits: int = Field(description="frames of a track that are embedded, at most", ge=1)
    portrait_spacing_s: float = Field(description="two portraits of a track are this far apart, s")
    min_portrait_mesh_score: float = Field(description="presence of the mesh in a portrait, at least, 0-1")
    min_portrait_height_px: float = Field(description="height of the face in a portrait, at least, px")
    good_portrait_height_px: float = Field(description="a face of this height is as good as a larger one, px")
    max_portrait_yaw_deg: float = Field(description="|yaw| of a portrait, at most, deg")
    max_portrait_pitch_deg: float = Field(description="|pitch| of a portrait, at most, deg")
    min_portrait_sharpness: float = Field(description="Laplacian variance of a portrait, at least; below it is a smear")
    good_portrait_sharpness: float = Field(description="Laplacian variance at which sharpness counts one half")
    min_person_cosine: dict[int, float] = Field(
        description="two faces of one video are one person from this cosine on; by length of the vector (model)"
    )
    min_identity_cosine: dict[int, float] = Field(
        description="the same across videos, where more people are compared and a mistake is more likely"
    )
    max_shared_s: float = Field(description="tracks of one shot seen together for longer are two people, s")
    max_continuation_gap_s: float = Field(
        description="a track without portrait continues one that ended so recently, s"
    )
    min_continuation_iou: float = Field(description="... and so near, IoU of last and first box")
    change_looks: int = Field(
        description="a track is somebody else's after so many looks on end, two portrait_spacing_s apart", ge=2
    )
    max_other_cosine: dict[int, float] = Field(
        description="... whose mean has less than this cosine to who it was; by length of the vector"
    )
    min_copy_s: float = Field(description="a copy of a face moves with it for so long, s", gt=0)
    min_copy_share: float = Field(description="... and in this share of its own time, 0-1", gt=0, le=1)
    min_copy_correlation: float = Field(
        description="... with this correlation of the mouths, and of mouth, yaw, pitch and roll on average", gt=0, lt=1
    )
    min_blurred_copy_correlation: float = Field(
        description="... of a face too blurred for an identity: of yaw, pitch and roll on average", gt=0, lt=1
    )
    blocking: BlockingSettings


class SamplingSettings(Section):
    """What the picture pass looks at besides faces, and how often. Our own values: cost against steadiness."""

    disabled: tuple[SampledPart, ...] = Field(description="parts that are not looked at; their scores say `off`")
    camera_hz: float = Field(description="camera movement and point tracks, frames a second; shake needs 10", gt=0)
    texture_hz: float = Field(description="blur, noise, blockiness, borders, frames a second", gt=0)
    full_hz: float = Field(description="looks at faces at full size where frames are shrunk, frames a second", ge=0)
    region_margin: float = Field(
        description="what stands for a person: the face, and so many face widths and heights on each side; as a "
        "clip's box",
        ge=0,
    )
    text_hz: float = Field(description="burnt-in text, frames a second", gt=0)
    text_long_side_px: int = Field(description="frames are shrunk to this for text, px", ge=64)
    min_text_score: float = Field(description="a pixel belongs to text from this belief on, 0-1; PP-OCR: 0.3")
    person_hz: float = Field(description="skeleton, hands, expression, frames a second and face", gt=0)
    min_presence: float = Field(description="a body or hand is there from this belief on, 0-1; MediaPipe: 0.5")
    min_visibility: float = Field(description="a body's point is seen from this belief on, 0-1; SpeakerVid-5M: 0.3")

    def is_off(self, part: str) -> bool:
        return part in self.disabled
