"""A lake of two batches by the canned graph, copied for each test."""

import shutil
from pathlib import Path

import pytest
from house import B1, B2, House, made_house


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two batches, run to the end once."""
    with pytest.MonkeyPatch.context() as patch:
        house = made_house(tmp_path_factory.mktemp("finished") / "lake", patch)
        report = house.run(B1, B2)
        assert report.done == [B1, B2], report.failed
        return house.settings.lake_dir


@pytest.fixture
def house(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """A copy of that lake, seen by an instance without history."""
    shutil.copytree(finished, tmp_path / "lake")
    return made_house(tmp_path / "lake", monkeypatch)
