"""docs/analysts.md: every query on it runs."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from mini_lake import mini_lake
from rows import BATCH, PROFILE

from speakervid_dag.lake.queries import analyst_db, session
from speakervid_dag.lake.schemas import TABLES
from speakervid_dag.lake.snapshots import snapshots
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.lake.storage.slices import Slice

PAGE = (Path(__file__).parents[2] / "docs" / "analysts.md").read_text("utf-8")
QUESTIONS = re.findall(r"^### (.+?)$(?:.|\n)*?^```sql\n((?:.|\n)+?)^```$\n((?:.|\n)*?)(?=^##|\Z)", PAGE, re.MULTILINE)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> DeltaLake:
    """The mini lake, published."""
    made, values = DeltaLake(str(tmp_path_factory.mktemp("lake"))), {"batch": BATCH, "profile": PROFILE}
    for name, rows in mini_lake().items():
        table = TABLES.get(name)
        if table is not None and rows.height and "stage" not in table.partition_by:
            part = Slice({k: values[k] for k in table.partition_by})
            made.replace(table, rows, [(part, 1)], {"run_id": "made"})
    snapshots.publish(made, "made", PROFILE)
    return made


@pytest.fixture
def con(lake: DeltaLake) -> Iterator[session.Session]:
    with session.open_session(lake, snapshots.latest(lake), read_only_user_sql=True) as opened:
        yield opened


def test_there_are_five_questions() -> None:
    assert len(QUESTIONS) == 5


@pytest.mark.parametrize(("question", "query", "answer"), QUESTIONS, ids=[q[0][:2] for q in QUESTIONS])
def test_every_question_runs_and_its_answer_has_the_querys_columns(
    con: session.Session, question: str, query: str, answer: str
) -> None:
    found = session.run_sql(con, query)
    head = next(line for line in answer.splitlines() if line.startswith("|"))
    shown = [cell.strip() for cell in head.strip("|").split("|")]
    assert set(shown) <= set(found.columns), question
    if "rejections" not in query:  # nothing is rejected in the mini lake
        assert found.height > 0


def test_the_analysts_file_answers_the_same_to_plain_duckdb(lake: DeltaLake, tmp_path: Path) -> None:
    import duckdb

    analyst_db.write(lake, snapshots.latest(lake), tmp_path / "lake.duckdb")
    with duckdb.connect(str(tmp_path / "lake.duckdb"), read_only=True) as plain:
        for _, query, _ in QUESTIONS:
            plain.sql(query).fetchall()
        with pytest.raises(duckdb.Error):
            plain.execute("CREATE TABLE x (i INT)")
