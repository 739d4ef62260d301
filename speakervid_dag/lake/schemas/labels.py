"""Who is seen, who is heard, what is said, and which face a voice belongs to.

Belongs here: tables of turns, tracks, signals along them, bindings, people. Does not belong here: what is cut out of
them (clips.py).
"""

import polars as pl

from speakervid_dag.lake.schemas.columns import (
    BATCH,
    BOOL,
    BOXES,
    CALIBRATION_CURVE,
    FLOAT,
    INT,
    SERIES,
    SKELETONS,
    SPAN,
    STRING,
    TIMES,
    VIDEO,
    WORDS,
    Table,
    column,
    status,
)

SPEECH_TURNS = Table(
    "speech_turns",
    "silver",
    "somebody speaks without a break",
    ("turn_id",),
    (
        BATCH,
        VIDEO,
        column("turn_id", STRING, "video_id-uNNNN"),
        column("speaker_id", STRING, "A = first to speak, then B, C … within the video"),
        column("audio_speaker_id", STRING, "the same by sound alone, without what is seen: most of the turn's time"),
        *SPAN,
        column("has_overlap", BOOL, "another speaker's turn overlaps in time"),
        column("overlap_s", FLOAT, "time of the turn in which another speaker's turn runs too, s"),
        column(
            "speaker_margin",
            FLOAT,
            "cosine to the own speaker's centre minus the best other; null with one speaker",
            null=True,
        ),
        column("embedding", SERIES, "unit-length voice embedding (256-d); null when the turn is too short", null=True),
        column("embedding_status", STRING, "ok, or why there is no embedding"),
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
        column("transcript_id", STRING, "turn_id-xNN"),
        column("turn_id", STRING, "turn it belongs to"),
        column("speaker_id", STRING, "speaker of that turn"),
        *SPAN,
        column("text", STRING, "recognised words"),
        column("language", STRING, "ISO 639-1 code of the video's language"),
        column("language_probability", FLOAT, "0-1; null for weights of one language", null=True),
        column("avg_logprob", FLOAT, "mean token log-probability of the segment"),
        column("no_speech_prob", FLOAT, "0-1"),
        column("compression_ratio", FLOAT, "gzip ratio of the text"),
        column("words", WORDS, "each word with its time, s, and probability"),
        column("backend", STRING, "weights that recognised it"),
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
        column("shot_id", STRING, "shot"),
        column("track_id", STRING, "shot_id-tNN"),
        column(
            "person_id", STRING, "video_id-pNN: one person within the video; null: the picture of a face", null=True
        ),
        *SPAN,
        column("frame_times_s", TIMES, "time of each tracked frame, s"),
        column("boxes", BOXES, "[x1,y1,x2,y2] per tracked frame, 0-1"),
        column("detection_score", FLOAT, "mean detector score, 0-1"),
        column("yaw_deg", SERIES, "head yaw per frame, deg, positive to the viewer's right"),
        column("pitch_deg", SERIES, "head pitch per frame, deg, positive up"),
        column("roll_deg", SERIES, "head roll per frame, deg, positive clockwise"),
        column("mouth_opening", SERIES, "inner lip gap / mouth width per frame (ratio)"),
        column(
            "lip_shape",
            pl.List(SERIES),
            "per frame: 20 lip points (x, y) in the head's frame, in inter-ocular distances (40 numbers)",
        ),
        column(
            "face_sharpness",
            SERIES,
            "variance of the Laplacian of the 128×128 grey face crop, per frame; null: not looked at in full size",
        ),
        column("region_luma", SERIES, "BT.709 mean luma of the person's region per frame, 0-255; null: face not seen"),
        column("region_motion", SERIES, "its mean absolute luma difference to the frame before, at 160 px, 0-255"),
        column("mesh_score", SERIES, "face presence by the mesh model per frame, 0-1"),
        column(
            "keypoints",
            pl.List(SERIES),
            "per frame: x, y of the eyes, nose tip and mouth corners, 0-1 of the picture (10 numbers)",
        ),
        column(
            "embedding", SERIES, "unit-length face embedding (128-d); null when no frame was good enough", null=True
        ),
        column("embedding_status", STRING, "ok, or why there is no embedding"),
        column(
            "copy_of",
            STRING,
            "track of the same face that this one repeats (a blurred fill beside it, say) and nobody; else null",
            null=True,
        ),
        column("liveness", FLOAT, "what an affine map leaves of the face within 1 s (ratio); 0 = a picture", null=True),
        column("liveness_status", STRING, "ok, or why it cannot be told: too_small, too_few_looks (taken for alive)"),
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
        column("shot_id", STRING, "shot"),
        column("frame_times_s", TIMES, "presentation time of each frame, s"),
        column("luma", SERIES, "BT.709 mean luma per frame, 0-255"),
        column("motion", SERIES, "mean absolute luma difference to the frame before, at 160 px, 0-255"),
        column("face_count", SERIES, "faces tracked in that frame (count)"),
        column("camera_times_s", TIMES, "frames looked at for the camera, but the first, s; empty when switched off"),
        column("camera_x", SERIES, "background's way since the look before, share of the long side; null: not seen"),
        column("camera_y", SERIES, "the same, down (ratio)"),
        column("camera_zoom", SERIES, "natural log of the background's scale since the look before; null: not seen"),
        column("point_survival", SERIES, "share of the points chosen up to 1 s ago that are still followed, 0-1"),
        column("texture_times_s", TIMES, "frames looked at for texture, s; empty when switched off"),
        column("blur_effect", SERIES, "blur effect of Crete et al. 2007, 0 sharp - 1 blurred"),
        column("noise_sigma", SERIES, "noise by Immerkaer 1996, 0-255 luma"),
        column(
            "blockiness", SERIES, "difference across the 8 px grid over that inside (ratio); null: the frame was shrunk"
        ),
        column("border_share", SERIES, "share of the picture in black bars at its edges, 0-1; null: black as a whole"),
        column("picture_box", SERIES, "x1, y1, x2, y2 of the picture without bars, by all looks of the shot, 0-1"),
        column("text_times_s", TIMES, "frames looked at for text, s; empty when nothing looked"),
        column("text_share", SERIES, "share of the picture taken for text (PP-OCRv4 detector), faces left out, 0-1"),
        column("text_status", STRING, "ok, or why no text was looked for"),
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
        column("shot_id", STRING, "shot"),
        column("track_id", STRING, "face track"),
        column("sample_times_s", TIMES, "when the person was looked at, s"),
        column("face_repeat", SERIES, "share of the face's 8×8 blocks that are those of the frame before, 0-1"),
        column(
            "body", SKELETONS, "33 points (MediaPipe): x, y in 1/10,000 of the picture, visibility in %; empty: none"
        ),
        column("left_hand", SKELETONS, "21 points (MediaPipe): x, y in 1/10,000 of the picture; empty: none"),
        column("right_hand", SKELETONS, "the person's right hand, the same"),
        column("left_hand_sharpness", SERIES, "variance of the Laplacian of the 128×128 grey crop; null: no hand"),
        column("right_hand_sharpness", SERIES, "the same of the right hand"),
        column(
            "emotion", pl.List(SERIES), "probability of angry, disgust, fear, happy, sad, surprise, neutral; empty: off"
        ),
        column("body_status", STRING, "ok, or why no body was looked for"),
        column("hands_status", STRING, "ok, or why no hands were looked for"),
        column("emotion_status", STRING, "ok, or why no expression was looked for"),
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
        column("track_id", STRING, "face track"),
        column("turn_id", STRING, "speech turn"),
        *SPAN,
        column("sync_conf", FLOAT, "Sync-C: median minus minimum distance over the lags", null=True),
        column("sync_dist", FLOAT, "Sync-D: minimum distance over the lags", null=True),
        column("offset_frames", FLOAT, "lag of the minimum in frames at 25 fps; positive = audio late", null=True),
        column("talking_score", FLOAT, "is this face talking at all: share of the common time, 0-1", null=True),
        column("lag_curve", SERIES, "agreement of lips and sound per lag, -15 … +15 frames (by backend)", null=True),
        column("backend", STRING, "what answered whether voice and lips belong together"),
        column("talking_backend", STRING, "what answered whether the face talks"),
        *status("ok", "not_evaluated"),
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
        column("backend", STRING, "the backend of sync_scores"),
        column("basis", STRING, "digest of settings and weights: scores of one basis may be pooled"),
        column("matched_count", INT, "real pairs of the batch: each speaker's best person (count)"),
        column("mismatched_count", INT, "mismatches of the batch: other people's voices and large shifts (count)"),
        column("mismatched_mean", FLOAT, "mean score of the mismatches; null in rows of older packages", null=True),
        column("mismatched_deviation", FLOAT, "their standard deviation; null in rows of older packages", null=True),
        column("matched_scores", SERIES, "scores of the real pairs"),
        column("mismatched_scores", SERIES, "scores of the mismatches"),
        column("auc", FLOAT, "chance that a real pair's score is above a mismatch's, 0-1", null=True),
        column("false_accept_rate", FLOAT, "share of mismatches that may reach the threshold, 0-1"),
        column(
            "threshold",
            FLOAT,
            "score that would bind if no other mismatches were known (null: too few); the one in force, of those "
            "shipped and the whole lake's, is in `speaker_bindings`",
            null=True,
        ),
        column("curve", CALIBRATION_CURVE, "what each threshold would let through, shares 0-1"),
        *status("ok", "not_evaluated"),
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
        column("turn_id", STRING, "speech turn"),
        column("speaker_id", STRING, "speaker of the turn"),
        column("track_id", STRING, "the speaker's face track; null when not bound", null=True),
        column("person_id", STRING, "the person of that track", null=True),
        *SPAN,
        column("margin", FLOAT, "evidence of the chosen person minus the best other answer", null=True),
        column(
            "threshold", FLOAT, "synchrony that binds without other evidence, a score of sync_calibration", null=True
        ),
        *status("bound", "off_screen", "ambiguous", "not_evaluated"),
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
        column("person_id", STRING, "video_id-pNN"),
        column(
            "identity_id", STRING, "person_id of the first appearance of the same person in this or an earlier batch"
        ),
        column("identity_similarity", FLOAT, "cosine to that identity; null for a first appearance", null=True),
        column("speaker_id", STRING, "the voice bound to this person", null=True),
        column("track_count", INT, "face tracks"),
        column("visible_s", FLOAT, "time in view, s"),
        column("speaking_s", FLOAT, "bound speech, s"),
        column("face_embedding", SERIES, "unit-length mean of the tracks' embeddings", null=True),
        column("voice_embedding", SERIES, "unit-length mean of the bound turns' embeddings", null=True),
    ),
)
