"""Every table of the lake: columns with exact dtypes and meaning, keys, partitioning.

Belongs here: the one statement of each table's shape, from which Delta schemas, audits, Dagster metadata and docs
are made. Does not belong here: rules about values (quality_checks/suites), reading or writing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import polars as pl
from polars.datatypes import DataType, DataTypeClass

Layer = Literal["bronze", "silver", "gold", "system"]
PolarsType = DataType | DataTypeClass

STRING, BOOL, INT, FLOAT = pl.String(), pl.Boolean(), pl.Int64(), pl.Float64()
SERIES = pl.List(pl.Float32())
TIMES = pl.List(pl.Float64())
SKELETONS = pl.List(pl.List(pl.Int16()))
COSTS = pl.List(pl.Struct({"part": pl.String(), "elapsed_s": FLOAT}))
BOXES = pl.List(pl.List(pl.Float32()))
STRINGS = pl.List(pl.String())
HASHES = pl.List(pl.Int64())
WORDS = pl.List(pl.Struct({"word": pl.String(), "start_s": FLOAT, "end_s": FLOAT, "probability": FLOAT}))

CALIBRATION_CURVE = pl.List(pl.Struct({"threshold": FLOAT, "mismatched_share": FLOAT, "matched_share": FLOAT}))


@dataclass(frozen=True)
class Column:
    """One column: polars dtype, what it means (with unit), whether null may stand in it."""

    name: str
    dtype: DataType
    doc: str
    nullable: bool = False
    unit: str | None = None  # of a measure that gates can ask; '1' for a ratio or an index


@dataclass(frozen=True)
class Table:
    """One table: its columns in order, its key, and how its files are partitioned."""

    name: str
    layer: Layer
    doc: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    partition_by: tuple[str, ...] = ("batch",)
    extra_docs: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def schema(self) -> pl.Schema:
        return pl.Schema({c.name: c.dtype for c in self.columns})

    @property
    def required(self) -> tuple[str, ...]:
        return tuple(c.name for c in self.columns if not c.nullable)

    def empty(self) -> pl.DataFrame:
        return pl.DataFrame(schema=self.schema)

    def frame(self, rows: list[dict[str, object]]) -> pl.DataFrame:
        """Rows as a frame of exactly these columns. Raises on a value of another type or an unknown key."""
        unknown = {k for row in rows for k in row} - set(self.schema.names())
        if unknown:
            raise ValueError(f"{self.name} has no column {sorted(unknown)}")
        return pl.DataFrame(rows, schema=self.schema, strict=True, orient="row") if rows else self.empty()


def _c(name: str, dtype: DataType, doc: str, *, null: bool = False) -> Column:
    return Column(name, dtype, doc, null)


BATCH = _c("batch", STRING, "ingestion batch: the partition")
VIDEO = _c("video_id", STRING, "'v' + first 16 hex digits of the file's SHA-256")
SPAN = (_c("start_s", FLOAT, "start on the container's clock, s"), _c("end_s", FLOAT, "end (exclusive), s"))
PROFILE = _c("profile", STRING, "name of the profile that decided")
BOX = tuple(
    _c(n, FLOAT, f"{n} of the box, 0-1 of the display {d}")
    for n, d in (("x1", "width"), ("y1", "height"), ("x2", "width"), ("y2", "height"))
)


def _status(*states: str) -> tuple[Column, ...]:
    return (
        _c("status", STRING, " | ".join(states)),
        _c("reason", STRING, "snake_case word when the status is not the best one", null=True),
        _c("detail", STRING, "a sentence for a person", null=True),
    )


VIDEOS = Table(
    "videos",
    "bronze",
    "a source file",
    ("video_id",),
    (
        BATCH,
        VIDEO,
        _c("source_name", STRING, "file name as found; data, never a path"),
        _c("source_uri", STRING, "where the file was when it was ingested"),
        _c("sources", STRINGS, "every place these bytes were found"),
        _c("sha256", STRING, "of the file's bytes", null=True),
        _c("size_bytes", INT, "file size, bytes", null=True),
        _c("container", STRING, "container format", null=True),
        _c("video_codec", STRING, "codec of the picture", null=True),
        _c("audio_codec", STRING, "codec of the sound", null=True),
        _c("duration_s", FLOAT, "from the container's start to the last stream's end, s", null=True),
        _c("width_px", INT, "display width (after rotation), px", null=True),
        _c("height_px", INT, "display height (after rotation), px", null=True),
        _c("fps", FLOAT, "average frames per second, Hz", null=True),
        _c("is_variable_frame_rate", BOOL, "frame intervals differ by more than 10 %", null=True),
        _c("rotation_deg", INT, "clockwise rotation of the display matrix, deg", null=True),
        _c("video_start_s", FLOAT, "first picture on the container's clock, s", null=True),
        _c("audio_start_s", FLOAT, "first sound on the container's clock, s", null=True),
        _c("has_video", BOOL, "there is a moving picture", null=True),
        _c("has_audio", BOOL, "there is a sound stream", null=True),
        _c("bit_rate_bps", FLOAT, "of the whole file, bit/s", null=True),
        _c("audio_sample_rate_hz", INT, "Hz", null=True),
        _c("audio_channels", INT, "number of channels", null=True),
        _c("year", INT, "of the date that the container gives", null=True),
        _c("genre", STRING, "what the container calls its genre", null=True),
        _c("look_hashes", HASHES, "pHash of the picture every 0.5 s, 64 bits; null: not decoded", null=True),
        _c("activity", SERIES, "change of the picture in each 0.2 s, deviations of luma; null: not decoded", null=True),
        *_status("ok", "degraded", "rejected"),
    ),
)

STAGE_OUTCOMES = Table(
    "stage_outcomes",
    "system",
    "what one stage made of one video, and what it cost",
    ("stage", "video_id"),
    (
        BATCH,
        _c("stage", STRING, "asset name"),
        VIDEO,
        *_status("ok", "not_evaluated", "skipped"),
        _c("row_count", INT, "rows given of the stage's first table"),
        _c("elapsed_s", FLOAT, "wall time, s"),
        _c("media_s", FLOAT, "wall time inside the decoder, s"),
        _c("model_s", FLOAT, "wall time inside models, s"),
        _c("costs", COSTS, "wall time of single measurements, s"),
    ),
    partition_by=("stage", "batch"),
)

SHOTS = Table(
    "shots",
    "silver",
    "a continuous take",
    ("shot_id",),
    (
        BATCH,
        VIDEO,
        _c("shot_id", STRING, "video_id-sNNNN"),
        _c("shot_index", INT, "0-based order"),
        *SPAN,
        _c("palette", SERIES, "share of pixels in 8x4x4 bins of hue, saturation, value; null: no look", null=True),
    ),
)

NEAR_DUPLICATES = Table(
    "near_duplicates",
    "silver",
    "a stretch of a source that shows what an earlier source shows",
    ("video_id", "duplicate_of", "start_s"),
    (
        BATCH,
        VIDEO,
        _c("duplicate_of", STRING, "video_id of the earlier source, of this or an earlier batch"),
        *SPAN,
        _c("offset_s", FLOAT, "time in the earlier source minus time in this one, s"),
        _c("share", FLOAT, "the stretch's share of this source, 0-1"),
        _c("distance", FLOAT, "mean Hamming distance of the looks, bits of 64"),
        _c("agreement", FLOAT, "rank correlation of when the two pictures move (ratio)"),
    ),
)

SPEECH_TURNS = Table(
    "speech_turns",
    "silver",
    "somebody speaks without a break",
    ("turn_id",),
    (
        BATCH,
        VIDEO,
        _c("turn_id", STRING, "video_id-uNNNN"),
        _c("speaker_id", STRING, "A = first to speak, then B, C … within the video"),
        _c("audio_speaker_id", STRING, "the same by sound alone, without what is seen: most of the turn's time"),
        *SPAN,
        _c("has_overlap", BOOL, "another speaker's turn overlaps in time"),
        _c("overlap_s", FLOAT, "time of the turn in which another speaker's turn runs too, s"),
        _c(
            "speaker_margin",
            FLOAT,
            "cosine to the own speaker's centre minus the best other; null with one speaker",
            null=True,
        ),
        _c("embedding", SERIES, "unit-length voice embedding (256-d); null when the turn is too short", null=True),
        _c("embedding_status", STRING, "ok, or why there is no embedding"),
    ),
)

TRANSCRIPTS = Table(
    "transcripts",
    "silver",
    "a recognised segment, cut at turn boundaries",
    ("transcript_id",),
    (
        BATCH,
        VIDEO,
        _c("transcript_id", STRING, "turn_id-xNN"),
        _c("turn_id", STRING, "turn it belongs to"),
        _c("speaker_id", STRING, "speaker of that turn"),
        *SPAN,
        _c("text", STRING, "recognised words"),
        _c("language", STRING, "ISO 639-1 code of the video's language"),
        _c("language_probability", FLOAT, "0-1; null for weights of one language", null=True),
        _c("avg_logprob", FLOAT, "mean token log-probability of the segment"),
        _c("no_speech_prob", FLOAT, "0-1"),
        _c("compression_ratio", FLOAT, "gzip ratio of the text"),
        _c("words", WORDS, "each word with its time, s, and probability"),
        _c("backend", STRING, "weights that recognised it"),
    ),
)

FACE_TRACKS = Table(
    "face_tracks",
    "silver",
    "one face through one shot",
    ("track_id",),
    (
        BATCH,
        VIDEO,
        _c("shot_id", STRING, "shot"),
        _c("track_id", STRING, "shot_id-tNN"),
        _c("person_id", STRING, "video_id-pNN: one person within the video"),
        *SPAN,
        _c("frame_times_s", TIMES, "time of each tracked frame, s"),
        _c("boxes", BOXES, "[x1,y1,x2,y2] per tracked frame, 0-1"),
        _c("detection_score", FLOAT, "mean detector score, 0-1"),
        _c("yaw_deg", SERIES, "head yaw per frame, deg, positive to the viewer's right"),
        _c("pitch_deg", SERIES, "head pitch per frame, deg, positive up"),
        _c("roll_deg", SERIES, "head roll per frame, deg, positive clockwise"),
        _c("mouth_opening", SERIES, "inner lip gap / mouth width per frame (ratio)"),
        _c(
            "lip_shape",
            pl.List(SERIES),
            "per frame: 20 lip points (x, y) in the head's frame, in inter-ocular distances (40 numbers)",
        ),
        _c("face_sharpness", SERIES, "variance of the Laplacian of the 128×128 grey face crop, per frame"),
        _c("mesh_score", SERIES, "face presence by the mesh model per frame, 0-1"),
        _c(
            "keypoints",
            pl.List(SERIES),
            "per frame: x, y of the eyes, nose tip and mouth corners, 0-1 of the picture (10 numbers)",
        ),
        _c("embedding", SERIES, "unit-length face embedding (128-d); null when no frame was good enough", null=True),
        _c("embedding_status", STRING, "ok, or why there is no embedding"),
    ),
)

FRAME_SERIES = Table(
    "frame_series",
    "silver",
    "measurements of every decoded frame of one shot",
    ("shot_id",),
    (
        BATCH,
        VIDEO,
        _c("shot_id", STRING, "shot"),
        _c("frame_times_s", TIMES, "presentation time of each frame, s"),
        _c("luma", SERIES, "BT.709 mean luma per frame, 0-255"),
        _c("motion", SERIES, "mean absolute luma difference to the frame before, at 160 px, 0-255"),
        _c("face_count", SERIES, "faces tracked in that frame (count)"),
        _c("camera_times_s", TIMES, "frames looked at for the camera, but the first, s; empty when switched off"),
        _c("camera_x", SERIES, "background's way since the look before, share of the long side; null: not seen"),
        _c("camera_y", SERIES, "the same, down (ratio)"),
        _c("camera_zoom", SERIES, "natural log of the background's scale since the look before; null: not seen"),
        _c("point_survival", SERIES, "share of the points chosen up to 1 s ago that are still followed, 0-1"),
        _c("texture_times_s", TIMES, "frames looked at for texture, s; empty when switched off"),
        _c("blur_effect", SERIES, "blur effect of Crete et al. 2007, 0 sharp - 1 blurred"),
        _c("noise_sigma", SERIES, "noise by Immerkaer 1996, 0-255 luma"),
        _c(
            "blockiness", SERIES, "difference across the 8 px grid over that inside (ratio); null: the frame was shrunk"
        ),
        _c("border_share", SERIES, "share of the picture in black bars at its edges, 0-1; null: black as a whole"),
        _c("text_times_s", TIMES, "frames looked at for text, s; empty when nothing looked"),
        _c("text_share", SERIES, "share of the picture taken for text (PP-OCRv4 detector), faces left out, 0-1"),
        _c("text_status", STRING, "ok, or why no text was looked for"),
    ),
)

POSES = Table(
    "poses",
    "silver",
    "skeleton, hands and expression of one face track, a few times a second",
    ("track_id",),
    (
        BATCH,
        VIDEO,
        _c("shot_id", STRING, "shot"),
        _c("track_id", STRING, "face track"),
        _c("sample_times_s", TIMES, "when the person was looked at, s"),
        _c("face_repeat", SERIES, "share of the face's 8×8 blocks that are those of the frame before, 0-1"),
        _c("body", SKELETONS, "33 points (MediaPipe): x, y in 1/10,000 of the picture, visibility in %; empty: none"),
        _c("left_hand", SKELETONS, "21 points (MediaPipe): x, y in 1/10,000 of the picture; empty: none"),
        _c("right_hand", SKELETONS, "the person's right hand, the same"),
        _c("left_hand_sharpness", SERIES, "variance of the Laplacian of the 128×128 grey crop; null: no hand"),
        _c("right_hand_sharpness", SERIES, "the same of the right hand"),
        _c(
            "emotion", pl.List(SERIES), "probability of angry, disgust, fear, happy, sad, surprise, neutral; empty: off"
        ),
        _c("body_status", STRING, "ok, or why no body was looked for"),
        _c("hands_status", STRING, "ok, or why no hands were looked for"),
        _c("emotion_status", STRING, "ok, or why no expression was looked for"),
    ),
)

SYNC_SCORES = Table(
    "sync_scores",
    "silver",
    "one face track and one speech turn that overlap in time",
    ("track_id", "turn_id", "backend"),
    (
        BATCH,
        VIDEO,
        _c("track_id", STRING, "face track"),
        _c("turn_id", STRING, "speech turn"),
        *SPAN,
        _c("sync_conf", FLOAT, "Sync-C: median minus minimum distance over the lags", null=True),
        _c("sync_dist", FLOAT, "Sync-D: minimum distance over the lags", null=True),
        _c("offset_frames", FLOAT, "lag of the minimum in frames at 25 fps; positive = audio late", null=True),
        _c("talking_score", FLOAT, "is this face talking at all: share of the common time, 0-1", null=True),
        _c("lag_curve", SERIES, "agreement of lips and sound per lag, -15 … +15 frames (by backend)", null=True),
        _c("backend", STRING, "what answered whether voice and lips belong together"),
        _c("talking_backend", STRING, "what answered whether the face talks"),
        *_status("ok", "not_evaluated"),
    ),
)

SYNC_CALIBRATION = Table(
    "sync_calibration",
    "silver",
    "what a synchrony backend says of deliberately mismatched sound of a batch (a score: prominence of the lag curve, "
    "in the backend's agreement, times the square root of the seconds)",
    ("batch", "backend"),
    (
        BATCH,
        _c("backend", STRING, "the backend of sync_scores"),
        _c("basis", STRING, "digest of settings and weights: scores of one basis may be pooled"),
        _c("matched_count", INT, "real pairs of the batch: each speaker's best person (count)"),
        _c("mismatched_count", INT, "mismatches of the batch: other people's voices and large shifts (count)"),
        _c("pooled_count", INT, "mismatches that set the threshold, earlier batches' too (count)"),
        _c("pooled_batches", STRINGS, "the earlier batches that have mismatches among them, the nearest first"),
        _c("matched_scores", SERIES, "scores of the real pairs"),
        _c("mismatched_scores", SERIES, "scores of the mismatches"),
        _c("auc", FLOAT, "chance that a real pair's score is above a mismatch's, 0-1", null=True),
        _c("false_accept_rate", FLOAT, "share of mismatches that may reach the threshold, 0-1"),
        _c("threshold", FLOAT, "score that binds without other evidence", null=True),
        _c("margin", FLOAT, "lead over the next answer that is asked, as a score", null=True),
        _c("foreign_deviation", FLOAT, "score that counts as one unit of evidence in bindings", null=True),
        _c("curve", CALIBRATION_CURVE, "what each threshold would let through, shares 0-1"),
        *_status("ok", "not_evaluated"),
    ),
)

SPEAKER_BINDINGS = Table(
    "speaker_bindings",
    "silver",
    "whose face a turn is (one row per track bound to the turn, or one row without a track)",
    ("turn_id", "track_id"),
    (
        BATCH,
        VIDEO,
        _c("turn_id", STRING, "speech turn"),
        _c("speaker_id", STRING, "speaker of the turn"),
        _c("track_id", STRING, "the speaker's face track; null when not bound", null=True),
        _c("person_id", STRING, "the person of that track", null=True),
        *SPAN,
        _c("margin", FLOAT, "evidence of the chosen person minus the best other answer", null=True),
        *_status("bound", "off_screen", "ambiguous", "not_evaluated"),
    ),
)

PEOPLE = Table(
    "people",
    "silver",
    "one person in a batch's video, linked across videos by identity_id",
    ("person_id",),
    (
        BATCH,
        VIDEO,
        _c("person_id", STRING, "video_id-pNN"),
        _c("identity_id", STRING, "person_id of the first appearance of the same person in this or an earlier batch"),
        _c("identity_similarity", FLOAT, "cosine to that identity; null for a first appearance", null=True),
        _c("speaker_id", STRING, "the voice bound to this person", null=True),
        _c("track_count", INT, "face tracks"),
        _c("visible_s", FLOAT, "time in view, s"),
        _c("speaking_s", FLOAT, "bound speech, s"),
        _c("face_embedding", SERIES, "unit-length mean of the tracks' embeddings", null=True),
        _c("voice_embedding", SERIES, "unit-length mean of the bound turns' embeddings", null=True),
    ),
)

CLIPS = Table(
    "clips",
    "silver",
    "3-14 s of one person in one shot",
    ("clip_id",),
    (
        BATCH,
        VIDEO,
        _c("clip_id", STRING, "video_id-cHHHHHHHH"),
        _c("shot_id", STRING, "shot"),
        _c("track_id", STRING, "face track"),
        _c("person_id", STRING, "person"),
        _c("speaker_id", STRING, "the person's voice; null when never bound", null=True),
        _c("role", STRING, "talking | listening"),
        *SPAN,
        Column("duration_s", FLOAT, "end_s - start_s, s", unit="s"),
        *BOX,
        _c("turn_ids", STRINGS, "talking: the person's own turns inside; listening: the others' turns inside"),
        _c("sync_margin", FLOAT, "smallest binding margin of the turns", null=True),
    ),
)

DROPPED_SPANS = Table(
    "dropped_spans",
    "silver",
    "time of a face track that became no clip, and why",
    ("track_id", "start_s"),
    (
        BATCH,
        VIDEO,
        _c("track_id", STRING, "face track"),
        _c("role", STRING, "talking | listening | unknown"),
        *SPAN,
        _c("reason", STRING, "too_short, ambiguous_speaker, …"),
    ),
)


def _score(name: str, doc: str, unit: str = "1") -> tuple[Column, Column]:
    """A measure that gates can ask, in `unit`, and why it has no value."""
    return Column(name, FLOAT, doc, True, unit), _c(f"{name}_status", STRING, f"ok, or why {name} was not evaluated")


def _label(name: str, *words: str) -> tuple[Column, Column]:
    """A measurement that is a word."""
    return (
        _c(name, STRING, " | ".join(words), null=True),
        _c(f"{name}_status", STRING, f"ok, or why {name} was not evaluated"),
    )


def _head(part: str, doc: str) -> tuple[Column, ...]:
    """One of TalkVid's head scores, mean and least."""
    return (
        *_score(f"head_{part}", f"TalkVid, mean over samples: {doc}; score 0-100", "score 0-100"),
        *_score(f"head_{part}_min", f"TalkVid, least of the samples: {doc}; score 0-100", "score 0-100"),
    )


