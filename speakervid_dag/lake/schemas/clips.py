"""Clips and their scores: everything that gates can test.

Belongs here: tables of clips that do not depend on a profile. Does not belong here: verdicts (gold.py).
"""

from speakervid_dag.lake.schemas.columns import BATCH, BOX, FLOAT, SPAN, STRING, STRINGS, VIDEO, Column, Table, column


def _score(name: str, doc: str, unit: str = "1") -> tuple[Column, Column]:
    """Return the columns of a score that gates can test: its value in `unit`, and its status."""
    return Column(name, FLOAT, doc, True, unit), column(
        f"{name}_status", STRING, f"ok, or why {name} was not evaluated"
    )


def _label(name: str, *words: str) -> tuple[Column, Column]:
    """Return the columns of a score whose value is one of `words`, and its status."""
    return (
        column(name, STRING, " | ".join(words), null=True),
        column(f"{name}_status", STRING, f"ok, or why {name} was not evaluated"),
    )


def _head(part: str, doc: str) -> tuple[Column, ...]:
    """Return the columns of one of TalkVid's head scores, mean and minimum."""
    return (
        *_score(f"head_{part}", f"TalkVid, mean over the sampled frames: {doc}; score 0-100", "score 0-100"),
        *_score(f"head_{part}_min", f"TalkVid, minimum of the sampled frames: {doc}; score 0-100", "score 0-100"),
    )


CLIPS = Table(
    "clips",
    "silver",
    "a clip: 3-14 s of one person in one shot",
    ("clip_id",),
    (
        BATCH,
        VIDEO,
        column("clip_id", STRING, "video_id-cHHHHHHHH"),
        column("shot_id", STRING, "shot that contains the clip"),
        column("track_id", STRING, "face track it is cut from"),
        column("person_id", STRING, "person shown"),
        column("speaker_id", STRING, "speaker label of the person; null if no turn was bound to them", null=True),
        column("role", STRING, "talking | listening"),
        *SPAN,
        Column("duration_s", FLOAT, "end_s - start_s, s", unit="s"),
        *BOX,
        column("turn_ids", STRINGS, "turns within the clip: of the person if talking, of others if listening"),
        column("sync_margin", FLOAT, "smallest binding margin of these turns", null=True),
    ),
)

