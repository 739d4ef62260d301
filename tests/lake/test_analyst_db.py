"""`lake.duckdb`: it shows the lake that it lies in, leaves nothing beside itself, opens in other versions of DuckDB."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner
from small_lake import published_lake

from speakervid_dag.cli import summary
from speakervid_dag.cli.app import cli
from speakervid_dag.config.settings import Settings, load_settings
from speakervid_dag.lake.queries import analyst_db, published
from speakervid_dag.lake.schemas import CLIPS, TABLES
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.runs.report import RunReport

pytestmark = pytest.mark.heavy

OTHER_VERSIONS = ("1.3.2", "1.4.5")
CACHE = Path(__file__).parents[2] / ".cache" / "duckdb"
ASK_EVERY_VIEW = """
import sys, duckdb
con = duckdb.connect(sys.argv[1], read_only=True)
names = [n for (n,) in con.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()]
for name in names:
    con.execute(f'SELECT count(*) FROM (FROM "{name}" LIMIT 1)').fetchall()
print(duckdb.__version__, len(names))
"""
LEAVE_A_LOG = """
import os, sys, duckdb
con = duckdb.connect(sys.argv[1])
con.execute("CREATE TABLE scratch AS SELECT 1")
os._exit(1)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = published_lake(tmp_path_factory.mktemp("made") / "lake")
    published.open_lake(settings.lake_dir)
    return settings


@pytest.fixture
def lake(made: Settings, tmp_path: Path) -> Settings:
    """A lake of its own, with its file."""
    shutil.copytree(made.lake_dir, tmp_path / "lake")
    settings = load_settings(lake=tmp_path / "lake")
    published.open_lake(settings.lake_dir)
    return settings


def shown(lake_dir: Path) -> set[str]:
    """The files that the views name."""
    with duckdb.connect(str(lake_dir / analyst_db.NAME), read_only=True) as con:
        ((sql,),) = con.sql("SELECT sql FROM duckdb_views() WHERE view_name = 'clips'").fetchall()
        assert con.sql("SELECT count(*) FROM clips").fetchall() == [(8,)]
    return {str(p) for p in lake_dir.rglob("*.parquet") if str(p) in sql}


def test_the_first_command_makes_it_and_the_next_leaves_it(lake: Settings) -> None:
    before = (lake.lake_dir / analyst_db.NAME).stat()
    published.open_lake(lake.lake_dir)
    assert (lake.lake_dir / analyst_db.NAME).stat() == before
    assert len(shown(lake.lake_dir)) == 1


def test_a_moved_lake_is_shown_where_it_is(lake: Settings, tmp_path: Path) -> None:
    moved = lake.lake_dir.rename(tmp_path / "moved")
    assert CliRunner().invoke(cli, ["snapshots", "--lake", str(moved)]).exit_code == 0
    assert len(shown(moved)) == 1


def test_a_run_with_nothing_to_do_shows_a_moved_lake_too(lake: Settings, tmp_path: Path) -> None:
    moved = load_settings(lake=lake.lake_dir.rename(tmp_path / "moved"), profile=lake.profile)
    assert summary.print_summary(moved, RunReport()) == 0
    assert len(shown(moved.lake_dir)) == 1


def test_a_copy_shows_itself_and_not_the_original(lake: Settings, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(lake.lake_dir, tmp_path / "copy"))
    published.open_lake(load_settings(lake=copy).lake_dir)
    assert len(shown(copy)) == 1
    assert len(shown(lake.lake_dir)) == 1
    shutil.rmtree(lake.lake_dir)
    assert len(shown(copy)) == 1