CLIP_SCORES = Table(
    "clip_scores",
    "silver",
    "a clip's measurements",
    ("clip_id",),
    (
        BATCH,
        VIDEO,
        _c("clip_id", STRING, "clip"),
        *_score("luminance", "BT.709 mean luma, 0-255", "luma 0-255"),
        *_score("dark_run_frames", "longest run of frames with mean luma < 10, frames at 25 fps", "frames"),
        *_score("bright_run_frames", "longest run of frames with mean luma > 210, frames at 25 fps", "frames"),
        *_score("clarity", "bit_rate / sqrt(H·W) of the source file, bit/s/px", "bit/s/px"),
        *_score("face_blur", "face sharpness normalised to about 0-1.2, higher = sharper (index)"),
        *_score("face_repeat_share", "share of the face's 8×8 blocks that the coder repeats in moving frames, 0-1"),
        *_score("hand_blur", "mean of both hands' sharpness, normalised as face_blur (index)"),
        *_score("hand_blur_left", "left hand's sharpness, normalised as face_blur (index)"),
        *_score("hand_blur_right", "right hand's sharpness, normalised as face_blur (index)"),
        *_score("blur_effect", "blur of the picture (Crete et al. 2007), 0 sharp - 1 blurred"),
        *_score("noise_sigma", "noise of the picture (Immerkaer 1996), 0-255 luma", "luma 0-255"),
        *_score("blockiness", "difference across the 8 px coding grid over that inside blocks (ratio), 1 = none"),
        *_score("border_share", "share of the picture in black bars along its edges, 0-1"),
        *_score("text_share", "share of the picture taken for text, burnt in or in the scene, median over looks, 0-1"),
        *_score("video_quality", "DOVER, technical and aesthetic fused, 0-1"),
        *_score("dover_technical", "DOVER technical, (raw - 0.1107) / 0.07355", "z-score"),
        *_label("framing", "head", "half_body", "full_body"),
        *_score("motion_degree", "1 (still) - 5 (lively), from the speed of head, shoulders and arms (degree)", "1"),
        *_score("motion_speed", "mean speed of head, shoulders and arms, camera taken out, face heights/s", "1/s"),
        *_label("camera_movement", "static", "pan", "zoom", "shake"),
        *_score("camera_pan", "speed of the background, long sides of the picture/s", "1/s"),
        *_score("camera_zoom", "change of the background's scale, natural log/s", "1/s"),
        *_score("camera_shake", "deviation of the camera's path from its own mean, share of the long side (ratio)"),
        *_score("point_track_ratio", "share of corners that optical flow follows for up to 1 s, 0-1; not CoTracker's"),
        *_score(
            "cotracker_ratio", "TalkVid: share of points CoTracker sees, least window, 0-1: near 1 frozen, low shaky"
        ),
        *_score("motion", "mean absolute frame difference, 0-255 luma at 160 px", "luma 0-255"),
        *_score("face_motion", "mean displacement of the face box centre per second, face heights/s", "1/s"),
        *_score("freeze_share", "share of frames that repeat the one before, 0-1"),
        *_score("head_yaw_deg", "mean |yaw|, deg", "deg"),
        *_score("head_pitch_deg", "mean |pitch|, deg", "deg"),
        *_score("head_roll_deg", "mean |roll|, deg", "deg"),
        *_score("face_share", "mean face area / frame area, 0-1"),
        *_score("face_height_px", "median face height, px", "px"),
        *_score("face_count_consistency", "share of frames with exactly one face (ratio)"),
        *_head("movement", "100 - 100·mean|Δ keypoint|/min(W, H)"),
        *_head("rotation", "100 - √(Δpitch² + Δyaw² + Δroll²)"),
        *_head("orientation", "100 - √Σ(|angle|/180·100)²"),
        *_head("resolution", "30 · face share of the frame in %"),
        *_head("completeness", "eyes .3, nose .4, mouth .3 inside the frame"),
        *_score(
            "face_consistency", "TalkVid: 100 - 20 a sampled frame without exactly one face; score 0-100", "score 0-100"
        ),
        *_label("emotion", "angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"),
        *_score("emotion_probability", "mean probability of that emotion over the clip, 0-1"),
        *_score("asr_confidence", "duration-weighted avg_logprob of the clip's own words"),
        *_score("no_speech_prob", "duration-weighted no-speech probability, 0-1"),
        *_score("compression_ratio", "largest compression ratio of the segments (ratio)"),
        *_score("language_probability", "duration-weighted probability of the recognised language, 0-1"),
        *_score("language_match", "share of the clip's words in a language that the profile expects, 0-1"),
        *_score("words_per_s", "recognised words per second of the clip, 1/s", "1/s"),
        *_score("speech_share", "share of the clip in which its own person speaks, 0-1"),
        *_score("silence_share", "share of the clip in which nobody speaks, 0-1"),
        *_score("dnsmos_sig", "DNSMOS P.835 speech quality, MOS 1-5", "MOS"),
        *_score("dnsmos_bak", "DNSMOS P.835 background quality, MOS 1-5", "MOS"),
        *_score("dnsmos_ovrl", "DNSMOS P.835 overall quality, MOS 1-5", "MOS"),
        *_score("dnsmos_p808", "DNSMOS P.808 overall quality, MOS 1-5", "MOS"),
        *_score("snr_db", "speech power over noise-floor power, dB", "dB"),
        *_score("clipping_share", "share of samples at full scale, 0-1"),
        *_score("sync_conf", "mean Sync-C of the clip's track with its own turns", "Sync-C"),
    ),
)

