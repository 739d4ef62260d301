"""Tables in folders of any name: written, read and kept exactly there, and nothing of the path becomes a value."""

import multiprocessing
import os
import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rows import frame

from speakervid_dag.lake.queries import analyst_db, session
from speakervid_dag.lake.schemas import SHOTS, TRANSCRIPTS
from speakervid_dag.lake.snapshots import snapshots
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.lake.storage.slices import Slice
from speakervid_dag.lake.storage.staging import StagedRows
from speakervid_dag.lake.upkeep import maintenance, quarantine

pytestmark = pytest.mark.heavy

NAMES = [
    *("My Videos", "100%", "a#b", "a%20b", "a?b", "{x}*'\"", "[x]|^", "a\\b\nc", "üé😀", "x" * 200),
    *("batch=7", "shot_id=9", "status=degraded"),
]
WRITERS, COMMITS = 2, 8


def shots(batch: str, *ids: str) -> pl.DataFrame:
    return frame(SHOTS, [{"batch": batch, "shot_id": i, "start_s": 0.0, "end_s": 1.0} for i in ids])


def replace(lake: DeltaLake, batch: str, *ids: str, stamp: int = 1) -> None:
    lake.replace(SHOTS, shots(batch, *ids), [(Slice({"batch": batch}), stamp)], {"run_id": "test"})


def stage(lake: DeltaLake, batch: str, *ids: str) -> None:
    part = Slice({"batch": batch})
    with StagedRows(lake, SHOTS) as staged:
        staged.add(shots(batch, *ids), [part])
        staged.land([(part, 7)], {})


def pairs(rows: pl.DataFrame) -> list[tuple[str, str]]:
    return sorted(rows.select("batch", "shot_id").iter_rows())


def asked(lake: DeltaLake, snapshot: snapshots.Snapshot | None = None) -> list[tuple[str, str]]:
    with session.open_session(lake, snapshot, read_only_user_sql=True, statistics=()) as con:
        return pairs(session.run_sql(con, "SELECT * FROM shots"))


