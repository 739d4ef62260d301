"""Annotations of clips for the papers' loaders: SpeakerVid-5M's fields, with TalkVid's beside them.

Belongs here: names and units of those fields, as pure functions. Does not belong here: queries, files.

SpeakerVid-5M: the release's JSON (REFERENCE §1.6). TalkVid: its clip JSON (REFERENCE §2). Fields that this pipeline
does not measure are null. Its own scores are stored under `scores` with their status, so that null never means zero.
"""

from typing import Any

from speakervid_dag.lake.schemas.measures import scores
from speakervid_dag.release.clip_store import StoredClip
from speakervid_dag.release.samples import ClipSpec

HEAD = ("movement", "rotation", "completeness", "resolution", "orientation")


def record(spec: ClipSpec, clip: StoredClip, fps: float) -> dict[str, Any]:
    """Return all that a release records of one clip, as JSON values."""
    row = spec.row
    end_s = min(clip.start_s + clip.frames / fps, spec.end_s) if not clip.is_stream_copy else spec.end_s
    box = [round(float(v), 6) for v in spec.box]
    return {
        "key": spec.key,
        "num_frames": clip.frames,
        "is_talking": int(row["role"] == "talking"),
        "clip_speaker_num": len(row["speakers"] or []),
        "clear": row["clarity"],
        "video_name": row["source_name"],
        "video_total_duration": row["video_duration_s"],
        "start": timecode(clip.start_s),
        "duration": end_s - clip.start_s,
        "start_seconds": clip.start_s,
        "end_seconds": end_s,
        "bbox": box,
        "conf": row["detection_score"],
        "sync": {str(box): row["sync"] or []},  # each (conf, dist, offset)
        "speaker": row["speakers"] or [],
        "dover": row["video_quality"],
        "raw_video_height": row["height_px"],
        "raw_video_width": row["width_px"],
        "clip_video_height": clip.height_px,
        "clip_video_width": clip.width_px,
        **{
            name: row[name]
            for name in ("clip_id", "video_id", "person_id", "identity_id", "speaker_id", "role", "tier")
        },
        "text": row["text"],
        "language": row["language"],
        "is_stream_copy": clip.is_stream_copy,
        "is_cropped": (clip.width_px, clip.height_px) != (row["width_px"], row["height_px"]),
        "video_sha256": clip.video_sha256,
        "sound_sha256": clip.sound_sha256,
        "source_sha256": row["sha256"],
        "scores": {name: {"value": row[name], "status": row[f"{name}_status"]} for name in scores()},
        "talkvid": talkvid(spec, clip, end_s),
    }


def talkvid(spec: ClipSpec, clip: StoredClip, end_s: float) -> dict[str, Any]:
    """Return the clip in TalkVid's JSON format; frames count the source's pictures at its own rate."""
    row = spec.row
    fps = row["fps"] or 0.0
    return {
        "id": spec.key,
        "height": clip.height_px,
        "width": clip.width_px,
        "fps": fps,
        "start-time": clip.start_s,
        "start-frame": round(clip.start_s * fps),
        "end-time": end_s,
        "end-frame": round(end_s * fps),
        "durations": f"{end_s - clip.start_s:.3f}s",
        "info": {
            "Person ID": row["identity_id"],
            "Ethnicity": None,
            "Age Group": None,
            "Gender": None,
            "Video Link": row["source_name"],
            "Language": row["language"],
            "Video Category": row["genre"],
        },
        "description": None,
        "dover_scores": row["dover_technical"],
        "cotracker_ratio": row["cotracker_ratio"],
        "head_detail": {
            "scores": {f"avg_{name}": row.get(f"head_{name}") for name in HEAD}
            | {f"min_{name}": row.get(f"head_{name}_min") for name in HEAD}
        },
    }


def timecode(time_s: float) -> str:
    """Return HH:MM:SS.mmm."""
    whole_ms = round(time_s * 1000)
    seconds, ms = divmod(whole_ms, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{ms:03d}"