CLIP_GATES = Table(
    "clip_gates",
    "gold",
    "clip × gate × profile",
    ("profile", "clip_id", "gate"),
    (
        BATCH,
        VIDEO,
        _c("clip_id", STRING, "clip"),
        PROFILE,
        _c("gate", STRING, "gate of the profile"),
        _c("position", INT, "1-based order of the gate in the profile"),
        _c("measure", STRING, "what the gate asks"),
        _c("level", STRING, "pretrain | sft"),
        _c("mode", STRING, "enforce | score_only"),
        _c("not_evaluated", STRING, "what a missing value means: fail | pass | hold"),
        _c("verdict", STRING, "pass | fail | not_evaluated"),
        _c("value", FLOAT, "measured value, in `unit`", null=True),
        _c("keep", STRING, "comparison that passes: > >= < <= == between"),
        _c("threshold", FLOAT, "in `unit`; of `between` the lower end, inclusive", null=True),
        _c("upper_threshold", FLOAT, "of `between` the upper end, inclusive, in `unit`", null=True),
        _c("unit", STRING, "unit of value and threshold"),
        _c("reason", STRING, "why it failed or was not evaluated", null=True),
    ),
    partition_by=("batch", "profile"),
)

TIERS = Table(
    "tiers",
    "gold",
    "clip × profile",
    ("profile", "clip_id"),
    (
        BATCH,
        VIDEO,
        _c("clip_id", STRING, "clip"),
        PROFILE,
        _c("tier", STRING, "sft | pretrain | rejected"),
        _c("reasons", STRINGS, "every gate that kept the clip from a better tier"),
    ),
    partition_by=("batch", "profile"),
)

