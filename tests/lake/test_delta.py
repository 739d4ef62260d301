"""Replacing batches: exactly their rows, atomically with the mark of what made them, also under concurrency."""

import multiprocessing
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from rows import frame
from shot_rows import part, shots

from speakervid_dag.failures import OperationError
from speakervid_dag.lake.queries import session
from speakervid_dag.lake.schemas import CLIP_GATES, FACE_TRACKS, SHOTS, TIERS, TRANSCRIPTS
from speakervid_dag.lake.snapshots.snapshots import Part, Snapshot
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.lake.storage.slices import SchemaMismatch, Slice, data_version_of


@pytest.fixture
def lake(tmp_path: Path) -> DeltaLake:
    return DeltaLake(str(tmp_path))


def test_a_table_never_written_reads_as_empty(lake: DeltaLake) -> None:
    assert lake.read(SHOTS).equals(SHOTS.empty())
    assert lake.version(SHOTS) is None
    assert lake.data_version(SHOTS, Slice({"batch": "a"})) is None
    assert lake.batches(SHOTS) == []


def test_a_rerun_replaces_exactly_its_batch(lake: DeltaLake) -> None:
    lake.replace(SHOTS, shots("a", "a1", "a2"), part("a"), {})
    lake.replace(SHOTS, shots("b", "b1"), part("b"), {})
    commit = lake.replace(SHOTS, shots("a", "a3"), part("a", 2), {})
    assert sorted(lake.read(SHOTS)["shot_id"]) == ["a3", "b1"]
    assert (commit.row_count, commit.version) == (1, lake.version(SHOTS))
    assert [lake.data_version(SHOTS, Slice({"batch": b})) for b in "ab"] == [2, 1]
    assert lake.batches(SHOTS) == ["a", "b"]


def test_an_empty_frame_clears_its_batch_and_is_promoted(lake: DeltaLake) -> None:
    lake.replace(SHOTS, shots("a", "a1"), part("a"), {})
    lake.replace(SHOTS, shots("b", "b1"), part("b"), {})
    lake.replace(SHOTS, SHOTS.empty(), part("a", 7), {})
    assert lake.read(SHOTS)["shot_id"].to_list() == ["b1"]
    assert lake.data_version(SHOTS, Slice({"batch": "a"})) == 7


def test_an_empty_first_write_is_promoted(lake: DeltaLake) -> None:
    lake.replace(SHOTS, SHOTS.empty(), part("a", 7), {})
    assert lake.read(SHOTS).is_empty()
    assert lake.data_version(SHOTS, Slice({"batch": "a"})) == 7


def test_several_slices_in_one_commit(lake: DeltaLake) -> None:
    def tiers(batch: str, profile: str, tier: str) -> dict[str, Any]:
        return {"batch": batch, "profile": profile, "clip_id": f"{batch}c", "tier": tier}

    def slices(*pairs: tuple[str, str]) -> list[tuple[Slice, int]]:
        return [(Slice({"batch": b, "profile": p}), 1) for b, p in pairs]

    first = frame(TIERS, [tiers("a", "x", "sft"), tiers("b", "x", "sft"), tiers("a", "y", "sft")])
    lake.replace(TIERS, first, slices(("a", "x"), ("b", "x"), ("a", "y")), {})
    version = lake.version(TIERS)
    lake.replace(TIERS, frame(TIERS, [tiers("a", "x", "pretrain")]), slices(("a", "x"), ("b", "x")), {})
    kept = sorted(lake.read(TIERS).select("batch", "profile", "tier").rows())
    assert kept == [("a", "x", "pretrain"), ("a", "y", "sft")]
    assert lake.version(TIERS) == (version or 0) + 1


