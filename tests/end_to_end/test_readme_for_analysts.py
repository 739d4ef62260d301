"""README, "For analysts": every command runs as written, and the demo gives the answers that are printed there."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from lakes import Lake

pytestmark = [pytest.mark.weights, pytest.mark.timeout(1500)]

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
SECTION = README.partition("\n## For analysts\n")[2].partition("\n## ")[0]
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)
COMMANDS = [line for kind, block in BLOCKS if not kind for line in block.splitlines()]
(PYTHON,) = (block for kind, block in BLOCKS if kind == "python")
QUESTIONS = re.findall(r"^\*\*(.+?)\*\*.*?^```sql\n(.*?)^```\n\n((?:\|[^\n]*\n)+)", SECTION, re.MULTILINE | re.DOTALL)


def table(text: str) -> list[dict[str, str]]:
    """The rows of a Markdown table."""
    head, _, *rows = ([cell.strip() for cell in line.strip("| ").split("|")] for line in text.splitlines())
    return [dict(zip(head, row, strict=True)) for row in rows]


def shown(value: object) -> str:
    """A value as the README prints it."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def test_there_are_five_questions() -> None:
    assert len(QUESTIONS) == 5
    assert len(COMMANDS) == 3


@pytest.mark.parametrize(("question", "query", "answer"), QUESTIONS, ids=[q[0] for q in QUESTIONS])
def test_a_question_has_the_answer_that_is_printed(demo: Lake, question: str, query: str, answer: str) -> None:
    command = [sys.executable, "-m", "speakervid_dag", "sql", query, "--format", "json"]
    told = subprocess.run(command, cwd=demo.folder.parent, capture_output=True, text=True, check=True)
    assert [{k: shown(v) for k, v in row.items()} for row in json.loads(told.stdout)] == table(answer), question


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("speakervid")])
def test_a_command_runs_as_written(demo: Lake, command: str) -> None:
    _, *arguments = shlex.split(command, comments=True)
    told = subprocess.run(
        [sys.executable, "-m", "speakervid_dag", *arguments], cwd=demo.folder.parent, capture_output=True, text=True
    )
    assert told.returncode == 0, told.stderr
    assert told.stdout.count("\n") > 5


def test_the_lake_opens_with_nothing_but_duckdb(demo: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the `duckdb` shell does with these arguments; the shell itself is not among our dependencies."""
    (command,) = (c for c in COMMANDS if c.startswith("duckdb"))
    _, option, file, query = shlex.split(command, comments=True)
    assert option == "-readonly"
    monkeypatch.chdir(demo.folder.parent)
    with duckdb.connect(file, read_only=True) as plain:
        assert len(plain.sql(query).fetchall()) == 15


def test_the_python_example_runs_as_written(demo: Lake) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SPEAKERVID_")}
    told = subprocess.run(
        [sys.executable, "-c", PYTHON], cwd=demo.folder.parent, env=environment, capture_output=True, text=True
    )
    assert told.returncode == 0, told.stderr
    assert "multi_turn_sequential" in told.stdout
