"""Intake gives every file of the catalogue exactly one row, with the status and reason the catalogue says."""

import os
import random
import re
import shutil
import time
from collections import Counter
from pathlib import Path
from typing import Any

import bad_media
import generate
import polars as pl
import psutil
import pytest
from polars.testing import assert_frame_equal

from speakervid_dag.config.settings import Settings, load_settings
from speakervid_dag.lake.batches import BatchBook
from speakervid_dag.lake.schemas import SHOTS, VIDEOS
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.media import decode as decoding
from speakervid_dag.places import path_of
from speakervid_dag.runs import execution
from speakervid_dag.runs import instance as instances

pytestmark = pytest.mark.heavy

KINDS = {kind.name: kind for kind in bad_media.KINDS}
MUTANTS = int(os.environ.get("SPEAKERVID_FUZZ", "60"))  # `make fuzz` asks for 500
STATUSES = {"ok", "degraded", "rejected"}
MUTANT_S = 20.0  # of wall time, on average: far above what a file of some kilobytes needs, far below a hang


def taken_in(settings: Settings, paths: list[Path], batch_size: int) -> pl.DataFrame:
    """The `videos` rows of these files after the real intake asset has run on them."""
    plan = BatchBook(settings.lake_dir).plan(paths, batch_size=batch_size)
    for batch, files in plan.batches.items():
        BatchBook(settings.lake_dir).write(batch, files)
    for batch in plan.batches:
        assert run_intake(settings, batch) is None
    return DeltaLake(str(settings.lake_dir)).read(VIDEOS)


def run_intake(settings: Settings, batch: str) -> str | None:
    from speakervid_dag.assets.partitions import register_batches

    with instances.lake_instance(settings) as instance:
        register_batches(instance, [batch])
        return execution.execute(instance, "curate", ["videos", "shots"], batches=[batch])


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Path], pl.DataFrame, Settings]:
    """Every kind in a folder of its own, all of them one batch."""
    home = tmp_path_factory.mktemp("bad")
    paths = {}
    for number, kind in enumerate(bad_media.KINDS):
        folder = home / str(number)
        folder.mkdir()
        paths[kind.name] = kind.make(folder)
    settings = load_settings(lake=home / "lake", profile="laptop")
    before = children()
    rows = taken_in(settings, list(paths.values()), batch_size=len(paths))
    assert children() <= before, "a decoder outlived the intake"
    return paths, rows, settings


def children() -> set[int]:
    return {p.pid for p in psutil.Process().children(recursive=True) if "media.worker" in " ".join(p.cmdline())}


def row_of(rows: pl.DataFrame, path: Path) -> dict[str, object]:
    found = [r for r in rows.iter_rows(named=True) if path in map(path_of, r["sources"])]
    assert len(found) == 1, f"{path!r}: {len(found)} rows"
    return found[0]


def test_the_catalogue_is_large_and_its_names_are_unique() -> None:
    assert len(KINDS) == len(bad_media.KINDS) >= 60


@pytest.mark.parametrize("name", KINDS)
def test_status_and_reason(name: str, catalogue: tuple[dict[str, Path], pl.DataFrame, Settings]) -> None:
    paths, rows, _ = catalogue
    row = row_of(rows, paths[name])
    assert (row["status"], row["reason"]) == (KINDS[name].status, KINDS[name].reason), row["detail"]
    assert (row["detail"] is not None) == (row["status"] != "ok"), "whoever is not ok is told why"


def test_two_workers_find_what_one_finds(
    catalogue: tuple[dict[str, Path], pl.DataFrame, Settings], tmp_path: Path
) -> None:
    paths, rows, _ = catalogue
    first_of: dict[tuple[Any, ...], Path] = {}  # a file of each status, and of each reason of a decoded one
    for path in paths.values():
        row = row_of(rows, path)
        first_of.setdefault((row["status"], row["geometries"] and row["reason"]), path)
    some = sorted(first_of.values())
    again = taken_in(load_settings(lake=tmp_path / "lake", workers=2, threads=2), some, batch_size=len(some))
    chosen = rows.filter(pl.col("video_id").is_in(again["video_id"].implode()))
    assert again.height == chosen.height == len(some) >= 4
    told = [c for c in rows.columns if c not in ("batch", "sources", "source_uri")]
    assert_frame_equal(again.select(told).sort("video_id"), chosen.select(told).sort("video_id"))


