"""Logs and open tables: torn by a power cut, synced in order, made by two, put back from a backup."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from shot_rows import part, shots

from speakervid_dag.lake.schemas import SHOTS
from speakervid_dag.lake.storage import handles
from speakervid_dag.lake.storage.delta import DeltaLake


@pytest.fixture
def lake(tmp_path: Path) -> DeltaLake:
    return DeltaLake(str(tmp_path))


@pytest.mark.parametrize("torn", [b"", b'{"add":{"path":"bat', b"\0" * 500], ids=["empty", "cut off", "zeros"])
def test_a_log_entry_torn_by_a_power_cut_was_no_commit(lake: DeltaLake, torn: bytes) -> None:
    lake.replace(SHOTS, shots("a", "a1"), part("a"), {})
    lake.replace(SHOTS, shots("b", "b1"), part("b"), {})
    entry = max(Path(lake.uri(SHOTS), "_delta_log").glob("*.json"))
    entry.write_bytes(torn)
    again = DeltaLake(lake.root)
    handles._kept.__dict__.clear()  # as a process that has not seen the table
    assert again.read(SHOTS)["shot_id"].to_list() == ["a1"]
    assert again.data_version(SHOTS, part("b")[0][0]) is None
    again.replace(SHOTS, shots("b", "b2"), part("b"), {})
    assert sorted(again.read(SHOTS)["shot_id"]) == ["a1", "b2"]


@pytest.mark.parametrize("left", [None, 0, 100], ids=["gone", "empty", "cut off"])
def test_a_checkpoint_torn_by_a_power_cut_is_done_without(lake: DeltaLake, left: int | None) -> None:
    lake.replace(SHOTS, shots("a", "a1"), part("a"), {})
    lake.open(SHOTS).create_checkpoint()  # type: ignore[attr-defined]
    (checkpoint,) = Path(lake.uri(SHOTS), "_delta_log").glob("*.checkpoint.parquet")
    data = checkpoint.read_bytes()
    checkpoint.unlink()
    if left is not None:
        checkpoint.write_bytes(data[:left])
    handles._kept.__dict__.clear()
    assert DeltaLake(lake.root).read(SHOTS)["shot_id"].to_list() == ["a1"]
    assert not checkpoint.exists()


def test_rows_are_on_the_disk_before_a_commit_names_them_and_the_commit_before_it_is_reported(
    lake: DeltaLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    import deltalake

    order: list[str] = []
    sync, write = os.fsync, deltalake.DeltaTable.create_write_transaction

    def synced(descriptor: int) -> None:
        order.append(Path(f"/proc/self/fd/{descriptor}").resolve().name)
        sync(descriptor)

    def written(*args: Any, **options: Any) -> None:
        order.append("commit")
        write(*args, **options)

    lake.open(SHOTS)
    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(deltalake.DeltaTable, "create_write_transaction", written)
    lake.replace(SHOTS, shots("a", "a1"), part("a"), {})
    before, after = order[: order.index("commit")], order[order.index("commit") + 1 :]
    assert before[0].endswith(".parquet")
    assert [name for name in before if name in ("batch=a", "shots")] == ["batch=a", "shots"]
    assert after == ["00000000000000000001.json", "_delta_log"]


def test_a_table_that_another_process_makes_at_the_same_moment_is_used(
    lake: DeltaLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    import deltalake

    create = deltalake.DeltaTable.create

    def beaten(*args: Any, **options: Any) -> None:  # what delta-rs says when the other's entry came before its own
        create(*args, **options)
        raise deltalake.exceptions.CommitFailedError("Protocol changed")

    monkeypatch.setattr(deltalake.DeltaTable, "create", beaten)
    lake.replace(SHOTS, shots("a", "a1"), part("a"), {})
    assert lake.read(SHOTS)["shot_id"].to_list() == ["a1"]


def test_a_table_put_back_from_a_backup_in_the_same_folder_is_not_taken_for_the_one_before(
    lake: DeltaLake, tmp_path: Path
) -> None:
    other = DeltaLake(str(tmp_path / "backup"))
    for batch in ("c", "d", "e"):
        other.replace(SHOTS, shots(batch, f"{batch}1"), part(batch), {})
    lake.replace(SHOTS, shots("a", "a1"), part("a"), {})
    assert lake.files(SHOTS, 1) == lake.files(SHOTS)
    for entry in Path(lake.uri(SHOTS), "_delta_log").iterdir():
        entry.unlink()
    shutil.copytree(other.uri(SHOTS), lake.uri(SHOTS), dirs_exist_ok=True)
    assert sorted(lake.read(SHOTS)["shot_id"]) == ["c1", "d1", "e1"]
    assert lake.read(SHOTS, version=1)["shot_id"].to_list() == ["c1"]
    assert lake.data_version(SHOTS, part("a")[0][0]) is None


def test_a_version_that_was_read_is_kept_open_and_a_few_only(lake: DeltaLake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handles, "MOST_PINNED", 2)
    for batch in "abcd":
        lake.replace(SHOTS, shots(batch, f"{batch}1"), part(batch), {})
    opened: list[int | None] = []
    real = DeltaLake.open
    monkeypatch.setattr(
        DeltaLake, "open", lambda self, table, version=None: (opened.append(version), real(self, table, version))[1]
    )
    for version in (1, 2, 1, 2, 3, 1):
        assert lake.read(SHOTS, version=version).height == version
    assert opened == [1, 2, 3, 1]
