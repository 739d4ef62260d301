"""`speakervid doctor FILE`: what is in a media file, and what intake would make of it.

Belongs here: choosing and printing. Does not belong here: finding it out (assets/intake_rows.py, speakervid_dag.media).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from speakervid_dag.cli.console import print_frame, print_line
from speakervid_dag.config.profiles import load_profile
from speakervid_dag.config.settings import Settings

# columns of `videos`, in the order in which they are told
PARTS = {
    "File": ("container", "size_bytes", "duration_s", "bit_rate_bps", "year", "genre"),
    "Picture": (
        *("video_codec", "width_px", "height_px", "rotation_deg", "geometries", "fps", "is_variable_frame_rate"),
        *("video_start_s", "colours", "color_transfer", "color_primaries", "bit_depth"),
    ),
    "Sound": ("has_audio", "audio_codec", "audio_start_s"),
}


def report(path: Path, settings: Settings) -> int:
    """Print what the file holds. Exit status: 1 when intake would reject or skip it, else 0."""
    row, shots = looked_through(path, settings)
    for title, names in PARTS.items():
        told = [{"what": name, "value": _text(row[name])} for name in names if row[name] is not None]
        if told:
            print_frame(pl.DataFrame(told), title=title)
    if row["sound_tracks"]:
        print_frame(track_rows(row["sound_tracks"], row["sound_taken"] or []), title="Sound tracks")
    if shots:
        _print_shots(shots)
    if _is_taken_down(path, settings):
        print_line("Intake would skip it: its content was taken down")
        return 1
    why = ": ".join(str(row[name]) for name in ("reason", "detail") if row[name])
    print_line(f"Intake would say: {row['status']}" + (f", {why}" if why else ""))
    return int(row["status"] == "rejected")


def _is_taken_down(path: Path, settings: Settings) -> bool:
    from speakervid_dag.files import sha256_of
    from speakervid_dag.lake.schemas import TAKEDOWNS
    from speakervid_dag.lake.storage.delta import DeltaLake

    recorded = set(DeltaLake(str(settings.lake_dir)).read(TAKEDOWNS)["video_id"])
    place = path.expanduser()
    return bool(recorded) and place.is_file() and f"v{sha256_of(place)[:16]}" in recorded


def _print_shots(shots: list[dict[str, Any]]) -> None:
    cuts = ", ".join(f"{shot['start_s']:.2f}" for shot in shots[1:13]) + ", …" * (len(shots) > 13)
    print_line(f"Shots: {len(shots)}" + (f", cuts at {cuts} s" if cuts else ""))


def looked_through(path: Path, settings: Settings) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the file's row of `videos`, and its rows of `shots`."""
    from speakervid_dag.assets import intake_rows
    from speakervid_dag.failures import StageFailure
    from speakervid_dag.lake.batches import Place, SourceFile
    from speakervid_dag.stages.stage import VideoTask

    place = path.expanduser().absolute()
    size = place.stat().st_size if place.is_file() else None
    row = intake_rows.describe(SourceFile((Place(str(place)),), size, None), place)
    if row["status"] == "rejected":
        return row, []
    try:
        rows = intake_rows.rows_of(VideoTask(row, {}, {}, lambda _: place), load_profile(settings.profile))
    except StageFailure as problem:
        return {**row, "status": "rejected", "reason": problem.reason, "detail": problem.detail}, []
    return pl.DataFrame(rows["videos"]).row(0, named=True), pl.DataFrame(rows["shots"]).to_dicts()


def track_rows(tracks: list[Mapping[str, Any]], taken: list[Mapping[str, Any]]) -> pl.DataFrame:
    """Return a row per sound track: what it is, what was found in it and its channels, how much of it is used."""
    used: dict[int, list[str]] = {}
    for part in taken:
        used.setdefault(part["track"], []).append(f"channel {part['channel']} x {part['weight']:.2f}")
    rows = []
    for track in tracks:
        flat = {name: value for name, value in track.items() if name not in ("is_default", "channels_found")}
        channels = ", ".join(track["channels_found"] or [])
        rows.append({**flat, "channels_found": channels, "used": ", ".join(used.get(track["track"], []))})
    frame = pl.DataFrame(rows, infer_schema_length=None)
    return frame.select(name for name in frame.columns if not frame[name].is_null().all())


def _text(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
