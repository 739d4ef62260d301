"""Takedown: remove a video and everything derived from it, and refuse its content from then on.

Belongs here: finding what came from a video, removing it, recording that. Does not belong here: printing
(cli/forget.py), vacuum (maintenance.py).

The order makes it safe to kill and repeat a takedown. First the refusal is recorded, so that no run brings the video
back. Then the tables, the artifacts and the batch's manifest are cleared, a snapshot is published, and copies of what
was shown before are removed. Deleting rows keeps their batch's data version (storage/tables.py), and the manifest keeps
its digest: nothing else in the batch becomes stale.
"""

import json
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from speakervid_dag.failures import OperationError, UserError
from speakervid_dag.files import sync_folders, written_aside
from speakervid_dag.lake.artifacts import kept_manifests
from speakervid_dag.lake.batches import BatchBook, SourceFile
from speakervid_dag.lake.schemas import PEOPLE, QUARANTINE, RELEASES, REVIEWS, TABLES, TAKEDOWNS, Table
from speakervid_dag.lake.snapshots import parts, snapshots
from speakervid_dag.lake.snapshots.snapshots import Part, Pins, Snapshot
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.lake.storage.integrity import FileLost
from speakervid_dag.lake.storage.slices import slice_of_row
from speakervid_dag.lake.upkeep import maintenance
from speakervid_dag.lake.upkeep.maintenance import Publication
from speakervid_dag.places import place_of

REPORT = "report.html"
REDACTED = "forgotten"
LOG_RETENTION = "interval 30 days"  # Delta's default
Link = tuple[str, float | None]


@dataclass(frozen=True)
class TakedownPlan:
    """Effects of a takedown: rows by table, findings that name the video, files, and people who get a new identity."""

    video_id: str
    batch: str | None  # None: its manifest is already cleared (a repeated takedown)
    file: SourceFile | None
    rows: Mapping[str, int]
    findings: int
    files: tuple[Path, ...]
    links: Mapping[str, Link]
    releases: Mapping[str, tuple[str, ...]]  # id → where it was written; they contain the video and are not changed
    is_recorded: bool


def plan_takedown(lake: DeltaLake, lake_dir: Path, what: str) -> TakedownPlan:
    """Return what belongs to the video `what` (its id, a path where it was found, or its file name). Change nothing.

    Raises:
        UserError: no video, or more than one, matches.
    """
    recorded = set(lake.read(TAKEDOWNS)["video_id"])
    batch, file = _find(BatchBook(lake_dir), what)
    if file is None and what not in recorded:
        raise UserError(f"no video of this lake is called '{what}': give a video_id, a path or a file name")
    video_id = file.video_id if file is not None else what
    rows = {t.name: _count(lake, t, _names(lake, t, video_id)) for t in _tables(lake)}
    findings = _count(lake, QUARANTINE, _is_told_of(video_id, file))
    files = tuple(sorted(p for p in (lake_dir / "artifacts").rglob(f"{video_id}[.-]*") if p.is_file()))
    files += tuple(p for p in [lake_dir / REPORT] if p.is_file())  # it shows faces and words, and can be recreated
    links = new_links(lake.read(PEOPLE), video_id)
    kept_rows = {name: count for name, count in rows.items() if count}
    holding = releases_with(lake, lake_dir, video_id)
    return TakedownPlan(video_id, batch, file, kept_rows, findings, files, links, holding, video_id in recorded)


def take_down(lake: DeltaLake, lake_dir: Path, plan: TakedownPlan, *, reason: str, run_id: str) -> Snapshot | None:
    """Remove what the plan lists, record it, and publish the rest. Return None if nothing was ever published.

    Interrupted takedowns are completed first; otherwise half of their rows would be published.

    Raises:
        OperationError: the store failed; repeat the command.
    """
    if not plan.is_recorded:
        row: dict[str, object] = {
            "video_id": plan.video_id,
            "sha256": plan.file.sha256 if plan.file else None,
            "at": datetime.now(UTC),
            "run_id": run_id,
            "reason": reason,
            "release_ids": sorted(plan.releases),
        }
        lake.append(TAKEDOWNS, TAKEDOWNS.frame([row]), {"run_id": run_id})
    return _complete(lake, lake_dir, {plan.video_id, *unfinished(lake, lake_dir)}, run_id)


