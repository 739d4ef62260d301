"""Labels of a video: who is seen, who is heard, what is said, and which face a voice belongs to.

Belongs here: tables of turns, tracks, signals along them, bindings, people. Does not belong here: what is cut out of
them (clips.py).
"""

import polars as pl

from speakervid_dag.lake.schemas.columns import (
    BATCH,
    BOOL,
    BOXES,
    FLAGS,
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
    "a speech turn: one speaker without a break",
    ("turn_id",),
    (
        BATCH,
        VIDEO,
        column("turn_id", STRING, "video_id-uNNNN"),
        column("speaker_id", STRING, "speaker label within the video: A = first to speak, then B, C …"),
        column("audio_speaker_id", STRING, "label from sound alone that covers most of the turn"),
        *SPAN,
        column("has_overlap", BOOL, "another speaker's turn overlaps in time"),
        column("is_backchannel", BOOL, "a short word of a listener inside or between turns of another speaker"),
        column("overlap_s", FLOAT, "time within the turn during which somebody else speaks too, s"),
        column(
            "speaker_margin",
            FLOAT,
            "cosine to the turn's own speaker centroid minus the best other; null with one speaker",
            null=True,
        ),
        column(
            "embedding",
            SERIES,
            "unit-length voice embedding (192-d of CAM++, 256-d of GE2E); null if the turn is too short",
            null=True,
        ),
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
        column("turn_id", STRING, "turn that contains the segment"),
        column("speaker_id", STRING, "speaker of that turn"),
        *SPAN,
        column("text", STRING, "recognised words"),
        column("language", STRING, "ISO 639-1 code of the video's language"),
        column(
            "language_probability", FLOAT, "probability of that language, 0-1; null for monolingual weights", null=True
        ),
        column("avg_logprob", FLOAT, "mean token log-probability of the segment"),
        column("no_speech_prob", FLOAT, "probability that the segment is not speech, 0-1"),
        column("compression_ratio", FLOAT, "gzip ratio of the text"),
        column("words", WORDS, "each word with its start and end, s, and probability"),
        column("backend", STRING, "weights that recognised the segment"),
    ),
)

FACE_TRACKS = Table(
    "face_tracks",
    "silver",
    "one face followed through one shot",
    ("track_id",),
    (
        BATCH,
        VIDEO,
        column("shot_id", STRING, "shot"),
        column("track_id", STRING, "shot_id-tNN"),
        column("person_id", STRING, "video_id-pNN: person within the video; null: a picture of a face", null=True),
        *SPAN,
        column("frame_times_s", TIMES, "time of each tracked frame, s"),
        column("boxes", BOXES, "face box [x1,y1,x2,y2] per tracked frame, 0-1"),
        column("detection_score", FLOAT, "mean detector score, 0-1"),
        column("yaw_deg", SERIES, "head yaw per frame, deg, positive to the viewer's right"),
        column("pitch_deg", SERIES, "head pitch per frame, deg, positive up"),
        column("roll_deg", SERIES, "head roll per frame, deg, positive clockwise"),
        column("mouth_opening", SERIES, "inner lip gap / mouth width per frame (ratio)"),
        column(
            "lip_shape",
            pl.List(SERIES),
            "per frame: 20 lip points (x, y) in head coordinates, in inter-ocular distances (40 numbers)",
        ),
        column(
            "face_sharpness",
            SERIES,
            "variance of the Laplacian of the 128×128 grey face crop, per frame; null: not sampled at full size",
        ),
        column("region_luma", SERIES, "BT.709 mean luma of the person's region per frame, 0-255; null: face not seen"),
        column(
            "region_motion",
            SERIES,
            "mean absolute luma change of that region since the previous frame, at 160 px, 0-255",
        ),
        column("mesh_score", SERIES, "face presence by the mesh model per frame, 0-1"),
        column(
            "keypoints",
            pl.List(SERIES),
            "per frame: x, y of the eyes, nose tip and mouth corners, 0-1 of the picture (10 numbers)",
        ),
        column("embedding", SERIES, "unit-length face embedding (128-d); null if no frame was good enough", null=True),
        column("embedding_status", STRING, "ok, or why there is no embedding"),
        column(
            "copy_of",
            STRING,
            "track whose face this one repeats (a blurred fill beside it, for example); null: not a copy",
            null=True,
        ),
        column(
            "liveness",
            FLOAT,
            "face motion within 1 s that an affine map does not explain (ratio); 0 = a picture",
            null=True,
        ),
        column("liveness_status", STRING, "ok, or why not evaluated: too_small, too_few_looks (both count as alive)"),
    ),
)

