"""The record of everybody's split, in the table `release_splits`, so that nobody moves while the lake grows.

Belongs here: reading and writing that table, splits recorded in older releases' manifests. Does not belong here: the
splits of new people (splits), samples.

The table holds people of videos, not identities: relinking may rename an identity. Concurrent exports take turns
(compare and swap): each decides on the basis of all earlier decisions.
"""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from speakervid_dag.failures import OperationError
from speakervid_dag.lake.queries.session import Session, query_file
from speakervid_dag.lake.schemas import RELEASE_SPLITS, TAKEDOWNS
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.lake.storage.slices import Slice
from speakervid_dag.lake.storage.staging import Overtaken
from speakervid_dag.lake.upkeep.takedown import released
from speakervid_dag.release.splits import Bond, assign

TURNS = 20  # attempts while other exports decide first


@dataclass(frozen=True)
class Spec:
    """The key under which splits are remembered."""

    shares: Mapping[str, float]
    seed: int

    @property
    def text(self) -> str:
        """Return the shares in the order of their names: 'test=0.05,train=0.9,val=0.05'."""
        return ",".join(f"{name}={share}" for name, share in sorted(self.shares.items()))

    @property
    def series(self) -> Slice:
        return Slice({"shares": self.text, "seed": str(self.seed)})


@dataclass(frozen=True)
class Moved:
    """An identity in another split than before, because it was joined with people of that split."""

    identity_id: str
    before: str
    after: str


def place(
    lake: DeltaLake, con: Session, bonds: Iterable[Bond], spec: Spec, snapshot: int
) -> tuple[dict[str, str], list[Moved]]:
    """Return identity → split, and record it; also return who had to move in this or an earlier export.

    Args:
        con: a session on the snapshot of this number.

    Raises:
        OperationError: the store refused, or other exports kept deciding first.
    """
    known, people = list(bonds), query_file(con, "release/people")
    for _ in range(TURNS):
        turn = lake.newest_turn(RELEASE_SPLITS, spec.series) + 1
        kept = _remembered(lake, spec)
        was = _by_identity(people, _told_by_manifests(lake, con, spec) if kept.is_empty() else kept)
        split_of = assign(known, spec.shares, spec.seed, was)
        fresh = _fresh(people, split_of, kept, set(lake.read(TAKEDOWNS)["video_id"]))
        if fresh.is_empty() or _is_written(lake, fresh, spec, turn, snapshot):
            return split_of, _moved(was, split_of)
    raise OperationError("other exports of this lake assign splits at the same time: rerun the command")


def _is_written(lake: DeltaLake, fresh: pl.DataFrame, spec: Spec, turn: int, snapshot: int) -> bool:
    """Write these rows; return False if another export took this turn."""
    told = {"shares": spec.text, "seed": spec.seed, "at": datetime.now(UTC), "snapshot": snapshot}
    frame = RELEASE_SPLITS.frame([{**row, **told} for row in fresh.iter_rows(named=True)])
    try:
        metadata = {"run_id": f"export of snapshot {snapshot}"}
        lake.append(RELEASE_SPLITS, frame, metadata, (spec.series, turn))
    except Overtaken:
        return False
    return True


def _moved(was: Mapping[str, Set[str]], split_of: Mapping[str, str]) -> list[Moved]:
    others = {name: splits - {split_of[name]} for name, splits in sorted(was.items()) if name in split_of}
    return [Moved(name, "/".join(sorted(before)), split_of[name]) for name, before in others.items() if before]


def _by_identity(people: pl.DataFrame, rows: pl.DataFrame) -> dict[str, set[str]]:
    """Return identity_id → the splits that its people were in."""
    splits: dict[str, set[str]] = {}
    for identity, split in people.join(rows, on="person_id").select("identity_id", "split").iter_rows():
        splits.setdefault(identity, set()).add(split)
    return splits


def _remembered(lake: DeltaLake, spec: Spec) -> pl.DataFrame:
    """Return the recorded person_id, split."""
    mine = (pl.col("shares") == spec.text) & (pl.col("seed") == spec.seed)
    return lake.read(RELEASE_SPLITS, where=mine).select("person_id", "split").unique()


def _fresh(people: pl.DataFrame, split_of: Mapping[str, str], kept: pl.DataFrame, gone: set[str]) -> pl.DataFrame:
    """Return video_id, person_id, split of people not recorded there yet, except those of taken-down videos."""
    schema = {"identity_id": pl.String(), "split": pl.String()}
    placed = pl.DataFrame(list(split_of.items()), schema=schema, orient="row")
    forgotten = pl.Series(sorted(gone), dtype=pl.String())
    found = people.join(placed, on="identity_id").filter(~pl.col("video_id").is_in(forgotten.implode()))
    return found.join(kept, on=["person_id", "split"], how="anti").select("video_id", "person_id", "split")


def _told_by_manifests(lake: DeltaLake, con: Session, spec: Spec) -> pl.DataFrame:
    """Return the same from the clips in manifests of releases that predate the table."""
    asked = {"split": dict(spec.shares), "seed": spec.seed}
    rows: dict[str, set[str]] = {}
    for _, manifest in released(Path(lake.root)):
        if {name: manifest["request"].get(name) for name in asked} == asked:
            for sample in manifest["samples"].values():
                for clip in sample["clips"].values():
                    rows.setdefault(clip["clip_id"], set()).add(sample["split"])
    clips: pl.DataFrame = con.sql("SELECT clip_id, person_id FROM clips").pl()
    told = pl.DataFrame(
        [(clip, split) for clip, splits in rows.items() for split in splits],
        schema={"clip_id": pl.String(), "split": pl.String()},
        orient="row",
    )
    return clips.join(told, on="clip_id").select("person_id", "split").unique()
