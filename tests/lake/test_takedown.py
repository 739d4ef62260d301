"""Takedown: nothing of the video is left, everything else is untouched and not stale, and its bytes stay out."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner
from deltalake import write_deltalake
from mini_lake import V1, V2, mini_lake
from rows import BATCH, PROFILE, frame

from speakervid_dag.cli.app import cli
from speakervid_dag.failures import UserError
from speakervid_dag.lake.batches import BatchBook
from speakervid_dag.lake.queries import session
from speakervid_dag.lake.schemas import PEOPLE, RELEASE_SPLITS, SHOTS, TABLES, TAKEDOWNS, Table
from speakervid_dag.lake.snapshots import snapshots
from speakervid_dag.lake.storage import delta, handles, tables
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.lake.storage.slices import Slice
from speakervid_dag.lake.storage.staging import Overtaken, StagedRows
from speakervid_dag.lake.upkeep import takedown
from speakervid_dag.lake.upkeep.quarantine import Entry, keep_frame, open_findings, record, refused_frame

pytestmark = pytest.mark.heavy

STAMP = 42
OTHER = "b0002"


def parts(table: Table, batch: str) -> list[Slice]:
    stages = ["clips", "intake"] if "stage" in table.partition_by else [""]
    values = {"batch": batch, "profile": PROFILE, "reviewer": "ada"}
    return [Slice({k: {**values, "stage": s}[k] for k in table.partition_by}) for s in stages]


def store(lake: DeltaLake, frames: dict[str, pl.DataFrame], batch: str) -> None:
    for name, table in TABLES.items():
        if "video_id" not in table.schema or "batch" not in table.schema:
            continue
        made = frames[name].with_columns(batch=pl.lit(batch))
        if "stage" in table.partition_by:
            made = made.filter(pl.col("stage").is_in(["clips", "intake"]))
        lake.replace(table, made, [(p, STAMP) for p in parts(table, batch)], {"run_id": "made"})


def renamed(frames: dict[str, pl.DataFrame], *, old: str, new: str) -> dict[str, pl.DataFrame]:
    """The rows of one video under another id."""
    out = {}
    for name, made in frames.items():
        mine = made.filter(pl.col("video_id") == old) if "video_id" in made.schema else made
        texts = pl.col(pl.String).str.replace_all(old, new, literal=True)
        out[name] = mine.with_columns(texts)
    return out


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The two files whose bytes make the ids of the mini lake, and a third."""
    for name, data in (("one.mp4", b"one"), ("two.mp4", b"two"), ("three.mp4", b"three")):
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_bytes(data)
    return tmp_path / "in"


@pytest.fixture
def a_checkpoint_with_each_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "CHECKPOINT_INTERVAL", "1")


@pytest.fixture
def lake(lake_dir: Path, folder: Path) -> DeltaLake:
    """Videos 1 and 2 in one batch, 3 in the next; people of 2 and 3 are linked to those of 1."""
    made, book = DeltaLake(str(lake_dir)), BatchBook(lake_dir)
    one, three, two = BatchBook(lake_dir).plan([folder], batch_size=8).batches["b000001"]
    book.write(BATCH, [one, two])
    book.write(OTHER, [three])
    frames = mini_lake()
    answers = [
        {"video_id": v, "clip_id": f"{v}-c0p00", "subject_id": f"{v}-c0p00", "reviewer": "ada", "at": datetime.now(UTC)}
        for v in (V1, V2)
    ]
    frames["reviews"] = frame(TABLES["reviews"], answers)
    other = renamed(frames, old=V2, new=three.video_id)
    near = pl.Series([[0.8, 0.6, *[0.0] * 6]] * 4, dtype=PEOPLE.schema["face_embedding"])
    linked = pl.col("person_id").str.replace(V2, V1).str.replace(three.video_id, V1).alias("identity_id")
    similar = pl.when(pl.col("video_id") != V1).then(0.9).alias("identity_similarity")
    frames["people"] = frames["people"].with_columns(linked, similar)
    other["people"] = other["people"].with_columns(linked, similar, near[:2].alias("face_embedding"))
    store(made, frames, BATCH)
    store(made, other, OTHER)
    people = [{"video_id": v, "person_id": f"{v}-p00", "at": datetime.now(UTC)} for v in (V1, V2, three.video_id)]
    made.append(RELEASE_SPLITS, frame(RELEASE_SPLITS, people), {"run_id": "export"})
    (lake_dir / takedown.REPORT).write_text(f"a page with {V1}")
    poster = f"posters/v1/{V1}-c0123abcd-0011.webp"
    for path in (
        f"audio/v1/{V1}.wav",
        f"audio/v1/{V2}.wav",
        f"checkpoints/clips/{BATCH}/00ff/{V1}.clips.arrow",
        poster,
    ):
        (lake_dir / "artifacts" / path).parent.mkdir(parents=True, exist_ok=True)
        (lake_dir / "artifacts" / path).write_bytes(b"x")
    snapshots.publish(made, "made", PROFILE)
    return made