BRANCH_SINGLE = Table(
    "branch_single",
    "gold",
    "a talking clip",
    ("profile", "clip_id"),
    (
        BATCH,
        VIDEO,
        PROFILE,
        _c("clip_id", STRING, "clip"),
        _c("person_id", STRING, "person"),
        _c("duration_s", FLOAT, "s"),
        _c("tier", STRING, "tier of the clip"),
    ),
    partition_by=("batch", "profile"),
)

BRANCH_DIALOGUE = Table(
    "branch_dialogue",
    "gold",
    "initiator → responder",
    ("profile", "pair_id"),
    (
        BATCH,
        VIDEO,
        PROFILE,
        _c("pair_id", STRING, "initiator_clip_id>responder_clip_id"),
        _c("initiator_clip_id", STRING, "clip"),
        _c("responder_clip_id", STRING, "clip"),
        _c("initiator_person_id", STRING, "person"),
        _c("responder_person_id", STRING, "person"),
        _c("initiator_turn_id", STRING, "turn that is answered"),
        _c("responder_turn_id", STRING, "turn that answers"),
        _c("gap_s", FLOAT, "start of the answer minus end of the question, s; negative = overlap"),
        _c("is_same_shot", BOOL, "both clips lie in one shot"),
        _c("duration_s", FLOAT, "both clips together, s"),
        _c("tier", STRING, "the worse of the two clips' tiers"),
    ),
    partition_by=("batch", "profile"),
)

