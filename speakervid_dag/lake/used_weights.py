"""The lake's record of the weights that its rows were computed with.

Belongs here: that record, and building it from the commits of a lake that has none yet. Does not belong here: weights
on disk (models/registry.py), weights that the stages need now (assets/weights.py).

Each commit names its weights, but Delta's log is kept for only 30 days. So they are also recorded in the file
`artifacts/weights.json`: name → hash used last, run, time.
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

MISSING = "missing"  # recorded in a commit for weights that were not on disk


def used_weights(lake_dir: Path) -> dict[str, str]:
    """Return name → hash of all weights that the lake was computed with; {} if there is no record."""
    return {name: str(entry["sha256"]) for name, entry in (_read(lake_dir) or {}).items()}


def begin_record(lake: DeltaLake, lake_dir: Path) -> None:
    """Create the record of a lake that has none, from the commits in its logs. A lake without tables gets none."""
    if _read(lake_dir) is None and (lake_dir / "tables").is_dir():
        _update(lake_dir, _from_commits(lake))


def remember(lake_dir: Path, states: Mapping[str, str], run_id: str) -> None:
    """Record the weights of rows that are about to be committed: before the commit, in case the process is killed.

    Args:
        states: name → hash, or `missing`, which is not recorded.
    """
    used = used_weights(lake_dir)
    new = {name: state for name, state in states.items() if state not in (MISSING, used.get(name))}
    if new:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        _update(lake_dir, {name: {"sha256": state, "run_id": run_id, "at": at} for name, state in new.items()})


def _read(lake_dir: Path) -> dict[str, dict[str, Any]] | None:
    """Return the record; None if there is none, or if it is damaged (it is then rebuilt)."""
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
