"""Which files become a batch: identity by content, stable order, nothing lost, nothing taken twice."""

import os
from pathlib import Path

import pytest

from speakervid_dag.failures import UserError
from speakervid_dag.lake.batches import BatchBook, scan


def put(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_a_folder_gives_its_media_and_names_what_it_passes_over(tmp_path: Path) -> None:
    film, note = put(tmp_path / "in/a.mp4", b"1"), put(tmp_path / "in/README.md", b"2")
    put(tmp_path / "in/.hidden/b.mp4", b"3")
    assert scan([tmp_path / "in"]) == ([film], [note])


def test_a_file_named_directly_is_taken_whatever_its_suffix(tmp_path: Path) -> None:
    note = put(tmp_path / "note.txt", b"x")
    assert scan([note]) == ([note], [])


def test_same_bytes_twice_are_one_file_with_two_places(tmp_path: Path, lake_dir: Path) -> None:
    a, b = put(tmp_path / "x/a.mp4", b"same"), put(tmp_path / "y/a.mp4", b"same")
    (files,) = BatchBook(lake_dir).plan([a, b], batch_size=8).batches.values()
    assert [f.uris for f in files] == [(str(a), str(b))]


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


def test_a_missing_path_stays_as_a_file_without_content(tmp_path: Path, lake_dir: Path) -> None:
    (files,) = BatchBook(lake_dir).plan([tmp_path / "gone.mp4"], batch_size=3).batches.values()
    assert files[0].sha256 is None
    assert files[0].problem
    assert files[0].video_id.startswith("v")


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
