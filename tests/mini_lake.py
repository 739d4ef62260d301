"""A consistent batch of two videos by hand, small enough to break one thing at a time.

Each video: 20 s, two shots; in the first two people face each other (tracks t00, t01), A speaks 1-5 s, B 5.5-9.5 s.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from rows import BATCH, PROFILE, filled

from speakervid_dag.lake.schemas import TABLES
from speakervid_dag.lake.schemas.measures import MEASURES, scores
from speakervid_dag.quality_checks.audit import AuditReport, audit
from speakervid_dag.quality_checks.catalogue import parents_of
from speakervid_dag.quality_checks.views import empty_parent

SHAS = [hashlib.sha256(name).hexdigest() for name in (b"one", b"two")]
V1, V2 = (f"v{sha[:16]}" for sha in SHAS)
TIMES = [i * 0.5 for i in range(20)]
FACE = {"talking": 1.0, "seen_share": 1.0, "sync_margin": 0.3, "readable_share": 1.0, "sound_offset_frames": 0.5}
UNIT = [1.0] + [0.0] * 7
TURNS = {"u0000": ("A", "p00", 1.0, 5.0), "u0001": ("B", "p01", 5.5, 9.5)}
STAGE_OF = {"shots": "intake", "frame_series": "face_tracks", "poses": "face_tracks", "dropped_spans": "clips"}
Rows = list[dict[str, Any]]


def mini_lake(shas: Sequence[str] = SHAS) -> dict[str, pl.DataFrame]:
    """Every table of the batch, and its manifest; `shas`: of the two videos' bytes."""
    rows: dict[str, Rows] = {name: [] for name in TABLES}
    ids = [f"v{sha[:16]}" for sha in shas]
    for sha, video_id in zip(shas, ids, strict=True):
        for name, made in _video(video_id, sha).items():
            rows[name] += [{**row, "video_id": video_id} for row in made]
    frames = {name: frame(name, made) for name, made in rows.items()}
    frames["manifest"] = pl.DataFrame({"batch": [BATCH] * 2, "video_id": ids})
    frames |= {name: empty_parent(name) for name in ("other_batches", "earlier_tiers", "asked_gates")}
    frames["stage_outcomes"] = outcomes("intake", [{"video_id": v, "row_count": 3} for v in ids])
    for name in TABLES:
        if TABLES[name].layer == "silver" and name not in STAGE_OF and "video_id" in frames[name].columns:
            told = frames[name].group_by("video_id").len("row_count").sort("video_id").to_dicts()
            frames["stage_outcomes"] = pl.concat([frames["stage_outcomes"], outcomes(name, told)])
    return frames


def outcomes(stage: str, told: Rows) -> pl.DataFrame:
    return frame("stage_outcomes", [{"stage": stage, "elapsed_s": 1.0, **row} for row in told])


def frame(name: str, rows: Rows) -> pl.DataFrame:
    table = TABLES[name]
    return table.frame([{k: v for k, v in filled(table, **r).items() if k in table.schema} for r in rows])


def judge(name: str, frames: Mapping[str, pl.DataFrame]) -> AuditReport:
    """The audit of one table of these frames, as its stage would ask for it."""
    table = TABLES[name]
    parents = {n: frames[n] for n in parents_of(table)}
    if "stage_outcomes" in parents:
        stage = STAGE_OF.get(name, name)
        told = frames["stage_outcomes"].filter(pl.col("stage") == stage)
        parents["stage_outcomes"] = told
    scope = {n: v for n, v in (("batch", BATCH), ("profile", PROFILE)) if n == "batch" or n in table.partition_by}
    return audit(table, frames[name], parents, [scope])


