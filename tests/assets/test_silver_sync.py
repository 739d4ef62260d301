"""Which mismatches of other batches a calibration takes."""

from pathlib import Path
from types import SimpleNamespace

from rows import frame

from speakervid_dag.assets import silver_sync
from speakervid_dag.config.settings import load_settings
from speakervid_dag.lake.delta import DeltaLake
from speakervid_dag.lake.schemas import SYNC_CALIBRATION
from speakervid_dag.lake.slices import Slice


def test_mismatches_come_from_earlier_batches_of_the_same_making_the_nearest_first(tmp_path: Path) -> None:
    lake = DeltaLake(str(tmp_path))
    for number, basis in enumerate(("now", "now", "before", "now", "now", "now"), 1):
        batch = f"b{number:06d}"
        row = {"batch": batch, "backend": "lip_ridge", "basis": basis, "mismatched_scores": [float(number)]}
        lake.replace(SYNC_CALIBRATION, frame(SYNC_CALIBRATION, [row]), [(Slice({"batch": batch}), 1)], {})
    stage = SimpleNamespace(batch="b000005", settings=load_settings(lake=tmp_path))
    found = silver_sync._earlier(stage, "lip_ridge", "now")  # type: ignore[arg-type]
    assert list(found.items()) == [("b000004", [4.0]), ("b000002", [2.0]), ("b000001", [1.0])]
    assert silver_sync._earlier(stage, "another", "now") == {}  # type: ignore[arg-type]
