"""Runs of the ground-truth kit: its composites through the whole pipeline under one backend after the other, scored.

Belongs here: making composites, placing weights, running, exporting, scoring, the table of all runs side by side. Does
not belong here: what must hold (test_kit.py).
"""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from speakervid_dag.config.profiles import load_profile
from speakervid_dag.curation.voices import diarization
from speakervid_dag.lake.artifacts import kept_sound
from speakervid_dag.lake.queries import session
from speakervid_dag.lake.schemas import TRAINED_MODELS
from speakervid_dag.lake.snapshots import snapshots
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.media.wav import read_wav
from speakervid_dag.models import registry
from speakervid_dag.models.vad import speech_probabilities
from speakervid_dag.models.voice import VoiceEncoder
from speakervid_dag.stages.sound import RATE_HZ

Report = dict[str, Any]
TABLES = ("videos", "shots", "speech_turns", "face_tracks", "sync_scores", "speaker_bindings")
OF_PROFILE = {  # the lake keeps the gold of every profile it was ever run with
    "clips": "SELECT clips.* FROM clips JOIN tiers USING (clip_id) WHERE tier <> 'rejected' AND profile = '{}'",
    "branch_dialogue": "FROM branch_dialogue WHERE profile = '{}'",
    "branch_listening": "FROM branch_listening WHERE profile = '{}'",
}
DEFAULT = "default"
# what each stronger backend says in a profile, and the weights it needs; `lake_model` trains its own
BACKENDS: dict[str, tuple[dict[str, str], str | None]] = {
    "light_asd": ({"talking": "light_asd"}, "light-asd"),
    "syncnet": ({"synchrony": "syncnet"}, "syncnet"),
    "lake_model": ({"synchrony": "lake_model"}, None),
}


def composites(shared: Path, out: Path) -> Path:
    """Folder of composites; $SPEAKERVID_KIT names one that is already made."""
    if made := os.environ.get("SPEAKERVID_KIT"):
        return Path(made)
    command = [sys.executable, shared / "truth/compose.py", "--media", shared / "media", "--out", out]
    command += ["--sources", shared / "truth/sources.json", "--seed", os.environ.get("SEED", "0")]
    subprocess.run(list(map(str, command)), check=True)
    return out


def can_compose() -> bool:
    return bool(os.environ.get("SPEAKERVID_KIT")) or importlib.util.find_spec("imageio_ffmpeg") is not None


@dataclass(frozen=True)
class Runs:
    """One lake that the composites go through once a backend: what does not depend on it is not made again.

    Args:
        kit: folder of composites.
        shared: the shared folder: score.py, and weights that no registry's source is needed for.
        folder: lake, profiles, weights and exports lie here.
    """

    kit: Path
    shared: Path
    folder: Path

    @property
    def lake(self) -> Path:
        return self.folder / "lake"

    def all(self) -> dict[str, Report]:
        """Report of each backend that can be had, the embedded default first."""
        self._place_weights()
        present = [name for name, (_, weights) in BACKENDS.items() if weights and self._is_there(weights)]
        reports = {DEFAULT: self._scored(DEFAULT, {})}
        if self._is_trained():
            present.append("lake_model")
        return reports | {name: self._scored(name, BACKENDS[name][0]) for name in present}

    def _place_weights(self) -> None:
        """The user's weights, and what the shared folder has besides, where the product looks for them."""
        weights = self.folder / "weights"
        weights.mkdir()
        for entry in registry.weights_dir().iterdir():
            (weights / entry.name).symlink_to(entry, target_is_directory=True)
        if not (weights / "light-asd").exists():
            self._speakervid("models", "pull", "light-asd", "--from", str(self.shared / "models"))

    def _is_there(self, weights: str) -> bool:
        files = registry.get_weight(weights).files
        return all((self.folder / "weights" / weights / file.filename).is_file() for file in files)

    def _is_trained(self) -> bool:
        """Whether a model trained on the default's own bindings beats the default; what it is worth is printed."""
        done = self._speakervid("train", "--lake", str(self.lake), check=False)
        print(done.stdout or done.stderr)  # noqa: T201 - figures are the point
        return done.returncode == 0 and DeltaLake(str(self.lake)).read(TRAINED_MODELS)["is_better"].any()

    def _scored(self, name: str, choice: Mapping[str, str]) -> Report:
        """What score.py says after a run under a backend, and what it says of the turns by sound alone."""
        body = {"inherits": "laptop", "name": name, "tracking": {"face_crops": True}, "active_speaker": dict(choice)}
        profile = self.folder / f"{name}.yaml"
        profile.write_text(yaml.safe_dump(body))
        self._speakervid("run", str(self.kit), "--lake", str(self.lake), "--profile", str(profile))
        tables, by_sound = self.folder / name, self.folder / "by-sound"
        tables.mkdir()
        self._export(name, tables)
        if not by_sound.exists():  # it is the same under every backend
            self._export_by_sound(tables, by_sound)
        report = self._score(tables)
        report["speech"]["by_sound_alone"] = {
            k: v for k, v in self._score(by_sound)["speech"].items() if k != "collar_s"
        }
        return report

    def _score(self, tables: Path) -> Report:
        command = [sys.executable, self.shared / "truth/score.py", "--truth", self.kit, "--tables", tables, "--json"]
        return dict(json.loads(subprocess.run(list(map(str, command)), check=True, capture_output=True).stdout))

    def _export_by_sound(self, tables: Path, out: Path) -> None:
        """The turns that diarization gives when it is told nothing of faces."""
        settings, encoder = load_profile("laptop").diarization, VoiceEncoder()
        rows = []
        for wav in sorted(kept_sound(self.lake, "any", None).parent.glob("*.wav")):
            samples = read_wav(wav)[0]
            if regions := diarization.speech_regions(*speech_probabilities(samples), settings):
                found = diarization.diarize(samples, RATE_HZ, regions, encoder, settings)
                rows += diarization.turn_rows(wav.stem.partition("-")[0], found, settings)
        out.mkdir()
        shutil.copy(tables / "videos.jsonl", out)
        (out / "speech_turns.jsonl").write_text("\n".join(json.dumps({**row, "embedding": None}) for row in rows))

    def _export(self, profile: str, out: Path) -> None:
        lake = DeltaLake(str(self.lake))
        with session.open_session(lake, snapshots.latest(lake), read_only_user_sql=False) as connection:
            queries = {name: f"FROM {name}" for name in TABLES} | {n: q.format(profile) for n, q in OF_PROFILE.items()}
            for name, query in queries.items():
                rows = session.run_sql(connection, query).to_dicts()
                lines = [json.dumps({k: v for k, v in row.items() if k != "embedding"}) for row in rows]
                (out / f"{name}.jsonl").write_text("\n".join(lines))

    def _speakervid(self, *args: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        env = os.environ | {registry.WEIGHTS_ENV: str(self.folder / "weights")}
        command = [sys.executable, "-m", "speakervid_dag", *args]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise RuntimeError(f"speakervid {args[0]} ended with {done.returncode}: {done.stderr[-2000:]}")
        return done


def side_by_side(reports: Mapping[str, Report]) -> pl.DataFrame:
    """Every metric a row, every backend a column."""
    flats = {name: dict(flat("", report)) for name, report in reports.items()}
    metrics = list(dict.fromkeys(metric for values in flats.values() for metric in values))
    columns = {name: [told(values.get(metric)) for metric in metrics] for name, values in flats.items()}
    return pl.DataFrame({"metric": metrics, **columns})


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