Forget = Callable[[str], takedown.TakedownPlan]


@pytest.fixture
def forget(lake: DeltaLake, lake_dir: Path) -> Forget:
    def _forget(what: str) -> takedown.TakedownPlan:
        plan = takedown.plan_takedown(lake, lake_dir, what)
        takedown.take_down(lake, lake_dir, plan, reason="asked", run_id="forget-1")
        return plan

    return _forget


def everything(lake: DeltaLake) -> dict[str, pl.DataFrame]:
    return {n: lake.read(t).sort(t.key) for n, t in TABLES.items() if "video_id" in t.schema and n != TAKEDOWNS.name}


def traces(lake_dir: Path, word: str) -> list[str]:
    """Files whose name or bytes have the word (Parquet keeps short text as it is)."""
    files = [p for p in lake_dir.rglob("*") if p.is_file() and "takedowns" not in p.parts]
    return [str(p) for p in files if word in p.name or word.encode() in p.read_bytes()]


def test_no_source_stays_the_duplicate_of_one_that_went(lake: DeltaLake, forget: Forget) -> None:
    table = TABLES["near_duplicates"]
    mine = lake.read(table, batches=[BATCH]).filter(pl.col("video_id") != V1)
    rows = mine.with_columns(duplicate_of=pl.lit(V1))
    lake.replace(table, rows, [(Slice({"batch": BATCH}), 2)], {"run_id": "r"})
    snapshots.publish(lake, "r")
    assert rows.height > 0

    forget(V1)

    assert lake.read(table).filter(pl.col("batch") == BATCH).is_empty()


def test_all_that_came_from_it_goes_and_nothing_else(lake: DeltaLake, forget: Forget) -> None:
    before = everything(lake)
    plan = forget(V1)
    after = everything(lake)
    assert set(plan.rows) == set(before)  # every table had rows of it
    for name, made in before.items():
        expected = made.filter(pl.col("video_id") != V1)
        found = after[name]
        if name == "people":
            expected, found = (f.drop("identity_id", "identity_similarity") for f in (expected, found))
        assert found.equals(expected), name
        assert plan.rows[name] == made.height - expected.height


def test_tables_of_an_older_package_lack_columns_and_lose_the_rows_all_the_same(
    lake: DeltaLake, forget: Forget
) -> None:
    table = TABLES["speech_turns"]
    (late,) = [n for n in table.schema.names() if n.endswith("_id") and n not in ("video_id", "turn_id", "speaker_id")]
    older = lake.read(table).drop(late).to_arrow()
    write_deltalake(lake.uri(table), older, mode="overwrite", schema_mode="overwrite", partition_by=["batch"])
    forget(V1)
    left = lake.read(table)
    assert left.height > 0
    assert V1 not in set(left["video_id"])


def test_nothing_becomes_stale(lake: DeltaLake, lake_dir: Path, forget: Forget) -> None:
    digest = BatchBook(lake_dir).digest(BATCH)
    forget(V1)
    assert BatchBook(lake_dir).digest(BATCH) == digest
    assert [f.video_id for f in BatchBook(lake_dir).read(BATCH)] == [V2]
    for table in TABLES.values():
        if "batch" in table.schema and "video_id" in table.schema:
            assert {lake.data_version(table, p) for b in (BATCH, OTHER) for p in parts(table, b)} == {STAMP}, table.name


def test_the_same_bytes_are_refused_wherever_they_come_from(lake_dir: Path, folder: Path, forget: Forget) -> None:
    forget(V1)
    (folder / "copy.mp4").write_bytes(b"one")
    (folder / "new.mp4").write_bytes(b"four")
    plan = BatchBook(lake_dir).plan([folder], batch_size=8)
    assert {Path(p).name for p in plan.forgotten} == {"one.mp4", "copy.mp4"}
    assert [f.name for files in plan.batches.values() for f in files] == ["new.mp4"]


def test_identities_move_to_the_earliest_person_left(lake: DeltaLake, forget: Forget) -> None:
    forget(V1)
    people = {r["person_id"]: (r["identity_id"], r["identity_similarity"]) for r in lake.read(PEOPLE).to_dicts()}
    third = next(p for p in people if not p.startswith(V2))[:17]
    assert people[f"{V2}-p00"] == (f"{V2}-p00", None)
    assert people[f"{third}-p01"] == (f"{V2}-p01", pytest.approx(0.8))