def unfinished(lake: DeltaLake, lake_dir: Path) -> list[str]:
    """Return the videos whose takedown was interrupted before they were removed from their batch's manifest.

    Until it is completed, only some tables have their rows, and nothing in the lake may be published.
    """
    recorded = set(lake.read(TAKEDOWNS)["video_id"])
    if not recorded:
        return []
    book = BatchBook(lake_dir)
    return sorted(recorded & {file.video_id for batch in book.names() for file in book.read(batch)})


def finish(lake: DeltaLake, lake_dir: Path, run_id: str) -> None:
    """Complete the interrupted takedowns."""
    if stopped := unfinished(lake, lake_dir):
        _complete(lake, lake_dir, set(stopped), run_id)


def _complete(lake: DeltaLake, lake_dir: Path, video_ids: Set[str], run_id: str) -> Snapshot | None:
    shown = snapshots.latest(lake)
    if shown is not None:
        _, held = _held(lake, shown)
        if older := _older(held):
            _take_back(lake, held, older & _naming_batches(lake, shown, video_ids), run_id)
    for video_id in sorted(video_ids):
        _remove(lake, lake_dir, plan_takedown(lake, lake_dir, video_id), run_id)

    def without_them(newest: Snapshot | None) -> Publication | None:
        if newest is None:
            return None
        versions, pins = _held(lake, newest)
        older = _older(pins)
        naming = _naming_batches(lake, newest, video_ids) if older else set()
        return Publication(newest.profile, versions, _hidden(lake, versions, pins, older & naming))

    made = maintenance.publish_for_readers(lake, lake_dir, run_id, without_them)
    for path in maintenance.unneeded_copies(lake):  # some contain the videos' rows
        maintenance.remove(path)
    return made


def _remove(lake: DeltaLake, lake_dir: Path, plan: TakedownPlan, run_id: str) -> None:
    _relink(lake, plan.links, run_id)
    for table in _tables(lake):
        if table.name in plan.rows:
            _delete(lake, table, _names(lake, table, plan.video_id), run_id)
    if plan.findings:
        _redact(lake, _is_told_of(plan.video_id, plan.file), run_id)
    for path in plan.files:
        maintenance.remove(path)
    sync_folders({path.parent for path in plan.files})
    for path in (lake_dir / "artifacts" / "quarantine").rglob("*.parquet"):
        _strip(path, plan.video_id)
    if plan.batch is not None:  # last: a repetition needs it to find the video's names
        BatchBook(lake_dir).forget(plan.batch, {plan.video_id})


def _take_back(lake: DeltaLake, held: Pins, batches: Set[str], run_id: str) -> None:
    """Reset these batches to the state that is shown (`held`), data versions included.

    Rows cannot be deleted from an older version. Incomplete results of later runs are dropped; the next run recomputes
    them. A batch stays as it is if a shown file of it is lost.
    """
    for part, version in held.items():
        if version is None or part.batch not in batches:
            continue
        table = TABLES[part.table]
        found = [parts.files_by_part(lake, table, v).get(part, {}) for v in (version, lake.version(table) or 0)]
        slices = {values.app_id: values for files in found for values in files.values()}
        recorded = lake.data_versions(table, version)
        try:
            rows = lake.read(table, batches=[part.batch], version=version)
        except FileLost:
            continue
        if part.profile is not None:
            rows = rows.filter(pl.col("profile") == part.profile)
        lake.replace(
            table, rows, [(values, recorded(name) or 0) for name, values in slices.items()], {"run_id": run_id}
        )


def purge(lake: DeltaLake, lake_dir: Path, run_id: str) -> tuple[int, int]:
    """Remove every older state now, so that only the newest snapshot is left on disk. No run may be in progress.

    Old commits are removed too: their column statistics contain names and words. A batch that is shown at an older
    version, because it is incomplete, is therefore reset to that version. If a file of that version is lost, the batch
    is hidden until it is repaired.

    Returns:
        Number of files removed, and their bytes.

    Raises:
        OperationError: the store failed, or something was published meanwhile; repeat the command.
    """
    before = snapshots.latest(lake)
    pins: Pins = {}
    if before is not None:  # decided while the older log still exists: the retention change removes it
        _, held = _held(lake, before)
        _take_back(lake, held, _older(held), run_id)
        versions, held = _held(lake, before)
        pins = _hidden(lake, versions, held, _older(held))
    tables = [t for t in TABLES.values() if lake.exists(t)]
    for table in tables:
        _set_log_retention(lake, table, "interval 0 seconds", run_id)

    def without_older(newest: Snapshot | None) -> Publication | None:
        if newest is None:
            return None
        if before is None or newest.number != before.number:
            raise OperationError("another process published meanwhile: repeat the command")
        # present versions: the log before them may be removed
        return Publication(newest.profile, snapshots.present_versions(lake), pins)

    made = maintenance.publish_for_readers(lake, lake_dir, run_id, without_older)
    if made is not None:
        maintenance.drop_snapshots(lake, [s for s in snapshots.snapshots(lake) if s.number < made.number], run_id)
    count = size = 0
    for table in tables:
        kept = [made] if made else []
        # uncommitted files of a killed run contain the video too; not in REVIEWS, since people may be reviewing
        is_full = "video_id" in table.schema and table.name != REVIEWS.name
        gone, freed = maintenance.vacuum(lake, table, kept, timedelta(0), is_full=is_full)
        count, size = count + len(gone), size + freed
        lake.drop_old_log(table, maintenance.oldest_shown(lake, table, kept))
        _set_log_retention(lake, table, LOG_RETENTION, run_id)
    return count, size