@pytest.mark.parametrize("name", NAMES)
def test_a_table_is_written_and_read_there(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name / "lake"
    lake = DeltaLake(str(folder))
    replace(lake, "b1", "b1x", stamp=5)
    replace(lake, "b1", "b1y", stamp=6)
    stage(lake, "b2", "b2x")
    stage(lake, "b2", "b2y")
    rows = [("b1", "b1y"), ("b2", "b2y")]
    assert pairs(lake.read(SHOTS)) == rows
    assert asked(lake) == rows
    assert pairs(lake.read(SHOTS, batches=["b2"])) == rows[1:]
    assert pairs(lake.read(SHOTS, version=1)) == [("b1", "b1x")]
    assert [lake.data_version(SHOTS, Slice({"batch": b})) for b in ("b1", "b2")] == [6, 7]
    files = lake.files(SHOTS)
    assert [Path(f).is_relative_to(folder) and Path(f).is_file() for f in files] == [True, True]
    assert [part.values["batch"] for part, _ in lake.files_by_slice(SHOTS, 4)] == ["b1", "b2"]
    assert [p.name for p in tmp_path.iterdir()] == [name]


NAME = st.text(st.characters(exclude_characters="/\x00", exclude_categories=("Cs",)), min_size=1, max_size=12)
SIGN = st.text(st.sampled_from("#?%0a2F[]{}*!~+&=;:,'\"|^`\\<>$@() .-_éß😀\u0301\x85\xa0"), min_size=1, max_size=12)


@settings(max_examples=15)
@given((NAME | SIGN).filter(lambda name: name not in (".", "..")))
def test_a_table_is_written_and_read_under_any_name(name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lake = DeltaLake(str(Path(folder, name, "lake")))
        for stamp in (5, 6):
            replace(lake, "b1", f"x{stamp}", stamp=stamp)
        assert pairs(lake.read(SHOTS)) == [("b1", "x6")]
        assert lake.data_version(SHOTS, Slice({"batch": "b1"})) == 6
        assert [p.name for p in Path(folder).iterdir()] == [name]


@pytest.fixture(params=["batch=7 language=en status=degraded", "a?b*[x] shot_id=9"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> DeltaLake:
    made = DeltaLake(str(tmp_path / request.param / "lake"))
    for number in range(12):  # enough for a readers' copy
        replace(made, f"b{number:06d}", f"s{number}")
    words = [{"batch": "b000001", "language": "de"}]
    made.replace(TRANSCRIPTS, frame(TRANSCRIPTS, words), [(Slice({"batch": "b000001"}), 1)], {})
    return made


def test_no_folder_of_the_path_becomes_a_value(lake: DeltaLake) -> None:
    rows = [(f"b{n:06d}", f"s{n}") for n in range(12)]
    path = Path(lake.root, "lake.duckdb")
    first = snapshots.publish(lake, "run")
    for _ in range(2):  # from Delta's files, then from readers' copies
        assert pairs(lake.read(SHOTS)) == asked(lake, first) == sorted(rows)
        analyst_db.write(lake, first, path)
        copied = shutil.copy(path, Path(lake.root).parents[1] / "copied.duckdb")  # DuckDB reads a `?` in a file's name
        with duckdb.connect(str(copied), read_only=True) as con:
            assert con.sql("SELECT batch, shot_id FROM shots ORDER BY 1").fetchall() == rows
            assert con.sql("SELECT batch, language FROM transcripts").fetchall() == [("b000001", "de")]
        Path(copied).unlink()
        session.write_copies(lake, first)
    maintenance.apply_upkeep(lake, Path(lake.root), keep=timedelta(0), run_id="care")
    assert asked(lake) == rows


def test_a_refused_frame_is_kept_there(lake: DeltaLake) -> None:
    quarantine.keep_frame(lake, SHOTS, "b000001", shots("b000001", "s1"), "run")
    assert quarantine.refused_frame(lake, SHOTS, "b000001", "run").equals(shots("b000001", "s1"))


def test_a_lake_whose_name_is_a_pattern_does_not_read_its_neighbours(tmp_path: Path) -> None:
    for name in ("a?b", "a*", "[a]b"):
        mine, twin = tmp_path / name / "lake", tmp_path / "axb" / "lake"
        replace(DeltaLake(str(mine)), "b1", "s1")
        shutil.rmtree(twin, ignore_errors=True)
        shutil.copytree(mine, twin)
        assert pairs(DeltaLake(str(mine)).read(SHOTS)) == asked(DeltaLake(str(mine))) == [("b1", "s1")]


def test_a_lake_is_moved_to_a_plain_name_and_back(tmp_path: Path) -> None:
    plain, odd = tmp_path / "lake", tmp_path / "a\\b%20[x]"
    for number, folder in enumerate([plain, odd, plain, odd]):
        lake = DeltaLake(str(folder))
        replace(lake, f"b{number}", "s")
        assert lake.batches(SHOTS) == [f"b{n}" for n in range(number + 1)]
        assert len(asked(lake)) == number + 1
        folder.rename(odd if folder == plain else plain)


def test_what_a_killed_write_leaves_aside_is_collected(tmp_path: Path) -> None:
    lake = DeltaLake(str(tmp_path / "a?b"))
    replace(lake, "b1", "s")
    left = Path(lake.root) / "tables" / ".aside" / "00000000000000000001.json.x"
    left.write_text("half")
    os.utime(left, (0, 0))
    assert left in maintenance.plan_upkeep(lake, Path(lake.root), keep=timedelta(days=1)).loose


def test_writers_take_turns_where_the_store_cannot_refuse(tmp_path: Path) -> None:
    root = str(tmp_path / "a\\b [x]")
    with multiprocessing.get_context("spawn").Pool(WRITERS) as pool:
        pool.starmap(_write, [(root, number) for number in range(WRITERS)])
    lake = DeltaLake(root)
    assert lake.version(SHOTS) == WRITERS * COMMITS
    assert len(lake.read(SHOTS)) == WRITERS * COMMITS
    assert lake.batches(SHOTS) == sorted(f"w{w}c{c}" for w in range(WRITERS) for c in range(COMMITS))


def _write(root: str, number: int) -> None:
    for count in range(COMMITS):
        replace(DeltaLake(root), f"w{number}c{count}", "s")
