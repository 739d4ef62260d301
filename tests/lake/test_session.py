"""The DuckDB session: exact columns, pinned versions, and nothing outside the lake for a person's SQL."""

import socket
from pathlib import Path

import duckdb
import polars as pl
import pytest
from rows import write_lake

from speakervid_dag.failures import OperationError, UserError
from speakervid_dag.lake.queries import analyst_db, session, view_sql
from speakervid_dag.lake.schemas import CLIPS, SECOND_NAMES, SNAPSHOTS, TABLES
from speakervid_dag.lake.schemas.measures import MEASURES
from speakervid_dag.lake.snapshots import snapshots
from speakervid_dag.lake.storage.delta import DeltaLake

pytestmark = pytest.mark.heavy


@pytest.fixture
def lake(lake_dir: Path) -> DeltaLake:
    return write_lake(
        str(lake_dir),
        {
            "clips": [
                {"clip_id": "c1", "turn_ids": ["u1", "u2"], "batch": "0012"},
                {"clip_id": "c2", "batch": "b 'x%"},
            ],
            "clip_scores": [{"clip_id": "c1", "luminance": 50.5}],
            "tiers": [{"clip_id": "c1", "tier": "sft"}],
        },
    )


@pytest.mark.parametrize("is_empty", [True, False])
def test_every_table_is_there_with_its_exact_columns(lake_dir: Path, is_empty: bool) -> None:
    rows = {} if is_empty else {name: [{}] for name, t in TABLES.items() if "batch" in t.partition_by}
    con = session.open_session(write_lake(str(lake_dir), rows), read_only_user_sql=True)
    for name, table in TABLES.items():
        found = session.run_sql(con, f'FROM "{name}"')
        second = {SECOND_NAMES[n]: kind for n, kind in table.schema.items() if n in SECOND_NAMES}
        assert dict(found.schema) == dict(table.schema) | second, name
        assert found.height == (1 if name in rows else 0), name


def test_every_column_has_a_name_that_needs_no_quotes() -> None:
    words = "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category IN ('reserved', 'type_function')"
    reserved = {word for (word,) in duckdb.sql(words).fetchall()}
    names = {c.name for table in TABLES.values() for c in table.columns}
    assert names & reserved == set(SECOND_NAMES)
    assert not set(SECOND_NAMES.values()) & (names | reserved)


def test_a_second_name_is_in_the_views_and_not_on_disk(lake: DeltaLake) -> None:
    shown = snapshots.publish(lake, "run")
    con = session.open_session(lake, shown, read_only_user_sql=True)
    rows = session.run_sql(con, 'SELECT at_time, "at", table_name, "table" FROM snapshots')
    assert rows.height == len(shown.versions)
    assert rows["at_time"].to_list() == rows["at"].to_list() == [shown.at] * rows.height
    assert rows["table_name"].to_list() == rows["table"].to_list()
    assert lake.read(SNAPSHOTS).columns == SNAPSHOTS.schema.names()


def test_partition_values_stay_text(lake: DeltaLake) -> None:
    con = session.open_session(lake, read_only_user_sql=True)
    assert session.run_sql(con, "SELECT batch FROM clips ORDER BY 1")["batch"].to_list() == ["0012", "b 'x%"]


def test_a_replaced_row_is_not_seen_and_a_snapshot_still_sees_it(lake: DeltaLake, lake_dir: Path) -> None:
    before = snapshots.publish(lake, "run")
    write_lake(str(lake_dir), {"clips": [{"clip_id": "c3", "batch": "0012"}]})
    query = "SELECT clip_id FROM clips WHERE batch = '0012'"
    now = session.open_session(lake, read_only_user_sql=True)
    then = session.open_session(lake, before, read_only_user_sql=True)
    assert session.run_sql(now, query)["clip_id"].to_list() == ["c3"]
    assert session.run_sql(then, query)["clip_id"].to_list() == ["c1"]


def test_a_table_first_written_after_a_snapshot_is_empty_in_it(lake: DeltaLake, lake_dir: Path) -> None:
    before = snapshots.publish(lake, "run")
    write_lake(str(lake_dir), {"shots": [{"shot_id": "s1"}]})
    con = session.open_session(lake, before, read_only_user_sql=True)
    assert session.run_sql(con, "FROM shots").is_empty()