def _video(v: str, sha: str) -> dict[str, Rows]:
    shot, tracks = f"{v}-s0000", {p: f"{v}-s0000-t0{i}" for i, p in enumerate(("p00", "p01"))}
    video = {
        "sha256": sha,
        "source_name": "a.mp4",
        "size_bytes": 20_000,
        "duration_s": 20.0,
        "width_px": 640,
        "height_px": 360,
        "fps": 25.0,
        "rotation_deg": 0,
        "video_start_s": 0.0,
        "audio_start_s": 0.0,
        "has_video": True,
        "has_audio": True,
        "bit_rate_bps": 8000.0,
    }
    shots = [
        {"shot_id": f"{v}-s000{i}", "shot_index": i, "start_s": 10.0 * i, "end_s": 10.0 * (i + 1)} for i in range(2)
    ]
    series = {n: [20.0] * 20 for n in ("luma", "motion", "face_count")}
    face = {
        n: [0.5] * 20 for n in ("yaw_deg", "pitch_deg", "roll_deg", "mouth_opening", "face_sharpness", "mesh_score")
    }
    face |= {
        "frame_times_s": TIMES,
        "boxes": [[0.1, 0.1, 0.4, 0.5]] * 20,
        "lip_shape": [[0.0] * 40] * 20,
        "keypoints": [[0.5] * 10] * 20,
        "region_luma": [100.0] * 20,
        "region_motion": [5.0] * 20,
        "liveness": 0.8,
    }  # type: ignore[dict-item]
    return {
        "videos": [video],
        "shots": shots,
        "near_duplicates": [
            {"duplicate_of": f"v{'0' * 16}", "start_s": 2.0, "end_s": 8.0, "share": 0.3, "agreement": 0.9}
        ],
        "poses": [
            {"shot_id": shot, "track_id": t, "sample_times_s": [1.0], "face_repeat": [None], "body": [[0] * 99]}
            | {"left_hand": [[]], "right_hand": [[]], "left_hand_sharpness": [None], "right_hand_sharpness": [None]}
            | {"emotion": [[0.0] * 6 + [1.0]]}
            for t in tracks.values()
        ],
        "frame_series": [
            {
                "shot_id": s["shot_id"],
                "frame_times_s": [t + s["start_s"] for t in TIMES],
                "picture_box": [0.0, 0.0, 1.0, 1.0],
            }
            | series
            for s in shots
        ],
        "face_tracks": [
            {
                "shot_id": shot,
                "track_id": t,
                "person_id": f"{v}-{p}",
                "start_s": 0.0,
                "end_s": 10.0,
                "detection_score": 0.9,
            }
            | face
            | {"embedding": UNIT}
            for p, t in tracks.items()
        ],
        **_sound(v, tracks),
        **_clips(v, shot, tracks),
    }


def _sound(v: str, tracks: Mapping[str, str]) -> dict[str, Rows]:
    spans = {u: {"turn_id": f"{v}-{u}", "speaker_id": s, "start_s": a, "end_s": b} for u, (s, _, a, b) in TURNS.items()}
    owner = {u: p for u, (_, p, _, _) in TURNS.items()}
    word = {"word": "yes", "start_s": 1.0, "end_s": 1.5, "probability": 0.9}
    return {
        "speech_turns": [{**span, "speaker_margin": 0.5, "embedding": UNIT} for span in spans.values()],
        "transcripts": [
            {
                **span,
                "transcript_id": f"{span['turn_id']}-x00",
                "language_probability": 0.9,
                "avg_logprob": -0.2,
                "words": [word],
            }
            for span in spans.values()
        ],
        "active_speaker": [
            {
                "track_id": t,
                "start_s": 0.0,
                "end_s": 10.0,
                "log_odds": [1.0] * 249 + [None],
                "sync_margins": [0.3] * 249 + [None],
                "is_readable": [True] * 249 + [False],
                "sound_offset_frames": 0.5,
                "backend": "lip_network",
            }
            for t in tracks.values()
        ],
        "turn_faces": [{**span, "track_id": tracks[owner[u]], "probability": 0.9, **FACE} for u, span in spans.items()],
        "sync_scores": [
            {
                **_but(span, "speaker_id"),
                "track_id": t,
                "sync_conf": 5.0,
                "sync_dist": 3.0,
                "offset_frames": 0.0,
                "talking_score": 0.5,
                "lag_distances": [3.0] * 31,
            }
            for span in spans.values()
            for t in tracks.values()
        ],
        "speaker_bindings": [
            {**span, "track_id": tracks[owner[u]], "person_id": f"{v}-{owner[u]}", "probability": 0.9}
            | {"margin": 2.0, "status": "bound"}
            for u, span in spans.items()
        ],
        "people": [
            {
                "person_id": f"{v}-{p}",
                "identity_id": f"{v}-{p}",
                "speaker_id": s,
                "track_count": 1,
                "visible_s": 10.0,
                "speaking_s": 4.0,
                "face_embedding": UNIT,
                "voice_embedding": UNIT,
            }
            for s, p, _, _ in TURNS.values()
        ],
    }


