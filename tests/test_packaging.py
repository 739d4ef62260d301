"""What `pip install` puts on a machine: every module and data file, nothing else, and pins that pip accepts."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from speakervid_dag.version import VERSION

pytestmark = pytest.mark.heavy

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PINS = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines())
FOLDERS = {  # in the checkout: in the wheel
    "speakervid_dag": "speakervid_dag",
    "assets": "speakervid_dag/assets",
    "quality_checks": "speakervid_dag/quality_checks",
    "sql": "speakervid_dag/sql",
}
PACKED = {".py", ".sql", ".json", ".yaml", ".jinja", ".typed", ".css", ".js", ".safetensors"}


def source_files() -> set[str]:
    return {
        f"{target}/{path.relative_to(ROOT / folder)}"
        for folder, target in FOLDERS.items()
        for path in (ROOT / folder).rglob("*")
        if path.suffix in PACKED and not any(part.startswith((".", "__pycache__")) for part in path.parts[-3:])
    }


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The wheel, built from a copy (setuptools writes beside the sources), and what the build said."""
    copy, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run(
        [*command, "--verbose", "-w", str(out), str(copy)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return next(out.glob("*.whl")), done.stdout + done.stderr


@pytest.fixture(scope="module")
def installed(build: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(build[0]) as wheel:
        wheel.extractall(folder)
    return folder


def test_the_wheel_holds_every_source_file_and_nothing_else(installed: Path) -> None:
    files = {str(path.relative_to(installed)) for path in installed.rglob("*") if path.is_file()}
    packed = {name for name in files if ".dist-info/" not in name}
    assert packed == source_files()
    assert {name.split("/")[0] for name in packed} == {"speakervid_dag"}


def test_the_wheel_has_the_version_that_the_package_says(build: tuple[Path, str]) -> None:
    assert build[0].name.split("-")[1] == VERSION


def test_setuptools_has_no_doubts(build: tuple[Path, str]) -> None:
    assert "Warning" not in build[1], build[1]


def elsewhere(installed: Path, folder: Path, *arguments: str) -> str:
    """Run Python on the unpacked wheel, far from the checkout."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_works_without_the_checkout(installed: Path, tmp_path: Path) -> None:
    assert "Commands:" in elsewhere(installed, tmp_path, "-m", "speakervid_dag", "--help")
    code = (
        "import sys, speakervid_dag.definitions as d\n"
        "from importlib.resources import files\n"
        "assert (files('speakervid_dag.config') / 'dagster.yaml').is_file()\n"
        "ours = {m.__file__ for n, m in sys.modules.items() if n.startswith('speakervid_dag') and m.__file__}\n"
        "print(*ours, sep='\\n')"
    )
    loaded = elsewhere(installed, tmp_path, "-c", code).splitlines()
    assert len(loaded) > 20
    assert {path for path in loaded if not path.startswith(str(installed))} == set()


def test_constraints_hold_names_and_versions_only() -> None:
    assert all(re.fullmatch(r"[a-z0-9-]+", name) and re.fullmatch(r"[0-9][0-9a-z.]*", v) for name, v in PINS.items())


def test_every_direct_dependency_is_pinned_within_its_range() -> None:
    project = PROJECT["project"]
    for text in [*project["dependencies"], *project["optional-dependencies"]["dev"]]:
        wanted = Requirement(text)
        pin = PINS[re.sub(r"[-_.]+", "-", wanted.name).lower()]
        assert wanted.specifier.contains(pin, prereleases=True), text


def test_pins_admit_the_pythons_of_the_project() -> None:
    """uv ignores an upper bound on Python, pip does not: a pin such a bound excludes makes `make demo` fail."""
    refusing = []
    for found in metadata.distributions():
        pythons = found.metadata.get("Requires-Python")
        if pythons and PINS.get(re.sub(r"[-_.]+", "-", found.name).lower()) == found.version:
            refusing += [found.name for each in ("3.11.2", "3.12.0") if not SpecifierSet(pythons).contains(each)]
    assert refusing == []
