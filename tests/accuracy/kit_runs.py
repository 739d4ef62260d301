"""Runs of the ground-truth kit: its composites through the whole pipeline under one backend after the other, scored.

Belongs here: making composites, placing weights, which backends run, turns by sound alone. Does not belong here: a run
and its tables (product_runs.py), what must hold (test_kit.py).
"""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from calibration import reliability
from product_runs import DEFAULT, ProductRuns, Report, linked_weights, read_tables
from what_if import Ears

from speakervid_dag.config.profiles import load_profile
from speakervid_dag.curation.voices import diarization
from speakervid_dag.lake.artifacts import kept_sound
from speakervid_dag.media.wav import read_wav
from speakervid_dag.models import registry

# what each stronger backend says in a profile, and the weights it needs. Light-ASD is the default's choice, and answers
# once its weights are there
BACKENDS: dict[str, tuple[dict[str, str], str]] = {
    "light_asd": ({}, "light-asd"),
    "syncnet": ({"synchrony": "syncnet"}, "syncnet"),
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
class KitRuns:
    """Composites that go through one lake under all backends that can be had.

    Args:
        runs: the lake; its weights lie in a folder that is made here.
    """

    runs: ProductRuns
    weights: Path

    @classmethod
    def of(cls, kit: Path, shared: Path, folder: Path) -> "KitRuns":
        """Runs of a folder of composites; lake, profiles, weights and exports lie in `folder`."""
        weights = folder / "weights"
        return cls(ProductRuns([kit], kit, shared, folder, weights), weights)

    def all(self) -> dict[str, Report]:
        """Report of each backend that can be had, the embedded default first."""
        linked_weights(self.weights)
        reports = {DEFAULT: self._scored(DEFAULT)}
        self.runs.pull_light_asd()
        present = [name for name, (_, weights) in BACKENDS.items() if self._is_there(weights)]
        return reports | {name: self._scored(name) for name in present}

    def _is_there(self, weights: str) -> bool:
        return all((self.weights / weights / file.filename).is_file() for file in registry.get_weight(weights).files)

    def _scored(self, name: str) -> Report:
        """What score.py says after a run under a backend, and what it says of the turns by sound alone."""
        tables = self.runs.run(name, {"active_speaker": BACKENDS[name][0]} if name in BACKENDS else {})
        by_sound = self.runs.folder / "by-sound"
        if not by_sound.exists():  # it is the same under every backend
            self._export_by_sound(tables, by_sound)
        report = self.runs.score(tables)
        truths = [json.loads(path.read_text("utf-8")) for path in sorted(self.runs.truth.glob("*.truth.json"))]
        probabilities = load_profile("laptop").joint.probability_map
        report["calibration"] = reliability(truths, read_tables(tables)).figures(probabilities)
        report["speech"]["by_sound_alone"] = {
            k: v for k, v in self.runs.score(by_sound)["speech"].items() if k != "collar_s"
        }
        return report

    def _export_by_sound(self, tables: Path, out: Path) -> None:
        """The turns that diarization gives when it is told nothing of faces."""
        ears, rows = Ears.of(load_profile("laptop")), []
        settings = ears.profile.diarization
        for wav in sorted(kept_sound(self.runs.lake, "any", None).parent.glob("*.wav")):
            heard = ears.hear(read_wav(wav)[0])
            if heard is not None:
                found = diarization.diarize(heard, settings)
                rows += diarization.turn_rows(wav.stem.partition("-")[0], found, settings)
        out.mkdir()
        shutil.copy(tables / "videos.jsonl", out)
        lines = [json.dumps({**row, "embedding": None}, default=bool) for row in rows]
        (out / "speech_turns.jsonl").write_text("\n".join(lines))
