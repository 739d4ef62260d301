"""Two workers make the lake that one makes. Run by `make slow`: two whole runs."""

from pathlib import Path

import polars as pl
import pytest
from lakes import Run
from polars.testing import assert_frame_equal

from speakervid_dag.lake.schemas import TABLES
from speakervid_dag.lake.storage.delta import DeltaLake

# in the second, Whisper guesses at random
NAMES = ("speakervid_dialogue1_A.mp4", "clearervoice_debate_002.avi", "panda_pressconf_listener.mp4")


@pytest.mark.slow
@pytest.mark.shared
def test_rows_do_not_depend_on_the_number_of_workers(
    speakervid: Run, weights: None, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for workers in ("1", "2"):
        monkeypatch.setenv("SPEAKERVID_WORKERS", workers)
        done = speakervid("run", *(shared / "media" / name for name in NAMES), "--lake", tmp_path / workers)
        assert done.returncode == 0, done.stderr
    one, two = (DeltaLake(str(tmp_path / workers)) for workers in ("1", "2"))
    for table in TABLES.values():
        if table.layer != "system":
            rows, others = (lake.read(table).sort(table.key) for lake in (one, two))
            assert_frame_equal(rows, others, check_exact=False, rel_tol=1e-4, abs_tol=1e-5)
            assert table.name != "clips" or rows.height > 0
    assert one.read(TABLES["transcripts"]).select(pl.len()).item() > 0