BRANCH_LISTENING = Table(
    "branch_listening",
    "gold",
    "listener's silent video + speaker's audio",
    ("profile", "listening_id"),
    (
        BATCH,
        VIDEO,
        PROFILE,
        _c("listening_id", STRING, "listener_clip_id<speaker_turn_id"),
        _c("speaker_turn_id", STRING, "who is heard"),
        _c("listener_clip_id", STRING, "who is seen"),
        _c("listener_person_id", STRING, "person seen"),
        _c("speaker_person_id", STRING, "person heard; null when off screen all the time", null=True),
        _c("mode", STRING, "co_present | non_co_present"),
        _c("margin", FLOAT, "Sync-C of the speaker minus that of the listener", null=True),
        *SPAN,
        _c("duration_s", FLOAT, "s"),
        _c("tier", STRING, "tier of the listener's clip"),
    ),
    partition_by=("batch", "profile"),
)

BRANCH_MULTI_TURN = Table(
    "branch_multi_turn",
    "gold",
    "a clip with its history",
    ("profile", "mode", "session_id", "turn_index"),
    (
        BATCH,
        VIDEO,
        PROFILE,
        _c("session_id", STRING, "video_id-mNNNN"),
        _c("turn_index", INT, "0-based order in the session"),
        _c("clip_id", STRING, "clip"),
        _c("person_id", STRING, "person"),
        _c("mode", STRING, "contextual | sequential"),
        _c("gap_s", FLOAT, "start minus end of the clip before, s; null for the first", null=True),
        _c("history", STRING, "contextual: the words said before within the window", null=True),
        _c("duration_s", FLOAT, "s"),
        _c("tier", STRING, "tier of the clip"),
    ),
    partition_by=("batch", "profile"),
)

