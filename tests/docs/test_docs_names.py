"""Modules named on the pages and in the package's docstrings and comments exist."""

import re
from pathlib import Path

import pytest
from doc_pages import ROOT, blocks

PACKAGE = [p for part in ("speakervid_dag", "assets", "quality_checks", "sql") for p in (ROOT / part).rglob("*.py")]
MODULES = [f"/{path.relative_to(ROOT)}" for path in (*PACKAGE, *(ROOT / "tests").rglob("*.py"))]
TEXTS = sorted((ROOT / "docs").rglob("*.md")) + [ROOT / f"{n}.md" for n in ("CONTRIBUTING", "README", "SECURITY")]
OF_OTHERS = {"convert_to_onnx.py"}  # a script of DOVER's authors


def unknown(text: str) -> list[str]:
    """Return the names of Python files in a text that no module's path ends with."""
    named = set(re.findall(r"[\w./-]*\w\.py\b", text)) - OF_OTHERS
    return sorted(name for name in named if not any(path.endswith(f"/{name}") for path in MODULES))


@pytest.mark.parametrize("page", TEXTS, ids=lambda p: p.stem)
def test_pages_name_modules_that_exist(page: Path) -> None:
    own = {block.title for block in blocks(page)}  # files that the page itself has the reader write
    assert [name for name in unknown(page.read_text("utf-8")) if name not in own] == []


def test_docstrings_and_comments_name_modules_that_exist() -> None:
    found = {str(path.relative_to(ROOT)): unknown(path.read_text("utf-8")) for path in PACKAGE}
    assert {path: names for path, names in found.items() if names} == {}


def test_a_name_that_no_module_has_is_found() -> None:
    assert unknown("see gone.py, cli/gone.py, cli/diff.py and diff.py") == ["cli/gone.py", "gone.py"]