def test_people_of_others_keep_their_identity(lake: DeltaLake, forget: Forget) -> None:
    before = lake.read(PEOPLE).filter(pl.col("video_id") == V1).sort("person_id")
    plan = forget(V2)
    assert plan.links == {}
    assert lake.read(PEOPLE).filter(pl.col("video_id") == V1).sort("person_id").equals(before)


def test_a_row_of_another_video_that_names_its_clip_goes_too(lake: DeltaLake, forget: Forget) -> None:
    table = TABLES["branch_dialogue"]
    pair = lake.read(table, batches=[OTHER]).with_columns(initiator_clip_id=pl.lit(f"{V1}-c0p00"))
    lake.replace(table, pair, [(parts(table, OTHER)[0], STAMP)], {"run_id": "made"})
    assert forget(V1).rows["branch_dialogue"] == 2
    assert lake.read(table)["video_id"].to_list() == [V2]


def test_artifacts_of_it_go_and_those_of_others_stay(lake_dir: Path, forget: Forget) -> None:
    assert len(forget(V1).files) == 4
    left = [p.name for p in (lake_dir / "artifacts").rglob("*") if p.is_file()]
    assert left == [f"{V2}.wav"]


def test_refused_rows_of_it_go_and_the_refusal_stays(lake: DeltaLake, forget: Forget) -> None:
    entries = [Entry("k", "critical", f"{V1}-s0000", "one.mp4 is odd"), Entry("k", "critical", f"{V2}-s0000", "odd")]
    record(lake, SHOTS, {BATCH: entries}, "red", is_open=True)
    keep_frame(lake, SHOTS, BATCH, mini_lake()["shots"], "red")
    forget(V1)
    assert set(refused_frame(lake, SHOTS, BATCH, "red")["video_id"]) == {V2}
    found = open_findings(lake, SHOTS, BATCH)
    assert sorted(found.select("key", "observed").rows()) == [("forgotten", "forgotten"), (f"{V2}-s0000", "odd")]


def test_it_is_recorded_published_and_old_snapshots_still_answer(
    lake: DeltaLake, lake_dir: Path, forget: Forget
) -> None:
    forget(V1)
    (row,) = lake.read(TAKEDOWNS).to_dicts()
    assert (row["video_id"], row["sha256"][:16], row["run_id"], row["reason"]) == (V1, V1[1:], "forget-1", "asked")
    counts = {}
    for snapshot in snapshots.snapshots(lake):
        with session.open_session(lake, snapshot, read_only_user_sql=True) as con:
            counts[snapshot.number] = session.run_sql(con, "SELECT count(*) FROM videos").item()
    assert counts == {1: 3, 2: 2}
    assert (lake_dir / "lake.duckdb").is_file()


def test_a_purge_leaves_no_trace_on_disk(lake: DeltaLake, lake_dir: Path, forget: Forget) -> None:
    forget(V1)
    assert traces(lake_dir, V1)
    kept = everything(lake)
    takedown.purge(lake, lake_dir, "forget-1")
    assert traces(lake_dir, V1) == []
    (newest,) = snapshots.snapshots(lake)
    with session.open_session(lake, newest, read_only_user_sql=True) as con:
        assert session.run_sql(con, "SELECT count(*) FROM videos").item() == 2
    assert all(everything(lake)[name].equals(made) for name, made in kept.items())
    assert lake.data_version(SHOTS, Slice({"batch": BATCH})) == STAMP


@pytest.mark.usefixtures("a_checkpoint_with_each_commit")
def test_what_is_published_can_be_read_after_a_purge_whichever_commits_make_checkpoints(
    lake: DeltaLake, lake_dir: Path, forget: Forget
) -> None:
    forget(V1)
    takedown.purge(lake, lake_dir, "forget-1")
    handles._kept.__dict__.clear()  # as a process that has not seen the tables
    newest = snapshots.latest(lake)
    assert newest is not None
    with session.open_session(lake, newest, read_only_user_sql=True) as con:
        assert session.run_sql(con, "SELECT count(*) FROM videos").item() == 2
    for name, version in newest.versions.items():
        assert lake.open(TABLES[name], version) is not None


def test_a_purge_takes_what_a_killed_run_wrote_and_never_committed(
    lake: DeltaLake, lake_dir: Path, forget: Forget
) -> None:
    folder = Path(lake.uri(SHOTS), f"batch={BATCH}")
    left = folder / "part-of-a-killed-run.parquet"
    lake.read(SHOTS).filter(pl.col("video_id") == V1).write_parquet(left)
    forget(V1)
    takedown.purge(lake, lake_dir, "purge")
    assert not left.exists()
    assert folder.is_dir()


