"""Stages and clips without models or media, that read their sources, weights and profile as the real ones do.

Belongs here: what stands in for models, decoding and cutting in a process of a history. Does not belong here: what the
history does (world.py).

A film is a file of a few bytes. Intake is the real one, over a fake probe and a fake decoder. Every other stage gives
the rows that tests/mini_lake.py has of one video, under the film's own ids; it opens the film, asks for its weights,
and writes into a column what the profile says, so that rows of different profiles can be told apart.
"""

import hashlib
import os
import pickle
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import canned
import numpy as np
import polars as pl
from mini_lake import V1, mini_lake

from speakervid_dag.assets import table_asset
from speakervid_dag.cli import report
from speakervid_dag.curation.sources import shots
from speakervid_dag.failures import PermanentFailure
from speakervid_dag.files import write_bytes
from speakervid_dag.lake.schemas import TABLES
from speakervid_dag.media import cut, decode, probe
from speakervid_dag.models import registry
from speakervid_dag.quality_checks import factory
from speakervid_dag.release import clip_store
from speakervid_dag.stages.stage import Stage, VideoTask

FILM = b"film "
MADE: dict[str, bytes] = {}  # rows of tests/mini_lake.py by table, as IPC
NEEDED = "centerface"  # weights without which no face is found
CLIPS = 4  # of each film
REFUSED = "clips"  # the stage that is refused while it is broken
SHADES = {"face_tracks": "detection_score", "speaker_bindings": "margin"}  # columns that tell the profile


def fake_weight(name: str, filename: str) -> bytes:
    return f"weights {name} {filename}".encode()


def write_weights(folder: Path) -> None:
    """Files that pass for all default weights."""
    for name in registry.names_of("default"):
        for file in registry.get_weight(name).files:
            (folder / name).mkdir(parents=True, exist_ok=True)
            (folder / name / file.filename).write_bytes(fake_weight(name, file.filename))


def replace_stages() -> None:
    """From here on this process computes, decodes, cuts and judges nothing."""
    make_canned()
    os.environ["SPEAKERVID_ISOLATE"] = "false"
    registry.expected_hash = lambda name, file: hashlib.sha256(fake_weight(name, file.filename)).hexdigest()
    probe.probe = _probe
    decode.read_frames = _read_frames
    shots.ShotFinder = _Shots
    clip_store.ClipStore._cut = _copied
    factory.audit = canned.quick_audit
    report.write_after_run = lambda _: None  # the report has its own tests, and draws for seconds
    real = table_asset._run

    def run(context: Any, lakehouse: Any, recipe: Any, compute: Any) -> Iterator[Any]:
        yield from real(context, lakehouse, recipe, compute if recipe.name == "intake" else _canned(recipe))

    table_asset._run = run


def is_broken(home: Path) -> bool:
    return (home / "broken").exists()


def shade(profile_digest: str) -> float:
    """A number in [0, 1) that stands for a part of a profile."""
    return int(profile_digest[:6], 16) / 16**6


def _canned(recipe: Any) -> Callable[[Stage], Mapping[str, pl.DataFrame]]:
    def compute(stage: Stage) -> Mapping[str, pl.DataFrame]:
        def work(video: VideoTask) -> Mapping[str, pl.DataFrame]:
            if not video.path.read_bytes().startswith(FILM):
                raise PermanentFailure("damaged_container", "no film")
            if recipe.name == "face_tracks":
                registry.weight_path(NEEDED)
            rows = {table.name: rows_of(table.name, video.video_id) for table in recipe.tables}
            if (column := SHADES.get(recipe.name)) is not None:
                told = pl.lit(0.8 + shade(stage.profile.digest(*recipe.sections)) / 10)
                rows[recipe.name] = rows[recipe.name].with_columns(told.alias(column))
            if recipe.name == REFUSED and is_broken(Path(os.environ["SPEAKERVID_PROFILE"]).parent):
                rows[REFUSED] = pl.concat([rows[REFUSED]] * 2)  # its key is not unique
            return rows

        return stage.each_video(recipe.tables, work)

    return compute


