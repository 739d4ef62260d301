"""The code location of tests: `speakervid_dag.definitions` with canned stages, for a real webserver and daemon."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import canned

canned.replace_stages()

from speakervid_dag.definitions import defs  # noqa: E402

__all__ = ["defs"]