FRAME_SERIES = Table(
    "frame_series",
    "silver",
    "per-frame measurements of one shot",
    ("shot_id",),
    (
        BATCH,
        VIDEO,
        column("shot_id", STRING, "shot"),
        column("frame_times_s", TIMES, "presentation time of each frame, s"),
        column("luma", SERIES, "BT.709 mean luma per frame, 0-255"),
        column("motion", SERIES, "mean absolute luma change since the previous frame, at 160 px, 0-255"),
        column("face_count", SERIES, "faces tracked in each frame (count)"),
        column("camera_times_s", TIMES, "frames sampled for camera motion, without the first, s; empty: switched off"),
        column(
            "camera_x",
            SERIES,
            "background shift to the right since the previous sample, share of the long side; null: not seen",
        ),
        column("camera_y", SERIES, "background shift downwards since the previous sample (ratio)"),
        column(
            "camera_zoom", SERIES, "natural log of the background's scale since the previous sample; null: not seen"
        ),
        column("point_survival", SERIES, "share of the points chosen up to 1 s ago that are still followed, 0-1"),
        column("texture_times_s", TIMES, "frames sampled for texture, s; empty: switched off"),
        column("blur_effect", SERIES, "blur effect of Crete et al. 2007, 0 sharp - 1 blurred"),
        column("noise_sigma", SERIES, "noise by Immerkaer 1996, 0-255 luma"),
        column(
            "blockiness",
            SERIES,
            "luma step across the 8 px coding grid / step inside blocks (ratio); null: frame downscaled",
        ),
        column("border_share", SERIES, "share of the picture in black bars at its edges, 0-1; null: all black"),
        column("picture_box", SERIES, "x1, y1, x2, y2 of the picture without bars, from all samples of the shot, 0-1"),
        column("text_times_s", TIMES, "frames sampled for text, s; empty if text was not searched for"),
        column("text_share", SERIES, "share of the picture detected as text (PP-OCRv4), without faces, 0-1"),
        column("text_status", STRING, "ok, or why text was not searched for"),
    ),
)

POSES = Table(
    "poses",
    "silver",
    "skeleton, hands and expression along one face track, sampled a few times per second",
    ("track_id",),
    (
        BATCH,
        VIDEO,
        column("shot_id", STRING, "shot"),
        column("track_id", STRING, "face track"),
        column("sample_times_s", TIMES, "time of each sample, s"),
        column("face_repeat", SERIES, "share of the face's 8×8 blocks that are identical to the previous frame's, 0-1"),
        column(
            "body",
            SKELETONS,
            "33 points (MediaPipe): x, y in 1/10,000 of the picture, visibility in %; empty: not found",
        ),
        column(
            "left_hand",
            SKELETONS,
            "the person's left hand, 21 points (MediaPipe): x, y in 1/10,000 of the picture; empty: not found",
        ),
        column("right_hand", SKELETONS, "the person's right hand, like left_hand"),
        column(
            "left_hand_sharpness",
            SERIES,
            "variance of the Laplacian of the 128×128 grey hand crop; null: no hand",
        ),
        column("right_hand_sharpness", SERIES, "sharpness of the right hand, like left_hand_sharpness"),
        column(
            "emotion",
            pl.List(SERIES),
            "probability of angry, disgust, fear, happy, sad, surprise, neutral; empty: switched off",
        ),
        column("body_status", STRING, "ok, or why the body was not searched for"),
        column("hands_status", STRING, "ok, or why hands were not searched for"),
        column("emotion_status", STRING, "ok, or why the expression was not classified"),
    ),
)

ACTIVE_SPEAKER = Table(
    "active_speaker",
    "silver",
    "a face track and what a network says of it frame by frame: does this face talk",
    ("track_id",),
    (
        BATCH,
        VIDEO,
        column("track_id", STRING, "face track"),
        *SPAN,
        column(
            "log_odds",
            SERIES,
            "log odds that the face talks, 25 a second from start_s on; null: the face is not seen then",
        ),
        column(
            "sync_margins",
            SERIES,
            "similarity of lips and sound at the sound's offset, above that at wrong ones, for the same frames",
        ),
        column("is_readable", FLAGS, "the lips can be read, for the same frames"),
        column(
            "sound_offset_frames",
            FLOAT,
            "by how many frames of 25 Hz the sound is late for this face; null: not measurable",
            null=True,
        ),
        column("backend", STRING, "network that looked and listened"),
        *status("ok", "not_evaluated"),
    ),
)

