"""The model that was trained in a lake and is used there.

Belongs here: finding its row and its file. Does not belong here: training (assets/training.py), the network
(models/lake_synchrony.py), choosing it by the settings (assets/backends.py).
"""

from pathlib import Path
from typing import Any

import polars as pl

from speakervid_dag.lake.artifacts import kept_model
from speakervid_dag.lake.schemas import TRAINED_MODELS
from speakervid_dag.lake.storage.delta import DeltaLake


def trained_model(lake: DeltaLake) -> dict[str, Any] | None:
    """Return the newest row of trained_models that is better than the default, or None."""
    found = lake.read(TRAINED_MODELS, where=pl.col("is_better")).sort("at").tail(1).to_dicts()
    return found[0] if found else None


def trained_file(lake: DeltaLake) -> tuple[Path, str] | None:
    """Return the path in this lake, even if the lake has moved since training, and the SHA-256 of `trained_model`."""
    known = trained_model(lake)
    return None if known is None else (kept_model(Path(lake.root), known["model"], known["sha256"]), known["sha256"])
