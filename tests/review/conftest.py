"""One playable lake for the tests that only read, one for each that writes."""

from pathlib import Path

import pytest
from review.sittings import playable_lake

from speakervid_dag.lake.storage.delta import DeltaLake


@pytest.fixture(scope="module")
def shared_lake(tmp_path_factory: pytest.TempPathFactory) -> DeltaLake:
    return playable_lake(tmp_path_factory.mktemp("review") / "lake")


@pytest.fixture
def lake(tmp_path: Path) -> DeltaLake:
    return playable_lake(tmp_path / "lake")