def _held(lake: DeltaLake, newest: Snapshot) -> tuple[dict[str, int], dict[Part, int | None]]:
    """Return versions and pins that show what `newest` shows, without what was deleted meanwhile."""
    versions = snapshots.present_versions(lake)
    return versions, parts.moved(lake, newest, versions)


def _older(pins: Pins) -> set[str]:
    """Return the batches that are shown at an older version."""
    return {part.batch for part, version in pins.items() if version is not None}


def _hidden(lake: DeltaLake, versions: Mapping[str, int], pins: Pins, batches: Set[str]) -> dict[Part, int | None]:
    """Return the pins with these batches hidden: rows cannot be deleted from an older version."""
    of_them = [p for p in pins if p.batch in batches] + [p for b in batches for p in parts.parts_of(lake, versions, b)]
    return {**pins, **dict.fromkeys(of_them)}


def _naming_batches(lake: DeltaLake, shown: Snapshot, video_ids: Set[str]) -> set[str]:
    """Return the batches for which a snapshot shows a row that belongs to these videos or names them."""
    found: set[str] = set()
    for table in (t for t in parts.batched() if "video_id" in t.schema):
        for version in shown.shown_versions(table.name):
            naming = [_names(lake, table, video_id, version) for video_id in video_ids]
            if "identity_id" in table.schema:
                naming += [pl.col("identity_id").str.starts_with(f"{video_id}-") for video_id in video_ids]
            rows = lake.read(table, version=version, where=pl.any_horizontal(naming), columns=table.partition_by)
            for row in rows.unique().to_dicts():
                if shown.version_of(parts.part_of(table, slice_of_row(table, row))) == version:
                    found.add(row["batch"])
    return found


def releases_with(lake: DeltaLake, lake_dir: Path, video_id: str) -> dict[str, tuple[str, ...]]:
    """Return release_id → every place it was written to, for releases that contain a sample of the video.

    The place is unknown if the export was interrupted before recording it. A published release cannot be recalled from
    here, so the manifests are kept: they say what has to be withdrawn.
    """
    places: dict[str, dict[str, None]] = {}
    for release_id, place in lake.read(RELEASES).sort("at").select("release_id", "place").iter_rows():
        places.setdefault(release_id, {})[place] = None
    holding = [name for name, manifest in released(lake_dir) if video_id in videos_of(manifest)]
    return {release_id: tuple(places.get(release_id, ())) for release_id in holding}


