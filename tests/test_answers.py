"""What analysts paste into `speakervid sql`, and every type of DuckDB, in every format: an answer, or one line."""

import csv
import io
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner
from rich.console import Console
from small_lake import published_lake

from speakervid_dag.cli import console, output
from speakervid_dag.cli.app import cli
from speakervid_dag.failures import UserError
from speakervid_dag.formats import cell
from speakervid_dag.lake.queries import session, user_sql
from speakervid_dag.lake.snapshots import snapshots
from speakervid_dag.lake.storage.delta import DeltaLake

pytestmark = pytest.mark.heavy

FORMATS = ("json", "csv", "table")


@pytest.fixture(scope="module")
def lake_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return published_lake(tmp_path_factory.mktemp("asked") / "lake").lake_dir


@pytest.fixture(scope="module")
def con(lake_dir: Path) -> Iterator[session.Session]:
    """One session for all questions: planning its views takes longer than the questions."""
    lake = DeltaLake(str(lake_dir))
    with session.open_session(lake, snapshots.latest(lake), read_only_user_sql=True) as opened:
        yield opened


@pytest.fixture
def ask(con: session.Session, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable:
    """Prints an answer as the command does, and returns what was printed."""

    class Kept:
        def __enter__(self) -> session.Session:
            return con

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(output, "open_published", lambda *_: Kept())

    def asked(text: str, form: str = "json") -> str:
        output.print_query(None, text, form)  # type: ignore[arg-type]
        return capsys.readouterr().out

    return asked


# expression → its value in JSON
TYPES = {
    "NULL": None,
    "true": True,
    "1::TINYINT": 1,
    "1::UTINYINT": 1,
    "1::SMALLINT": 1,
    "1::USMALLINT": 1,
    "1::INTEGER": 1,
    "1::UINTEGER": 1,
    "1::BIGINT": 1,
    "18446744073709551615::UBIGINT": 18446744073709551615,
    "170141183460469231731687303715884105727::HUGEINT": 170141183460469231731687303715884105727,
    "340282366920938463463374607431768211455::UHUGEINT": 340282366920938463463374607431768211455,
    "sum(1)": 1,
    "1.50::DECIMAL(4,2)": 1.5,
    "7::DECIMAL(4,0)": 7,
    "12345678901234567890123456789012345678::DECIMAL(38,0)": 12345678901234567890123456789012345678,
    "0.5::FLOAT": 0.5,
    "0.1::DOUBLE": 0.1,
    "'nan'::DOUBLE": None,
    "'-inf'::FLOAT": None,
    "'ü\"x'": 'ü"x',
    "''": "",
    "'a\\xFF'::BLOB": "Yf8=",
    "'1010'::BIT": "1010",
    "DATE '2020-01-02'": "2020-01-02",
    "DATE '12000-01-01'": "12000-01-01",
    "DATE '0044-03-15 (BC)'": "0044-03-15 (BC)",
    "DATE 'infinity'": "9999-12-31",
    "TIME '12:34:56.789'": "12:34:56.789000",
    "TIME '24:00:00'": "24:00:00",
    "TIMETZ '12:34:56+02'": "12:34:56+02:00",
    "TIMESTAMP '2020-01-02 03:04:05'": "2020-01-02T03:04:05",
    "TIMESTAMP '-infinity'": "0001-01-01T00:00:00",
    "TIMESTAMP_S '2020-01-02 03:04:05'": "2020-01-02T03:04:05",
    "TIMESTAMP_MS '2020-01-02 03:04:05.1'": "2020-01-02T03:04:05.100000",
    "TIMESTAMP_NS '2020-01-02 03:04:05.123456789'": "2020-01-02 03:04:05.123456789",
    "TIMESTAMPTZ '2020-01-02 03:04:05+02'": "2020-01-02T01:04:05+00:00",
    "INTERVAL '1 month 2 days 3 seconds'": "1 month 2 days 00:00:03",
    "[INTERVAL '1 month']": ["1 month"],
    "[INTERVAL '1 month']::INTERVAL[1]": ["1 month"],
    "{'a b': INTERVAL '1 month', 'n': [1]}": {"a b": "1 month", "n": [1]},
    "MAP {'k': INTERVAL '1 month'}": {"k": "1 month"},
    "union_value(n := INTERVAL '1 month')": "1 month",
    "row(1, INTERVAL '1 month')": [1, "1 month"],
    "{'a': INTERVAL '1 day'}::VARIANT": {"a": "1 day, 0:00:00"},
    "'6c3f9cd1-b034-4b74-9918-66172da03a30'::UUID": "6c3f9cd1-b034-4b74-9918-66172da03a30",
    "'a'::ENUM('a', 'b')": "a",
    "['a'::ENUM('a', 'b')]": ["a"],
    "[1.5, NULL, 'nan'::DOUBLE]": [1.5, None, None],
    "[1, 2]::INT[2]": [1, 2],
    "{'a': 'x'::BLOB, 'b': {'c': 1}}": {"a": "eA==", "b": {"c": 1}},
    "MAP {'k': 1.5::DECIMAL(3,1)}": {"k": 1.5},
    "MAP {1: [1]}": {"1": [1]},
    "MAP {DATE '2020-01-02': true}": {"2020-01-02": True},
    "union_value(num := 2)": 2,
    "[union_value(s := 'x')]": ["x"],
    "row(1, 'x')": [1, "x"],
    "[]": [],
    "'{\"a\": 1}'::JSON": '{"a": 1}',
    "1::VARIANT": 1,
    "123456789012345678901234567890123456789012345678901234567890::BIGNUM": (
        "123456789012345678901234567890123456789012345678901234567890"
    ),
    "'POINT(1 2)'::GEOMETRY": "AQEAAAAAAAAAAADwPwAAAAAAAABA",
}


@pytest.mark.parametrize("expression", TYPES)
def test_every_type_in_every_format(ask: Callable[..., str], expression: str) -> None:
    text = f"SELECT {expression} AS v"
    assert json.loads(ask(text), parse_constant=pytest.fail) == [{"v": TYPES[expression]}]
    head, *told = csv.reader(io.StringIO(ask(f"{text}, 1 AS w", "csv")))
    assert head == ["v", "w"]
    assert [len(row) for row in told] == [2]
    assert ask(text, "table").count("\n") == 5


def test_json_of_many_rows_and_none(ask: Callable[..., str]) -> None:
    count = user_sql.CHUNK_ROWS + 1
    assert json.loads(ask(f"SELECT range AS i FROM range({count})")) == [{"i": i} for i in range(count)]
    assert json.loads(ask("SELECT 1 AS i WHERE false")) == []


def test_a_name_that_comes_twice_comes_once(ask: Callable[..., str]) -> None:
    assert json.loads(ask("SELECT 1 AS i, 2 AS i, 3 AS i_1")) == [{"i": 1, "i_1": 2, "i_1_1": 3}]


def test_csv_tells_null_from_empty_text_and_numbers_from_formulas(ask: Callable[..., str]) -> None:
    text = (
        "SELECT NULL a, '' b, -1.5 c, -1.5::DECIMAL(3,1) d, 'nan'::DOUBLE e, '=1+1' f, true g, 'x,\"y' h, {'k': NULL} i"
    )
    assert ask(text, "csv").splitlines()[1] == ',"",-1.5,-1.5,NaN,\'=1+1,true,"x,""y","{""k"": null}"'


ANSWERED = r"""
FROM funnel
SELECT * FROM clips;
SELECT 1 -- a comment
/* a comment */ SELECT 1; -- and another; with a semicolon
SELECT ';' AS "a;b"
SELECT 'Grüße 👋' AS "Spalte ü"
SELECT * EXCLUDE (batch) FROM clips
SELECT * REPLACE (round(duration_s) AS duration_s) FROM clips
SELECT COLUMNS('^head_') FROM clip_scores
SELECT COLUMNS(c -> c LIKE 'snr%') FROM clip_scores
SELECT tier, count(*) FROM tiers GROUP BY ALL ORDER BY ALL
FROM clips SELECT clip_id WHERE role = 'talking'
FROM clip_scores
TABLE tiers
VALUES (1, 'a'), (2, 'b')
WITH long AS (FROM clips WHERE duration_s > 3) SELECT count(*) FROM long
WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT sum(n) FROM t
SELECT clip_id, row_number() OVER (PARTITION BY video_id ORDER BY start_s) FROM clips
SELECT clip_id FROM clips QUALIFY rank() OVER (ORDER BY duration_s DESC) = 1
SELECT role, quantile_cont(duration_s, [0.25, 0.5]) FROM clips GROUP BY role
SELECT role, list(clip_id ORDER BY clip_id) FROM clips GROUP BY role
SELECT histogram(role) FROM clips
SELECT approx_count_distinct(clip_id), median(duration_s), mode(role) FROM clips
SELECT count(*) FILTER (WHERE role = 'talking') FROM clips
SELECT role, sum(duration_s) FROM clips GROUP BY ROLLUP (role)
SELECT unnest(turn_ids) AS turn_id FROM clips
SELECT list_transform(turn_ids, lambda t: upper(t)) FROM clips
SELECT [x + 1 FOR x IN [1, 2, 3] IF x > 1]
SELECT c.clip_id, v.source_name FROM clips c JOIN videos v USING (video_id)
SELECT * FROM clips c JOIN videos v ON c.video_id = v.video_id
SELECT * FROM clips SEMI JOIN tiers USING (clip_id)
SELECT * FROM clips ANTI JOIN tiers USING (clip_id)
SELECT c.clip_id, s.shot_id FROM clips c ASOF JOIN shots s ON c.video_id = s.video_id AND c.start_s >= s.start_s
SELECT * FROM clips POSITIONAL JOIN tiers
SELECT clip_id, (SELECT count(*) FROM clip_gates g WHERE g.clip_id = c.clip_id) FROM clips c
SELECT * FROM clips, LATERAL (SELECT duration_s * 2 AS twice)
FROM clips USING SAMPLE 2
FROM clips USING SAMPLE 50 PERCENT (bernoulli, 1)
FROM clips ORDER BY duration_s DESC LIMIT 1 OFFSET 1
SELECT clip_id FROM clips UNION ALL BY NAME SELECT clip_id FROM tiers
SELECT clip_id FROM clips EXCEPT SELECT clip_id FROM tiers
PIVOT clips ON role USING count(*)
PIVOT clips ON role USING count(*), max(duration_s) GROUP BY video_id;
FROM clips PIVOT (count(*) FOR role IN ('talking', 'listening') GROUP BY video_id)
WITH p AS (PIVOT clips ON role USING count(*)) FROM p
UNPIVOT (SELECT clip_id, x1, y1 FROM clips) ON x1, y1 INTO NAME corner VALUE at_share
DESCRIBE clips
DESC clips
DESCRIBE SELECT * FROM clips
SUMMARIZE clip_scores
SUMMARIZE SELECT duration_s FROM clips
SHOW TABLES
SHOW ALL TABLES
SHOW clips
EXPLAIN SELECT count(*) FROM clips
EXPLAIN ANALYZE SELECT count(*) FROM clips;
EXPLAIN (FORMAT json) SELECT count(*) FROM clips
EXPLAIN PIVOT clips ON role USING count(*)
-- first \n EXPLAIN FROM clips
SELECT max(at_time) - min(at_time) AS span FROM snapshots
SELECT at_time, table_name, s.at, s.table FROM snapshots AS s
SELECT "at", "table" FROM snapshots
SELECT date_trunc('day', at_time) AS day, count(*) FROM snapshots GROUP BY day
SELECT struct_pack(a := 1).a, {'a': {'b': 2}}.a.b
SELECT regexp_extract(clip_id, 'c([0-9])', 1) FROM clips
SELECT printf('%.1f', duration_s), format('{:.2f}', duration_s) FROM clips
SELECT CASE role WHEN 'talking' THEN 1 END, coalesce(NULL, role), TRY_CAST(role AS INT) FROM clips
SELECT 'a' = ANY (['a']), 1 IN (1, 2), 'ab' SIMILAR TO 'a.', 'ab' GLOB 'a*'
SELECT * FROM duckdb_columns() WHERE table_name = 'clips'
SELECT * FROM information_schema.tables
SELECT version(), current_date, today()
SELECT bar(duration_s, 0, 10, 10) FROM clips
SELECT * FROM generate_series(1, 3) AS t(i)
SELECT to_json(c) FROM clips c
""".strip().splitlines()


@pytest.mark.parametrize("text", ANSWERED, ids=range(len(ANSWERED)))
def test_what_analysts_paste_is_answered(ask: Callable[..., str], text: str) -> None:
    text = text.replace(r" \n ", "\n")
    rows = json.loads(ask(text), parse_constant=pytest.fail)
    lines = list(csv.reader(io.StringIO(ask(text, "csv"))))
    if "SAMPLE" not in text:
        assert len(lines) == len(rows) + 1
    assert all(len(line) == len(lines[0]) for line in lines)
    assert ask(text, "table")


REFUSED = {
    "": "SHOW TABLES",
    " ; ": "SHOW TABLES",
    "-- only a comment": "SHOW TABLES",
    "SELECT 1; SELECT 2": "statement",
    "COPY clips TO 'x.csv'": "--format csv",
    "COPY (FROM clips) TO 'x.parquet' (FORMAT parquet)": "--format csv",
    "EXPORT DATABASE 'x'": "--format csv",
    "CREATE TEMP TABLE x AS SELECT 1": "WITH step AS",
    "CREATE TABLE x AS PIVOT clips ON role USING count(*)": "changed",
    "CREATE MACRO f(a) AS a + 1": "WITH step AS",
    "EXPLAIN CREATE TABLE x (i INT)": "changed",
    "EXPLAIN ANALYZE CREATE TEMP TABLE x (i INT)": "changed",
    "INSERT INTO clips (clip_id) VALUES ('x')": "changed",
    "UPDATE clips SET role = 'x'": "changed",
    "DELETE FROM clips": "changed",
    "SET threads = 1": "changed",
    "PRAGMA database_list": "changed",
    "BEGIN": "changed",
    "PREPARE q AS SELECT 1": "changed",
    "SELECT lumnance FROM clip_scores": '"luminance"',
    "FROM clip": '"clips"',
    "SELECT at FROM snapshots": "at_time",
    "FROM snapshots WHERE table = 'clips'": "table_name",
    "SELEC 1": '"SELEC"',
    "SELECT ?": "parameters",
    "SELECT 'a'::INT": "Could not convert",
    "SELECT (range - 9999)::UINTEGER FROM range(20000) ORDER BY range DESC": "Conversion Error",
    "FROM 'x.csv'": "SQL: ",
    "SELECT '\udcff'": "UTF-8",
}


@pytest.mark.parametrize("text", REFUSED, ids=range(len(REFUSED)))
def test_what_is_refused_is_one_line_that_helps(ask: Callable[..., str], text: str) -> None:
    for form in FORMATS:
        with pytest.raises(UserError) as told:
            ask(text, form)
        assert REFUSED[text] in str(told.value)
        assert "\n" not in str(told.value)


def test_a_plan_is_printed_as_it_is(ask: Callable[..., str]) -> None:
    told = ask("EXPLAIN SELECT count(*) FROM clips", "table")
    assert told.startswith("╭─")
    assert "explain_key" not in told


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    def of_width(columns: int) -> None:
        made = Console(markup=False, emoji=False, force_terminal=True, color_system=None, width=columns)
        monkeypatch.setattr(console, "out", made)

    return of_width


def test_a_wide_table_in_a_terminal_is_one_column_a_line(
    ask: Callable[..., str], terminal: Callable[[int], None]
) -> None:
    terminal(80)
    lines = ask("FROM clip_scores LIMIT 2", "table").splitlines()
    columns = json.loads(ask("SELECT count(*) AS n FROM (DESCRIBE clip_scores)"))[0]["n"]
    assert len(lines) == 2 * (1 + columns)
    assert [line.split() for line in lines[:2]] == [["row", "1"], ["batch", "b0001"]]
    (line,) = ask("FROM clip_scores WHERE false", "table").splitlines()
    assert "rows" in line


@pytest.mark.parametrize("columns", [1, 5, 20, 40, 80, 200])
def test_no_id_is_split_in_any_terminal(ask: Callable[..., str], terminal: Callable[[int], None], columns: int) -> None:
    ids = [row["clip_id"] for row in json.loads(ask("SELECT clip_id FROM clips"))]
    terminal(columns)
    told = ask("SELECT clip_id, video_id, 'words that can be folded' AS words FROM clips", "table")
    assert all(name in told for name in ids)
    ask("FROM clip_scores", "table")


def test_a_narrow_terminal_folds_prose_and_stays_a_table(
    ask: Callable[..., str], terminal: Callable[[int], None]
) -> None:
    terminal(60)
    told = ask("SELECT clip_id, 'words ' || repeat('and more words ', 9) AS words FROM clips LIMIT 1", "table")
    assert told.startswith("┏")
    assert max(map(len, told.splitlines())) <= 60


def test_without_a_terminal_each_row_is_one_line(ask: Callable[..., str]) -> None:
    told = ask("SELECT *, repeat('long ', 200) AS prose, E'two\\nlines' AS lines FROM clip_scores", "table")
    assert told.count("\n") == 4 + 8


def test_values_are_data_never_markup_or_controls(ask: Callable[..., str]) -> None:
    told = ask("SELECT '[/b] :smile: \\' AS \"[/i]\", chr(27) || '[31m' AS esc", "table")
    assert "[/b] :smile: \\" in told
    assert "[/i]" in told
    assert "\x1b" not in told
    assert r"\x1b[31m" in told


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (1234.5, "1,234.500"),
        (0.00001, "1e-05"),
        (math.nan, "nan"),
        (True, "true"),
        (Decimal("1E+3"), "1000"),
        (["a"], '["a"]'),
        (b"a", "YQ=="),
        ("a\tb", "a\\tb"),
    ],
)
def test_cells(value: object, shown: str) -> None:
    assert cell(value) == shown