def _clips(v: str, shot: str, tracks: Mapping[str, str]) -> dict[str, Rows]:
    clips, dropped = [], []
    for p, track in tracks.items():
        for u, (_, owner, start, end) in TURNS.items():
            clips.append(
                {
                    "clip_id": f"{v}-c{u[-1]}{p}",
                    "shot_id": shot,
                    "track_id": track,
                    "person_id": f"{v}-{p}",
                    "role": "talking" if owner == p else "listening",
                    "start_s": start,
                    "end_s": end,
                    "duration_s": end - start,
                    "x1": 0.1,
                    "y1": 0.1,
                    "x2": 0.4,
                    "y2": 0.5,
                    "turn_ids": [f"{v}-{u}"],
                }
            )
        for start, end in ((0.0, 1.0), (5.0, 5.5), (9.5, 10.0)):
            dropped.append(
                {"track_id": track, "role": "unknown", "start_s": start, "end_s": end, "reason": "too_short"}
            )
    first, answer, listens = f"{v}-c0p00", f"{v}-c1p01", f"{v}-c1p00"
    one, other = f"{v}-p00", f"{v}-p01"
    measured: dict[str, Any] = dict.fromkeys(scores(), 0.9)
    for name in (n for n in scores() if MEASURES[n].weights):  # as on a machine with the default weights
        measured |= {name: None, f"{name}_status": "weights_missing"}
    measured |= {"framing": "head", "camera_movement": "static", "emotion": "neutral", "motion_degree": 2.0}
    gate = {
        "level": "sft",
        "mode": "enforce",
        "verdict": "pass",
        "value": 1.0,
        "threshold": 0.5,
        "keep": ">=",
        "unit": "1",
        "measure": "luminance",
        "not_evaluated": "hold",
    }
    member = {"duration_s": 4.0, "tier": "sft"}
    return {
        "clips": clips,
        "dropped_spans": dropped,
        "clip_scores": [{"clip_id": c["clip_id"], **measured} for c in clips],
        "clip_gates": [
            {"clip_id": c["clip_id"], "gate": g, "position": i, **gate}
            for c in clips
            for i, g in enumerate(("luminance", "snr"), 1)
        ],
        "tiers": [{"clip_id": c["clip_id"], "tier": "sft"} for c in clips],
        "branch_single": [{"clip_id": c, "person_id": p, **member} for c, p in ((first, one), (answer, other))],
        "branch_dialogue": [
            {
                "pair_id": f"{first}>{answer}",
                "initiator_clip_id": first,
                "responder_clip_id": answer,
                "initiator_person_id": one,
                "responder_person_id": other,
                "initiator_turn_id": f"{v}-u0000",
                "responder_turn_id": f"{v}-u0001",
                "gap_s": 0.5,
                "is_same_shot": True,
                "duration_s": 8.0,
                "tier": "sft",
            }
        ],
        "branch_listening": [
            {
                "listening_id": f"{listens}<{v}-u0001",
                "speaker_turn_id": f"{v}-u0001",
                "listener_clip_id": listens,
                "listener_person_id": one,
                "speaker_person_id": other,
                "mode": "co_present",
                "start_s": 5.5,
                "end_s": 9.5,
                **member,
            }
        ],
        "branch_multi_turn": [
            {
                "session_id": f"{v}-m0000",
                "turn_index": i,
                "clip_id": c,
                "person_id": p,
                "mode": "sequential",
                "gap_s": 0.5 if i else None,
                **member,
            }
            for i, (c, p) in enumerate(((first, one), (answer, other)))
        ],
    }


def _but(row: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {k: v for k, v in row.items() if k not in names}
