"""Manifests of releases: writing, storage in the lake, listing, comparison.

Belongs here: contents of a manifest, the `releases` table, differences of two releases. Does not belong here: making a
release (export), printing (cli/export.py).

A manifest holds nothing that changes when the same content is exported again (no time, no path): its hash is the
release's identity.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from speakervid_dag.failures import UserError
from speakervid_dag.files import sha256_of, write_bytes
from speakervid_dag.lake.artifacts import kept_manifests
from speakervid_dag.lake.own_output import RELEASE_MARK
from speakervid_dag.lake.schemas import RELEASES, TAKEDOWNS
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.places import place_of
from speakervid_dag.release.writers import Item

MANIFEST = "manifest.json"
COMPARED = ("split", "clips")


def sample_entries(items: Sequence[Item]) -> dict[str, Any]:
    """Return sample_id → split and clips by part: clip_id, hashes of video, sound and source."""
    return {
        item.sample_id: {
            "split": item.split,
            "clips": {
                part: {
                    "clip_id": record["clip_id"],
                    "video": clip.video_sha256,
                    "sound": clip.sound_sha256,
                    "source": record["source_sha256"],
                }
                for part, clip, record in item.clips
            },
        }
        for item in items
    }


def file_entries(folder: Path) -> dict[str, dict[str, Any]]:
    """Return path in the release → size and SHA-256, for every file except the manifest and the mark."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name not in (MANIFEST, RELEASE_MARK))
    return {str(p.relative_to(folder)): {"size_bytes": p.stat().st_size, "sha256": sha256_of(p)} for p in files}


def id_of(digest: str) -> str:
    """Return the release_id of a manifest with this SHA-256."""
    return "r" + digest[:16]


def write_manifest(lake_dir: Path, folder: Path, manifest: Mapping[str, Any]) -> str:
    """Write the manifest to the release, and a copy to the lake; return its SHA-256."""
    data = json.dumps(manifest, ensure_ascii=False, sort_keys=True, indent=1).encode()
    digest = hashlib.sha256(data).hexdigest()
    write_bytes(kept_manifest(lake_dir, id_of(digest)), data)
    write_bytes(folder / MANIFEST, data)
    return digest


def kept_manifest(lake_dir: Path, release_id: str) -> Path:
    return kept_manifests(lake_dir) / f"{release_id}.json"


def people_entries(items: Sequence[Item]) -> dict[str, str]:
    """Return person_id → split."""
    return {record["person_id"]: item.split for item in items for _, _, record in item.clips}


def requested(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the whole request: `request` plus licence and consent, which manifests hold beside it."""
    return {**manifest["request"], "licence": manifest["licence"], "consent": manifest["consent"]}


def record(lake: DeltaLake, manifest: Mapping[str, Any], digest: str, place: Path) -> None:
    """Record this release and its place in the `releases` table, unless it is there already."""
    release_id, there = id_of(digest), place_of(place)
    known = lake.read(RELEASES, where=(pl.col("release_id") == release_id) & (pl.col("place") == there))
    if known.height:
        return
    asked = requested(manifest)
    row: dict[str, object] = {
        "release_id": release_id,
        "at": datetime.now(UTC),
        **{name: asked.pop(name) for name in ("snapshot", "profile", "branch", "tiers", "format")},
        "filters": json.dumps(asked, sort_keys=True),
        "sample_count": len(manifest["samples"]),
        "clip_count": manifest["clip_count"],
        "missing_count": len(manifest["missing"]),
        "duration_s": manifest["duration_s"],
        "manifest_sha256": digest,
        "place": there,
    }
    lake.append(RELEASES, RELEASES.frame([row]), {"run_id": release_id})


def listed(lake: DeltaLake) -> pl.DataFrame:
    """Return the `releases` table by time; `taken_down` counts sources that were taken down since."""
    gone = lake.read(TAKEDOWNS).select("video_id", release_id="release_ids").explode("release_id")
    counted = gone.drop_nulls().group_by("release_id").agg(taken_down=pl.col("video_id").n_unique().cast(pl.Int64))
    return lake.read(RELEASES).join(counted, on="release_id", how="left").fill_null(0).sort("at")


def load(lake_dir: Path, what: str) -> dict[str, Any]:
    """Return the manifest of a release, given its id (or a prefix) or the folder it was exported to.

    Raises:
        UserError: there is no such release, or more than one.
    """
    folder = Path(what)
    kept = kept_manifests(lake_dir)
    found = [folder / MANIFEST] if (folder / MANIFEST).is_file() else sorted(kept.glob("*.json"))
    if not (folder / MANIFEST).is_file():
        found = [path for path in found if path.stem.startswith(what)]
    if len(found) != 1:
        told = f"{len(found)} releases are" if found else "no release is"
        raise UserError(f"{told} called '{what}': give an id from `speakervid releases list`, or an exported folder")
    manifest: dict[str, Any] = json.loads(found[0].read_bytes())
    return manifest


def diff(before: Mapping[str, Any], after: Mapping[str, Any]) -> pl.DataFrame:
    """Return a row per sample that differs (sample_id, change: entered, left, changed; what) and per person who moved.

    Releases from before splits were recorded per person give no rows for people.
    """
    old, new = before["samples"], after["samples"]
    rows = [(name, None, "left", old[name]["split"]) for name in sorted(old.keys() - new.keys())]
    rows += [(name, None, "entered", new[name]["split"]) for name in sorted(new.keys() - old.keys())]
    for name in sorted(old.keys() & new.keys()):
        if told := [
            _change(part, old[name][part], new[name][part]) for part in COMPARED if old[name][part] != new[name][part]
        ]:
            rows.append((name, None, "changed", "; ".join(told)))
    was, now = before.get("people", {}), after.get("people", {})
    moved = [person for person in sorted(was.keys() & now.keys()) if was[person] != now[person]]
    rows += [(None, person, "moved", _change("split", was[person], now[person])) for person in moved]
    names = ("sample_id", "person_id", "change", "what")
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String()), orient="row")


def asked_differently(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return the differences of the requests: 'snapshot 3 → 4'."""
    return differing(requested(before), requested(after))


def differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return the differences of two requests."""
    names = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    return [f"{name} {old.get(name)} → {new.get(name)}" for name in names]


def _change(part: str, old: Any, new: Any) -> str:
    return f"split {old} → {new}" if part == "split" else "cut differently"