def released(lake_dir: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield release_id and manifest of each release of this lake. Raises OperationError for a damaged file."""
    for path in sorted(kept_manifests(lake_dir).glob("r*.json")):
        try:
            manifest: dict[str, Any] = json.loads(path.read_bytes())
        except ValueError as problem:
            raise OperationError(f"{path} is damaged: replace it by the manifest.json of that release") from problem
        yield path.stem, manifest


def videos_of(manifest: Mapping[str, Any]) -> set[str]:
    """Return the video_ids that a release's manifest lists."""
    parts = (part for sample in manifest["samples"].values() for part in sample["clips"].values())
    return {part["clip_id"].partition("-")[0] for part in parts}


def new_links(people: pl.DataFrame, video_id: str) -> dict[str, Link]:
    """Return person_id → new identity_id and cosine to it, for people whose identity is a person of this video.

    The earliest remaining person (by batch and person_id, the order of linking) becomes the identity of the others.
    """
    orphaned = people.filter(
        pl.col("identity_id").str.starts_with(f"{video_id}-") & (pl.col("video_id") != video_id)
    ).sort("batch", "person_id")
    links: dict[str, Link] = {}
    for _, group in orphaned.group_by("identity_id", maintain_order=True):
        first, *others = group.select("person_id", "face_embedding").iter_rows()
        links[first[0]] = (first[0], None)
        links |= {person: (first[0], float(np.dot(face, first[1]))) for person, face in others}
    return links


def _find(book: BatchBook, what: str) -> tuple[str | None, SourceFile | None]:
    found = book.called(what)
    if len(found) > 1:
        raise UserError(f"{len(found)} videos are called '{what}': {', '.join(f.video_id for _, f in found)}")
    return found[0] if found else (None, None)


def _tables(lake: DeltaLake) -> list[Table]:
    skipped = (TAKEDOWNS.name, QUARANTINE.name)
    return [t for t in TABLES.values() if "video_id" in t.schema and t.name not in skipped and lake.exists(t)]


def _names(lake: DeltaLake, table: Table, video_id: str, version: int | None = None) -> pl.Expr:
    """Return a condition: the row belongs to the video, or names the video or one of its clips, people, ….

    A table written by an older package may lack columns.
    """
    plain, stored = ("video_id", "identity_id", "speaker_id"), lake.stored_columns(table, version)
    columns = [name for name in table.schema.names() if name in stored]
    whole = [pl.col(name) == video_id for name in columns if name in ("video_id", "duplicate_of")]
    ids = [name for name in columns if name.endswith("_id") and name not in plain]
    return pl.any_horizontal(*whole, *(pl.col(name).str.starts_with(f"{video_id}-") for name in ids)).fill_null(False)


def _is_told_of(video_id: str, file: SourceFile | None) -> pl.Expr:
    """Return a condition: a finding's key or observation contains the video's id, name or one of its places."""
    words = {video_id, *(map(place_of, file.uris) if file else ()), *([file.name] if file else ())}
    told = (pl.col(column).str.contains(word, literal=True) for column in ("key", "observed") for word in sorted(words))
    return pl.any_horizontal(*told).fill_null(False)


def _count(lake: DeltaLake, table: Table, where: pl.Expr) -> int:
    return lake.read(table, where=where, columns=table.schema.names()[:1]).height


def _delete(lake: DeltaLake, table: Table, where: pl.Expr, run_id: str) -> None:
    lake.amend(table, where, lambda rows: rows.filter(~where), {"run_id": run_id})


def _set_log_retention(lake: DeltaLake, table: Table, interval: str, run_id: str) -> None:
    properties = {"delta.logRetentionDuration": interval}
    lake.change(table, lambda handle, how: handle.alter.set_table_properties(properties, **how), run_id)


def _relink(lake: DeltaLake, links: Mapping[str, Link], run_id: str) -> None:
    person = pl.col("person_id")
    is_linked = person.is_in(list(links))
    identity, near = (
        person.replace_strict(told, default=None, return_dtype=kind)
        for told, kind in (
            ({name: link[0] for name, link in links.items()}, pl.String),
            ({name: link[1] for name, link in links.items()}, pl.Float64),
        )
    )
    renewed = {
        "identity_id": pl.when(is_linked).then(identity).otherwise("identity_id"),
        "identity_similarity": pl.when(is_linked).then(near).otherwise("identity_similarity"),
    }
    lake.amend(PEOPLE, is_linked, lambda rows: rows.with_columns(**renewed), {"run_id": run_id})


def _redact(lake: DeltaLake, where: pl.Expr, run_id: str) -> None:
    """Redact findings: they stay, since an open one keeps its batch from being used, but what they name is removed."""
    told = pl.lit(REDACTED)
    key, observed = pl.col("key"), pl.col("observed")
    gone = {
        "key": pl.when(where & key.is_not_null()).then(told).otherwise(key),
        "observed": pl.when(where).then(told).otherwise(observed),
    }
    lake.amend(QUARANTINE, where, lambda rows: rows.with_columns(**gone), {"run_id": run_id})


def _strip(path: Path, video_id: str) -> None:
    """Remove the video's rows from a refused frame; remove a frame without video_ids entirely."""
    frame = pl.read_parquet(path, glob=False, hive_partitioning=False)
    if frame.schema.get("video_id") != pl.String:
        maintenance.remove(path)
        return
    kept = frame.filter(pl.col("video_id") != video_id)
    if kept.height < frame.height:
        with written_aside(path) as aside:
            kept.write_parquet(aside)
