"""A lost data file or a damaged manifest: one line that names it, the rest answers, and `run` makes the batch again."""

import re
import sys
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner, Result
from house import B1, B2, House

from speakervid_dag.assets.staleness import stale_assets, stale_batches
from speakervid_dag.cli.app import cli, main
from speakervid_dag.failures import OperationError
from speakervid_dag.lake.queries import published, user_sql
from speakervid_dag.lake.schemas import CLIPS, SNAPSHOTS, STAGE_OUTCOMES, TABLES, TIERS, Table
from speakervid_dag.lake.snapshots import snapshots
from speakervid_dag.lake.storage import handles
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.runs.retier import retier

pytestmark = pytest.mark.heavy


def data_file(house: House, table: Table, part: str) -> Path:
    """The file of the newest version in this partition folder."""
    (found,) = [Path(uri) for uri in house.lake.files(table) if f"/{part}/" in uri]
    return found


def ask(house: House, text: str) -> list[tuple[object, ...]]:
    with published.open_published(house.settings.lake_dir) as con:
        return list(user_sql.answer(con, text).rows)


def command(house: House, *arguments: str) -> Result:
    return CliRunner().invoke(cli, [*arguments, "--lake", str(house.settings.lake_dir)])


@pytest.mark.parametrize("is_cut_off", [False, True])
def test_a_lost_file_is_named_the_other_tables_answer_and_a_run_makes_it_again(house: House, is_cut_off: bool) -> None:
    before = {name: house.lake.read(t).sort(list(t.key)) for name, t in TABLES.items() if t.layer != "system"}
    files = house.files(B2)
    lost = data_file(house, CLIPS, f"batch={B1}")
    if is_cut_off:
        lost.write_bytes(lost.read_bytes()[:-100])
    else:
        lost.unlink()
    assert ask(house, "SELECT count(*) > 0 FROM videos") == [(True,)]
    for question in ("FROM clips", "SELECT 1 FROM clips WHERE start_s = 3", "SELECT count(*) FROM duplicate_clips"):
        with pytest.raises(OperationError, match=lost.name):
            ask(house, question)
    with pytest.raises(OperationError, match=lost.name):
        house.lake.read(CLIPS)

    made = stale_assets(house.lakehouse, B1)
    assert made[:2] == ["clips", "dropped_spans"]
    assert "videos" not in made
    assert list(stale_batches(house.lakehouse, [B1, B2])) == [B1]
    report = house.run()
    assert (report.done, report.failed, report.held, report.unreadable) == ([B1], {}, [], [])
    assert stale_batches(house.lakehouse, [B1, B2]) == {}
    for name, frame in before.items():
        assert house.lake.read(TABLES[name]).sort(list(TABLES[name].key)).equals(frame), name
    assert house.files(B2) == files
    assert ask(house, "SELECT count(*) FROM clips") == [(before["clips"].height,)]


