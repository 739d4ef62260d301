"""Bronze intake: every file of a batch identified, probed and decoded once at low resolution, which finds its shots;
its sound tracks are listened to, and what is used of them is chosen.

Belongs here: the `videos` and `shots` assets. Does not belong here: opening a container (speakervid_dag.media) and
finding files (speakervid_dag.lake.batches).

The two tables are one asset because a file's health is what could be decoded of it, and the pass that finds that out is
the one that finds the shots: a video is decoded twice in all.

A file that is not at hand is no input. A new one leaves the batch, and is new again when it is found again; one that
the lake has rows of stops the stage, so that its rows stay, until it is back or a person gives it up.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from speakervid_dag.assets import sound
from speakervid_dag.assets.table_asset import table_asset
from speakervid_dag.curation import dissolves, fingerprints, intervals, palettes, sound_choice, structure
from speakervid_dag.curation import shots as shot_finding
from speakervid_dag.failures import PermanentFailure, SourceAbsent, StageFailure
from speakervid_dag.lake.batches import BatchBook, SourceFile
from speakervid_dag.lake.delta import DeltaLake
from speakervid_dag.lake.integrity import FileLost
from speakervid_dag.lake.schemas import SHOTS, VIDEOS
from speakervid_dag.media import audio as audio_reading
from speakervid_dag.media import colour, container, geometry, picture, sound_levels, sound_streams, times
from speakervid_dag.media import decode as decoding
from speakervid_dag.media import probe as probing
from speakervid_dag.media import sound as sound_decoding
from speakervid_dag.media.budget import MediaBudget
from speakervid_dag.models import vad
from speakervid_dag.places import place_of
from speakervid_dag.stage import Rows, Stage, VideoTask, all_absent

EMPTY = dict.fromkeys(VIDEOS.schema.names())
BUDGET = MediaBudget()


@table_asset(
    VIDEOS,
    SHOTS,
    manifest=True,
    sections=["shots", "sound"],
    weights=lambda _: [f"{vad.NAME}@{vad.package_state()}"],
    modules=[
        probing,
        decoding,
        colour,
        container,
        geometry,
        picture,
        times,
        shot_finding,
        dissolves,
        structure,
        intervals,
        palettes,
        fingerprints,
        sound,
        sound_choice,
        audio_reading,
        sound_decoding,
        sound_levels,
        sound_streams,
        vad,
    ],
    kinds=frozenset({"python", "scenedetect"}),
)
def intake(stage: Stage) -> Mapping[str, pl.DataFrame]:
    """Identity by content hash, probe, health by decoding, and shots; an unusable file is a row that says why."""
    book = BatchBook(stage.settings.lake_dir)
    files, given_up = book.read(stage.batch), book.given_up(stage.batch)
    new, rows, absent = new_videos(stage, files), [], []
    for file in files:
        try:
            path = None if file.video_id in given_up else stage.source_of(file.video_id)
            row = describe(file, path)
            if path is not None and row["status"] == "rejected":
                stage.source_of(file.video_id)  # a verdict on a file that went away meanwhile is none
            rows.append({**row, "batch": stage.batch})
        except SourceAbsent as problem:
            if file.video_id in new:
                stage.vanished[file.video_id] = problem
            else:
                absent.append(problem)
    probed = VIDEOS.frame(rows)
    stage.inputs = {"videos": probed}

    def work(video: VideoTask) -> Mapping[str, Rows]:
        finder, printer = shot_finding.ShotFinder(stage.profile.shots), fingerprints.Fingerprinter()
        sampler = palettes.PaletteSampler(stage.profile.shots)
        with video.media():
            info = probing.probe(video.path, BUDGET)
            heard = sound.chosen_sound(video.path, info, BUDGET, stage.profile.sound)
        with decoding.read_frames(
            video.path, info, BUDGET, max_long_side_px=stage.profile.shots.long_side_px
        ) as reader:
            for frame in video.timed(reader):
                with video.model():
                    printer.feed(finder.feed(frame))
                    sampler.feed(frame)
        with video.model():
            shots, fingerprint = finder.finish(), printer.finish()
        report = reader.report
        shown = picture_size(report, shots)
        row = {**video.row, **health(video.row, report), **shown, **dataclasses.asdict(fingerprint)}
        row |= {"sound_tracks": heard.tracks, "sound_taken": [t._asdict() for t in heard.taken]}
        return {"videos": [row], "shots": numbered(video.video_id, shots, sampler.finish(shots), report.stretches)}

    frames = stage.each_video([VIDEOS, SHOTS], work, may_vanish=new)
    if absent:  # after the others, which lie in checkpoints
        raise all_absent(absent)
    leave_out_vanished(stage, book, files)
    kept = probed.filter(~pl.col("video_id").is_in(list(stage.vanished)))
    return {**frames, "videos": with_failures(kept, frames["videos"], stage.outcomes)}


def new_videos(stage: Stage, files: Sequence[SourceFile]) -> set[str]:
    """Return the ids of the batch's videos that have no row yet."""
    try:
        made = DeltaLake(str(stage.settings.lake_dir)).read(VIDEOS, batches=[stage.batch], columns=["video_id"])
    except FileLost:  # the batch was made once: what is absent now is one of its videos
        return set()
    return {file.video_id for file in files} - set(made["video_id"])


