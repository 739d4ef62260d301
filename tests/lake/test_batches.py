"""Which files become a batch: identity by content, stable order, nothing lost, nothing taken twice."""

import errno
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from speakervid_dag.cli.run import announce
from speakervid_dag.failures import PermanentFailure, UserError
from speakervid_dag.lake import batches
from speakervid_dag.lake.batches import BatchBook, Place
from speakervid_dag.lake.sources import Sources, find


def put(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_same_bytes_twice_are_one_file_with_two_places(
    tmp_path: Path, lake_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = put(tmp_path / "x/a.mp4", b"same"), put(tmp_path / "y/a.mp4", b"same")
    plan = BatchBook(lake_dir).plan([a, b], batch_size=8)
    (files,) = plan.batches.values()
    assert [f.uris for f in files] == [(str(a), str(b))]
    assert [f.other_names for f in files] == [["a.mp4"]]
    announce(plan)
    assert "1 file with the same bytes" in capsys.readouterr().err


def test_same_name_in_two_folders_are_two_files(tmp_path: Path, lake_dir: Path) -> None:
    a, b = put(tmp_path / "x/a.mp4", b"one"), put(tmp_path / "y/a.mp4", b"two")
    (files,) = BatchBook(lake_dir).plan([a, b], batch_size=8).batches.values()
    assert len({f.video_id for f in files}) == 2


def test_a_second_plan_knows_what_the_first_one_wrote(tmp_path: Path, lake_dir: Path) -> None:
    book = BatchBook(lake_dir)
    a = put(tmp_path / "a.mp4", b"one")
    for name, files in book.plan([a], batch_size=8).batches.items():
        book.write(name, files)
    copy = put(tmp_path / "elsewhere/copy.mp4", b"one")
    plan = book.plan([a, copy], batch_size=8)
    assert plan.batches == {}
    assert set(plan.known.values()) == {"b000001"}


def test_a_changed_file_is_new(tmp_path: Path, lake_dir: Path) -> None:
    book = BatchBook(lake_dir)
    a = put(tmp_path / "a.mp4", b"one")
    for name, files in book.plan([a], batch_size=8).batches.items():
        book.write(name, files)
    put(a, b"another")
    assert list(book.plan([a], batch_size=8).batches) == ["b000002"]


def test_batches_are_filled_to_their_size_and_limited(tmp_path: Path, lake_dir: Path) -> None:
    paths = [put(tmp_path / f"{i}.mp4", bytes([i])) for i in range(7)]
    plan = BatchBook(lake_dir).plan(paths, batch_size=3, limit=5)
    assert {k: len(v) for k, v in plan.batches.items()} == {"b000001": 3, "b000002": 2}


def test_a_missing_path_is_no_input(tmp_path: Path, lake_dir: Path) -> None:
    plan = BatchBook(lake_dir).plan([tmp_path / "gone.mp4"], batch_size=3)
    assert plan.batches == {}
    assert list(plan.unread) == [str(tmp_path / "gone.mp4")]


@pytest.mark.parametrize("vanishes_before", ["_stat", "_hashed"])
def test_a_file_that_vanishes_after_the_walk_is_no_input(
    tmp_path: Path, lake_dir: Path, monkeypatch: pytest.MonkeyPatch, vanishes_before: str
) -> None:
    stays, goes = put(tmp_path / "in/a.mp4", b"one"), put(tmp_path / "in/b.mp4", b"two")
    real = getattr(batches, vanishes_before)

    def after_it_is_gone(*given: Any) -> Any:
        goes.unlink(missing_ok=True)
        return real(*given)

    monkeypatch.setattr(batches, vanishes_before, after_it_is_gone)
    plan = BatchBook(lake_dir).plan([tmp_path / "in"], batch_size=3)
    assert [f.uris for f in plan.batches["b000001"]] == [(str(stays),)]
    assert list(plan.unread) == [str(goes)]


def test_a_known_file_in_a_new_place_gives_its_video_that_place(tmp_path: Path, lake_dir: Path) -> None:
    book, old = BatchBook(lake_dir), put(tmp_path / "old/a.mp4", b"one")
    book.enlist(book.plan([old], batch_size=8))
    made_of = book.digest("b000001")
    new = tmp_path / "new/b.mp4"
    new.parent.mkdir()
    old.rename(new)
    plan = book.enlist(book.plan([new], batch_size=8))
    assert plan.batches == {}
    assert set(plan.renewed) == {"b000001"}
    (file,) = book.read("b000001")
    assert file.uris == (str(new), str(old))
    assert Sources.of(book).path(file.video_id) == new
    assert book.digest("b000001") == made_of
    assert book.plan([new], batch_size=8).renewed == {}  # and is not looked at again


def test_a_file_written_anew_with_the_same_bytes_is_remembered_so(tmp_path: Path, lake_dir: Path) -> None:
    book, a = BatchBook(lake_dir), put(tmp_path / "a.mp4", b"one")
    book.enlist(book.plan([a], batch_size=8))
    os.utime(a, (1, 1))
    book.enlist(book.plan([a], batch_size=8))
    (file,) = book.read("b000001")
    assert file.places == (Place(str(a), 1_000_000_000),)


def test_a_manifest_of_an_older_package_is_read(tmp_path: Path, lake_dir: Path) -> None:
    book, a = BatchBook(lake_dir), put(tmp_path / "a.mp4", b"one")
    sha256 = hashlib.sha256(b"one").hexdigest()
    row = {"uris": [str(a), "/b.mp4"], "size_bytes": 3, "mtime_ns": 7, "sha256": sha256, "problem": None}
    put(book.folder / "b000001.json", json.dumps({"batch": "b000001", "sources": [row]}).encode())
    made_of = book.digest("b000001")
    (file,) = book.read("b000001")
    assert file.places == (Place(str(a), 7), Place("/b.mp4"))
    book.enlist(book.plan([a], batch_size=8))
    assert book.digest("b000001") == made_of


def test_a_file_that_is_given_up_changes_what_the_batch_is_made_of_until_it_is_found(
    tmp_path: Path, lake_dir: Path
) -> None:
    book, a = BatchBook(lake_dir), put(tmp_path / "a.mp4", b"one")
    book.enlist(book.plan([a], batch_size=8))
    (file,), made_of = book.read("b000001"), book.digest("b000001")
    book.give_up("b000001", {file.video_id})
    assert book.digest("b000001") != made_of
    assert book.read("b000001") == [file]
    book.enlist(book.plan([a], batch_size=8))
    assert book.given_up("b000001") == frozenset()
    assert book.digest("b000001") == made_of


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda path: path.unlink(), "missing_file"),
        (lambda path: path.rename(path.with_name("b.mp4")), "missing_file"),
        (lambda path: put(path, b"two"), "changed_file"),
        (lambda path: put(path, b"longer"), "changed_file"),
        (lambda path: (path.unlink(), path.mkdir()), "changed_file"),
    ],
)
def test_a_source_is_known_by_its_bytes(
    tmp_path: Path, lake_dir: Path, change: Callable[[Path], object], reason: str
) -> None:
    book, a = BatchBook(lake_dir), put(tmp_path / "a.mp4", b"one")
    book.enlist(book.plan([a], batch_size=8))
    (file,) = book.read("b000001")
    assert find(file) == a
    change(a)
    with pytest.raises(PermanentFailure) as caught:
        find(file)
    assert caught.value.reason == reason
    assert list(Sources.of(book).absent()) == [file.video_id]


