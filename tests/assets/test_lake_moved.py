"""A lake in a folder whose name is full of characters that one program or another gives a meaning."""

import shutil
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner
from house import B1, B2, B3, House, made_house

from speakervid_dag import connect
from speakervid_dag.cli.app import cli
from speakervid_dag.lake.schemas import CLIPS, VIDEOS
from speakervid_dag.lake.snapshots import parts

pytestmark = pytest.mark.heavy

SIGNS = "My Videos é😀 100% a%20b #1 what? {x} [x] a\\b batch=7 status=degraded 'q' \"*|^`<>&;~"
LONG = "language=en " + "x" * 200
SHOWN = [t.name for t in parts.batched()]
Seen = dict[str, list[tuple[object, ...]]]


def ask(house: House, *arguments: str) -> str:
    """What the command prints on stdout; it must end well."""
    done = CliRunner().invoke(cli, [*arguments, "--lake", str(house.settings.lake_dir)])
    assert done.exit_code == 0, (arguments, done.output, done.exception)
    return done.stdout


def rows(con: duckdb.DuckDBPyConnection) -> Seen:
    query = "SELECT * FROM {} WHERE batch <> '" + B3 + "' ORDER BY ALL"
    return {name: con.sql(query.format(name)).fetchall() for name in SHOWN}


def seen(house: House) -> Seen:
    with connect(house.settings.lake_dir) as con:
        return rows(con)


@pytest.fixture
def house(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """The finished lake, moved there."""
    lake = tmp_path / SIGNS / LONG / "lake"
    shutil.copytree(finished, lake)
    return made_house(lake, monkeypatch)


def test_a_lake_moved_there_answers_as_before_and_goes_on(house: House, finished: Path) -> None:
    with connect(finished) as con:
        before = rows(con)
    assert house.run(B3).done == [B3]
    assert seen(house) == before
    assert set(house.lake.read(VIDEOS)["batch"]) == {B1, B2, B3}
    _ask_everything(house)
    _decide_anew(house)
    _forget(house)
    lake_dir = house.settings.lake_dir
    assert sorted(p.name for p in lake_dir.parent.iterdir()) == ["lake"]  # nothing was written beside it
    assert sorted(p.name for p in lake_dir.parents[2].iterdir()) == [SIGNS]


def _ask_everything(house: House) -> None:
    """None of these commands writes a byte into the lake: they work on one that is mounted read-only."""
    before = _stamps(house.settings.lake_dir)
    clip = house.lake.read(CLIPS)["clip_id"][0]
    counted = ask(house, "sql", "SELECT DISTINCT batch FROM clips ORDER BY 1", "--format", "csv")
    assert counted.split() == ["batch", B1, B2, B3]
    assert clip in ask(house, "explain", clip)
    assert B3 in ask(house, "batches")
    for arguments in (["snapshots"], ["funnel"], ["diff", "1", "2"], ["maintain"]):
        ask(house, *arguments)
    assert _stamps(house.settings.lake_dir) == before
    ask(house, "report")
    assert (house.settings.lake_dir / "report.html").is_file()


def _stamps(folder: Path) -> dict[Path, int]:
    """Times at which files and folders were last changed; nothing is made or removed unless its folder's changes."""
    return {path: path.stat().st_mtime_ns for path in [folder, *folder.rglob("*")]}


def _decide_anew(house: House) -> None:
    """By a profile of one's own that lies there too."""
    own = house.settings.lake_dir.parent / "lake" / "mine [x]?.yaml"
    own.write_text("inherits: laptop\nname: mine\nclips: {min_s: 2.0}\n")
    ask(house, "retier", "--profile", str(own))
    assert "mine" in ask(house, "sql", "SELECT DISTINCT profile FROM tiers ORDER BY 1", "--format", "csv").split()


def _forget(house: House) -> None:
    video = house.lake.read(VIDEOS)["video_id"][0]
    ask(house, "forget", video, "--apply", "--purge")
    with connect(house.settings.lake_dir) as con:
        assert con.sql(f"SELECT count(*) FROM clips WHERE video_id = '{video}'").fetchall() == [(0,)]
        assert con.sql("SELECT count(*) > 0 FROM clips").fetchall() == [(True,)]