TURN_FACES = Table(
    "turn_faces",
    "silver",
    "a stretch of a speech turn in which one face of its speaker, or none, is in view",
    ("turn_id", "start_s"),
    (
        BATCH,
        VIDEO,
        column("turn_id", STRING, "speech turn"),
        column("speaker_id", STRING, "speaker of the turn"),
        column("track_id", STRING, "the speaker's face track; null: not in view", null=True),
        *SPAN,
        column(
            "probability",
            FLOAT,
            "probability that the speaker talks in it, mean over frames, calibrated, 0-1; null where no network looked "
            "at a face of the video",
            null=True,
        ),
        column("talking", FLOAT, "log odds that the face talks, mean over frames; null without a face", null=True),
        column(
            "sync_margin", FLOAT, "mean of the face's `active_speaker.sync_margins`; null without a face", null=True
        ),
        column("readable_share", FLOAT, "share of its frames in which its lips can be read, 0-1"),
        column("sound_offset_frames", FLOAT, "of the face: see active_speaker", null=True),
        column("seen_share", FLOAT, "share of the stretch in which the face is seen, 0-1"),
        column("has_overlap", BOOL, "somebody else talks too"),
        column("is_contradicted", BOOL, "another face in view leads in talking"),
    ),
)

SYNC_SCORES = Table(
    "sync_scores",
    "silver",
    "a face track and a speech turn that overlap in time",
    ("track_id", "turn_id", "backend"),
    (
        BATCH,
        VIDEO,
        column("track_id", STRING, "face track"),
        column("turn_id", STRING, "speech turn"),
        *SPAN,
        column("sync_conf", FLOAT, "Sync-C: median minus minimum distance over the lags", null=True),
        column("sync_dist", FLOAT, "Sync-D: minimum distance over the lags", null=True),
        column("offset_frames", FLOAT, "lag of the minimum, in frames at 25 fps; positive = audio late", null=True),
        column(
            "talking_score",
            FLOAT,
            "share of the common time in which a network says that the face talks, 0-1",
            null=True,
        ),
        column("lag_distances", SERIES, "distance of lips and sound at the lags -15 … +15 frames", null=True),
        column("backend", STRING, "model that scored the synchrony of lips and voice"),
        column("talking_backend", STRING, "network that says so: active_speaker.backend", null=True),
        *status("ok", "not_evaluated"),
    ),
)

SPEAKER_BINDINGS = Table(
    "speaker_bindings",
    "silver",
    "a stretch of a turn with the face that it is bound to, or without one",
    ("turn_id", "start_s", "track_id"),
    (
        BATCH,
        VIDEO,
        column("turn_id", STRING, "speech turn"),
        column("speaker_id", STRING, "speaker of the turn"),
        column("track_id", STRING, "the speaker's face track; null if not bound", null=True),
        column("person_id", STRING, "person of that track", null=True),
        *SPAN,
        column("probability", FLOAT, "probability that this face is the speaker, calibrated, 0-1", null=True),
        column("margin", FLOAT, "log odds of the probability of a bound face", null=True),
        *status("bound", "off_screen", "ambiguous", "not_evaluated"),
    ),
)

PEOPLE = Table(
    "people",
    "silver",
    "one person in one video, linked across videos by identity_id",
    ("person_id",),
    (
        BATCH,
        VIDEO,
        column("person_id", STRING, "video_id-pNN"),
        column("identity_id", STRING, "person_id of the same person's first appearance, in this or an earlier batch"),
        column("identity_similarity", FLOAT, "cosine to that identity; null for a first appearance", null=True),
        column("speaker_id", STRING, "speaker label bound to this person", null=True),
        column("track_count", INT, "number of face tracks"),
        column("visible_s", FLOAT, "time on screen, s"),
        column("speaking_s", FLOAT, "duration of the turns bound to this person, s"),
        column("face_embedding", SERIES, "unit-length mean of the tracks' embeddings", null=True),
        column("voice_embedding", SERIES, "unit-length mean of the bound turns' embeddings", null=True),
    ),
)
