"""Rows of `videos` and `shots` for one file: from its header, its sound, and one low-resolution pass over its pictures.

Belongs here: the findings about a file and the verdict on it, for the intake and for `doctor FILE`. Does not belong
here: batches and their files (bronze.py), opening containers (speakervid_dag.media).
"""

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from speakervid_dag.config.profiles import Profile
from speakervid_dag.curation.sources import fingerprints, palettes
from speakervid_dag.curation.sources import shots as shot_finding
from speakervid_dag.failures import PermanentFailure, StageFailure
from speakervid_dag.lake.batches import SourceFile
from speakervid_dag.lake.schemas import VIDEOS
from speakervid_dag.media import decode as decoding
from speakervid_dag.media import probe as probing
from speakervid_dag.media.budget import MediaBudget
from speakervid_dag.places import place_of
from speakervid_dag.stages import sound
from speakervid_dag.stages.stage import Rows, VideoTask

EMPTY = dict.fromkeys(VIDEOS.schema.names())
BUDGET = MediaBudget()


def describe(file: SourceFile, path: Path | None) -> dict[str, Any]:
    """Return the `videos` row of one file, from its header; `path` None: its loss was accepted."""
    row = {
        **EMPTY,
        "video_id": file.video_id,
        "source_name": file.name,
        "source_uri": place_of(file.uris[0]),
        "sources": [place_of(uri) for uri in file.uris],
        "sha256": file.sha256,
        "size_bytes": file.size_bytes,
    }
    try:
        if path is None:
            raise PermanentFailure("missing_file", "its bytes are gone, and that was accepted with --allow-loss")
        info = probing.probe(path, BUDGET)
    except StageFailure as problem:
        return {**row, "status": "rejected", "reason": problem.reason, "detail": problem.detail}
    known = {k: v for k, v in dataclasses.asdict(info).items() if k in EMPTY and k != "sound_tracks"}
    rate = None if info.bit_rate_bps is None else float(info.bit_rate_bps)
    colours = info.colours if info.has_video else None
    return {**row, **known, "bit_rate_bps": rate, "colours": colours, **verdict(info)}


def rows_of(video: VideoTask, profile: Profile) -> Mapping[str, Rows]:
    """Return the `videos` and `shots` rows of a file that could be opened.

    Raises:
        PermanentFailure: its pictures cannot be read (see `FrameReader`).
    """
    finder, printer = shot_finding.ShotFinder(profile.shots), fingerprints.Fingerprinter()
    sampler = palettes.PaletteSampler(profile.shots)
    with video.media():
        info = probing.probe(video.path, BUDGET)
        heard = sound.chosen_sound(video.path, info, BUDGET, profile.sound)
    with decoding.read_frames(video.path, info, BUDGET, max_long_side_px=profile.shots.long_side_px) as reader:
        for frame in video.timed(reader):
            with video.model():
                printer.feed(finder.feed(frame))
                sampler.feed(frame)
    with video.model():
        shots, fingerprint = finder.finish(), printer.finish()
    report = reader.report
    shown = picture_size(report, shots)
    row = {**video.row, **health(video.row, report, info.video_end_s), **shown, **dataclasses.asdict(fingerprint)}
    row |= {"sound_tracks": heard.tracks, "sound_taken": [t._asdict() for t in heard.taken]}
    return {"videos": [row], "shots": numbered(video.video_id, shots, sampler.finish(shots), report.stretches)}


def verdict(info: probing.MediaInfo) -> dict[str, Any]:
    """Return the status of a file that could be opened."""
    if not info.has_video:
        told = "there is sound but no moving picture" if info.has_audio else "there is neither picture nor sound"
        return {"status": "rejected", "reason": "no_video_stream", "detail": told}
    if not info.has_audio:
        return {"status": "degraded", "reason": "no_audio_stream", "detail": "there is no sound: nobody can be heard"}
    if info.colour_fault:
        return {"status": "degraded", "reason": "unknown_colours", "detail": info.colour_fault}
    return {"status": "ok"}


def health(row: Mapping[str, Any], report: decoding.DecodeReport, claimed_end_s: float | None) -> dict[str, Any]:
    """Return the status after decoding: frames read against frames claimed, plus the findings from the header."""
    if report.frames_read == 0:
        return {"status": "rejected", "reason": "no_decodable_picture", "detail": "not one frame could be decoded"}
    if report.is_complete:
        return {"status": row["status"], "reason": row["reason"], "detail": row["detail"]}
    claimed = "an unknown number" if report.frames_claimed is None else str(report.frames_claimed)
    told = [f"{report.frames_read} frames read of {claimed} claimed, {report.decode_errors} decoding errors"]
    if report.last_time_s is not None and claimed_end_s is not None:
        told.append(f"the last picture read is at {report.last_time_s:.2f} s of {claimed_end_s:.2f} s")
    if row["detail"]:
        told.append(f"{row['reason']}: {row['detail']}")
    return {"status": "degraded", "reason": "damaged_media", "detail": "; ".join(told)}


def numbered(
    video_id: str,
    shots: list[tuple[float, float]],
    palettes: list[list[float] | None],
    stretches: Sequence[decoding.Stretch],
) -> list[dict[str, Any]]:
    """Return the shot rows with ids in order; each shot is within one stretch."""
    rows = []
    for i, ((start, end), palette) in enumerate(zip(shots, palettes, strict=True)):
        shown = decoding.stretch_at(stretches, start)
        rows.append(
            {
                "shot_id": f"{video_id}-s{i:04d}",
                "shot_index": i,
                "start_s": start,
                "end_s": end,
                "width_px": shown.width_px,
                "height_px": shown.height_px,
                "palette": palette,
            }
        )
    return rows


def picture_size(report: decoding.DecodeReport, shots: list[tuple[float, float]]) -> dict[str, int]:
    """Return the picture size that is shown longest, and the number of stretches of one geometry."""
    if not report.stretches:
        return {"geometries": 0}
    lasting: dict[tuple[int, int], float] = defaultdict(float)
    for start, end in shots:
        shown = decoding.stretch_at(report.stretches, start)
        lasting[shown.width_px, shown.height_px] += end - start
    width, height = max(lasting, key=lambda size: lasting[size])
    return {"width_px": width, "height_px": height, "geometries": len(report.stretches)}
