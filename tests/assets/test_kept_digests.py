"""Digests of our code that another process has worked out are taken for the same source, and for no other."""

import importlib.util
from pathlib import Path

import pytest

from speakervid_dag.assets import kept_digests as module
from speakervid_dag.assets.code_versions import CODE
from speakervid_dag.assets.graph import recipes
from speakervid_dag.assets.kept_digests import KeptDigests, source_files


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(module, "source_digest", lambda: "now")
    return tmp_path / "cache" / "code_digests.json"


def asked(file: Path | None, source: str = "now", question: str = "people") -> list[str]:
    """The questions that a process had to answer itself."""
    found: list[str] = []

    def find() -> str:
        found.append(question)
        return f"{question} {source}"

    kept = KeptDigests(file, source)
    assert [kept.once(question, find) for _ in range(2)] == [f"{question} {source}"] * 2
    return found


def test_the_next_process_asks_nothing(file: Path) -> None:
    assert [asked(file), asked(file), asked(file, question="clips"), asked(file)] == [["people"], [], ["clips"], []]


def test_another_source_is_read_anew(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(file) == ["people"]
    monkeypatch.setattr(module, "source_digest", lambda: "edited")
    assert [asked(file, "edited"), asked(file, "edited")] == [["people"], []]


def test_what_was_edited_meanwhile_is_not_kept(file: Path) -> None:
    assert asked(file, "before") == asked(file, "before") == ["people"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"source": "now"}', b'{"source": "now", "digests": []}'])
def test_a_memory_that_cannot_be_read_costs_a_reading_only(file: Path, content: bytes) -> None:
    file.parent.mkdir()
    file.write_bytes(content)
    assert [asked(file), asked(file)] == [["people"], []]


def test_without_a_folder_each_process_reads(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    for nowhere in (None, tmp_path / "taken" / "code_digests.json"):
        assert asked(nowhere) == asked(nowhere) == ["people"]


def test_all_that_computes_rows_is_in_the_source() -> None:
    """A module that lay elsewhere could change, and the old digests would be believed."""
    files = {path.resolve() for _, path in source_files()}
    for recipe in recipes().values():
        for name in {definition.module for definition in CODE.closure(*recipe.computed_by)}:
            spec = importlib.util.find_spec(name)
            assert spec is not None
            assert Path(str(spec.origin)).resolve() in files, name
    assert {path.suffix for path in files} == {".py", ".sql"}
