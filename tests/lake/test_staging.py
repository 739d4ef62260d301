"""A replacement written piece by piece: invisible until it lands, whole when it does, and safe beside other writers."""

import os
import subprocess
import sys
from pathlib import Path

import duckdb
import polars as pl
import pytest
from rows import frame

from speakervid_dag.failures import TransientFailure
from speakervid_dag.lake.queries import session
from speakervid_dag.lake.schemas import TIERS
from speakervid_dag.lake.storage import commits
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.lake.storage.slices import SchemaMismatch, Slice
from speakervid_dag.lake.storage.staging import StagedRows

KILLED = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from lake.test_staging import part, tiers
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.lake.schemas import TIERS
from speakervid_dag.lake.storage.staging import StagedRows
with StagedRows(DeltaLake({root!r}), TIERS) as staged:
    staged.add(tiers("a", "new"), [part("a")])
    os.kill(os.getpid(), signal.SIGKILL)
"""


def tiers(batch: str, *ids: str, profile: str = "p") -> pl.DataFrame:
    return frame(TIERS, [{"batch": batch, "profile": profile, "clip_id": i, "reasons": ["x"]} for i in ids])


def part(batch: str, profile: str = "p") -> Slice:
    return Slice({"batch": batch, "profile": profile})


def stamped(*batches: str, stamp: int = 1) -> list[tuple[Slice, int]]:
    return [(part(batch), stamp) for batch in batches]


def files_in(lake: DeltaLake) -> int:
    return len(list(Path(lake.uri(TIERS)).rglob("*.parquet")))


@pytest.fixture
def lake(tmp_path: Path) -> DeltaLake:
    lake = DeltaLake(str(tmp_path))
    lake.replace(TIERS, pl.concat([tiers("a", "a1"), tiers("b", "b1"), tiers("c", "c1")]), stamped("a", "b", "c"), {})
    return lake


def test_pieces_land_in_one_commit_and_replace_exactly_their_slices(lake: DeltaLake) -> None:
    before = lake.read(TIERS)
    with StagedRows(lake, TIERS) as staged:
        staged.add(tiers("a", "a2", "a3"), [part("a")])
        staged.add(TIERS.empty(), [part("b")])
        assert lake.read(TIERS).equals(before), "nothing is seen before it lands"
        commit = staged.land(stamped("a", "b", stamp=7), {"run_id": "r1"})
    assert (commit.version, commit.row_count) == (2, 2)
    assert sorted(lake.read(TIERS)["clip_id"]) == ["a2", "a3", "c1"]
    assert [lake.data_version(TIERS, part(b)) for b in "abc"] == [7, 7, 1]
    assert lake.read(TIERS, version=1).equals(before), "the version before can still be read"
    lake.replace(TIERS, tiers("a", "a4"), stamped("a", stamp=8), {})
    assert sorted(lake.read(TIERS)["clip_id"]) == ["a4", "c1"], "an ordinary write replaces what was staged"


def test_staged_rows_read_the_same_in_every_engine(lake: DeltaLake) -> None:
    odd = "b b/=%ä"
    for name in ("o0", "o1"):  # the second one must find the first one's file to replace it
        with StagedRows(lake, TIERS) as staged:
            staged.add(tiers(odd, name), [part(odd)])
            staged.land(stamped(odd), {})
    found = lake.read(TIERS, batches=[odd])
    assert found.equals(tiers(odd, "o1"))
    with session.open_session(lake, read_only_user_sql=False) as con:
        assert con.sql(f"SELECT clip_id, reasons FROM tiers WHERE batch = '{odd}'").fetchall() == [("o1", ["x"])]
    assert lake.open(TIERS).to_pyarrow_table().num_rows == 4  # type: ignore[attr-defined]


def test_what_never_landed_is_removed(lake: DeltaLake) -> None:
    before = files_in(lake)
    with StagedRows(lake, TIERS) as staged:
        staged.add(tiers("a", "a2"), [part("a")])
        assert files_in(lake) == before + 1
    assert files_in(lake) == before


@pytest.mark.heavy
def test_a_kill_between_pieces_leaves_the_old_rows(lake: DeltaLake) -> None:
    before, files = lake.read(TIERS), files_in(lake)
    code = KILLED.format(tests=str(Path(__file__).parents[1]), root=lake.root)
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": ""}, check=False)
    assert done.returncode == -9
    assert files_in(lake) == files + 1, "the piece was written"
    assert lake.read(TIERS).equals(before)
    with session.open_session(lake, read_only_user_sql=False) as con:
        assert con.sql("SELECT count(*) FROM tiers").fetchall() == [(3,)]


def test_it_repeats_its_commit_when_another_writer_was_quicker(
    lake: DeltaLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also for a slice that both write for the first time: nothing may stand there twice."""
    for batch in ("a", "new"):
        with StagedRows(lake, TIERS) as staged:
            staged.add(tiers(batch, "staged"), [part(batch)])
            real, opened = DeltaLake.open, []

            def open_then_lose(
                self: DeltaLake, *args: object, batch: str = batch, real: object = real, opened: list[int] = opened
            ) -> object:
                handle = real(self, *args)  # type: ignore[operator]
                opened.append(1)
                if len(opened) == 1:
                    lake.replace(TIERS, tiers(batch, "other"), stamped(batch, stamp=2), {})
                return handle

            monkeypatch.setattr(DeltaLake, "open", open_then_lose)
            staged.land(stamped(batch, stamp=3), {})
            monkeypatch.undo()
        assert lake.read(TIERS, batches=[batch])["clip_id"].to_list() == ["staged"]
        assert lake.data_version(TIERS, part(batch)) == 3


def test_a_slice_that_stays_contended_is_told_and_nothing_is_deleted(
    lake: DeltaLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    from deltalake import DeltaTable
    from deltalake.exceptions import CommitFailedError

    def contended(*_: object, **__: object) -> None:
        raise CommitFailedError("a concurrent transaction deleted data")

    monkeypatch.setattr(DeltaTable, "create_write_transaction", contended)
    monkeypatch.setattr(commits.time, "sleep", lambda _: None)
    before = files_in(lake)
    with StagedRows(lake, TIERS) as staged:
        staged.add(tiers("a", "a2"), [part("a")])
        with pytest.raises(TransientFailure, match="contended"):
            staged.land(stamped("a"), {})
    assert files_in(lake) == before + 1, "a commit that was tried may have landed"
    assert sorted(lake.read(TIERS)["clip_id"]) == ["a1", "b1", "c1"]


def test_rows_outside_the_parts_and_parts_in_two_pieces_are_refused(lake: DeltaLake) -> None:
    with StagedRows(lake, TIERS) as staged:
        with pytest.raises(SchemaMismatch, match="outside"):
            staged.add(tiers("b", "b2"), [part("a")])
        with pytest.raises(SchemaMismatch, match="missing"):
            staged.add(tiers("a", "a2").drop("reasons"), [part("a")])
        staged.add(tiers("a", "a2"), [part("a")])
        with pytest.raises(SchemaMismatch, match="pieces"):
            staged.add(tiers("a", "a3"), [part("a")])
        with pytest.raises(SchemaMismatch, match="outside"):
            staged.land(stamped("b"), {})
    assert duckdb.sql(f"SELECT count(*) FROM '{lake.uri(TIERS)}/**/*.parquet'").fetchall() == [(3,)]
