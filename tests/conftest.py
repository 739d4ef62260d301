"""Fixtures every test may use. Media makers live in tests/media, demo material in tests/demo."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cpu_seconds import CpuSeconds
from histories.seeds import Seeds
from hypothesis import settings
from quick import Quick

from speakervid_dag.failures import WeightsMissing
from speakervid_dag.models.registry import WEIGHTS_ENV, load_registry, names_of, weight_path, weights_dir

settings.register_profile("no wall time", deadline=None)
settings.load_profile("no wall time")

SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(CpuSeconds())
    config.pluginmanager.register(Seeds())
    config.pluginmanager.register(Quick(is_chosen=config.getoption("markexpr") == "quick"))
    if config.getoption("markexpr") != "accuracy":
        _hide_stronger_weights(config)
    # The same on every machine, and xdist has a process for each core; tests of several name their number.
    os.environ.setdefault("SPEAKERVID_WORKERS", "1")
    os.environ.setdefault("SPEAKERVID_THREADS", "1")


def _hide_stronger_weights(config: pytest.Config) -> None:
    """Let tests see only the weights that every machine has: what a person pulled besides would change their rows."""
    stronger = {w.name for w in load_registry().values() if not w.is_default and w.stage not in ("demo", "test")}
    kept = weights_dir()
    if not any((kept / name).exists() for name in stronger):
        return
    folder = Path(tempfile.mkdtemp(prefix="weights-"))
    for entry in kept.iterdir():
        if entry.name not in stronger:
            (folder / entry.name).symlink_to(entry, target_is_directory=entry.is_dir())
    os.environ[WEIGHTS_ENV] = str(folder)
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real videos beside the checkout; skips by name where it does not exist."""
    if not SHARED.is_dir():
        pytest.skip("the shared folder is not beside this checkout")
    return SHARED


@pytest.fixture(scope="session")
def weights() -> None:
    """Skips by name unless the default weights and the demo's material are on disk."""
    for name in [*names_of("default"), *names_of("demo")]:
        try:
            weight_path(name)
        except WeightsMissing:
            pytest.skip(f"weights '{name}' are not on disk: speakervid models pull --demo")


@pytest.fixture(autouse=True)
def _environment() -> Iterator[None]:
    """What a test leaves in the environment (a command that runs in this process exports its settings) ends with it."""
    before = dict(os.environ)
    yield
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture
def lake_dir(tmp_path: Path) -> Path:
    return tmp_path / "lake"
