"""A lake that videos of known truth go through: the whole pipeline as a user runs it, its tables exported and scored.

Belongs here: running, exporting, score.py of the shared folder, the table of what it says. Does not belong here: which
videos (kit_runs.py, real_runs.py), figures of our own (speech_scores.py, face_scores.py), what must hold
(test_kit.py, test_real.py).
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from speakervid_dag.lake.queries import session
from speakervid_dag.lake.snapshots import snapshots
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.models import registry

Report = dict[str, Any]
TABLES = (
    "videos",
    "shots",
    "speech_turns",
    "face_tracks",
    "active_speaker",
    "turn_faces",
    "sync_scores",
    "speaker_bindings",
)
OF_PROFILE = {  # the lake keeps the gold of every profile it was ever run with
    "clips": "SELECT clips.* FROM clips JOIN tiers USING (clip_id) WHERE tier <> 'rejected' AND profile = '{}'",
    "branch_dialogue": "FROM branch_dialogue WHERE profile = '{}'",
    "branch_listening": "FROM branch_listening WHERE profile = '{}'",
}
DEFAULT = "default"


@dataclass(frozen=True)
class ProductRuns:
    """One lake that videos go through once a backend: what does not depend on it is not made again.

    Args:
        sources: videos, or folders of them.
        truth: folder of labels, NAME.truth.json.
        shared: the shared folder, for score.py.
        folder: lake, profiles and exports lie here.
        weights: folder of weights; None is the user's own.
    """

    sources: Sequence[Path]
    truth: Path
    shared: Path
    folder: Path
    weights: Path | None = None

    @property
    def lake(self) -> Path:
        return self.folder / "lake"

    def run(self, name: str, sections: Mapping[str, Any]) -> Path:
        """Run the pipeline with the default profile but for these sections; return the folder of exported tables."""
        body = {"inherits": "laptop", "name": name, **sections}
        profile = self.folder / f"{name}.yaml"
        profile.write_text(yaml.safe_dump(body))
        sources = map(str, self.sources)
        self.speakervid("run", *sources, "--lake", str(self.lake), "--profile", str(profile))
        tables = self.folder / name
        tables.mkdir()
        self._export(name, tables)
        return tables

    def score(self, tables: Path) -> Report:
        """Return what score.py says of exported tables."""
        command = [sys.executable, self.shared / "truth/score.py", "--truth", self.truth, "--tables", tables, "--json"]
        return dict(json.loads(subprocess.run(list(map(str, command)), check=True, capture_output=True).stdout))

    def pull_light_asd(self) -> None:
        """Place Light-ASD's weights, which the shared folder has, where the product looks for them."""
        self.speakervid("models", "pull", "light-asd", "--from", str(self.shared / "models"))

    def speakervid(self, *args: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Run the command line.

        Raises:
            RuntimeError: it failed, with the end of what it printed; not without `check`.
        """
        env = os.environ | ({registry.WEIGHTS_ENV: str(self.weights)} if self.weights else {})
        command = [sys.executable, "-m", "speakervid_dag", *args]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise RuntimeError(f"speakervid {args[0]} ended with {done.returncode}: {done.stderr[-2000:]}")
        return done

    def _export(self, profile: str, out: Path) -> None:
        lake = DeltaLake(str(self.lake))
        with session.open_session(lake, snapshots.latest(lake), read_only_user_sql=False) as connection:
            queries = {name: f"FROM {name}" for name in TABLES} | {n: q.format(profile) for n, q in OF_PROFILE.items()}
            for name, query in queries.items():
                rows = session.run_sql(connection, query).to_dicts()
                lines = [json.dumps({k: v for k, v in row.items() if k != "embedding"}) for row in rows]
                (out / f"{name}.jsonl").write_text("\n".join(lines))


def linked_weights(folder: Path) -> Path:
    """Make a folder of links to the user's weights, without those of Light-ASD; return it."""
    folder.mkdir()
    for entry in registry.weights_dir().iterdir():
        if entry.name != "light-asd":
            (folder / entry.name).symlink_to(entry, target_is_directory=True)
    return folder


def read_tables(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the exported rows by table."""
    return {
        path.stem: [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        for path in folder.glob("*.jsonl")
    }


def side_by_side(reports: Mapping[str, Report]) -> pl.DataFrame:
    """Every metric a row, every backend a column."""
    flats = {name: dict(flat("", report)) for name, report in reports.items()}
    metrics = list(dict.fromkeys(metric for values in flats.values() for metric in values))
    columns = {name: [told(values.get(metric)) for metric in metrics] for name, values in flats.items()}
    return pl.DataFrame({"metric": metrics, **columns})


def show(table: pl.DataFrame) -> None:
    """Print a table in full."""
    with pl.Config(
        tbl_rows=-1,
        tbl_cols=-1,
        tbl_width_chars=200,
        tbl_hide_dataframe_shape=True,
        tbl_hide_column_data_types=True,
        fmt_str_lengths=60,
    ):
        print(table)  # noqa: T201 - figures are the point


def flat(prefix: str, value: object) -> Iterator[tuple[str, object]]:
    """(dotted name, value) of all that a report says."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from flat(f"{prefix}.{key}" if prefix else key, item)
    else:
        yield prefix, value


def told(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(str(v["name"]) if isinstance(v, dict) else str(v) for v in value) or "-"
    return "-" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