DROPPED_SPANS = Table(
    "dropped_spans",
    "silver",
    "a stretch of a face track that did not become a clip, and why",
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
    "the scores of one clip",
    ("clip_id",),
    (
        BATCH,
        VIDEO,
        column("clip_id", STRING, "clip"),
        *_score("luminance", "BT.709 mean luma of the person's region, 0-255", "luma 0-255"),
        *_score("dark_run_frames", "longest run of frames with mean luma of the region < 10, at 25 fps", "frames"),
        *_score("bright_run_frames", "longest run of frames with mean luma of the region > 210, at 25 fps", "frames"),
        *_score("clarity", "bit_rate / sqrt(H·W) of the source file, bit/s/px", "bit/s/px"),
        *_score("face_blur", "face sharpness normalised to about 0-1.2, higher = sharper (index)"),
        *_score("face_repeat_share", "share of the face's 8×8 blocks that the codec repeats in moving frames, 0-1"),
        *_score("hand_blur", "mean of both hands' sharpness, normalised as face_blur (index)"),
        *_score("hand_blur_left", "left hand's sharpness, normalised as face_blur (index)"),
        *_score("hand_blur_right", "right hand's sharpness, normalised as face_blur (index)"),
        *_score("blur_effect", "blur of the picture (Crete et al. 2007), 0 sharp - 1 blurred"),
        *_score("noise_sigma", "noise of the picture (Immerkaer 1996), 0-255 luma", "luma 0-255"),
        *_score("blockiness", "luma step across the 8 px coding grid / step inside blocks (ratio), 1 = no blocking"),
        *_score("border_share", "share of the picture in black bars along its edges, 0-1"),
        *_score(
            "text_share", "share of the picture detected as text, overlaid or in the scene, median of samples, 0-1"
        ),
        *_score("video_quality", "DOVER, technical and aesthetic score fused, 0-1"),
        *_score("dover_technical", "DOVER technical score, (raw - 0.1107) / 0.07355", "z-score"),
        *_label("framing", "head", "half_body", "full_body"),
        *_score("motion_degree", "1 (still) - 5 (lively), from the speed of head, shoulders and arms (degree)", "1"),
        *_score("motion_speed", "mean speed of head, shoulders and arms without camera motion, face heights/s", "1/s"),
        *_label("camera_movement", "static", "pan", "zoom", "shake"),
        *_score("camera_pan", "speed of the background, long sides of the picture/s", "1/s"),
        *_score("camera_zoom", "change of the background's scale, natural log/s", "1/s"),
        *_score("camera_shake", "deviation of the camera's path from its own mean, share of the long side (ratio)"),
        *_score("point_track_ratio", "share of corners that optical flow follows for up to 1 s, 0-1; not CoTracker's"),
        *_score(
            "cotracker_ratio",
            "TalkVid: share of points visible to CoTracker, minimum of the windows, 0-1: near 1 frozen, low shaky",
        ),
        *_score("motion", "mean absolute frame difference of the person's region, 0-255 luma at 160 px", "luma 0-255"),
        *_score("face_motion", "mean displacement of the face box centre per second, face heights/s", "1/s"),
        *_score("freeze_share", "share of frames in which the person's region repeats, 0-1"),
        *_score(
            "splice_jump",
            "largest one-frame jump of picture and head / motion around it (ratio); 1-2 in an uncut take",
        ),
        *_score("head_yaw_deg", "mean |yaw|, deg", "deg"),
        *_score("head_pitch_deg", "mean |pitch|, deg", "deg"),
        *_score("head_roll_deg", "mean |roll|, deg", "deg"),
        *_score("face_share", "mean face area / frame area without bars, 0-1"),
        *_score("face_height_px", "median face height, px", "px"),
        *_score("face_count_consistency", "share of frames with exactly one face (ratio)"),
        *_head("movement", "100 - 100·mean|Δ keypoint|/min(W, H)"),
        *_head("rotation", "100 - √(Δpitch² + Δyaw² + Δroll²)"),
        *_head("orientation", "100 - √Σ(|angle|/180·100)²"),
        *_head("resolution", "30 · face share of the frame in %"),
        *_head("completeness", "eyes .3, nose .4, mouth .3, each if inside the frame"),
        *_score(
            "face_consistency",
            "TalkVid: 100 - 20 per sampled frame without exactly one face; score 0-100",
            "score 0-100",
        ),
        *_label("emotion", "angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"),
        *_score("emotion_probability", "mean probability of that emotion over the clip, 0-1"),
        *_score("asr_confidence", "duration-weighted mean token log-probability of the clip's own words"),
        *_score("no_speech_prob", "duration-weighted no-speech probability, 0-1"),
        *_score("compression_ratio", "largest gzip ratio of the transcript segments (ratio)"),
        *_score("language_probability", "duration-weighted probability of the recognised language, 0-1"),
        *_score("language_match", "share of the clip's words in a language that the profile expects, 0-1"),
        *_score("words_per_s", "recognised words per second of the clip, 1/s", "1/s"),
        *_score("speech_share", "share of the clip during which the person shown speaks, 0-1"),
        *_score("silence_share", "share of the clip during which nobody speaks, 0-1"),
        *_score("dnsmos_sig", "DNSMOS P.835 speech quality, MOS 1-5", "MOS"),
        *_score("dnsmos_bak", "DNSMOS P.835 background quality, MOS 1-5", "MOS"),
        *_score("dnsmos_ovrl", "DNSMOS P.835 overall quality, MOS 1-5", "MOS"),
        *_score("dnsmos_p808", "DNSMOS P.808 overall quality, MOS 1-5", "MOS"),
        *_score("snr_db", "speech power over noise-floor power, dB", "dB"),
        *_score("clipping_share", "share of audio samples at full scale, 0-1"),
        *_score("sync_conf", "mean Sync-C of the clip's face track and its own turns", "Sync-C"),
    ),
)