def test_a_second_place_serves_when_the_first_is_gone_or_holds_something_else(tmp_path: Path, lake_dir: Path) -> None:
    book = BatchBook(lake_dir)
    a, b = put(tmp_path / "a.mp4", b"one"), put(tmp_path / "b.mp4", b"one")
    book.enlist(book.plan([a, b], batch_size=8))
    (file,) = book.read("b000001")
    put(a, b"two")
    assert find(file) == b
    a.unlink()
    assert find(file) == b


def test_a_source_that_cannot_be_read_is_not_at_hand(
    tmp_path: Path, lake_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book, a = BatchBook(lake_dir), put(tmp_path / "a.mp4", b"one")
    book.enlist(book.plan([a], batch_size=8))
    (file,) = book.read("b000001")

    def broken(path: Path) -> os.stat_result:
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    monkeypatch.setattr(Path, "lstat", broken)
    with pytest.raises(PermanentFailure) as caught:
        find(file)
    assert caught.value.reason == "unreadable_file"
    assert list(book.plan([a], batch_size=8).unread) == [str(a)]


def test_a_fifo_is_never_read(tmp_path: Path, lake_dir: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    (files,) = BatchBook(lake_dir).plan([tmp_path / "pipe.mp4"], batch_size=3).batches.values()
    assert files[0].sha256 is None


def test_names_that_are_not_text_survive_the_manifest(tmp_path: Path, lake_dir: Path) -> None:
    book = BatchBook(lake_dir)
    strange = os.fsencode(tmp_path) + b"/\xff'\n%d.mp4"
    with Path(os.fsdecode(strange)).open("wb") as stream:
        stream.write(b"x")
    (files,) = book.plan([tmp_path], batch_size=3).batches.values()
    book.write("b000001", files)
    assert book.read("b000001") == files
    files[0].name.encode()  # data that any table can hold


def test_an_unknown_batch_is_told_by_name(lake_dir: Path) -> None:
    with pytest.raises(UserError, match="b000009"):
        BatchBook(lake_dir).read("b000009")


def test_of_two_plans_made_at_the_same_moment_the_second_takes_only_what_is_left(
    tmp_path: Path, lake_dir: Path
) -> None:
    a, b = put(tmp_path / "in/a.mp4", b"one"), put(tmp_path / "in/b.mp4", b"two")
    ours, theirs = BatchBook(lake_dir), BatchBook(lake_dir)
    first, second = ours.plan([a], batch_size=1), theirs.plan([a, b], batch_size=1)
    assert [f.uris for f in ours.enlist(first).batches["b000001"]] == [(str(a),)]
    written = theirs.enlist(second)
    assert {batch: [f.uris for f in files] for batch, files in written.batches.items()} == {"b000002": [(str(b),)]}
    assert written.known == {str(a): "b000001"}
    assert theirs.enlist(second).batches == {}
    assert [f.uris for name in ours.names() for f in ours.read(name)] == [(str(a),), (str(b),)]


def test_a_file_that_cannot_be_read_stays_in_its_batch(tmp_path: Path, lake_dir: Path) -> None:
    """Its identity is its place, so that a new date does not make it a new video."""
    link, book = tmp_path / "link.mp4", BatchBook(lake_dir)
    link.symlink_to(tmp_path / "nowhere")
    book.enlist(book.plan([link], batch_size=8))
    os.utime(link, (1, 1), follow_symlinks=False)
    plan = book.plan([link], batch_size=8)
    assert (plan.batches, plan.known) == ({}, {str(link): "b000001"})


def test_a_claimed_batch_is_nobody_elses_until_it_is_let_go(lake_dir: Path) -> None:
    ours, theirs = BatchBook(lake_dir), BatchBook(lake_dir)
    with ours.claim("b000001", wait=False) as is_ours:
        assert is_ours
        with theirs.claim("b000001", wait=False) as is_theirs, theirs.claim("b000002", wait=False) as is_free:
            assert (is_theirs, is_free) == (False, True)
    with theirs.claim("b000001", wait=True) as is_theirs:
        assert is_theirs
    assert ours.names() == []


def test_a_linked_file_is_known_by_its_content_and_named_by_its_link(tmp_path: Path, lake_dir: Path) -> None:
    blob = put(tmp_path / "cache/blobs/3f5a", b"one")
    link = tmp_path / "in/talk.mp4"
    link.parent.mkdir()
    link.symlink_to(blob)
    book = BatchBook(lake_dir)
    book.enlist(book.plan([link.parent], batch_size=8))
    (before,) = book.read("b000001")
    assert before.sha256 is None, "a link that is not followed is never read"
    book.enlist(book.plan([link.parent], batch_size=8, follow_links=True))
    (file,) = book.read("b000002")
    assert (file.name, file.uris, file.sha256) == ("talk.mp4", (str(blob),), hashlib.sha256(b"one").hexdigest())
    again = book.plan([link.parent, blob], batch_size=8, follow_links=True)
    assert (again.batches, again.renewed, list(again.known)) == ({}, {}, [str(blob)])
