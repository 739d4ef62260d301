"""docs/tutorial.md, from the first command to the last tensor, on the demo's lake."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import generate
import pytest
from doc_pages import ROOT, Block, blocks, shown, write_files
from lakes import Lake

pytestmark = [pytest.mark.weights, pytest.mark.timeout(1500)]

PAGE = ROOT / "docs" / "tutorial.md"
DONE_BY_THE_FIXTURE = ("make demo", ". .venv/bin/activate")
FOR_A_PERSON = ("review",)  # a page that waits for answers: started and looked at in tests/browser


@pytest.fixture
def folder(demo: Lake, tmp_path: Path) -> Path:
    """The tutorial's working folder: a copy of the demo's lake, and a video of one's own."""
    assert demo.run.returncode == 0, demo.run.stderr
    shutil.copytree(demo.folder, tmp_path / "lake")
    (tmp_path / "videos").mkdir()
    generate.plain(tmp_path / "videos" / "own.mp4")
    write_files(PAGE, tmp_path)
    return tmp_path


def test_everything_on_the_page_from_top_to_bottom(folder: Path) -> None:
    for block in blocks(PAGE):
        for line in block.commands:
            if line not in DONE_BY_THE_FIXTURE:
                run_command(line, folder)
        if block.kind == "sql":
            ask(block, folder)
        if block.kind == "python":
            (folder / block.title).write_text(block.text)


def run_command(line: str, folder: Path) -> None:
    program, *arguments = shlex.split(line, comments=True)
    if arguments[0] in FOR_A_PERSON and "--summary" not in arguments:
        return
    told = run([*{"speakervid": ["-m", "speakervid_dag"], "python": []}[program], *arguments], folder)
    if program == "python":
        printed = next(b.text for b in blocks(PAGE) if b.title == f"{arguments[0]} prints")
        assert told == printed


def ask(block: Block, folder: Path) -> None:
    """The query's answer, compared with the table below it on the page."""
    told = run(["-m", "speakervid_dag", "sql", block.text, "--format", "json"], folder)
    rows = [{name: shown(value) for name, value in row.items()} for row in json.loads(told)]
    assert rows
    assert not block.answer or rows == block.answer, block.text


def run(arguments: list[str], folder: Path) -> str:
    environment = {
        k: v for k, v in os.environ.items() if k not in ("SPEAKERVID_LAKE", "SPEAKERVID_PROFILE", "DAGSTER_HOME")
    }
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
    return done.stdout
