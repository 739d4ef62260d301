"""The ground-truth kit of the shared folder: its composites through the whole pipeline, scored, with floors.

Run by `make accuracy` (SEED=N makes other composites); not part of the default tests, because it takes minutes. The
table of all metrics is printed; the floors keep what was reached from being lost.
"""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from speakervid_dag.lake import session, snapshots
from speakervid_dag.lake.delta import DeltaLake

pytestmark = [pytest.mark.accuracy, pytest.mark.shared, pytest.mark.weights, pytest.mark.timeout(3000)]
TABLES = ("videos", "shots", "speech_turns", "face_tracks", "sync_scores", "speaker_bindings", "clips")
BRANCHES = ("branch_dialogue", "branch_listening")
NOT_REJECTED = "SELECT clips.* FROM clips JOIN tiers USING (clip_id) WHERE tier <> 'rejected'"


@pytest.fixture(scope="module")
def kit(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of composites; $SPEAKERVID_KIT names one that is already made."""
    if made := os.environ.get("SPEAKERVID_KIT"):
        return Path(made)
    if importlib.util.find_spec("imageio_ffmpeg") is None:
        pytest.skip("the kit needs the package imageio-ffmpeg")
    out = tmp_path_factory.mktemp("kit")
    command = [sys.executable, shared / "truth/compose.py", "--media", shared / "media", "--out", out]
    command += ["--sources", shared / "truth/sources.json", "--seed", os.environ.get("SEED", "0")]
    subprocess.run(list(map(str, command)), check=True)
    return out


@pytest.fixture(scope="module")
def report(kit: Path, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What score.py says of the lake, as one dictionary; the table is printed."""
    folder = tmp_path_factory.mktemp("accuracy")
    command = [sys.executable, "-m", "speakervid_dag", "run", str(kit), "--lake", str(folder / "lake")]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    _export(folder / "lake", folder)
    score = [sys.executable, str(shared / "truth/score.py"), "--truth", str(kit), "--tables", str(folder)]
    print(subprocess.run(score, check=True, capture_output=True, text=True).stdout)  # noqa: T201 - the table is the point
    return dict(json.loads(subprocess.run([*score, "--json"], check=True, capture_output=True, text=True).stdout))


def _export(lake_dir: Path, out: Path) -> None:
    lake = DeltaLake(str(lake_dir))
    with session.open_session(lake, snapshots.latest(lake), read_only_user_sql=False) as connection:
        for name in (*TABLES, *BRANCHES):
            rows = session.run_sql(connection, NOT_REJECTED if name == "clips" else f"FROM {name}").to_dicts()
            lines = [json.dumps({k: v for k, v in row.items() if k != "embedding"}) for row in rows]
            (out / f"{name}.jsonl").write_text("\n".join(lines))


def test_shots_and_speech(report: dict[str, Any]) -> None:
    assert report["shots"]["f1"] >= 0.98
    assert report["speech"]["der"] <= 0.08
    assert report["tracks"]["purity"] >= 0.98


def test_bindings(report: dict[str, Any]) -> None:
    binding = report["binding"]
    easy, hard = binding["by_variant"]["split_easy"], binding["by_variant"]["split_hard"]
    assert easy["precision_when_bound"] >= 0.95
    assert easy["accuracy"] >= 0.90
    assert hard["precision_when_bound"] >= 0.80
    assert hard["accuracy"] >= 0.50
    assert binding["wrong"] <= 0.03 * binding["turns"]


def test_offsets(report: dict[str, Any]) -> None:
    assert report["offset"]["mean_abs_error_frames"] <= 2
    assert report["offset"]["without_offset"] <= report["offset"]["videos"]
    assert not report["offset"]["sign_looks_reversed"]


def test_pairs_and_listeners(report: dict[str, Any]) -> None:
    assert report["dialogue"]["precision"] >= 0.95
    assert report["dialogue"]["recall"] >= 0.80
    assert report["listening"]["precision"] >= 0.95
    assert report["listening"]["recall"] >= 0.85


def test_what_must_not_talk_does_not(report: dict[str, Any]) -> None:
    assert report["verdicts"]["by_verdict"]["no_talking"] == 1.0


def test_degraded_composites_give_nothing_to_train_on(report: dict[str, Any]) -> None:
    """Dark, blurred, starved, shaken, frozen: one of the five may slip through with other sources, not two."""
    assert report["verdicts"]["by_verdict"]["reject"] >= 0.8, report["verdicts"]["wrong"]
