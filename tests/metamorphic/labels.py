"""The labels of a video, and what moved between two of them.

Belongs here: reading labels from a lake's tables, comparing them within a change's bounds. Does not belong here: films.
"""

from dataclasses import dataclass
from pathlib import Path

import polars as pl
from metamorphic.changes import Change

from speakervid_dag.curation import intervals
from speakervid_dag.curation.intervals import Interval
from speakervid_dag.lake.schemas import CLIPS, FACE_TRACKS, SPEAKER_BINDINGS, TIERS, VIDEOS
from speakervid_dag.lake.storage.delta import DeltaLake

SLACK_S = 0.15  # of a file's length: a frame of AAC and a picture
LISTENING_S = 0.5


@dataclass(frozen=True)
class Labels:
    """What a lake says of one video; spans in s."""

    status: str
    reason: str | None
    duration_s: float
    talking: tuple[Interval, ...]
    listening: tuple[Interval, ...]
    tiers: tuple[tuple[str, str], ...]  # of each clip: role and tier, in order of role and start
    people: int  # who has a track
    speakers: int  # who is bound

    @property
    def best(self) -> str:
        """The best tier of a talking clip."""
        told = {tier for role, tier in self.tiers if role == "talking"}
        return next((tier for tier in ("sft", "pretrain", "rejected") if tier in told), "none")


def labels_of(lake: Path) -> dict[str, Labels]:
    """Return name of the file without suffix → its labels."""
    tables = DeltaLake(str(lake))
    clips = tables.read(CLIPS).join(tables.read(TIERS).select("clip_id", "tier"), on="clip_id", how="left")
    tracks, bindings = tables.read(FACE_TRACKS), tables.read(SPEAKER_BINDINGS)
    found = {}
    for video in tables.read(VIDEOS).to_dicts():
        mine = pl.col("video_id") == video["video_id"]
        own = clips.filter(mine).sort("role", "start_s")
        spans = {
            role: tuple(own.filter(pl.col("role") == role).select("start_s", "end_s").iter_rows())
            for role in ("talking", "listening")
        }
        found[Path(video["source_name"]).stem] = Labels(
            video["status"],
            video["reason"],
            video["duration_s"],
            spans["talking"],
            spans["listening"],
            tuple(own.select("role", "tier").iter_rows()),
            tracks.filter(mine)["person_id"].n_unique(),
            bindings.filter(mine & (pl.col("status") == "bound"))["person_id"].n_unique(),
        )
    return found


def moved(base: Labels, now: Labels, change: Change) -> list[str]:
    """Return a line per label that is no longer what it was, within the change's bounds; none where all is well."""
    told = []
    if now.status != base.status:
        told.append(f"status {base.status} -> {now.status} {now.reason}")
    if abs(now.duration_s - base.duration_s - change.longer_s) > SLACK_S:
        told.append(f"length {base.duration_s:.2f} + {change.longer_s} -> {now.duration_s:.2f} s")
    back = [(start - change.moved_s, end - change.moved_s) for start, end in now.talking]
    before = intervals.total_s(base.talking)
    kept = intervals.total_s(intervals.intersect(base.talking, back))
    if kept < (1 - change.lost_share) * before:
        told.append(f"talking {before:.1f} -> {kept:.1f} s of it")
    gained = intervals.total_s(intervals.subtract(back, base.talking))
    if gained > max(LISTENING_S, change.lost_share * before):
        told.append(f"talking gained {gained:.1f} s")
    listening = [intervals.total_s(labels.listening) for labels in (base, now)]
    if abs(listening[1] - listening[0]) > LISTENING_S:
        told.append(f"listening {listening[0]:.1f} -> {listening[1]:.1f} s")
    if now.speakers != base.speakers:
        told.append(f"speakers {base.speakers} -> {now.speakers}")
    if now.people != base.people and "people" not in change.may:
        told.append(f"people {base.people} -> {now.people}")
    if now.best != base.best and "tier" not in change.may:
        told.append(f"tier {base.best} -> {now.best}")
    return told
