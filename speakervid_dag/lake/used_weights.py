"""The weights that a lake's rows were made with, as the lake itself remembers them.

Belongs here: that record, and reading it from the commits of a lake that has none yet. Does not belong here: what lies
on disk (models/registry.py), what today's stages need (assets/weights.py).

Each commit names its weights, but Delta's log is kept for 30 days only, so it is no memory. The record is the file
`artifacts/weights.json`: name → hash that was used last, run, time.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from speakervid_dag.files import write_bytes
from speakervid_dag.lake.artifacts import weights_record
from speakervid_dag.lake.schemas import TABLES
from speakervid_dag.lake.storage.delta import DeltaLake

MISSING = "missing"  # what a commit says of weights that were not on disk


def used_weights(lake_dir: Path) -> dict[str, str]:
    """Return name → hash of all weights that the lake was made with; {} while there is no record."""
    return {name: str(entry["sha256"]) for name, entry in (_read(lake_dir) or {}).items()}


def begin_record(lake: DeltaLake, lake_dir: Path) -> None:
    """Make the record of a lake that has none, from the commits its tables still have. A lake without tables gets
    none."""
    if _read(lake_dir) is None and (lake_dir / "tables").is_dir():
        _update(lake_dir, _from_commits(lake))


def remember(lake_dir: Path, states: Mapping[str, str], run_id: str) -> None:
    """Record what rows are about to be committed with. It stands before the commit, so that a kill cannot part them.

    Args:
        states: name → hash, or `missing`, which is left out.
    """
    used = used_weights(lake_dir)
    new = {name: state for name, state in states.items() if state not in (MISSING, used.get(name))}
    if new:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        _update(lake_dir, {name: {"sha256": state, "run_id": run_id, "at": at} for name, state in new.items()})


def _read(lake_dir: Path) -> dict[str, dict[str, Any]] | None:
    """The record; None when there is none that can be read (one that is cut off is made anew)."""
    try:
        found = json.loads(weights_record(lake_dir).read_bytes())
        return {str(name): {**entry, "sha256": str(entry["sha256"])} for name, entry in found.items()}
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _update(lake_dir: Path, entries: Mapping[str, Mapping[str, Any]]) -> None:
    file = weights_record(lake_dir)
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(file.with_name(f".{file.name}.lock")):
        merged = {**(_read(lake_dir) or {}), **entries}
        write_bytes(file, json.dumps(merged, indent=1, sort_keys=True).encode())


def _from_commits(lake: DeltaLake) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for table in TABLES.values():
        version = lake.version(table) if table.layer != "system" else None
        for entry in lake.history(table, version) if version is not None else ():  # newest first
            for word in filter(None, str(entry.get("weights") or "").split(",")):
                name, _, state = word.partition("=")
                if state != MISSING:
                    at = datetime.fromtimestamp(int(entry.get("timestamp") or 0) / 1000, UTC)
                    told = {"sha256": state, "run_id": entry.get("run_id"), "at": at.isoformat(timespec="seconds")}
                    found.setdefault(name.partition("@")[0], told)
    return found
