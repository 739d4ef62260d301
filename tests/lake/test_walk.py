"""What paths lead to: files to take, and everything else by its reason. Nothing is lost, nothing is there twice."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speakervid_dag.lake.own_output import DEMO, LAKE_FOLDERS, LAKE_MARK, RELEASE_MARK, mark
from speakervid_dag.lake.walk import Walk, not_read, walk

OLD_MANIFEST = b'{\n "clip_count": 2,\n "made_by": "speakervid-dag 0.1.0",\n "request": {}\n}'


def put(path: Path, data: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def marked_lake(folder: Path) -> None:
    mark(folder, LAKE_MARK)


def old_lake(folder: Path) -> None:
    (folder / "tables/videos/_delta_log").mkdir(parents=True)


def marked_release(folder: Path) -> None:
    mark(folder, RELEASE_MARK)


def old_release(folder: Path) -> None:
    put(folder / "manifest.json", OLD_MANIFEST)


OUTPUTS = (marked_lake, old_lake, marked_release, old_release)
Make = Any


@contextmanager
def failing(folder: Path, code: int, after: int = 0) -> Iterator[None]:
    """Listing `folder` fails after so many entries; root may read everything, so permissions alone would not do."""
    real = os.scandir

    class Broken:
        def __init__(self) -> None:
            self.entries = sorted(real(folder), key=lambda e: e.name)[:after]

        def __enter__(self) -> "Broken":
            return self

        def __exit__(self, *_: object) -> None:
            return None

        def __iter__(self) -> Iterator[Any]:
            yield from self.entries
            raise OSError(code, os.strerror(code), str(folder))

    def scandir(path: Any) -> Any:
        return Broken() if Path(path) == folder else real(path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "scandir", scandir)
        yield


def test_a_folder_gives_its_media_and_names_what_it_passes_over(tmp_path: Path) -> None:
    film, note = put(tmp_path / "in/a.mp4"), put(tmp_path / "in/README.md")
    put(tmp_path / "in/.hidden/b.mp4")
    assert walk([tmp_path / "in"]) == Walk(taken=(film,), ignored=(note,))


def test_a_file_named_directly_is_taken_whatever_its_suffix(tmp_path: Path) -> None:
    note = put(tmp_path / "note.txt")
    assert walk([note]) == Walk(taken=(note,))
    assert walk([tmp_path, note]) == Walk(taken=(note,)), "and it is not passed over as well"


def test_the_order_is_that_of_names_with_the_files_of_a_folder_first(tmp_path: Path) -> None:
    names = ["b.mp4", "c.mp4", "a/z.mp4", "a/a/1.mp4", "a/b/0.mp4", "d/1.mp4"]
    made = tuple(put(tmp_path / name) for name in names)
    assert walk([tmp_path]).taken == made


@pytest.mark.parametrize("make", OUTPUTS)
def test_own_output_is_not_entered_at_any_depth(tmp_path: Path, make: Make) -> None:
    film = put(tmp_path / "in/a.mp4")
    output = tmp_path / "in/one/two/lake"
    make(output)
    put(output / "artifacts/audio/v1/v0.wav")
    put(output / "data/clip.mp4")
    assert walk([tmp_path / "in"]) == Walk(taken=(film,), own_output=(output,))
    moved = output.rename(tmp_path / "in/elsewhere")
    assert walk([tmp_path / "in"]) == Walk(taken=(film,), own_output=(moved,))


@pytest.mark.parametrize("make", OUTPUTS)
def test_a_path_inside_own_output_is_taken_when_it_is_named_and_that_is_said(tmp_path: Path, make: Make) -> None:
    make(tmp_path / "output")
    sound = put(tmp_path / "output/artifacts/audio/v1/v0.wav")
    for named in (sound, sound.parent, tmp_path / "output/artifacts"):
        assert walk([named]) == Walk(taken=(sound,), named_output=(named,))
    (link := tmp_path / "link").symlink_to(sound.parent)
    assert walk([link]) == Walk(taken=(link / sound.name,), named_output=(link,))


def test_a_release_is_taken_when_it_is_named(tmp_path: Path) -> None:
    marked_release(tmp_path / "release")
    clip = put(tmp_path / "release/clips/a.mp4")
    assert walk([tmp_path / "release"]) == Walk(taken=(clip,), named_output=(tmp_path / "release",))


@pytest.mark.parametrize("make", [marked_lake, old_lake])
def test_of_a_lake_that_is_named_the_videos_beside_its_own_folders_are_taken(tmp_path: Path, make: Make) -> None:
    """`speakervid run . --lake .`, for the second time."""
    make(tmp_path)
    films = put(tmp_path / "a.mp4"), put(tmp_path / "day1/b.mp4")
    for own in (*LAKE_FOLDERS, DEMO):
        put(tmp_path / own / "c.mp4")
    put(tmp_path / "lake.duckdb")
    put(tmp_path / "report.html")
    assert walk([tmp_path]) == Walk(taken=films, own_output=(tmp_path,))
    assert walk([tmp_path / "day1"]) == Walk(taken=films[1:]), "a folder of the user's in it is no own output"


def test_demo_videos_are_taken_without_a_word_when_they_are_named(tmp_path: Path) -> None:
    marked_lake(tmp_path / "lake")
    film = put(tmp_path / "lake" / DEMO / "seed0/a.mp4")
    assert walk([film]) == Walk(taken=(film,))
    assert walk([film.parent]) == Walk(taken=(film,))


@pytest.mark.parametrize("body", [b"", b"{}", b'{"made_by": "another"}', b"\xff" * 200_000])
def test_a_manifest_of_another_program_is_no_mark(tmp_path: Path, body: bytes) -> None:
    film = put(tmp_path / "in/set/a.mp4")
    manifest = put(tmp_path / "in/set/manifest.json", body)
    assert walk([tmp_path / "in"]) == Walk(taken=(film,), ignored=(manifest,))


def test_a_pipe_of_the_name_of_a_manifest_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "in/set").mkdir(parents=True)
    os.mkfifo(pipe := tmp_path / "in/set/manifest.json")
    assert walk([tmp_path / "in"]) == Walk(ignored=(pipe,))


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO, errno.ENOENT])
def test_a_folder_that_cannot_be_listed_costs_its_own_files_only(tmp_path: Path, code: int) -> None:
    before, after = put(tmp_path / "a/1.mp4"), put(tmp_path / "c/1.mp4")
    put(tmp_path / "b/1.mp4")
    with failing(tmp_path / "b", code):
        found = walk([tmp_path])
    assert found == Walk(taken=(before, after), unreadable={tmp_path / "b": os.strerror(code)})
    assert found.unread == found.unreadable


def test_of_a_folder_that_fails_halfway_what_was_listed_is_taken(tmp_path: Path) -> None:
    first, _ = put(tmp_path / "1.mp4"), put(tmp_path / "2.mp4")
    with failing(tmp_path, errno.EIO, after=1):
        found = walk([tmp_path])
    assert found == Walk(taken=(first,), unreadable={tmp_path: os.strerror(errno.EIO)})


def test_an_entry_whose_kind_cannot_be_found_out_is_unreadable(tmp_path: Path) -> None:
    """Some file systems do not say it while they list a folder."""
    film, real = put(tmp_path / "b.mp4"), os.scandir

    class Unknown:
        name = "a"

        def is_dir(self) -> bool:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        def is_symlink(self) -> bool:
            return False

    @contextmanager
    def scandir(path: Any) -> Iterator[Any]:
        with real(path) as entries:
            yield [Unknown(), *entries]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "scandir", scandir)
        found = walk([tmp_path])
    assert found == Walk(taken=(film,), unreadable={tmp_path / "a": os.strerror(errno.EIO)})


def test_a_named_path_that_cannot_be_reached_is_unreadable(tmp_path: Path) -> None:
    film, too_long = put(tmp_path / "a.mp4"), tmp_path / ("x" * 300)
    found = walk([too_long, film])
    assert found == Walk(taken=(film,), unreadable={too_long: os.strerror(errno.ENAMETOOLONG)})


def test_a_path_that_does_not_exist_is_missing_as_it_was_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film = put(tmp_path / "a.mp4")
    monkeypatch.chdir(tmp_path)
    missing = (Path("b.mp4"), Path("a.mp4/c"))
    found = walk([Path("a.mp4"), *missing])
    assert found == Walk(taken=(film,), missing=missing)
    assert found.unread == dict.fromkeys(missing, os.strerror(errno.ENOENT))


def test_a_linked_folder_is_counted_and_a_linked_file_is_taken(tmp_path: Path) -> None:
    film = put(tmp_path / "elsewhere/a.mp4")
    (tmp_path / "in").mkdir()
    (folder := tmp_path / "in/folder.mp4").symlink_to(film.parent)
    (file := tmp_path / "in/file.mp4").symlink_to(film)
    (loop := tmp_path / "in/loop").symlink_to(tmp_path / "in")
    (nowhere := tmp_path / "in/nowhere.mp4").symlink_to("nowhere.mp4")
    found = walk([tmp_path / "in"])
    assert found == Walk(taken=(file, nowhere), linked_folders=(folder, loop))
    assert found.unread == {}
    assert walk([loop]).taken == (loop / "file.mp4", loop / "nowhere.mp4"), "a link that is named is followed"


def test_folders_may_lie_deeper_than_a_path_can_name(tmp_path: Path) -> None:
    film, here = put(tmp_path / "a.mp4"), os.open(tmp_path, os.O_RDONLY)
    try:
        for _ in range(300):
            os.mkdir("a_folder_of_this_length", dir_fd=here)
            below = os.open("a_folder_of_this_length", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
    finally:
        os.close(here)
    found = walk([tmp_path])
    assert found.taken == (film,)
    assert list(found.unreadable.values()) == [os.strerror(errno.ENAMETOOLONG)]
    shutil.rmtree(tmp_path / "a_folder_of_this_length")


def test_sentences_are_one_line_whatever_names_hold(tmp_path: Path) -> None:
    strange = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\n\x1b[31m")
    found = Walk(ignored=(Path(strange),), own_output=(Path(strange),))
    said = [*found.passed_over(), *not_read({strange: "Permission denied"})]
    assert len(said) == 3
    assert all(line.isprintable() for line in said)


NAMES = st.sampled_from(["a", "b", "c.mp4", "d.txt", ".h", ".m.mp4", "artifacts", "demo"])
TREES = st.recursive(
    st.sampled_from(["file", "link to a folder", "link to a file"]),
    lambda below: st.tuples(
        st.sampled_from(["plain", "plain", "plain", "broken", *(make.__name__ for make in OUTPUTS)]),
        st.dictionaries(NAMES, below, max_size=4),
    ),
    max_leaves=12,
)


def build(place: Path, tree: Any, fates: dict[Path, str], fate: str | None) -> None:
    """Make the tree at `place`, and say in `fates` what is to become of each file or link; None: it depends on it."""
    if place.name.startswith("."):
        fate = fate or "hidden"
    if isinstance(tree, str):
        linked = {"link to a folder": "/", "link to a file": "/dev/null"}
        place.symlink_to(linked[tree]) if tree in linked else place.touch()
        own = "linked_folders" if tree == "link to a folder" else "taken" if place.suffix == ".mp4" else "ignored"
        fates[place] = fate or own
        return
    kind, below = tree
    place.mkdir()
    makers = {make.__name__: make for make in OUTPUTS}
    if kind in makers:
        makers[kind](place)
        fate = fate or "own_output"
    elif kind == "broken":
        (place / ".broken").touch()
        fate = fate or "unreadable"
    for name, subtree in below.items():
        build(place / name, subtree, fates, fate)


def fate_in(found: Walk, path: Path, top: Path) -> list[str]:
    """Every place of the walk that accounts for `path`."""
    fates = [name for name in ("taken", "ignored", "linked_folders") if path in getattr(found, name)]
    fates += ["own_output" for folder in found.own_output if path.is_relative_to(folder)]
    fates += ["unreadable" for folder in found.unreadable if path.is_relative_to(folder)]
    return fates or ["hidden"] * any(part.startswith(".") for part in path.relative_to(top).parts)


@settings(max_examples=60)
@given(st.dictionaries(NAMES, TREES, max_size=5))
def test_each_file_below_has_exactly_one_fate(tree: dict[str, Any]) -> None:
    real = os.scandir

    def scandir(path: Any) -> Any:
        if (Path(path) / ".broken").exists():
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path)

    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        fates: dict[Path, str] = {}
        build(top := Path(folder) / "top", ("plain", tree), fates, None)
        patch.setattr(os, "scandir", scandir)
        found = walk([top])
        patch.undo()
        assert {path: fate_in(found, path, top) for path in fates} == {path: [fate] for path, fate in fates.items()}
        assert set(found.taken) | set(found.ignored) | set(found.linked_folders) <= set(fates)
        assert walk([top, top]) == walk([top])


def link(path: Path, target: Path | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)
    return path


def test_links_are_followed_to_files_and_folders_where_that_is_wanted(tmp_path: Path) -> None:
    blob, clip = put(tmp_path / "cache/.blobs/3f5a"), put(tmp_path / "disk/far/clip.mp4")
    top = tmp_path / "in"
    link(top / "a.mp4", link(tmp_path / "between.mp4", blob))
    link(top / "far", clip.parent)
    notes = link(top / "notes.txt", put(tmp_path / "disk/notes.txt"))
    found = walk([top], follow_links=True)
    assert (found.taken, found.names) == ((blob, clip), {blob: "a.mp4"})
    assert (found.ignored, found.linked_folders, found.unread) == ((notes,), (), {})
    named = walk([top / "a.mp4"], follow_links=True)
    assert (named.taken, named.names) == ((blob,), {blob: "a.mp4"})
    off = walk([top])
    assert (off.taken, off.linked_folders) == ((top / "a.mp4",), (top / "far",))


def test_links_to_a_file_that_is_taken_already_are_told(tmp_path: Path) -> None:
    blob, plain = put(tmp_path / "cache/3f5a"), put(tmp_path / "in/a.mp4")
    first, second = link(tmp_path / "in/b.mp4", blob), link(tmp_path / "in/c.mp4", blob)
    third = link(tmp_path / "in/d.mp4", plain)
    found = walk([tmp_path / "in", first, first], follow_links=True)
    assert (found.taken, found.names) == ((plain, blob), {blob: "b.mp4"})
    assert found.repeated == (second, third)
    (told,) = found.passed_over()
    assert "2 links (c.mp4, d.mp4)" in told


def test_loops_of_links_end_and_no_folder_is_listed_twice(tmp_path: Path) -> None:
    top, clip = tmp_path / "in", put(tmp_path / "in/sub/clip.mp4")
    link(top / "again", top)
    link(top / "sub/up", "..")
    link(top / "twice", top / "sub")
    mine, other = link(top / "ring.mp4", "round.mp4"), link(top / "round.mp4", "ring.mp4")
    nothing = link(top / "nothing.mp4", tmp_path / "gone.mp4")
    found = walk([top], follow_links=True)
    assert found.taken == (clip,)
    assert found.unread.keys() == {mine, other, nothing}


@pytest.mark.parametrize("make", OUTPUTS)
def test_own_output_behind_a_link_is_not_walked_into(tmp_path: Path, make: Make) -> None:
    lake, top = tmp_path / "lake", tmp_path / "in"
    put(lake / "artifacts/sound.wav")
    make(lake)
    link(top / "lake", lake)
    if make in (marked_lake, old_lake):
        link(top / "sound.wav", lake / "artifacts/sound.wav")
    found = walk([top], follow_links=True)
    assert (found.taken, found.own_output) == ((), (lake,))