@pytest.mark.parametrize(
    "attack",
    [
        "COPY clips TO '{out}/stolen.csv'",
        "COPY (SELECT 1) TO '{clip_file}' (FORMAT parquet)",
        "EXPLAIN ANALYZE COPY clips TO '{out}/stolen.csv'",
        "SELECT 1; COPY clips TO '{out}/stolen.csv'",
        "EXPORT DATABASE '{out}/db'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('{secret}')",
        "SELECT * FROM '{secret}'",
        "SELECT * FROM read_text('{lake}/tables/../../secret.txt')",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM read_parquet('http://127.0.0.1:{port}/x.parquet')",
        "ATTACH '{out}/new.db'",
        "ATTACH '{lake}/new.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET allowed_directories = ['/']",
        "RESET lock_configuration",
        "PRAGMA enable_profiling",
        "CREATE TABLE t AS SELECT 1",
        "DROP VIEW clips",
        "DELETE FROM clips",
        "CALL pragma_version()",
        "SELECT * FROM query('COPY clips TO ''{out}/stolen.csv''')",
        "WITH gone AS (DELETE FROM clips RETURNING *) SELECT * FROM gone",
        "SELECT * FROM lake",
    ],
)
def test_a_persons_sql_can_touch_nothing_outside(lake: DeltaLake, lake_dir: Path, tmp_path: Path, attack: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    clip_file = Path(lake.files(CLIPS)[0])
    content = clip_file.read_bytes()
    con = session.open_session(lake, read_only_user_sql=True)
    names = {"out": out, "secret": tmp_path / "secret.txt", "lake": lake_dir, "clip_file": clip_file}
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        text = attack.format(port=server.getsockname()[1], **names)
        with pytest.raises(UserError) as refusal:
            session.run_sql(con, text)
        with pytest.raises(BlockingIOError):  # nobody knocked
            server.accept()
    assert "\n" not in str(refusal.value)
    assert list(out.iterdir()) == []
    assert not (lake_dir / "new.db").exists()
    assert clip_file.read_bytes() == content
    assert session.run_sql(con, "FROM clips").height == 2  # and the session still works


@pytest.mark.parametrize(
    "statement", ["COPY clips TO '{out}/x.csv'", "ATTACH '{out}/x.db'", "SET lock_configuration = false"]
)
def test_the_lock_holds_without_the_statement_filter(lake: DeltaLake, tmp_path: Path, statement: str) -> None:
    con = session.open_session(lake, read_only_user_sql=True)
    with pytest.raises(duckdb.Error):
        con.execute(statement.format(out=tmp_path))
    assert list(tmp_path.glob("x.*")) == []


@pytest.mark.parametrize(
    "query",
    ["DESCRIBE clips", "SHOW TABLES", "SUMMARIZE clips", "VALUES (1)", "WITH a AS (FROM clips) SELECT count(*) FROM a"],
)
def test_asking_is_allowed(lake: DeltaLake, query: str) -> None:
    assert session.run_sql(session.open_session(lake, read_only_user_sql=True), query).height > 0


def test_a_wrong_query_is_one_line(lake: DeltaLake) -> None:
    con = session.open_session(lake, read_only_user_sql=True)
    with pytest.raises(UserError, match=r"^SQL: .*nosuch"):
        session.run_sql(con, "SELECT nosuch FROM clips")


def test_limits_are_set(lake: DeltaLake) -> None:
    con = session.open_session(lake, read_only_user_sql=True, threads=2, memory_limit_mb=512)
    found = session.run_sql(con, "SELECT current_setting('threads') t, current_setting('memory_limit') m").row(0)
    assert found == (2, "488.2 MiB")
    assert str(lake.root) in session.run_sql(con, "SELECT current_setting('temp_directory') d").item()


def test_clip_measures_is_the_long_form(lake: DeltaLake) -> None:
    con = session.open_session(lake, read_only_user_sql=True)
    found = session.run_sql(con, "SELECT * FROM clip_measures WHERE measure = 'luminance'").row(0, named=True)
    assert (found["clip_id"], found["value"], found["status"]) == ("c1", 50.5, "ok")
    assert set(session.run_sql(con, "SELECT DISTINCT measure FROM clip_measures")["measure"]) == set(MEASURES)


def test_the_analysts_file_answers_without_us(lake: DeltaLake, lake_dir: Path) -> None:
    path = lake_dir / "lake.duckdb"
    path.write_text("an older file, not even a database")
    before = snapshots.publish(lake, "run")
    write_lake(str(lake_dir), {"clips": [{"clip_id": "c3", "batch": "0012"}]})
    analyst_db.write(lake, before, path)
    with duckdb.connect(str(path), read_only=True) as con:
        assert con.sql("SELECT clip_id FROM clips ORDER BY 1").fetchall() == [("c1",), ("c2",)]
        assert con.sql("FROM branch_statistics").fetchall()
    assert [p.name for p in lake_dir.iterdir() if "duckdb" in p.name] == ["lake.duckdb"]


def test_an_object_store_has_no_analysts_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="speakervid sql"):
        analyst_db.write(DeltaLake("s3://bucket/lake"), None, tmp_path / "lake.duckdb")


def test_a_lake_by_uri_is_read_without_extensions(lake: DeltaLake, lake_dir: Path) -> None:
    remote = DeltaLake(f"file://{lake_dir}")
    con = session.open_session(remote, snapshots.publish(lake, "run"), read_only_user_sql=True)
    assert session.run_sql(con, "SELECT clip_id FROM clips WHERE batch = '0012'")["clip_id"].to_list() == ["c1"]
    assert dict(session.run_sql(con, "FROM clips").schema) == dict(CLIPS.schema)
    assert session.run_sql(con, "FROM branch_statistics").height > 0


def test_files_are_found_by_name_and_say_their_question() -> None:
    assert {"funnel", "branch_statistics", "person_statistics"} <= set(session.statistics_names())
    assert session.sql_text("statistics/funnel").startswith("-- How")
    with pytest.raises(OperationError, match=r"sql/nosuch\.sql"):
        session.sql_text("nosuch")


def test_unknown_types_are_refused() -> None:
    with pytest.raises(TypeError, match="Duration"):
        view_sql.sql_type(pl.Duration())