def test_a_formula_in_a_frame_is_text_for_a_spreadsheet(capsys: pytest.CaptureFixture[str]) -> None:
    texts = ["=HYPERLINK(1)", "+1", "-1+1", "@SUM(A1)", "\tx", "=cmd|' /C calc'!A0"]
    output.print_answer(pl.DataFrame({"text": texts, "n": [-1.5] * len(texts)}), "csv")
    for text, line in zip(texts, csv.DictReader(io.StringIO(capsys.readouterr().out)), strict=True):
        assert line == {"text": f"'{text}", "n": "-1.5"}


@pytest.mark.parametrize(
    ("form", "locale", "shown"),
    [("table", {"PYTHONIOENCODING": "ascii"}, r"\U0001f44b"), ("csv", {"LC_ALL": "C", "PYTHONUTF8": "0"}, "ü👋")],
    ids=["table", "csv"],
)
def test_any_locale(lake_dir: Path, form: str, locale: dict[str, str], shown: str) -> None:
    command = [sys.executable, "-m", "speakervid_dag", "sql", "SELECT 'ü👋' AS ü", "--lake", str(lake_dir)]
    told = subprocess.run([*command, "--format", form], env={**os.environ, **locale}, capture_output=True)
    assert (told.returncode, told.stderr) == (0, b"")
    assert shown.encode() in told.stdout


def test_the_command_ends_with_two_and_one_line(lake_dir: Path) -> None:
    done = CliRunner().invoke(cli, ["sql", "SELECT nosuch FROM clips", "--lake", str(lake_dir)])
    assert isinstance(done.exception, UserError)
    assert done.stdout == ""
