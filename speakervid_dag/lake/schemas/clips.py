"""Clips and their measurements: all that gates can ask.

Belongs here: tables with a row a clip that no profile has judged. Does not belong here: verdicts (gold.py).
"""

from speakervid_dag.lake.schemas.columns import BATCH, BOX, FLOAT, SPAN, STRING, STRINGS, VIDEO, Column, Table, column


def _score(name: str, doc: str, unit: str = "1") -> tuple[Column, Column]:
    """A measure that gates can ask, in `unit`, and why it has no value."""
    return Column(name, FLOAT, doc, True, unit), column(
        f"{name}_status", STRING, f"ok, or why {name} was not evaluated"
    )


def _label(name: str, *words: str) -> tuple[Column, Column]:
    """A measurement that is a word."""
    return (
        column(name, STRING, " | ".join(words), null=True),
        column(f"{name}_status", STRING, f"ok, or why {name} was not evaluated"),
    )


def _head(part: str, doc: str) -> tuple[Column, ...]:
    """One of TalkVid's head scores, mean and least."""
    return (
        *_score(f"head_{part}", f"TalkVid, mean over samples: {doc}; score 0-100", "score 0-100"),
        *_score(f"head_{part}_min", f"TalkVid, least of the samples: {doc}; score 0-100", "score 0-100"),
    )


CLIPS = Table(
    "clips",
    "silver",
    "3-14 s of one person in one shot",
    ("clip_id",),
    (
        BATCH,
        VIDEO,
        column("clip_id", STRING, "video_id-cHHHHHHHH"),
        column("shot_id", STRING, "shot"),
        column("track_id", STRING, "face track"),
        column("person_id", STRING, "person"),
        column("speaker_id", STRING, "the person's voice; null when never bound", null=True),
        column("role", STRING, "talking | listening"),
        *SPAN,
        Column("duration_s", FLOAT, "end_s - start_s, s", unit="s"),
        *BOX,
        column("turn_ids", STRINGS, "talking: the person's own turns inside; listening: the others' turns inside"),
        column("sync_margin", FLOAT, "smallest binding margin of the turns", null=True),
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
        column("track_id", STRING, "face track"),
        column("role", STRING, "talking | listening | unknown"),
        *SPAN,
        column("reason", STRING, "too_short, ambiguous_speaker, talks_itself, not_alive, copy_of_a_face, …"),
    ),
)

CLIP_SCORES = Table(
    "clip_scores",
    "silver",
    "a clip's measurements",
    ("clip_id",),
    (
        BATCH,
        VIDEO,
        column("clip_id", STRING, "clip"),
        *_score("luminance", "BT.709 mean luma of the person's region, 0-255", "luma 0-255"),
        *_score("dark_run_frames", "longest run of frames whose region has mean luma < 10, at 25 fps", "frames"),
        *_score("bright_run_frames", "longest run of frames whose region has mean luma > 210, at 25 fps", "frames"),
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
        *_score("motion", "mean absolute frame difference of the person's region, 0-255 luma at 160 px", "luma 0-255"),
        *_score("face_motion", "mean displacement of the face box centre per second, face heights/s", "1/s"),
        *_score("freeze_share", "share of frames in which the person's region repeats, 0-1"),
        *_score(
            "splice_jump",
            "largest jump of picture and head in one frame over what moves around it (ratio); an uncut take has 1-2",
        ),
        *_score("head_yaw_deg", "mean |yaw|, deg", "deg"),
        *_score("head_pitch_deg", "mean |pitch|, deg", "deg"),
        *_score("head_roll_deg", "mean |roll|, deg", "deg"),
        *_score("face_share", "mean face area / area of the frame without bars, 0-1"),
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
