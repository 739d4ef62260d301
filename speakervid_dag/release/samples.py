"""Contents of a release: the samples of a branch, and the clips to cut for them.

Belongs here: queries over one published snapshot. Does not belong here: cutting (clip_store), fields of the papers
(records), files (writers).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from speakervid_dag.curation.clips.sound import VoiceSpan
from speakervid_dag.lake.queries.session import Session, query_file
from speakervid_dag.media.region import Box

BRANCHES = ("single", "dialogue", "listening", "multi_turn_contextual", "multi_turn_sequential")
TIERS = ("sft", "pretrain", "rejected")
SAFE = re.compile(r"[A-Za-z0-9_-]{1,200}")  # characters of our ids, and of all file names we write

Row = Mapping[str, Any]


@dataclass(frozen=True)
class ClipSpec:
    """One clip to cut: [start_s, end_s) of a source, the person's box, and the voice to keep.

    `row` is the clip's row of sql/release/clips.sql; `is_silent`: only the WAV has sound, the MP4 has none.
    """

    key: str
    row: Row
    start_s: float
    end_s: float
    box: Box
    voice: str | None
    is_silent: bool
    turns: tuple[VoiceSpan, ...]


@dataclass(frozen=True)
class ReleaseSample:
    """One sample: its name, split, clips by part, and the branch's facts about it."""

    sample_id: str
    split: str
    clips: tuple[tuple[str, ClipSpec], ...]  # (initiator, responder, listener, clip, turn_000 …), clip
    facts: Row


def find_samples(
    con: Session, branch: str, profile: str, tiers: Sequence[str], split_of: Mapping[str, str], limit: int | None
) -> list[ReleaseSample]:
    """Return the samples of a branch in these tiers, in the order of their ids, at most `limit`.

    Args:
        split_of: identity → split.
    """
    rows = query_file(con, f"release/{branch}", profile=profile, tiers=list(tiers)).to_dicts()[:limit]
    clip_ids = sorted({clip for row in rows for clip in row["clip_ids"]})
    video_ids = sorted({row["video_id"] for row in rows})
    asked = {"profile": profile, "clip_ids": clip_ids, "video_ids": video_ids}
    clips = {c["clip_id"]: c for c in query_file(con, "release/clips", **asked).to_dicts()}
    turns: dict[str, list[VoiceSpan]] = {video_id: [] for video_id in video_ids}
    for turn in query_file(con, "release/turns", video_ids=video_ids).to_dicts():
        turns[turn["video_id"]].append(VoiceSpan(turn["speaker_id"], turn["start_s"], turn["end_s"]))
    samples = []
    for row in rows:
        specs = [_spec(clips[clip], turns[row["video_id"]]) for clip in row["clip_ids"]]
        if branch == "listening":
            specs = [_listening(specs[0], row)]
        split = split_of[specs[0].row["identity_id"]]
        facts = {k: v for k, v in row.items() if k not in ("sample_id", "clip_ids")}
        samples.append(ReleaseSample(safe(row["sample_id"]), split, tuple(_named(branch, specs)), facts))
    return samples


def safe(identifier: str) -> str:
    """Return a lake id as a file name. Raises ValueError for anything else."""
    name = identifier.replace(">", "_to_").replace("<", "_hears_")
    if not SAFE.fullmatch(name):
        raise ValueError(f"{identifier!r} is not an id of this lake")
    return name


def _spec(clip: Row, turns: Sequence[VoiceSpan]) -> ClipSpec:
    """Return a clip as it is. The key is the paper's, with our video id, and N for a person without a voice."""
    size = f"{clip['width_px']}x{clip['height_px']}"
    key = f"{clip['video_id']}_{size}_full_video_{clip['clip_index']:03d}_{clip['speaker_id'] or 'N'}"
    inside = tuple(t for t in turns if t.start_s < clip["end_s"] and t.end_s > clip["start_s"])
    box = (clip["x1"], clip["y1"], clip["x2"], clip["y2"])
    return ClipSpec(safe(key), clip, clip["start_s"], clip["end_s"], box, clip["speaker_id"], False, inside)


def _listening(spec: ClipSpec, row: Row) -> ClipSpec:
    """Return the listener's picture while the other person speaks, with the other's voice."""
    turn = safe(row["speaker_turn_id"].rpartition("-")[2])
    return replace(
        spec,
        key=f"{spec.key}_hears_{turn}",
        start_s=row["start_s"],
        end_s=row["end_s"],
        voice=row["heard_speaker_id"],
        is_silent=True,
    )


def _named(branch: str, specs: Sequence[ClipSpec]) -> list[tuple[str, ClipSpec]]:
    names = {"dialogue": ["initiator", "responder"], "listening": ["listener"]}.get(branch, ["clip"])
    if branch == "multi_turn_sequential":
        names = [f"turn_{n:03d}" for n in range(len(specs))]
    return list(zip(names, specs, strict=True))