def test_a_command_that_asks_a_lost_table_ends_with_one_line(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = data_file(house, CLIPS, f"batch={B1}")
    lost.unlink()
    video_id = house.lakehouse.book.read(B1)[0].video_id
    monkeypatch.setattr(sys, "argv", ["speakervid", "forget", video_id, "--lake", house.lake.root])
    with pytest.raises(SystemExit) as ended:
        main()
    told = capsys.readouterr().err
    assert ended.value.code == 1
    assert lost.name in told
    assert len(told.splitlines()) == 1


def test_lost_outcomes_make_their_stage_again(house: House) -> None:
    data_file(house, STAGE_OUTCOMES, f"stage=clip_scores/batch={B2}").unlink()
    told = command(house, "batches", "--format", "json")
    assert (told.exit_code, told.output.count("unfinished")) == (1, 1), told.output
    assert stale_assets(house.lakehouse, B2)[0] == "clip_scores"
    report = house.run()
    assert (report.done, report.is_clean) == ([B2], True)
    assert house.lake.lost_files(STAGE_OUTCOMES) == []


def test_a_lost_file_of_every_batch_is_made_again_in_one_run(house: House) -> None:
    for batch in (B1, B2):
        data_file(house, TABLES["videos"], f"batch={batch}").unlink()
        data_file(house, TABLES["people"], f"batch={batch}").unlink()
    report = house.run()
    assert report.failed == {}
    assert (sorted(report.done), report.unreadable) == ([B1, B2], [])
    assert stale_batches(house.lakehouse, [B1, B2]) == {}


def test_gold_of_another_profile_that_is_lost_is_named_with_the_command(house: House) -> None:
    other = house.settings.model_copy(update={"profile": "talkvid"})
    assert retier(other).failure is None
    lost = data_file(house, TIERS, f"batch={B1}/profile=talkvid")
    lost.unlink()
    report = house.run()
    assert not report.is_clean
    (told,) = report.unreadable
    assert lost.name in told
    assert "retier --profile talkvid" in told
    assert retier(other).failure is None
    assert house.lake.lost_files(TIERS) == []


@pytest.mark.parametrize("is_cut_off", [False, True])
def test_a_lost_file_of_a_system_table_is_named_and_left_behind_on_request(house: House, is_cut_off: bool) -> None:
    before = snapshots.latest(house.lake)
    assert before is not None
    newest = house.lake.read(SNAPSHOTS, where=pl.col("snapshot") == before.number).height
    lost = max(map(Path, house.lake.files(SNAPSHOTS)), key=lambda path: path.stat().st_mtime_ns)
    if is_cut_off:
        lost.write_bytes(b"")
    else:
        lost.unlink()
    with pytest.raises(OperationError, match=lost.name):
        ask(house, "FROM videos")
    done = command(house, "maintain", "--apply", "--drop-lost")
    assert done.exit_code == 0, done.output
    assert re.search(rf"\b{newest}\b.*\b{SNAPSHOTS.name}\b", done.stderr)
    older = snapshots.latest(house.lake)
    assert older is not None
    assert older.number < before.number
    house.run()
    after = snapshots.latest(house.lake)
    assert after is not None
    assert after.number > before.number, "no number is given twice"
    assert ask(house, "SELECT count(DISTINCT batch) FROM clips") == [(2,)]


def test_a_damaged_log_is_named(house: House) -> None:
    log = Path(house.lake.uri(CLIPS)) / "_delta_log"
    rows = house.lake.read(CLIPS).height
    house.lake.open(CLIPS).create_checkpoint()  # type: ignore[attr-defined]
    (checkpoint,) = log.glob("*.checkpoint.parquet")
    pointer = (log / "_last_checkpoint").read_bytes()
    (log / "_last_checkpoint").write_bytes(b"{")
    assert DeltaLake(house.lake.root).read(CLIPS).height == rows, "Delta finds the checkpoint itself"
    (log / "_last_checkpoint").write_bytes(pointer)
    checkpoint.write_bytes(checkpoint.read_bytes()[:-50])
    assert DeltaLake(house.lake.root).read(CLIPS).height == rows, "the entries before it say the same"
    (log / f"{0:020d}.json").write_bytes(b"{")
    handles._kept.__dict__.clear()  # as a process that has not seen the table
    assert ask(house, "SELECT count(*) > 0 FROM videos") == [(True,)]
    with pytest.raises(OperationError, match="clips/_delta_log"):
        ask(house, "FROM clips")
    with pytest.raises(OperationError, match="clips/_delta_log"):
        house.run()


def test_strange_files_among_the_manifests_are_named_and_left_alone(house: House) -> None:
    book = house.lakehouse.book
    copies = [book.folder / name for name in (f"{B1} (conflicted copy).json", f"{B1}.sync-conflict-1.json", "x.txt")]
    for path in copies:
        path.write_bytes((book.folder / f"{B1}.json").read_bytes())
    assert book.names() == [B1, B2]
    assert book.strangers() == sorted(copies)
    assert house.run().did_nothing
    told = command(house, "batches")
    assert told.exit_code == 0
    assert all(path.name in told.stderr for path in copies)


def test_a_damaged_manifest_is_named_and_what_is_published_answers(house: House) -> None:
    manifest = house.lakehouse.book.folder / f"{B1}.json"
    for body in ("", "[]", '{"batch": "b000001"}', '{"batch": "b000002", "sources": []}', "\xff{"):
        manifest.write_bytes(body.encode("latin-1"))
        with pytest.raises(OperationError, match=manifest.name):
            house.lakehouse.book.read(B1)
    with pytest.raises(OperationError, match=manifest.name):
        house.run()
    assert ask(house, f"SELECT count(*) FROM videos WHERE batch = '{B1}'") == [(2,)]