def test_another_name_of_the_same_folder_makes_nothing_anew(lake: Settings, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(lake.lake_dir)
    before = (lake.lake_dir / analyst_db.NAME).stat()
    published.open_lake(load_settings(lake=tmp_path / "link").lake_dir)
    assert (lake.lake_dir / analyst_db.NAME).stat() == before


def test_another_version_makes_it_anew(lake: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (lake.lake_dir / analyst_db.NAME).stat().st_ino
    monkeypatch.setattr(analyst_db, "VERSION", "99")
    published.open_lake(lake.lake_dir)
    assert (lake.lake_dir / analyst_db.NAME).stat().st_ino != before


def test_a_lake_that_cannot_be_written_answers(
    lake: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    moved = load_settings(lake=lake.lake_dir.rename(tmp_path / "read-only"))

    def refuse(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(analyst_db, "FileLock", refuse)
    for _ in range(2):
        assert published.open_lake(moved.lake_dir).exists(CLIPS)
    assert ["Read-only file system" in record.getMessage() for record in caplog.records] == [True]


def test_a_folder_without_a_snapshot_gets_no_file(tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    published.open_lake(load_settings(lake=tmp_path).lake_dir)
    assert not (tmp_path / analyst_db.NAME).exists()


def test_a_killed_clients_log_goes_with_the_file(lake: Settings) -> None:
    """Root can write to it in spite of its mode; anybody else after a chmod."""
    path = lake.lake_dir / analyst_db.NAME
    path.chmod(0o644)
    subprocess.run([sys.executable, "-c", LEAVE_A_LOG, str(path)], check=False)
    assert path.with_name("lake.duckdb.wal").exists()
    path.with_name("lake.duckdb.tmp").mkdir()
    analyst_db.remake(DeltaLake(str(lake.lake_dir)), lake.lake_dir)
    assert [p.name for p in lake.lake_dir.glob("lake.duckdb*")] == ["lake.duckdb"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert len(shown(lake.lake_dir)) == 1


def test_a_log_that_comes_later_goes_with_the_next_command(lake: Settings) -> None:
    """That of a client which still holds the file before open for writing."""
    (lake.lake_dir / "lake.duckdb.wal").write_bytes(b"of another file")
    published.open_lake(lake.lake_dir)
    assert [p.name for p in lake.lake_dir.glob("lake.duckdb*")] == ["lake.duckdb"]
    assert len(shown(lake.lake_dir)) == 1


def test_the_log_goes_before_the_new_file_comes(lake: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    wal = lake.lake_dir / "lake.duckdb.wal"
    wal.write_bytes(b"of the old file")
    real, seen = Path.replace, []

    def replace(self: Path, target: Path) -> Path:
        seen.append(wal.exists())
        return real(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    analyst_db.write(DeltaLake(str(lake.lake_dir)), None, lake.lake_dir / analyst_db.NAME)
    assert seen == [False]
    assert not [p for p in lake.lake_dir.iterdir() if p.name.startswith(".tmp-")]


def test_a_copy_that_is_called_otherwise_answers(lake: Settings, tmp_path: Path) -> None:
    shutil.copy(lake.lake_dir / analyst_db.NAME, tmp_path / "mine.db")
    with duckdb.connect(str(tmp_path / "mine.db"), read_only=True) as con:
        assert con.sql("FROM branch_statistics").fetchall()


@pytest.fixture(scope="module", params=OTHER_VERSIONS)
def other_duckdb(request: pytest.FixtureRequest) -> Path:
    """A folder with another version of DuckDB, which is installed once; skips by name without a package index."""
    folder, aside = CACHE / request.param, CACHE / f".{request.param}-{os.getpid()}"
    if not folder.exists():
        options = ["--quiet", "--no-deps", "--only-binary", ":all:", "--target", str(aside)]
        command = [sys.executable, "-m", "pip", "install", *options, f"duckdb=={request.param}"]
        if subprocess.run(command, capture_output=True).returncode:
            pytest.skip(f"duckdb {request.param} is not on this machine, and there is no package index")
        aside.rename(folder)
    return folder


def test_every_view_answers_in_other_versions_of_duckdb(made: Settings, other_duckdb: Path) -> None:
    command = [sys.executable, "-c", ASK_EVERY_VIEW, str(made.lake_dir / analyst_db.NAME)]
    environment = {**os.environ, "PYTHONPATH": str(other_duckdb)}
    told = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    version, count = told.stdout.split()
    assert version == other_duckdb.name
    assert int(count) > len(TABLES)
