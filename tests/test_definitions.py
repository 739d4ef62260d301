"""The asset graph: what is in it, that it loads in a fresh interpreter without loading a model."""

import subprocess
import sys

import pytest

from speakervid_dag.lake.schemas import TABLES

pytestmark = pytest.mark.heavy

FREE = {"lake_snapshot", "branch_statistics", "funnel", "person_statistics"}
CODE = """
import sys
from speakervid_dag.definitions import defs
graph = defs.resolve_asset_graph()
print(sorted(k.to_user_string() for k in graph.get_all_asset_keys()))
print(sorted(c.to_user_string() for c in graph.asset_check_keys))
print(sorted(j.name for j in defs.resolve_all_job_defs() if not j.name.startswith("__")))
heavy = {"torch", "great_expectations", "insightface", "faster_whisper", "onnxruntime", "cv2"}
print(sorted(heavy & set(sys.modules)))
"""


def test_graph_has_every_table_with_a_blocking_check_and_loads_no_model() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assets, checks, jobs, heavy = map(eval, done.stdout.strip().splitlines()[-4:])
    tables = {t.name for t in TABLES.values() if t.layer != "system"}
    assert set(assets) == tables | FREE
    assert {c.split(":")[0] for c in checks} == tables | {"lake_snapshot"}
    assert jobs == ["curate", "publish", "retier"]
    assert heavy == []