QUARANTINE = Table(
    "quarantine",
    "system",
    "a refused batch or row",
    ("quarantine_id",),
    (
        _c("quarantine_id", STRING, "table/batch/run_id/index"),
        _c("table", STRING, "table that was not committed"),
        BATCH,
        _c("expectation", STRING, "expectation that is red"),
        _c("severity", STRING, "critical | warning"),
        _c("key", STRING, "key of a failing row; null for a finding about the batch", null=True),
        _c("observed", STRING, "what was observed"),
        _c("run_id", STRING, "run that was refused"),
        _c("at", pl.Datetime("us", "UTC"), "when"),
        _c("is_open", BOOL, "nothing has replaced the refused batch yet"),
    ),
    partition_by=("table", "batch"),
)

TRAINED_MODELS = Table(
    "trained_models",
    "system",
    "a model trained on this lake, judged on held-out people in windows of one length",
    ("sha256", "window_s"),
    (
        _c("sha256", STRING, "of the weights' file (safetensors)"),
        _c("model", STRING, "the backend that reads it"),
        _c("uri", STRING, "where the file lies"),
        _c("run_id", STRING, "run that trained it"),
        _c("at", pl.Datetime("us", "UTC"), "when"),
        _c("people_count", INT, "people it was trained on (count)"),
        _c("held_out_people_count", INT, "other people it was judged on (count)"),
        _c("train_s", FLOAT, "speech it was trained on, s"),
        _c("held_out_s", FLOAT, "speech it was judged on, s"),
        _c("window_s", FLOAT, "length of a judged window, s"),
        _c("window_count", INT, "judged windows under their own sound (count)"),
        _c("auc", FLOAT, "chance that own sound stands out more than another person's, 0-1"),
        _c("default_auc", FLOAT, "the same of the default backend, 0-1"),
        _c("lag_accuracy", FLOAT, "share of windows whose best lag is right within 1 frame, 0-1"),
        _c("default_lag_accuracy", FLOAT, "the same of the default backend, 0-1"),
        _c("is_better", BOOL, "no worse than the default at every length and better at one: only then it is used"),
    ),
    partition_by=(),
)

