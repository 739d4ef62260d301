"""Explanations of decisions: a video, shot, track, person, turn, clip, pair, listening sample or session by its id.

Belongs here: the queries per kind of thing, and the order of their results. Does not belong here: the queries
themselves (sql/explain) and printing (cli/explain.py).
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from speakervid_dag.config.profiles import Profile
from speakervid_dag.config.sections import BranchSettings
from speakervid_dag.config.settings import Settings
from speakervid_dag.failures import UserError
from speakervid_dag.files import sha256_of
from speakervid_dag.lake.batches import BatchBook
from speakervid_dag.lake.queries.published import has_profile, open_published
from speakervid_dag.lake.queries.session import Session, query_file
from speakervid_dag.lake.schemas import TABLES
from speakervid_dag.tiering import gold
from speakervid_dag.tiering.asked import asked_profile, name_of

# kind → the table with one row for it (per profile), and the column of its id
KINDS = {
    "video": ("videos", "video_id"),
    "shot": ("shots", "shot_id"),
    "track": ("face_tracks", "track_id"),
    "person": ("people", "person_id"),
    "turn": ("speech_turns", "turn_id"),
    "clip": ("clips", "clip_id"),
    "pair": ("branch_dialogue", "pair_id"),
    "listening": ("branch_listening", "listening_id"),
    "session": ("branch_multi_turn", "session_id"),
}
OF_SINGLE_CLIPS = ("clip", "pair", "listening", "session")  # every gate is listed, not only those that did not pass


@dataclass(frozen=True)
class Section:
    """One part of the answer; `rows` may be empty, then `title` says what is missing."""

    title: str
    rows: pl.DataFrame


def explain(settings: Settings, wanted: str, asked: str, as_of: str | None = None) -> list[Section]:
    """Return everything known about the thing with this id, name or path, with the decisions of a profile.

    A profile that was never applied to the lake is applied on the fly to the stored scores of the thing's batch;
    nothing is written. Of a profile that is only known by its decisions, the limits of its branches are not known.

    Args:
        asked: a profile's name or the path of its file, or a name whose decisions are stored.

    Raises:
        UserError: nothing has this id (the message lists the nearest ones), there is no such profile, or nothing is
            published.
    """
    with open_published(settings.lake_dir, as_of, read_only_user_sql=False) as con:
        found, *others = _find(con, BatchBook(settings.lake_dir), wanted)
        profile = asked_profile(con, asked)
        told = f"under {name_of(profile)}"
        if isinstance(profile, Profile) and not has_profile(con, profile.name):
            gold.compute_gold(con, profile, [found["batch"]])
            told += " (not applied to this lake; computed from the stored scores of the batch)"
        sections = _sections(con, found, profile, told)
    if others:
        sections.insert(1, Section(f"Others with the name {wanted}", pl.DataFrame(others)))
    return sections


def _find(con: Session, book: BatchBook, wanted: str) -> list[dict[str, Any]]:
    """Return what has this id or, for videos, this name, content, or further copy; the likeliest first."""
    path = Path(wanted)
    is_path = "/" in wanted and path.is_file()
    given, wanted = (
        wanted,
        os.fsencode(wanted).decode("utf-8", "backslashreplace"),
    )  # as the lake stores names that are not UTF-8
    found = query_file(con, "explain/find", wanted=f"v{sha256_of(path)[:16]}" if is_path else wanted)
    if found.is_empty():  # a further copy's place is only in the manifest
        copies = [query_file(con, "explain/find", wanted=file.video_id) for _, file in book.called(given)]
        found = pl.concat([found, *copies])
    if found.is_empty() and is_path:
        raise UserError(f"no video of the lake has the content of {wanted}: add it with `speakervid run`")
    if found.is_empty():
        near = query_file(con, "explain/nearest", wanted=wanted)["id"].to_list()
        hint = f"; the nearest are {', '.join(near)}" if near else ""
        raise UserError(f"nothing in the lake has the id '{wanted}'{hint}")
    return found.to_dicts()


def _sections(con: Session, found: Mapping[str, Any], profile: Profile | str, told: str) -> list[Section]:
    limits = dict.fromkeys(BranchSettings.model_fields) if isinstance(profile, str) else profile.branches.model_dump()
    asked: dict[str, Any] = {**found, "profile": name_of(profile), **limits}
    asked["clips"] = query_file(con, "explain/clips", **asked)["clip_id"].to_list()
    asked["only_objections"] = found["kind"] not in OF_SINGLE_CLIPS
    tracks, turns = (query_file(con, f"explain/{name}", **asked) for name in ("tracks", "turns"))
    asked |= {"tracks": tracks["track_id"].to_list(), "turns": turns["turn_id"].unique().to_list()}
    sections = [_itself(con, found)]
    if found["kind"] != "video":
        sections.append(_itself(con, {"kind": "video", "id": found["video_id"]}))
    tracks_of_sound = "SELECT unnest(sound_tracks, recursive := true) FROM videos WHERE video_id = $video_id"
    sound = con.sql(tracks_of_sound, params={"video_id": found["video_id"]}).pl()
    sections.append(Section("Sound tracks of the file", sound))
    stages = (
        "SELECT stage, status, reason, detail, row_count FROM stage_outcomes WHERE video_id = $video_id ORDER BY stage"
    )
    outcomes = con.sql(stages, params={"video_id": found["video_id"]}).pl()
    sections.append(Section("Stages of the video", outcomes))
    gates = "Gates that did not pass" if asked["only_objections"] else "Gates"
    for name, title in (("tiers", "Tiers"), ("gates", f"{gates}, {told}")):
        sections.append(Section(title, query_file(con, f"explain/{name}", **asked)))
    branches = query_file(con, "explain/branches", **asked)
    if isinstance(profile, str):  # without its limits nothing tells why a clip is not in a branch
        branches, told = branches.filter("is_in"), f"{told} (why it is not in others: give the profile's file)"
    sections.append(Section(f"Branches, {told}", branches))
    sections += [
        Section("Face tracks, their shots and people", tracks),
        Section("Speech turns and their binding", turns),
    ]
    sections.append(Section("Lip-sync evidence", query_file(con, "explain/evidence", **asked)))
    sections.append(Section("Time that became no clip", query_file(con, "explain/dropped", **asked)))
    return sections


def _itself(con: Session, found: Mapping[str, Any]) -> Section:
    """Return the thing's own row without its long series, one line per column."""
    kind, wanted = found["kind"], found["id"]
    table, key = KINDS[kind]
    flat = [n for n, t in TABLES[table].schema.items() if not t.is_nested() or t == pl.List(pl.String)]
    picked = ", ".join(f'"{n}"' for n in flat)
    query = f'SELECT {picked} FROM "{table}" WHERE "{key}" = $id LIMIT 1'
    rows: pl.DataFrame = con.sql(query, params={"id": wanted}).pl()
    row = rows.row(0, named=True)
    lines = [{"what": n, "value": _text(v)} for n, v in row.items() if v is not None and n not in ("profile", "tier")]
    return Section(f"{kind} {wanted}", pl.DataFrame(lines))


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