def leave_out_vanished(stage: Stage, book: BatchBook, files: Sequence[SourceFile]) -> None:
    """Take new files out of the batch's manifest that are gone before anything was made of them.

    Raises:
        SourceAbsent: all of the batch are gone: a folder that is not mounted, say. A file that was written to since it
            was listed is gone for good: what it holds now is another video.
    """
    if len(stage.vanished) == len(files) and any(p.reason != "changed_file" for p in stage.vanished.values()):
        raise all_absent(list(stage.vanished.values()))
    for video_id, problem in stage.vanished.items():
        stage.log(f"{video_id} is left out: {problem}")
    if stage.vanished:
        book.forget(stage.batch, stage.vanished.keys())


def describe(file: SourceFile, path: Path | None) -> dict[str, Any]:
    """The `videos` row of one file, from its header; `path` None: its loss was accepted."""
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


def verdict(info: probing.MediaInfo) -> dict[str, Any]:
    """Status of a file that could be opened."""
    if not info.has_video:
        told = "there is sound but no moving picture" if info.has_audio else "there is neither picture nor sound"
        return {"status": "rejected", "reason": "no_video_stream", "detail": told}
    if not info.has_audio:
        return {"status": "degraded", "reason": "no_audio_stream", "detail": "there is no sound: nobody can be heard"}
    if info.colour_fault:
        return {"status": "degraded", "reason": "unknown_colours", "detail": info.colour_fault}
    return {"status": "ok"}


def health(row: Mapping[str, Any], report: decoding.DecodeReport) -> dict[str, Any]:
    """Status after decoding: what was read against what was claimed."""
    if report.frames_read == 0:
        return {"status": "rejected", "reason": "no_decodable_picture", "detail": "not one frame could be decoded"}
    if report.is_complete:
        return {"status": row["status"], "reason": row["reason"], "detail": row["detail"]}
    claimed = "an unknown number" if report.frames_claimed is None else str(report.frames_claimed)
    told = f"{report.frames_read} frames read of {claimed} claimed, {report.decode_errors} decoding errors"
    return {"status": "degraded", "reason": "damaged_media", "detail": told}


def numbered(
    video_id: str,
    shots: list[tuple[float, float]],
    palettes: list[list[float] | None],
    stretches: Sequence[decoding.Stretch],
) -> list[dict[str, Any]]:
    """Shot rows with ids in order; a shot lies in one stretch."""
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
    """Size of the pictures that are shown longest, and how many stretches of one geometry there are."""
    if not report.stretches:
        return {"geometries": 0}
    lasting: dict[tuple[int, int], float] = defaultdict(float)
    for start, end in shots:
        shown = decoding.stretch_at(report.stretches, start)
        lasting[shown.width_px, shown.height_px] += end - start
    width, height = max(lasting, key=lambda size: lasting[size])
    return {"width_px": width, "height_px": height, "geometries": len(report.stretches)}


def with_failures(probed: pl.DataFrame, decoded: pl.DataFrame, outcomes: list[dict[str, Any]]) -> pl.DataFrame:
    """The batch's rows: as decoded, else as probed; a file whose decoding failed is rejected with that reason."""
    failed = {o["video_id"]: o for o in outcomes if o["status"] != "ok"}
    rows = {row["video_id"]: row for row in probed.iter_rows(named=True)}
    for video_id, outcome in failed.items():
        rows[video_id] |= {"status": "rejected", "reason": outcome["reason"], "detail": outcome["detail"]}
    rows |= {row["video_id"]: row for row in decoded.iter_rows(named=True)}
    return VIDEOS.frame(list(rows.values()))