def test_a_takedown_that_was_killed_is_finished_by_repeating_it(
    lake: DeltaLake, lake_dir: Path, monkeypatch: pytest.MonkeyPatch, forget: Forget
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(takedown, "_relink", killed)
        with pytest.raises(KeyboardInterrupt):
            forget(V1)
    assert BatchBook(lake_dir).plan([lake_dir.parent / "in" / "one.mp4"], batch_size=8).batches == {}
    forget("one.mp4")
    assert lake.read(TAKEDOWNS).height == 1
    assert V1 not in set(lake.read(PEOPLE)["video_id"])
    assert forget(V1).rows == {}  # and once more: nothing is left to do


@pytest.mark.parametrize("follows", ["a run", "another takedown"])
def test_a_takedown_that_was_killed_between_two_tables_is_finished_by_what_follows(
    lake: DeltaLake, lake_dir: Path, monkeypatch: pytest.MonkeyPatch, forget: Forget, follows: str
) -> None:
    real, left = takedown._delete, [2]

    def killed(*arguments: object) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        real(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(takedown, "_delete", killed)
        with pytest.raises(KeyboardInterrupt):
            forget(V1)
    assert takedown.unfinished(lake, lake_dir) == [V1]
    if follows == "a run":
        takedown.finish(lake, lake_dir, "next run")
    else:
        forget(V2)
    assert takedown.unfinished(lake, lake_dir) == []
    holding = [t for t in TABLES.values() if "video_id" in t.schema and t is not TAKEDOWNS and lake.exists(t)]
    assert [t.name for t in holding if V1 in set(lake.read(t)["video_id"])] == []
    assert V1 not in {file.video_id for file in BatchBook(lake_dir).read(BATCH)}
    assert lake.read(TAKEDOWNS).height == (1 if follows == "a run" else 2)


def test_a_takedown_that_two_runs_finish_at_once_is_repeated(
    lake: DeltaLake, monkeypatch: pytest.MonkeyPatch, forget: Forget
) -> None:
    real, met = StagedRows.land, set[str]()

    def contended(self: StagedRows, *args: Any, **options: Any) -> Any:
        if self._table.name not in met:
            met.add(self._table.name)
            raise Overtaken("another has removed them meanwhile")
        return real(self, *args, **options)

    monkeypatch.setattr(StagedRows, "land", contended)
    monkeypatch.setattr(delta.time, "sleep", lambda _: None)
    forget(V1)
    assert {"videos", "people"} <= met
    assert V1 not in set(lake.read(TABLES["videos"])["video_id"])


def test_a_name_must_be_known_and_clear(lake: DeltaLake, lake_dir: Path, folder: Path) -> None:
    for what in ("two.mp4", str(folder / "two.mp4"), str(folder / ".." / "in" / "two.mp4"), V2):
        assert takedown.plan_takedown(lake, lake_dir, what).video_id == V2
    with pytest.raises(UserError, match=r"'x\.mp4'"):
        takedown.plan_takedown(lake, lake_dir, "x.mp4")
    (folder / "sub").mkdir()
    (folder / "sub" / "two.mp4").write_bytes(b"another")
    ((batch, (other,)),) = BatchBook(lake_dir).plan([folder / "sub"], batch_size=8).batches.items()
    BatchBook(lake_dir).write(batch, [other])
    with pytest.raises(UserError, match=r"\b2\b.*'two\.mp4'") as told:
        takedown.plan_takedown(lake, lake_dir, "two.mp4")
    assert all(video_id in str(told.value) for video_id in (V2, other.video_id))


def test_after_a_purge_the_snapshot_that_is_left_is_named(lake: DeltaLake, lake_dir: Path) -> None:
    done = CliRunner().invoke(
        cli, ["forget", V1, "--lake", str(lake_dir), "--apply", "--purge"], catch_exceptions=False
    )
    (left,) = snapshots.snapshots(lake)
    assert f"snapshot {left.number}." in done.output


def test_the_command_line_changes_nothing_until_told(lake: DeltaLake, lake_dir: Path) -> None:
    before = everything(lake)
    plain = CliRunner().invoke(cli, ["forget", V1, "--lake", str(lake_dir)])
    assert plain.exit_code == 0, plain.output
    assert "branch_dialogue" in plain.output
    assert all(everything(lake)[name].equals(made) for name, made in before.items())
    done = CliRunner().invoke(cli, ["forget", V1, "--lake", str(lake_dir), "--apply"])
    assert done.exit_code == 0, done.output
    assert set(lake.read(TABLES["videos"])["video_id"]).isdisjoint({V1})
    assert CliRunner().invoke(cli, ["maintain", "--lake", str(lake_dir)]).exit_code == 0