@pytest.mark.parametrize(
    ("name", "taken", "found"),
    [
        ("channels that cancel", [(1, 0)], ["taken"]),
        ("64 channels, the last sounds", [(1, 63)], ["taken"]),
        ("7 channels, all silent", [], ["silent"]),
        ("the second of two tracks sounds", [(2, 0)], ["silent", "taken"]),
        ("20 tracks, the last sounds", [], ["silent"] * 16 + ["not_heard"] * 4),
        ("64 sound tracks", None, None),
        ("5.1 sound", [(1, c) for c in (0, 1, 2, 4, 5)], ["taken"]),
    ],
)
def test_what_is_taken_of_the_sound(
    name: str,
    taken: list[tuple[int, int]] | None,
    found: list[str] | None,
    catalogue: tuple[dict[str, Path], pl.DataFrame, Settings],
) -> None:
    paths, rows, _ = catalogue
    row: dict[str, Any] = row_of(rows, paths[name])
    assert (row["sound_tracks"] and sorted(t["found"] for t in row["sound_tracks"])) == (found and sorted(found))
    assert (None if row["sound_taken"] is None else [(t["track"], t["channel"]) for t in row["sound_taken"]]) == taken


def test_one_row_a_content_and_shots_of_the_usable_only(
    catalogue: tuple[dict[str, Path], pl.DataFrame, Settings],
) -> None:
    _, rows, settings = catalogue
    assert rows["video_id"].is_unique().all()
    usable = set(rows.filter(pl.col("status") != "rejected")["video_id"])
    assert set(DeltaLake(str(settings.lake_dir)).read(SHOTS)["video_id"]) == usable


def test_a_rejected_file_names_figures_or_a_cause(catalogue: tuple[dict[str, Path], pl.DataFrame, Settings]) -> None:
    paths, rows, _ = catalogue
    read, claimed = map(int, re.findall(r"\d+", str(row_of(rows, paths["cut at 60 %"])["detail"]))[:2])
    assert 0 < read < claimed
    assert "7680 x 4320" in str(row_of(rows, paths["8K"])["detail"])


def test_a_place_is_text_and_leads_back_to_the_file(
    catalogue: tuple[dict[str, Path], pl.DataFrame, Settings],
) -> None:
    _, rows, _ = catalogue
    for row in rows.filter(pl.col("status") == "ok").iter_rows(named=True):
        assert row["source_uri"].encode("utf-8")
        assert path_of(row["source_uri"]).stat().st_size == row["size_bytes"]


def test_no_temporary_file_is_left(catalogue: tuple[dict[str, Path], pl.DataFrame, Settings]) -> None:
    _, _, settings = catalogue
    assert [p for p in settings.lake_dir.rglob("*") if p.name.startswith(".tmp-")] == []


def test_same_bytes_twice_and_same_name_twice(tmp_path: Path) -> None:
    for folder in ("a", "b", "c"):
        (tmp_path / folder).mkdir()
    generate.plain(tmp_path / "a" / "x.mp4")
    shutil.copy(tmp_path / "a" / "x.mp4", tmp_path / "b" / "twin.mp4")
    generate.plain(tmp_path / "c" / "x.mp4", 30)
    rows = taken_in(load_settings(lake=tmp_path / "lake"), [tmp_path / f for f in "abc"], batch_size=10)
    assert sorted(len(sources) for sources in rows["sources"]) == [1, 2]
    assert rows["source_name"].to_list() == ["x.mp4", "x.mp4"]
    assert rows["status"].to_list() == ["ok", "ok"]


