"""Every command, query and profile on the pages, run on a small lake.

What needs models or a server is only parsed here, and run where RUN_ELSEWHERE says; so is the whole tutorial.
"""

import importlib.util
import re
import shlex
import shutil
from pathlib import Path

import click
import duckdb
import polars as pl
import pytest
from click.testing import CliRunner
from doc_pages import PAGES, ROOT, blocks, write_files
from mini_lake import mini_lake
from rows import BATCH
from small_lake import published_lake

from speakervid_dag.cli.app import cli
from speakervid_dag.config.profiles import load_profile
from speakervid_dag.lake.batches import BatchBook, Place, SourceFile
from speakervid_dag.lake.queries import analyst_db
from speakervid_dag.lake.snapshots import snapshots
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.models.registry import parse_registry

pytestmark = pytest.mark.heavy

COMMANDS = {page: [c for b in blocks(page) for c in b.commands] for page in PAGES}
RUN_ELSEWHERE = {
    "run": "tests/end_to_end/test_tutorial.py",
    "retier": "tests/end_to_end/test_tutorial.py",
    "ui": "tests/browser/test_ui.py",
}
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the mini lake as `lake`, its videos named as the demo's."""
    folder, names = tmp_path_factory.mktemp("docs"), ["demo_blurred.mp4", "demo_voice_over.mp4"]
    videos = mini_lake()["videos"].with_columns(pl.Series("source_name", names))
    published_lake(folder / "lake", "laptop", videos=videos)
    files = [SourceFile((Place(name, 0),), 20_000, sha) for name, sha in zip(names, videos["sha256"], strict=True)]
    BatchBook(folder / "lake").write(BATCH, files)
    return folder


@pytest.fixture
def place(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, as the working folder."""
    shutil.copytree(published, tmp_path / "place")
    monkeypatch.chdir(tmp_path / "place")
    lake = DeltaLake(str(tmp_path / "place" / "lake"))
    analyst_db.write(lake, snapshots.latest(lake), tmp_path / "place" / "lake" / "lake.duckdb")
    for name in ("SPEAKERVID_LAKE", "SPEAKERVID_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "place"


def test_there_are_commands_to_test() -> None:
    assert sum(map(len, COMMANDS.values())) > 30
    assert {"index.md", "tutorial.md", "operations.md", "faq.md"} <= {p.name for p in PAGES if COMMANDS[p]}


@pytest.mark.parametrize("page", [p for p in PAGES if COMMANDS[p]], ids=lambda p: p.stem)
def test_every_command_of_a_page(place: Path, page: Path) -> None:
    write_files(page, place)
    for command in COMMANDS[page]:
        program, *arguments = shlex.split(command, comments=True)
        if program == "speakervid":
            run_speakervid(arguments, only_parsed=page.stem == "tutorial")
        elif program == "make":
            assert set(arguments) <= TARGETS, command
        elif program == "python":
            is_module = arguments[0] == "-m" and importlib.util.find_spec(arguments[1])
            assert is_module or arguments[0] in {b.title for b in blocks(page)}, command
        elif program == "duckdb":
            run_duckdb(*arguments)
        else:
            assert command == ". .venv/bin/activate", f"{page.name}: nothing here knows how to test: {command}"


def run_speakervid(arguments: list[str], only_parsed: bool = False) -> None:
    """Parses the arguments as the command would, and runs it unless something else does."""
    command, rest, name = cli, list(arguments), "speakervid"
    while isinstance(command, click.Group):
        name, found, rest = command.resolve_command(click.Context(command), rest)
        assert found is not None
        command = found
    command.make_context(name, list(rest))
    if only_parsed or arguments[0] in RUN_ELSEWHERE:
        return
    done = CliRunner().invoke(cli, arguments)
    may_be = {0, 1} if arguments[0] in ("doctor", "batches") else {0}  # 1: weights are missing, a batch is not finished
    assert done.exit_code in may_be, f"{arguments}: {done.output}{done.exception!r}"


def run_duckdb(option: str, file: str, query: str) -> None:
    """What the `duckdb` shell does with these arguments; the shell itself is not among our dependencies."""
    assert option == "-readonly"
    with duckdb.connect(file, read_only=True) as plain:
        plain.sql(query).fetchall()


def test_what_is_run_elsewhere_is_there() -> None:
    for where in RUN_ELSEWHERE.values():
        assert (ROOT / where).is_file()


@pytest.mark.parametrize("page", [p for p in PAGES if p.stem != "tutorial"], ids=lambda p: p.stem)
def test_every_query_of_a_page(place: Path, page: Path) -> None:
    for block in blocks(page):
        if block.kind == "sql":
            run_speakervid(["sql", "--", block.text])  # a query may begin with a comment


@pytest.mark.parametrize("page", [p for p in PAGES if p.stem not in ("extending", "tutorial")], ids=lambda p: p.stem)
def test_every_python_example_of_a_page(place: Path, page: Path) -> None:
    for block in blocks(page):
        if block.kind == "python":
            exec(compile(block.text, page.name, "exec"), {})


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_every_profile_and_weight_of_a_page(page: Path, tmp_path: Path) -> None:
    for block in blocks(page):
        if block.kind == "yaml" and block.title.endswith("weights.yaml"):
            assert parse_registry(block.text)
        elif block.kind == "yaml":
            own = tmp_path / (block.title or "own.yaml")
            own.write_text(block.text)
            if "level_dbfs" not in block.text:  # the measure that extending.md adds
                assert load_profile(str(own)).gates
