"""The site: its generated parts are today's, it builds strictly, and it loads nothing from elsewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from doc_pages import ROOT

from speakervid_dag.cli import reference

ALL_PAGES = sorted((ROOT / "docs").rglob("*.md"))
TOLD = "run `python -m speakervid_dag.cli.reference docs/*.md docs/*/*.md`"


@pytest.mark.parametrize("page", ALL_PAGES, ids=lambda p: p.stem)
def test_generated_parts_are_up_to_date(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    text = page.read_text("utf-8")
    assert reference.with_generated_parts(text) == text, TOLD


def test_every_part_stands_on_one_page() -> None:
    texts = [page.read_text("utf-8") for page in ALL_PAGES]
    assert {part: sum(f"<!-- {part} -->\n" in t for t in texts) for part in reference.PARTS} == dict.fromkeys(
        reference.PARTS, 1
    )


def test_a_part_without_an_end_is_told() -> None:
    with pytest.raises(ValueError, match="/settings"):
        reference.with_generated_parts("<!-- settings -->\n| x |\n")


def test_links_of_readme_and_security_lead_somewhere() -> None:
    for page in (ROOT / "README.md", ROOT / "SECURITY.md"):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` builds it: a link or anchor that leads nowhere ends it."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


@pytest.mark.heavy
def test_the_site_has_every_page(site: Path) -> None:
    made = {str(p.relative_to(site).with_suffix("")) for p in site.rglob("*.html")}
    assert made == {str(p.relative_to(ROOT / "docs").with_suffix("")) for p in ALL_PAGES} | {"404"}


@pytest.mark.heavy
def test_the_site_loads_nothing_from_elsewhere(site: Path) -> None:
    loads = re.compile(r"<(?:script|img|iframe|source|link)\b[^>]*?(?:src|href)=[\"']?((?:https?:)?//[^\"'\s>]+)")
    for page in site.rglob("*.html"):
        assert loads.findall(page.read_text("utf-8")) == [], page.name
    for style in site.rglob("*.css"):
        assert re.findall(r"(?:url\(|@import )[\"']?(?:https?:)?//", style.read_text("utf-8")) == [], style.name