def make_canned() -> None:
    """Makes the rows of one video, in a process of its own: polars' threads do not survive a fork."""
    reads, writes = os.pipe()
    process = os.fork()
    if not process:
        made = mini_lake()
        told = {name: made[name].write_ipc(None).getvalue() for name in TABLES}
        with os.fdopen(writes, "wb") as channel:
            pickle.dump(told, channel)
        os._exit(0)
    os.close(writes)
    with os.fdopen(reads, "rb") as channel:
        MADE.update(pickle.load(channel))  # noqa: S301 - our own
    os.waitpid(process, 0)


@cache
def canned_rows(table: str) -> pl.DataFrame:
    return pl.read_ipc(MADE[table])


@cache
def _of_one_video(table: str) -> pl.DataFrame:
    frame = canned_rows(table).filter(pl.col("video_id") == V1)
    if table == "clip_scores":  # of clips that reach the best tier of `laptop`
        asked = {"face_height_px": 120.0, "freeze_share": 0.1, "face_repeat_share": 0.05, "no_speech_prob": 0.1}
        frame = frame.with_columns(**{name: pl.lit(value) for name, value in asked.items()})
    return frame


def rows_of(table: str, video_id: str) -> pl.DataFrame:
    texts, lists = pl.col(pl.String), pl.col(pl.List(pl.String))
    frame = _of_one_video(table).with_columns(
        texts.str.replace_all(V1, video_id, literal=True),
        lists.list.eval(pl.element().str.replace_all(V1, video_id, literal=True)),
    )
    return frame.select(TABLES[table].schema.names())


def _probe(path: Path, *_: Any) -> probe.MediaInfo:
    if not path.is_file():
        raise PermanentFailure("missing_file", f"{path} is not there")
    if not path.read_bytes().startswith(FILM):
        raise PermanentFailure("unrecognised_container", "no film")
    facts = {"width_px": 64, "height_px": 36, "fps": 25.0, "video_start_s": 0.0, "video_codec": "h264"}
    sound = {"audio_start_s": 0.0, "audio_codec": "aac", "audio_sample_rate_hz": 16_000, "audio_channels": 1}
    held = {"has_video": True, "has_audio": True, "origin_s": 0.0, "bit_rate_bps": 8000}
    return probe.MediaInfo(container="mov", duration_s=20.0, **held, **facts, **sound)


class _Shots(shots.ShotFinder):
    """Finds two shots, as tests/mini_lake.py has them."""

    def finish(self) -> list[tuple[float, float]]:
        return [(0.0, 10.0), (10.0, 20.0)]


@contextmanager
def _read_frames(path: Path, *_: Any, **__: Any) -> Iterator[Any]:
    class Frames(list):  # type: ignore[type-arg]
        report = decode.DecodeReport(
            frames_read=2,
            frames_claimed=2,
            first_time_s=0.0,
            last_time_s=10.0,
            decode_errors=0,
            times_repaired=0,
            is_complete=True,
            wall_s=0.0,
            stretches=(decode.Stretch(0.0, 64, 36),),
        )

    path.read_bytes()
    yield Frames(decode.Frame(time_s=t, image=np.full((36, 64, 3), 128, np.uint8)) for t in (0.0, 10.0))


def _copied(store: Any, source: Path, info: Any, heard: Any, specs: Any) -> Iterator[tuple[Any, None]]:
    """In place of cutting: each clip is its source's bytes and its own name."""
    for spec in specs:
        write_bytes(store.stem(spec).with_suffix(".mp4"), source.read_bytes() + spec.key.encode())
        yield cut.Done(start_s=spec.start_s, end_s=spec.end_s, frames=100, width_px=64, height_px=36), None