def test_a_file_that_changes_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its identity is that of other bytes, so no result may carry it: it is left out, and is new to the next run."""
    path = generate.plain(tmp_path / "in" / "a.mp4")
    steady = generate.plain(tmp_path / "in" / "b.mp4", 40)
    real = decoding.read_frames

    def read_frames(source: Path, *args: object, **options: object) -> object:
        if source == path:
            with source.open("ab") as file:
                file.write(b"more")
        return real(source, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(decoding, "read_frames", read_frames)
    settings = load_settings(lake=tmp_path / "lake", isolate=False)  # the patch is of this process
    rows = taken_in(settings, [tmp_path / "in"], batch_size=10)
    assert rows["source_name"].to_list() == [steady.name]
    plan = BatchBook(settings.lake_dir).plan([tmp_path / "in"], batch_size=10)
    assert [[f.name for f in files] for files in plan.batches.values()] == [[path.name]]


def test_a_file_that_changed_before_it_is_read(tmp_path: Path) -> None:
    settings = load_settings(lake=tmp_path / "lake")
    path = generate.plain(tmp_path / "a.mp4")
    book, kept = BatchBook(settings.lake_dir), path.read_bytes()
    book.enlist(book.plan([path], batch_size=1))
    path.write_bytes(kept + b"more")
    assert taken_in(settings, [path], batch_size=1)["size_bytes"].to_list() == [len(kept) + 4]
    assert run_intake(settings, "b000001") is None
    assert book.read("b000001") == []


def mutated(data: bytes, rng: random.Random) -> bytes:
    """One to three hurts: bits, bytes, a hole, a repeated stretch, numbers at their limits, an early end."""
    body = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(body))
        hurt = rng.choice(("bit", "bytes", "hole", "again", "limit", "end"))
        if hurt == "bit":
            body[at] ^= 1 << rng.randrange(8)
        elif hurt == "bytes":
            body[at : at + 16] = rng.randbytes(16)
        elif hurt == "hole":
            del body[at : at + rng.randint(1, 400)]
        elif hurt == "again":
            body[at:at] = body[at : at + rng.randint(1, 400)]
        elif hurt == "limit":
            at = rng.randrange(min(len(body), 2000))  # headers hold the sizes and counts
            body[at : at + 4] = rng.choice((b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", bytes(4), b"\x00\x00\x00\x01"))
        else:
            del body[max(1, at) :]
        if not body:
            return b"\0"
    return bytes(body)


@pytest.mark.fuzz
@pytest.mark.timeout(3600)
def test_mutants_cost_one_row_each(tmp_path: Path) -> None:
    """Seeded mutations of every kind of media: the parent lives, a row each, no decoder left, within budget."""
    rng = random.Random(20_24)
    seeds = []
    for number, kind in enumerate(k for k in bad_media.KINDS if k.is_media and k.name != "8K"):
        folder = tmp_path / "seeds" / str(number)
        folder.mkdir(parents=True)
        seeds.append(kind.make(folder).read_bytes())
    (tmp_path / "in").mkdir()
    paths = []
    for number in range(MUTANTS):
        paths.append(tmp_path / "in" / f"{number:04d}.mp4")
        paths[-1].write_bytes(mutated(seeds[number % len(seeds)], rng))
    contents = {p.read_bytes() for p in paths}
    before, started = children(), time.monotonic()
    rows = taken_in(load_settings(lake=tmp_path / "lake"), paths, batch_size=100)
    took_s = time.monotonic() - started
    assert rows.height == len(contents)
    assert rows["video_id"].is_unique().all()
    assert set(rows["status"]) <= STATUSES
    assert "internal_error" not in set(rows["reason"])
    assert children() <= before
    assert took_s < MUTANTS * MUTANT_S
    told = Counter(f"{s} {r or ''}".strip() for s, r in rows.select("status", "reason").iter_rows())
    summary = ", ".join(f"{n} {what}" for what, n in told.most_common())
    print(f"\n{MUTANTS} mutants in {took_s:.0f} s: {summary}")  # noqa: T201 - the summary is the point
