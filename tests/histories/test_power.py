"""The model of a power cut, and that what the lake has reported survives one."""

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from histories import power

from speakervid_dag.files import make_folder, sync_files, write_bytes

pytestmark = pytest.mark.heavy


class Lost(random.Random):
    """All that can be lost is."""

    def choice(self, options: list[object]) -> object:  # type: ignore[override]
        return options[0]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    (folder / "old").write_bytes(b"old")
    return folder


@pytest.fixture
def action(root: Path, tmp_path: Path) -> Iterator[Callable[[], list[str]]]:
    """A folder with a file `old`; the power goes when the fixture is called."""
    journal = tmp_path / "journal"
    before = power.Before.of(root, tmp_path / "shadow")
    with power.watched(journal):
        yield lambda: power.cut(before, journal, Lost(0))


def test_what_was_not_synced_is_gone_and_what_was_removed_is_back(action: Callable[[], list[str]], root: Path) -> None:
    (root / "new").write_bytes(b"new")
    (root / "old").unlink()
    assert len(action()) == 2
    assert {p.name: p.read_bytes() for p in root.iterdir()} == {"old": b"old"}


def test_a_name_that_was_synced_without_its_bytes_is_an_empty_file(action: Callable[[], list[str]], root: Path) -> None:
    (root / "new").write_bytes(b"new")
    descriptor = os.open(root, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
    action()
    assert (root / "new").read_bytes() == b""


def test_a_rename_that_was_not_synced_is_undone(action: Callable[[], list[str]], root: Path) -> None:
    (root / "draft").write_bytes(b"new")
    sync_files([root / "draft"], root)
    (root / "draft").rename(root / "old")
    action()
    assert {p.name: p.read_bytes() for p in root.iterdir()} == {"draft": b"new", "old": b"old"}


def test_a_file_written_aside_stays_with_its_new_folders(action: Callable[[], list[str]], root: Path) -> None:
    write_bytes(root / "a" / "b" / "file", b"whole")
    make_folder(root / "c" / "d")
    (root / "e").mkdir()
    action()
    assert (root / "a" / "b" / "file").read_bytes() == b"whole"
    assert sorted(p.name for p in root.iterdir()) == ["a", "c", "old"]
    assert (root / "c" / "d").is_dir()