@pytest.mark.parametrize(
    "spoil",
    [
        lambda f: f.with_columns(pl.col("shot_index").cast(pl.Int32)),
        lambda f: f.drop("end_s"),
        lambda f: f.with_columns(extra=1),
        lambda f: f.select(reversed(f.columns)),
        lambda f: f.with_columns(batch=pl.lit("b")),
    ],
    ids=["dtype", "missing", "extra", "order", "another batch"],
)
def test_a_frame_of_another_shape_is_refused(lake: DeltaLake, spoil: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    with pytest.raises(SchemaMismatch):
        lake.replace(SHOTS, spoil(shots("a", "a1")), part("a"), {})
    assert not lake.exists(SHOTS)


def test_a_slice_must_name_every_partition_column(lake: DeltaLake) -> None:
    with pytest.raises(SchemaMismatch):
        lake.replace(TIERS, TIERS.empty(), [(Slice({"batch": "a"}), 1)], {})


def test_quotes_in_a_batch_name_stay_data(lake: DeltaLake) -> None:
    name = "it's ' OR '1'='1"
    lake.replace(SHOTS, shots("b", "b1"), part("b"), {})
    lake.replace(SHOTS, shots(name, "q1"), part(name), {})
    lake.replace(SHOTS, shots(name, "q2"), part(name), {})
    assert sorted(lake.read(SHOTS)["shot_id"]) == ["b1", "q2"]
    assert lake.read(SHOTS, batches=[name])["shot_id"].to_list() == ["q2"]


def test_nested_values_survive(lake: DeltaLake) -> None:
    words = [{"word": "yes", "start_s": 0.0, "end_s": 0.5, "probability": 0.9}]
    told = frame(TRANSCRIPTS, [{"transcript_id": "x", "words": words}, {"transcript_id": "y", "words": []}])
    faces = frame(
        FACE_TRACKS, [{"track_id": "t", "boxes": [[0.1, 0.2, 0.3, 0.4]], "frame_times_s": [0.5], "yaw_deg": [None]}]
    )
    for table, made in ((TRANSCRIPTS, told), (FACE_TRACKS, faces)):
        lake.replace(table, made, part("b0001"), {})
        assert lake.read(table).sort(table.key).equals(made)


def test_only_the_columns_asked_for_are_read(lake: DeltaLake) -> None:
    assert lake.read(SHOTS, columns=["shot_id", "start_s"]).schema == {"shot_id": pl.String, "start_s": pl.Float64}

    lake.replace(SHOTS, shots("a", "a1", "a2"), part("a"), {})
    lake.replace(SHOTS, shots("b", "b1"), part("b"), {})

    assert lake.read(SHOTS, columns=["start_s"], where=pl.col("batch") == "a").shape == (2, 1)


def test_older_versions_stay_readable(lake: DeltaLake) -> None:
    old = lake.replace(SHOTS, shots("a", "a1"), part("a"), {})
    lake.replace(SHOTS, shots("a", "a2"), part("a"), {})
    assert lake.read(SHOTS, version=old.version)["shot_id"].to_list() == ["a1"]


def test_the_fingerprint_is_the_latest_and_survives_a_checkpoint(lake: DeltaLake) -> None:
    lake.replace(SHOTS, shots("a", "a1"), part("a", 9), {})
    lake.replace(SHOTS, shots("a", "a1"), part("a", 3), {})
    lake.open(SHOTS).create_checkpoint()  # type: ignore[attr-defined]
    lake.replace(SHOTS, shots("b", "b1"), part("b", 5), {})
    assert [lake.data_version(SHOTS, Slice({"batch": b})) for b in "ab"] == [3, 5]


def test_the_fingerprints_of_all_slices_are_those_of_each(lake: DeltaLake) -> None:
    assert lake.data_versions(SHOTS)("a") is None, "no table"
    for stamp in (1, 2):
        for batch in ("a", "b'c", "d"):
            lake.replace(SHOTS, shots(batch, "x"), part(batch, stamp), {})
    handle: Any = lake.open(SHOTS, 4)
    handle.create_checkpoint()
    for version in (1, 3, 4, 5, 6, None):
        opened: Any = lake.open(SHOTS, version)
        told = lake.data_versions(SHOTS, version)
        assert [told(b) for b in ("a", "b'c", "d", "e")] == [
            opened.transaction_version(b) for b in ("a", "b'c", "d", "e")
        ]
    assert [lake.data_versions(SHOTS)(b) for b in ("a", "b'c", "d")] == [2, 2, 2]
    log = Path(lake.uri(SHOTS)) / "_delta_log"
    (log / f"{2:020d}.json").unlink()
    assert lake.data_versions(SHOTS)("a") == 2, "read from the checkpoint on"


def test_fingerprints_fit_delta_and_tell_their_parts_apart() -> None:
    assert data_version_of("ab", "c") != data_version_of("a", "bc")
    assert all(0 <= data_version_of(str(i)) < 2**63 for i in range(100))


def test_the_commit_carries_its_provenance(lake: DeltaLake) -> None:
    lake.replace(SHOTS, shots("a", "a1"), part("a"), {"run_id": "r1", "profile_hash": "p"})
    newest = lake.open(SHOTS).history(1)[0]  # type: ignore[attr-defined]
    assert (newest["run_id"], newest["profile_hash"]) == ("r1", "p")


def test_a_commit_that_raises_after_it_landed_is_recognised(lake: DeltaLake, monkeypatch: pytest.MonkeyPatch) -> None:
    import deltalake
    from deltalake.exceptions import CommitFailedError

    write, calls = deltalake.DeltaTable.create_write_transaction, []

    def lands_and_raises(*args: Any, **kwargs: Any) -> None:
        calls.append(1)
        write(*args, **kwargs)
        raise CommitFailedError("the connection was lost")

    lake.replace(SHOTS, shots("b", "b1"), part("b"), {})
    monkeypatch.setattr(deltalake.DeltaTable, "create_write_transaction", lands_and_raises)
    commit = lake.replace(SHOTS, shots("a", "a1"), part("a", 4), {"run_id": "r"})
    assert len(calls) == 1
    assert commit.version == lake.version(SHOTS)
    assert sorted(lake.read(SHOTS)["shot_id"]) == ["a1", "b1"]


def test_a_write_that_failed_before_landing_is_repeated(lake: DeltaLake, monkeypatch: pytest.MonkeyPatch) -> None:
    import deltalake
    from deltalake.exceptions import CommitFailedError

    write, calls = deltalake.DeltaTable.create_write_transaction, []

    def fails_once(*args: Any, **kwargs: Any) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise CommitFailedError("concurrent transactions added new data")
        write(*args, **kwargs)

    monkeypatch.setattr(deltalake.DeltaTable, "create_write_transaction", fails_once)
    lake.replace(SHOTS, shots("a", "a1"), part("a"), {"run_id": "r"})
    assert lake.read(SHOTS)["shot_id"].to_list() == ["a1"]


def test_another_error_is_told_and_nothing_is_written(lake: DeltaLake, monkeypatch: pytest.MonkeyPatch) -> None:
    import deltalake

    def fails(*_: Any, **__: Any) -> None:
        raise OSError("No space left on device")

    lake.replace(SHOTS, shots("a", "a1"), part("a"), {})
    monkeypatch.setattr(deltalake.DeltaTable, "create_write_transaction", fails)
    with pytest.raises(OperationError, match="No space left"):
        lake.replace(SHOTS, shots("a", "a2"), part("a", 2), {})
    assert lake.read(SHOTS)["shot_id"].to_list() == ["a1"]


ROUNDS = 5


def write_rounds(root: str, batch: str, writer: int) -> list[int]:
    """Replaces a batch several times: two rows a round that name writer and round."""
    lake = DeltaLake(root)
    versions = []
    for i in range(ROUNDS):
        rows = shots(batch, f"{batch}-{writer}-{i}-x", f"{batch}-{writer}-{i}-y")
        versions.append(lake.replace(SHOTS, rows, part(batch, writer * 100 + i), {"run_id": f"{writer}"}).version)
    return versions


def in_processes(root: str, jobs: list[tuple[str, int]]) -> list[list[int]]:
    with multiprocessing.get_context("spawn").Pool(len(jobs)) as pool:
        found = pool.starmap(write_rounds, [(root, *job) for job in jobs], chunksize=1)
        pool.close()  # leaving would end it with SIGTERM, which children of pytest-xdist's workers ignore
        pool.join()
    return found


def test_eight_processes_on_different_batches_lose_nothing(lake: DeltaLake) -> None:
    """The table does not exist yet: the first write is a race too."""
    jobs = [(f"b{i}", i) for i in range(8)]
    versions = in_processes(lake.root, jobs)
    kept = lake.read(SHOTS)
    assert sorted(kept["shot_id"]) == sorted(f"{b}-{i}-{ROUNDS - 1}-{c}" for b, i in jobs for c in "xy")
    assert len({v for mine in versions for v in mine}) == 8 * ROUNDS
    assert [lake.data_version(SHOTS, Slice({"batch": b})) for b, i in jobs] == [i * 100 + ROUNDS - 1 for _, i in jobs]


def test_two_processes_on_one_batch_leave_one_whole_write(lake: DeltaLake) -> None:
    versions = in_processes(lake.root, [("a", 1), ("a", 2)])
    kept = sorted(lake.read(SHOTS)["shot_id"])
    assert len(kept) == 2
    assert kept[0][:-1] == kept[1][:-1], "rows of two writes are mixed"
    writer, round_ = (int(n) for n in kept[0].split("-")[1:3])
    assert lake.data_version(SHOTS, Slice({"batch": "a"})) == writer * 100 + round_, "rows and mark are of two writes"
    assert len({v for mine in versions for v in mine}) == 2 * ROUNDS


def test_a_table_of_an_older_package_gets_its_new_columns(lake: DeltaLake) -> None:
    """Old versions read as null there, the next write adds the columns once, and other slices stay promoted."""
    table = CLIP_GATES
    older = replace(table, columns=tuple(c for c in table.columns if c.name not in ("position", "measure")))
    names = {"video_id": "v", "profile": "p", "gate": "g"}
    for batch in ("b1", "b2"):
        made = frame(older, [{**names, "batch": batch, "clip_id": f"c-{batch}"}])
        lake.replace(older, made, [(Slice({"batch": batch, "profile": "p"}), 7)], {"run_id": "r"})
    before = lake.version(table)
    assert before is not None
    assert lake.read(table)["position"].to_list() == [None, None]

    fresh = frame(table, [{**names, "batch": "b2", "clip_id": "c", "position": 3, "measure": "m"}])
    lake.replace(table, fresh, [(Slice({"batch": "b2", "profile": "p"}), 8)], {"run_id": "r"})
    assert lake.data_version(table, Slice({"batch": "b1", "profile": "p"})) == 7
    query = "SELECT batch, clip_id, position, measure FROM clip_gates ORDER BY batch"
    old = Snapshot(1, datetime.now(UTC), "r", "p", {"clip_gates": before})
    now = lake.version(table)
    assert now is not None
    pinned = Snapshot(2, datetime.now(UTC), "r", "p", {"clip_gates": now}, {Part("clip_gates", "b2", "p"): before})
    shown = []
    for snapshot in (None, old, pinned):
        with session.open_session(lake, snapshot, read_only_user_sql=True) as con:
            shown.append(session.run_sql(con, query).rows())
    assert shown[0] == [("b1", "c-b1", None, None), ("b2", "c", 3, "m")]
    assert shown[1] == shown[2] == [("b1", "c-b1", None, None), ("b2", "c-b2", None, None)]


def test_a_handle_kept_open_sees_what_others_commit(lake: DeltaLake) -> None:
    lake.replace(SHOTS, shots("a", "a1"), part("a"), {})
    other: Any = lake.open(SHOTS)
    other.delete("shot_id = 'a1'")  # past this process's own handle
    assert lake.version(SHOTS) == 2
    assert lake.read(SHOTS).is_empty()


@pytest.mark.parametrize("commits", [1, 5])
def test_a_table_made_anew_in_its_place_is_not_taken_for_the_one_before(lake: DeltaLake, commits: int) -> None:
    for n in range(3):
        lake.replace(SHOTS, shots("a", f"old{n}"), part("a", stamp=1), {})
    shutil.rmtree(lake.uri(SHOTS))
    assert not lake.exists(SHOTS)
    assert lake.read(SHOTS).is_empty()
    for n in range(commits):
        lake.replace(SHOTS, shots("b", f"new{n}"), part("b", stamp=2), {})
    assert lake.version(SHOTS) == commits
    assert lake.read(SHOTS)["shot_id"].to_list() == [f"new{commits - 1}"]
    assert lake.data_version(SHOTS, Slice({"batch": "a"})) is None


def test_a_handle_kept_open_outlives_a_log_that_was_cleaned_up(lake: DeltaLake) -> None:
    lake.replace(SHOTS, shots("a", "a1"), part("a"), {})
    other: Any = lake.open(SHOTS)
    other.delete("shot_id = 'none'")
    other.create_checkpoint()
    for entry in sorted((Path(lake.uri(SHOTS)) / "_delta_log").glob("*.json"))[:-1]:
        entry.unlink()
    assert lake.read(SHOTS)["shot_id"].to_list() == ["a1"]
    lake.replace(SHOTS, shots("b", "b1"), part("b"), {})
    assert lake.batches(SHOTS) == ["a", "b"]