SNAPSHOTS = Table(
    "snapshots",
    "system",
    "one table's version in one published snapshot",
    ("snapshot", "table"),
    (
        _c("snapshot", INT, "number of the snapshot, 1 is the first (count)"),
        _c("at", pl.Datetime("us", "UTC"), "when it was published"),
        _c("run_id", STRING, "run that published it"),
        _c("profile", STRING, "profile of that run", null=True),
        _c("table", STRING, "table"),
        _c("version", INT, "Delta version of that table (count)"),
    ),
    partition_by=(),
)

SNAPSHOT_PINS = Table(
    "snapshot_pins",
    "system",
    "what a snapshot shows otherwise than at the table's version: a batch that was not whole when it was published",
    ("snapshot", "table", "batch", "profile"),
    (
        _c("snapshot", INT, "number of the snapshot (count)"),
        _c("at", pl.Datetime("us", "UTC"), "when it was published"),
        _c("table", STRING, "table"),
        BATCH,
        _c("profile", STRING, "profile of the rows; null in tables that have none", null=True),
        _c("version", INT, "Delta version whose rows of the batch are shown; null: none are (count)", null=True),
    ),
    partition_by=(),
)

TAKEDOWNS = Table(
    "takedowns",
    "system",
    "a video that was removed on request and is refused from then on",
    ("video_id",),
    (
        VIDEO,
        _c("sha256", STRING, "of the bytes that are refused; null for a file that could never be read", null=True),
        _c("at", pl.Datetime("us", "UTC"), "when it was asked for"),
        _c("run_id", STRING, "run that removed it"),
        _c("reason", STRING, "what the person gave as reason"),
        _c("release_ids", STRINGS, "releases that hold it: they are published, and a person's to withdraw", null=True),
    ),
    partition_by=(),
)

