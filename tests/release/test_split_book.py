"""What splits remember: people through new names, old manifests, takedowns, and exports at the same time."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import duckdb
import polars as pl
import pytest
from rows import frame

from speakervid_dag.failures import OperationError
from speakervid_dag.lake.artifacts import kept_manifests
from speakervid_dag.lake.queries import session
from speakervid_dag.lake.schemas import RELEASE_SPLITS, TAKEDOWNS
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.lake.upkeep import takedown
from speakervid_dag.release import split_book
from speakervid_dag.release.split_book import Moved, Spec, place

SPEC = Spec({"train": 0.8, "test": 0.2}, 0)
PEOPLE = [f"v{n}-p0" for n in range(10)]


@pytest.fixture
def lake(tmp_path: Path) -> DeltaLake:
    return DeltaLake(str(tmp_path / "lake"))


def shown(identities: dict[str, str]) -> session.Session:
    """A session of people (person → identity) with one clip each."""
    con = duckdb.connect()
    for person, identity in identities.items():
        video = person.partition("-")[0]
        ids = f"'{person}' AS person_id, '{video}' AS video_id, '{identity}' AS identity_id"
        row = f"SELECT {ids}, 'c{person}' AS clip_id"
        for table in ("people", "clips"):
            is_there = con.sql("SHOW TABLES").fetchall().count((table,))
            con.execute(f"INSERT INTO {table} {row}" if is_there else f"CREATE TABLE {table} AS {row}")
    return con


def placed(
    lake: DeltaLake, identities: dict[str, str], spec: Spec = SPEC, *bonds: tuple[str, str]
) -> tuple[dict[str, str], list[Moved]]:
    alone = [(identity, None, 1) for identity in sorted(set(identities.values()))]
    return place(lake, shown(identities), [*alone, *((one, other, 0) for one, other in bonds)], spec, 1)


def themselves(people: list[str]) -> dict[str, str]:
    return {person: person for person in people}


def rows(lake: DeltaLake) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for person, split in lake.read(RELEASE_SPLITS).select("person_id", "split").iter_rows():
        found.setdefault(person, set()).add(split)
    return found


def test_the_same_again_writes_nothing_and_more_people_move_nobody(lake: DeltaLake) -> None:
    first, moved = placed(lake, themselves(PEOPLE[:5]))
    version = lake.version(RELEASE_SPLITS)
    assert placed(lake, themselves(PEOPLE[:5])) == (first, [])
    assert lake.version(RELEASE_SPLITS) == version
    second, moved = placed(lake, themselves([f"v{n}-a" for n in range(30)] + PEOPLE))  # other names come first
    assert moved == []
    assert {p: second[p] for p in first} == first
    other = Spec(SPEC.shares, 1)
    placed(lake, themselves(PEOPLE), other)
    assert lake.read(RELEASE_SPLITS, where=pl.col("seed") == 1).height == 10


def test_a_person_is_known_by_any_video_though_the_identity_has_another_name(lake: DeltaLake) -> None:
    first, _ = placed(lake, {"v5-p0": "v5-p0", "v6-p0": "v5-p0", **themselves(PEOPLE[:5])})
    again, moved = placed(lake, {"v6-p0": "v6-p0", "v0-new": "v6-p0", "v1-new": "v1-new"})
    assert again["v6-p0"] == first["v5-p0"]
    assert moved == []


def test_who_is_joined_goes_where_most_are_and_is_told(lake: DeltaLake) -> None:
    first, _ = placed(lake, themselves(PEOPLE))
    one, other = (next(p for p in PEOPLE if first[p] == split) for split in ("train", "test"))
    second, moved = placed(lake, themselves(PEOPLE), SPEC, (one, other))
    assert moved == [Moved(other, "test", "train")]
    assert second == {**first, other: "train"}
    assert placed(lake, themselves(PEOPLE), SPEC, (one, other)) == (second, moved), "an export that failed is repeated"
    assert placed(lake, themselves(PEOPLE))[0] == second, "who was trained on is never tested on again"


def test_releases_of_before_are_remembered_by_their_manifests(lake: DeltaLake) -> None:
    folder = kept_manifests(Path(lake.root))
    folder.mkdir(parents=True)
    told = {p: "test" if n % 2 else "train" for n, p in enumerate(PEOPLE[:6])}
    for name, seed in (("r1", 0), ("r2", 7)):
        samples = {
            p: {"split": s if seed == 0 else "test", "clips": {"clip": {"clip_id": f"c{p}"}}} for p, s in told.items()
        }
        body = {"request": {"split": dict(SPEC.shares), "seed": seed}, "samples": samples}
        (folder / f"{name}.json").write_text(json.dumps(body))
    split_of, moved = placed(lake, themselves(PEOPLE))
    assert {p: split_of[p] for p in told} == told
    assert moved == []
    assert rows(lake).keys() == set(PEOPLE)
    (folder / "r2.json").write_text("{")
    with pytest.raises(OperationError, match=r"r2\.json"):
        placed(lake, themselves(PEOPLE), Spec(SPEC.shares, 7))


def test_nobody_of_a_video_that_was_taken_down_is_remembered(lake: DeltaLake) -> None:
    placed(lake, themselves(PEOPLE))
    takedown._delete(lake, RELEASE_SPLITS, takedown._names(lake, RELEASE_SPLITS, "v3"), "forget")
    lake.append(TAKEDOWNS, frame(TAKEDOWNS, [{"video_id": "v3"}]), {"run_id": "forget"})
    placed(lake, themselves(PEOPLE))  # as an older snapshot still shows it
    assert rows(lake).keys() == set(PEOPLE) - {"v3-p0"}


def test_two_exports_at_once_agree(lake: DeltaLake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both read before either writes; each sees people that the other does not, and people that it does."""
    both, real = Barrier(2), split_book._remembered
    waited: set[int] = set()

    def together(of: DeltaLake, spec: Spec) -> pl.DataFrame:
        from threading import get_ident

        found = real(of, spec)
        if get_ident() not in waited:
            waited.add(get_ident())
            both.wait(30)
        return found

    monkeypatch.setattr(split_book, "_remembered", together)
    lake.append(RELEASE_SPLITS, RELEASE_SPLITS.empty(), {"run_id": "made"})
    sides = [PEOPLE[:7], PEOPLE[3:] + [f"a{n}-p0" for n in range(9)]]
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(lambda people: placed(lake, themselves(people))[0], sides)
    assert all(one[p] == other[p] for p in one.keys() & other.keys())
    assert all(len(splits) == 1 for splits in rows(lake).values())
