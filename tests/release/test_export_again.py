"""An export when the world has moved: sources replaced or away, files of a release lost, videos forgotten, a kill."""

import json
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner
from export_lake import copied, make, videos
from rows import frame

from speakervid_dag.cli.app import cli
from speakervid_dag.config.settings import Settings
from speakervid_dag.failures import OperationError, UserError
from speakervid_dag.lake.artifacts import kept_manifests, kept_sound
from speakervid_dag.lake.own_output import is_release
from speakervid_dag.lake.queries import session
from speakervid_dag.lake.schemas import RELEASE_SPLITS, RELEASES, TAKEDOWNS
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.lake.upkeep.takedown import releases_with
from speakervid_dag.media import cut, wav
from speakervid_dag.release import export as work
from speakervid_dag.release import folder, releases
from speakervid_dag.release.card import UNSAID
from speakervid_dag.release.export import Release, export
from speakervid_dag.release.request import Request

pytestmark = pytest.mark.heavy

FRESH = cut.Encoding(crf=29)  # nobody else cuts so: nothing of it is kept yet


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A lake with its clips cut, never exported from."""
    settings = make(tmp_path_factory.mktemp("origin"))
    exported(settings, settings.lake_dir.parent / "out")
    for name in (RELEASES.name, RELEASE_SPLITS.name):
        shutil.rmtree(settings.lake_dir / "tables" / name)
    shutil.rmtree(kept_manifests(settings.lake_dir))
    return settings


@pytest.fixture
def own(origin: Settings, tmp_path: Path) -> Settings:
    return copied(origin, tmp_path)


def exported(settings: Settings, out: Path, branch: str = "single", **asked: Any) -> Release:
    how = {name: asked.pop(name) for name in ("as_of", "by_hash") if name in asked}
    return export(settings, Request(branch=branch, form="parquet", workers=2, **asked), out, **how)


def rows(settings: Settings) -> list[tuple[str, str]]:
    """(release_id, place) as recorded."""
    found = DeltaLake(str(settings.lake_dir)).read(RELEASES).sort("at")
    return list(found.select("release_id", "place").iter_rows())


def reasons(release: Release) -> Counter[str]:
    return Counter(reason.partition(":")[0] for reason in release.missing.values())


def spoilt(path: Path) -> bytes:
    """Replaces a file by another of the same size; gives what it held."""
    held = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(held[::-1])
    return held


def test_a_source_replaced_by_another_of_its_size_is_not_cut_and_comes_back(own: Settings, tmp_path: Path) -> None:
    source = tmp_path / "sources" / "0.mp4"
    held = spoilt(source)
    first = exported(own, tmp_path / "out", encoding=FRESH)
    assert reasons(first) == {"changed_file": 2}
    source.write_bytes(held)
    second = exported(own, tmp_path / "out", encoding=FRESH)
    assert (reasons(second), second.release_id != first.release_id) == ({}, True)
    assert second.aside == tmp_path / f"out.{first.release_id}"
    assert releases.load(own.lake_dir, str(second.aside))["missing"] == dict(first.missing)
    assert rows(own) == [
        (first.release_id, str(tmp_path / "out")),
        (first.release_id, str(second.aside)),
        (second.release_id, str(tmp_path / "out")),
    ]
    assert exported(own, tmp_path / "out", encoding=FRESH).was_there


def test_a_source_replaced_while_it_is_cut_leaves_no_clip(
    own: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, source = cut.cut_clips, tmp_path / "sources" / "0.mp4"

    def replaced(path: Path, *rest: Any) -> Any:
        for done in real(path, *rest):
            if path == source:
                os.utime(path, ns=(1, 1))
                path.write_bytes(path.read_bytes()[::-1])
            yield done

    monkeypatch.setattr(cut, "cut_clips", replaced)
    made = exported(own, tmp_path / "out", encoding=FRESH)
    assert reasons(made) == {"changed_file": 2}


def test_a_kept_clip_that_was_changed_is_cut_again(own: Settings, tmp_path: Path) -> None:
    exported(own, tmp_path / "a")
    (first, second, *_) = sorted((tmp_path / "a" / "clips").glob("*.mp4"))
    whole = spoilt(first)  # a hard link of what the lake keeps
    second.chmod(0o644)
    os.truncate(second, 100)
    exported(own, tmp_path / "b")
    assert (tmp_path / "b" / "clips" / first.name).read_bytes() == whole
    assert (tmp_path / "b" / "clips" / second.name).stat().st_size > 100
    with pytest.raises(OperationError, match=second.name):
        exported(own, tmp_path / "a")


def test_kept_sound_that_was_cut_off_is_not_taken_for_silence(own: Settings, tmp_path: Path) -> None:
    for video_id in videos(own):
        path = kept_sound(own.lake_dir, video_id, None)
        wav.write_wav(path, pl.zeros(16_000 * 11, eager=True).cast(pl.Float32).to_numpy(), 16_000)
        os.truncate(path, 1000)
    exported(own, tmp_path / "out", encoding=FRESH, limit=1)
    (sound,) = (tmp_path / "out" / "clips").glob("*.wav")
    assert abs(wav.read_wav(sound)[0]).max() > 0.3


def test_a_release_that_lost_a_file_or_part_of_it_is_not_there(own: Settings, tmp_path: Path) -> None:
    out = tmp_path / "out"
    made = exported(own, out, licence="CC BY 4.0")
    told = (out / "samples.parquet").read_bytes()
    for damage, by_hash in ((b"", False), (None, False), (told[::-1], True)):
        if damage is None:
            (out / "samples.parquet").unlink()
        else:
            (out / "samples.parquet").write_bytes(damage)
        with pytest.raises(OperationError, match=r"samples\.parquet"):
            exported(own, out, licence="CC BY 4.0", by_hash=by_hash)
    assert exported(own, out, licence="CC BY 4.0").was_there, "sizes agree: only --verify reads the files"
    (out / "samples.parquet").write_bytes(told)
    assert exported(own, out, licence="CC BY 4.0", by_hash=True).was_there
    for other in ({}, {"licence": "CC BY 4.0", "consent": "signed"}):
        with pytest.raises(UserError, match="consent" if other else f"licence CC BY 4.0 → {UNSAID}"):
            exported(own, out, **other)
    manifest = out / "manifest.json"
    whole = manifest.read_bytes()
    for wrong in (whole[:500], whole.replace(b'"made_by"', b'"made_of"')):
        manifest.write_bytes(wrong)
        with pytest.raises(OperationError, match=r"manifest\.json"):
            exported(own, out, licence="CC BY 4.0")
    assert rows(own) == [(made.release_id, str(out))]


def test_nothing_to_write_is_no_release(own: Settings, tmp_path: Path) -> None:
    (tmp_path / "sources").rename(tmp_path / "unplugged")
    command = ["export", "--lake", str(own.lake_dir), "--branch", "single", "--format", "parquet", "--margin", "0.4"]
    done = CliRunner().invoke(cli, [*command, "--out", str(tmp_path / "out")])
    assert done.exit_code == 1
    assert "4 × missing_file" in done.output
    assert not (tmp_path / "out").exists()
    assert not list(kept_manifests(own.lake_dir).glob("*.json"))
    assert rows(own) == []
    (tmp_path / "sources").mkdir()
    (tmp_path / "unplugged" / "1.mp4").rename(tmp_path / "sources" / "1.mp4")
    done = CliRunner().invoke(cli, [*command, "--out", str(tmp_path / "out")])
    assert done.exit_code == 0
    assert "2 × missing_file" in done.output
    assert len(json.loads((tmp_path / "out" / "manifest.json").read_bytes())["samples"]) == 2


def test_a_release_is_replaced_by_no_poorer_one(own: Settings, tmp_path: Path) -> None:
    sources, out = tmp_path / "sources", tmp_path / "out"
    (sources / "1.mp4").rename(tmp_path / "1.mp4")
    first = exported(own, out, encoding=FRESH)
    assert exported(own, out, encoding=FRESH) == Release(
        first.release_id, out, first.statistics, first.missing, was_there=True
    )
    (sources / "0.mp4").rename(tmp_path / "0.mp4")
    shutil.rmtree(own.lake_dir / "artifacts" / "clips")
    assert exported(own, out, encoding=FRESH).was_there


def test_what_was_cut_off_at_its_end_is_mended_by_the_same_command(
    own: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"

    def fail(*_: Any) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(releases, "record", fail)
        with pytest.raises(OSError, match="Input"):
            exported(own, out)
    assert rows(own) == []
    assert exported(own, out).was_there
    assert [place for _, place in rows(own)] == [str(out)]
    (tmp_path / "sources" / "1.mp4").rename(tmp_path / "1.mp4")
    first = exported(own, tmp_path / "b", encoding=FRESH)
    (tmp_path / "1.mp4").rename(tmp_path / "sources" / "1.mp4")
    with monkeypatch.context() as patched:
        patched.setattr(folder, "put", fail)
        with pytest.raises(OSError, match="Input"):
            exported(own, tmp_path / "b", encoding=FRESH)
    aside = tmp_path / f"b.{first.release_id}"
    assert (first.release_id, str(aside)) in rows(own)
    assert aside.is_dir()
    assert len(exported(own, tmp_path / "b", encoding=FRESH).missing) == 0
    assert not list(tmp_path.glob(".speakervid-*"))


def test_a_release_of_before_that_says_less_is_still_there(own: Settings, tmp_path: Path) -> None:
    """Manifests of older versions have no `people`."""
    exported(own, tmp_path / "out")
    path = tmp_path / "out" / "manifest.json"
    older = {k: v for k, v in json.loads(path.read_bytes()).items() if k != "people"}
    path.write_text(json.dumps(older))
    digest = releases.write_manifest(own.lake_dir, tmp_path / "out", older)
    assert exported(own, tmp_path / "out").release_id == releases.id_of(digest)


def test_every_place_of_a_release_is_named_when_a_video_goes(own: Settings, tmp_path: Path) -> None:
    gone, other = videos(own)
    made = [exported(own, tmp_path / name) for name in ("a", "b")]
    page = Path(CliRunner().invoke(cli, ["report", "--lake", str(own.lake_dir)]).output.strip())
    assert gone in page.read_text()
    plan = ["forget", gone, "--lake", str(own.lake_dir)]
    done = CliRunner().invoke(cli, [*plan, "--apply"], catch_exceptions=False)
    for release in made:
        lines = [line for line in done.output.splitlines() if line.startswith(f"Release {release.release_id} ")]
        assert [str(release.place) in line for line in lines].count(True) == 1
    assert gone not in page.read_text()
    assert other in page.read_text(), "the page is there again, without it"
    told = CliRunner().invoke(cli, ["releases", "list", "--lake", str(own.lake_dir), "--format", "json"])
    assert [(row["place"], row["taken_down"]) for row in json.loads(told.output)] == [(str(m.place), 1) for m in made]
    for release in made:
        with pytest.raises(OperationError, match=gone):
            exported(own, release.place, as_of="1")
    left = exported(own, tmp_path / "d", as_of="1")
    assert set(left.missing.values()) == {f"taken_down: {gone}"}
    assert gone not in "".join(p.name for p in (tmp_path / "d" / "clips").iterdir())
    with session.open_session(DeltaLake(str(own.lake_dir)), read_only_user_sql=True) as con:
        withdrawn = session.run_sql(con, "FROM releases_to_withdraw")
    assert set(withdrawn["place"]) == {str(m.place) for m in made}
    holding = releases_with(DeltaLake(str(own.lake_dir)), own.lake_dir, gone)
    assert holding == {made[0].release_id: tuple(str(m.place) for m in made)}, "the last one lists it as left out only"
    assert not DeltaLake(str(own.lake_dir)).read(RELEASE_SPLITS, where=pl.col("video_id") == gone).height


def test_a_video_that_is_forgotten_while_it_is_exported_does_not_come_out(
    own: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, _ = videos(own)
    real = work.write

    def forgetting(*arguments: Any) -> None:
        real(*arguments)
        DeltaLake(str(own.lake_dir)).append(TAKEDOWNS, taken_down(gone), {"run_id": "forget"})

    monkeypatch.setattr(work, "write", forgetting)
    with pytest.raises(OperationError, match=gone):
        exported(own, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not list((own.lake_dir / "artifacts" / "clips").rglob(f"{gone}-*"))


def taken_down(video_id: str) -> pl.DataFrame:
    return frame(TAKEDOWNS, [{"video_id": video_id}])


def test_splits_of_earlier_exports_are_kept_and_moves_are_told(own: Settings, tmp_path: Path) -> None:
    first = exported(own, tmp_path / "a", shares={"train": 0.5, "test": 0.5})
    people = releases.load(own.lake_dir, str(first.release_id))["people"]
    assert set(people.values()) == {"train", "test"}
    lake = DeltaLake(str(own.lake_dir))
    lake.append(RELEASE_SPLITS, lake.read(RELEASE_SPLITS).with_columns(split=pl.lit("test")), {"run_id": "joined"})
    second = exported(own, tmp_path / "b", shares={"train": 0.5, "test": 0.5}, consent="signed")
    before = {person for person, split in people.items() if split == "train"}
    assert {m.identity_id for m in second.moved} >= before
    told = CliRunner().invoke(
        cli,
        ["releases", "diff", str(tmp_path / "a"), str(tmp_path / "b"), "--lake", str(own.lake_dir), "--format", "json"],
    )
    assert f"consent {UNSAID} → signed" in told.stderr
    moved = [row for row in json.loads(told.stdout) if row["change"] == "moved"]
    assert {(row["person_id"], row["what"]) for row in moved} == {(p, "split train → test") for p in before}


def test_no_release_goes_into_a_lake_or_a_release(origin: Settings) -> None:
    for out in ("lake", "lake/artifacts/mine", "out/../lake/copies", "out/clips/mine"):
        with pytest.raises(UserError):
            exported(origin, origin.lake_dir.parent / out)


def test_two_exports_to_one_folder_do_not_write_at_once(own: Settings, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with folder.claimed(own.lake_dir, out), pytest.raises(OperationError, match=f"{out}.*--out"):
        exported(own, out)
    assert not exported(own, out).was_there


def test_what_a_killed_export_was_writing_is_begun_anew(tmp_path: Path) -> None:
    with folder.beside(tmp_path / "out") as draft:
        (draft / "half").touch()
        assert is_release(draft), "`run` takes nothing in from there"
    with folder.beside(tmp_path / "out") as again:
        assert again == draft
        assert not (again / "half").exists()
    with pytest.raises(OSError, match="full"), folder.beside(tmp_path / "out"):
        raise OSError(28, "full")
    assert list(tmp_path.iterdir()) == []
