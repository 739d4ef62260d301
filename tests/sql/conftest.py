"""The gold queries over a small lake."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from conversation import profile
from rows import write_lake

from speakervid_dag.lake.queries import session
from speakervid_dag.tiering import gold

Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., dict[str, pl.DataFrame]]:
    """(tables, profile, batches) → every gold table."""

    def _run(tables: Rows, chosen: Any = None, batches: tuple[str, ...] = ("b0001",)) -> dict[str, pl.DataFrame]:
        lake = write_lake(str(tmp_path / "lake"), tables)
        with session.open_session(lake, read_only_user_sql=False) as con:
            return gold.compute_gold(con, chosen or profile(), batches)

    return _run