RELEASES = Table(
    "releases",
    "system",
    "a data set that was exported, and what from; its manifest is kept under artifacts/releases",
    ("release_id", "at"),
    (
        _c("release_id", STRING, "'r' + first 16 hex digits of the manifest's SHA-256: the same content, the same id"),
        _c("at", pl.Datetime("us", "UTC"), "when it was exported"),
        _c("snapshot", INT, "number of the snapshot it was made from (count)"),
        _c("profile", STRING, "whose decisions it follows"),
        _c("branch", STRING, "branch of its samples"),
        _c("tiers", STRINGS, "tiers of its samples"),
        _c("format", STRING, "hf | webdataset | parquet"),
        _c("filters", STRING, "JSON of everything else that was asked for: splits, seed, limit, crop, encoding"),
        _c("sample_count", INT, "samples (count)"),
        _c("clip_count", INT, "distinct clips (count)"),
        _c("missing_count", INT, "samples left out since a clip could not be cut (count)"),
        _c("duration_s", FLOAT, "distinct clips together, s"),
        _c("manifest_sha256", STRING, "of manifest.json"),
        _c("place", STRING, "where it was written"),
    ),
    partition_by=(),
)

REVIEWS = Table(
    "reviews",
    "system",
    "one person's answer to one question about a clip, a pair or a listening sample; a changed answer replaces it",
    ("reviewer", "question", "measure", "subject_id"),
    (
        BATCH,
        VIDEO,
        _c("reviewer", STRING, "who answered, as they named themselves"),
        _c("question", STRING, "binding | lips | quality | reply | listening"),
        _c("measure", STRING, "what of the quality was asked, by the measure's name; null: the whole of it", null=True),
        _c("subject_kind", STRING, "clip | pair | listening"),
        _c("subject_id", STRING, "clip_id, pair_id or listening_id"),
        _c("clip_id", STRING, "the clip; of a pair the responder's, of a listening sample the listener's"),
        _c("gate", STRING, "gate near whose threshold the subject was chosen; null: not for a gate", null=True),
        _c("answer", STRING, "yes | no | unsure"),
        _c("profile", STRING, "whose decisions the subject was chosen from"),
        _c("snapshot", INT, "number of the snapshot that was shown (count)"),
        _c("at", pl.Datetime("us", "UTC"), "when"),
    ),
    partition_by=("batch", "reviewer"),
)

TABLES: dict[str, Table] = {
    t.name: t
    for t in (
        VIDEOS,
        STAGE_OUTCOMES,
        SHOTS,
        NEAR_DUPLICATES,
        SPEECH_TURNS,
        TRANSCRIPTS,
        FACE_TRACKS,
        FRAME_SERIES,
        POSES,
        SYNC_SCORES,
        SYNC_CALIBRATION,
        SPEAKER_BINDINGS,
        PEOPLE,
        CLIPS,
        DROPPED_SPANS,
        CLIP_SCORES,
        CLIP_GATES,
        TIERS,
        BRANCH_SINGLE,
        BRANCH_DIALOGUE,
        BRANCH_LISTENING,
        BRANCH_MULTI_TURN,
        QUARANTINE,
        SNAPSHOTS,
        SNAPSHOT_PINS,
        TAKEDOWNS,
        RELEASES,
        TRAINED_MODELS,
        REVIEWS,
    )
}
