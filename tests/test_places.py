"""Paths as URIs, patterns, and plain names: whatever UTF-8 a folder's name holds, and bytes that are not."""

import os
import stat
import tempfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from speakervid_dag import places
from speakervid_dag.cli.app import cli
from speakervid_dag.config.settings import load_settings
from speakervid_dag.failures import OperationError, UserError
from speakervid_dag.runs import instance as instances

NAME = st.text(st.characters(exclude_characters="/\x00", exclude_categories=("Cs",)), min_size=1, max_size=60)
NAMES = NAME.filter(lambda name: name not in (".", "..") and len(name.encode()) < 200)
BYTES = st.binary(min_size=1, max_size=200).filter(lambda raw: b"/" not in raw and b"\0" not in raw)


@pytest.fixture(autouse=True)
def links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    return tmp_path / "temporary" / f"speakervid-{os.getuid()}"


@given(NAMES | st.binary(min_size=1).filter(lambda raw: b"/" not in raw and b"\0" not in raw).map(os.fsdecode))
def test_a_place_gives_its_path_back_and_is_text(name: str) -> None:
    path = Path("/videos") / name
    place = places.place_of(path)
    place.encode()  # a table can hold it
    assert places.path_of(place) == path


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(NAMES)
def test_every_folder_has_a_plain_path_to_it(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir(exist_ok=True)
    plain = places.plain(folder)
    assert plain.samefile(folder)
    assert not set(str(plain)) & set("*?[]{}\\=%#'\" \n")
    assert places.plain(folder) == plain


def test_an_ordinary_path_stays_what_it_is(links: Path) -> None:
    assert places.plain(Path("/data/lake-1")) == Path("/data/lake-1")
    assert places.for_sqlite(Path("/My Videos/lake")) == Path("/My Videos/lake")
    assert not links.exists()


def test_links_in_a_folder_of_somebody_else_are_refused(links: Path) -> None:
    links.mkdir()
    links.chmod(stat.S_IRWXU | stat.S_IWOTH)
    with pytest.raises(OperationError, match=f"{links}.*TMPDIR"):
        places.plain(Path("/My Videos"))


@pytest.mark.parametrize("uri", ["s3://bucket/lake", "gs://bucket", "file:///data/lake", "abfss://c@a/lake"])
def test_a_lake_by_uri_is_refused_before_anything_is_made(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(p.name for p in tmp_path.iterdir())
    for command in (["run", "."], ["sql", "FROM clips"], ["doctor"], ["maintain"], ["demo"], ["snapshots"]):
        done = CliRunner().invoke(cli, [*command, "--lake", uri])
        assert isinstance(done.exception, UserError), done.output  # main() makes exit status 2 of it
    monkeypatch.setenv("SPEAKERVID_LAKE", uri)
    with pytest.raises(UserError, match="URI"):
        load_settings()
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_a_lake_whose_path_is_not_utf8_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    with pytest.raises(UserError, match="UTF-8"):
        load_settings(lake=folder / "lake")
    folder.mkdir()
    monkeypatch.chdir(folder)
    with pytest.raises(UserError, match=r"\\xff"):
        load_settings()


@pytest.mark.parametrize("name", ["a?b", "a%20b", "ü😀 [x]{y}#a\\b"])
def test_the_instance_of_a_lake_lies_in_the_lake(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "here" / name
    folder.mkdir(parents=True)
    chosen = load_settings(lake=folder / "lake")
    with instances.lake_instance(chosen) as instance:
        instance.add_dynamic_partitions("batch", ["b1"])
    with instances.lake_instance(chosen) as instance:
        assert list(instance.get_dynamic_partitions("batch")) == ["b1"]
    assert {p.name for p in (folder / "lake" / ".dagster").rglob("*.db")} >= {"runs.db", "schedules.db", "index.db"}
    assert [p.name for p in (tmp_path / "here").iterdir()] == [name]
