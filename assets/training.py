"""The synchrony model of a lake: trained on its own talking tracks, evaluated on held-out people, stored by its hash.

Belongs here: collecting stretches, training, the rows that decide whether the model is used. Does not belong here: the
network (models/lake_synchrony.py), the figures (curation/speaking/synchrony_training.py).

It is not part of a run: the job `train` trains a new model on request. If the profile uses it, scores of the previous
model then become stale.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import polars as pl

from speakervid_dag.assets.resources import Factory
from speakervid_dag.assets.table_asset import OWNERS, markdown_table
from speakervid_dag.config.profiles import Profile
from speakervid_dag.curation.speaking import synchrony_training as training
from speakervid_dag.curation.speaking.active_speaker import Row, lips_of
from speakervid_dag.curation.speaking.sync_regression import LipSeries
from speakervid_dag.curation.speaking.synchrony_training import Figures, Floats, Stretch
from speakervid_dag.failures import OperationError
from speakervid_dag.files import write_bytes
from speakervid_dag.lake.artifacts import kept_model, kept_sound
from speakervid_dag.lake.schemas import FACE_TRACKS, PEOPLE, SPEAKER_BINDINGS, SYNC_SCORES, TRAINED_MODELS, VIDEOS
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.media.wav import read_wav
from speakervid_dag.models import lake_synchrony
from speakervid_dag.models.lake_synchrony import LakeSynchrony
from speakervid_dag.places import place_of
from speakervid_dag.stages import sound


@dg.asset(
    name="synchrony_model",
    deps=["sync_scores", "speaker_bindings", "people"],
    group_name="models",
    kinds={"pytorch"},
    owners=OWNERS,
    description="A small network trained on this lake's talking faces; `trained_models` holds its evaluation.",
)
def synchrony_model(context: dg.AssetExecutionContext, factory: Factory) -> dg.MaterializeResult[Any]:
    """Train, evaluate and store a model. Raise OperationError if the lake has too few people or too little speech."""
    made = train_and_keep(factory.lake, factory.settings.lake_dir, factory.profile, context.run.run_id)
    return dg.MaterializeResult(
        metadata={"sha256": made["sha256"][0], "figures": dg.MetadataValue.md(markdown_table(made))}
    )


def train_and_keep(lake: DeltaLake, lake_dir: Path, profile: Profile, run_id: str) -> pl.DataFrame:
    """Train and store a model; return the rows added to trained_models, one per window length."""
    settings = profile.training
    stretches = gather(lake, lake_dir, profile)
    learnt, held_out = training.split(stretches, settings.held_out_share)
    learnt = [s for s in learnt if len(s.lips) >= settings.window_cells]
    people = [len({s.person for s in part}) for part in (learnt, held_out)]
    if people[0] < settings.min_people or people[1] < 2:
        raise OperationError(
            f"too few talking people to train on: {people[0]} and {people[1]} held out; "
            f"{settings.min_people} and 2 are needed"
        )
    net = lake_synchrony.train(learnt, profile.sync, settings)
    data = lake_synchrony.packed(net)
    digest = hashlib.sha256(data).hexdigest()
    path = kept_model(lake_dir, LakeSynchrony.name, digest)
    write_bytes(path, data)
    rows = judge(LakeSynchrony(net), held_out, profile)
    seconds = [sum(len(s.lips) for s in part) / profile.sync.grid_hz for part in (learnt, held_out)]
    about: Row = {"sha256": digest, "model": LakeSynchrony.name, "uri": place_of(path), "run_id": run_id}
    about |= {"at": datetime.now(UTC), "people_count": people[0], "held_out_people_count": people[1]}
    about |= {"train_s": seconds[0], "held_out_s": seconds[1]}
    frame = TRAINED_MODELS.frame([about | row for row in rows])
    lake.append(TRAINED_MODELS, frame, {"run_id": run_id})
    return frame


def judge(model: LakeSynchrony, held_out: list[Stretch], profile: Profile) -> list[Row]:
    """Evaluate model and default on the same windows; `is_better`: no worse at any length, and better at one."""
    sync, peak = profile.sync, profile.binding.peak_frames
    rows: list[Row] = []
    pairs: list[tuple[Figures, Figures]] = []
    for window_s in profile.training.judged_windows_s:
        pieces = training.windows(held_out, round(window_s * sync.grid_hz), sync)
        own, usual = (training.figures(s, pieces, peak) for s in (model.scorer(), training.default_scorer(sync)))
        if own is None or usual is None or own.count < profile.training.min_windows:
            continue
        pairs.append((own, usual))
        rows.append(
            {
                "window_s": window_s,
                "window_count": own.count,
                "auc": own.auc,
                "default_auc": usual.auc,
                "lag_accuracy": own.lag_accuracy,
                "default_lag_accuracy": usual.lag_accuracy,
            }
        )
    if not rows:
        raise OperationError("the held-out people talk too little for an evaluation")
    is_better = all(a.auc >= b.auc for a, b in pairs) and any(a.auc > b.auc for a, b in pairs)
    return [row | {"is_better": is_better} for row in rows]


def gather(lake: DeltaLake, lake_dir: Path, profile: Profile) -> list[Stretch]:
    """Return every bound turn of a person as a stretch, its sound shifted by the offset found for it."""
    identities = dict(lake.read(PEOPLE).select("person_id", "identity_id").iter_rows())
    bound = lake.read(SPEAKER_BINDINGS, where=pl.col("status") == "bound")
    offsets = lake.read(SYNC_SCORES, where=pl.col("offset_frames").is_not_null()).select(
        "track_id", "turn_id", "offset_frames"
    )
    rows = bound.join(offsets, on=["track_id", "turn_id"]).sort("video_id", "start_s", "track_id")
    taken = dict(lake.read(VIDEOS, columns=["video_id", "sound_taken"]).iter_rows())
    found = []
    for (video_id,), group in rows.group_by(["video_id"], maintain_order=True):
        path = kept_sound(lake_dir, str(video_id), taken.get(str(video_id)))
        if not path.is_file():
            continue  # removed since by a takedown or maintenance
        heard = training.sound_inputs(read_wav(path)[0], sound.RATE_HZ, profile.sync)
        tracks = lake.read(FACE_TRACKS, where=pl.col("track_id").is_in(group["track_id"].unique().to_list()))
        by_id = {t["track_id"]: t for t in tracks.to_dicts()}
        for row in group.to_dicts():
            stretch = _stretch(row, by_id[row["track_id"]], heard, identities, profile)
            if stretch is not None:
                found.append(stretch)
    return found


def _stretch(row: Row, track: Row, heard: Floats, identities: Mapping[str, str], profile: Profile) -> Stretch | None:
    """Return the turn's cells of a track, or None if the mouth is not visible nearly all the time."""
    settings, lips = profile.sync, lips_of(track, profile.sync)
    offset, lag = round(float(str(row["offset_frames"]))), settings.max_lag_frames
    first, last = (round(float(str(row[k])) * settings.grid_hz) for k in ("start_s", "end_s"))
    first, last = (
        max(first, lips.first, lag - offset),
        min(last, lips.first + len(lips.speed), len(heard) - lag - offset),
    )
    if last <= first:
        return None
    part = slice(first - lips.first, last - lips.first)
    if lips.is_seen[part].mean() < profile.training.min_seen_share:
        return None
    series = LipSeries(first, lips.shape[part], lips.speed[part], lips.is_seen[part])
    person = identities.get(str(row["person_id"]), str(row["person_id"]))
    inputs = training.lip_inputs(lips, settings)[part]
    return Stretch(person, inputs, series, np.ascontiguousarray(heard[first + offset - lag : last + offset + lag]))
