"""Recipes: the inputs of a stage's rows, and the data version by which "up to date" is decided.

Belongs here: recipes, the decorator that declares one, reading recorded data versions. Does not belong here: the list
of all recipes (graph.py), running a stage (table_asset.py, gold_asset.py), comparing over the graph (staleness.py).

The data version of a batch in a table is a hash of its code, profile sections, weights and the data versions of its
inputs, so a change anywhere upstream travels down by itself. Rows that also depend on other batches record that in the
low bits (docs/decisions/0006). A stage that lost a video to an internal error records another data version than the
expected one. So it counts as stale until the error is fixed, and so does everything computed from it.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import polars as pl

from speakervid_dag.assets.code_versions import CODE, Definition, definition_of, sql_said
from speakervid_dag.assets.kept_digests import kept_digests
from speakervid_dag.failures import FAULT
from speakervid_dag.lake.queries.session import sql_text
from speakervid_dag.lake.schemas import STAGE_OUTCOMES, Table
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.lake.storage.integrity import FileLost
from speakervid_dag.lake.storage.slices import Slice, data_version_of
from speakervid_dag.lake.used_weights import MISSING, used_weights
from speakervid_dag.models.registry import examine
from speakervid_dag.stages.stage import Compute

if TYPE_CHECKING:
    from speakervid_dag.assets.resources import Lakehouse

CROSS_BATCH_BITS = (1 << 24) - 1  # of a data version: they depend on other batches, in recipes with `cross_batch`
T = TypeVar("T")


@dataclass
class DataVersions:
    """Data versions recorded in a lake, now or at the table versions `versions`; each table is read once."""

    lake: DeltaLake
    versions: Mapping[str, int] = field(default_factory=dict)
    _read: dict[str, Callable[[str], int | None]] = field(default_factory=dict)
    _known: dict[str, Any] = field(default_factory=dict)

    def once(self, name: str, find: Callable[[], T]) -> T:
        """Return the result of `find`, which is called once; for values that all batches share."""
        if name not in self._known:
            self._known[name] = find()
        found: T = self._known[name]
        return found

    def of(self, table: Table, part: Slice) -> int | None:
        """Return the data version of a slice; None if it was never promoted."""
        if table.name not in self._read:
            self._read[table.name] = self.lake.data_versions(table, self.versions.get(table.name))
        return self._read[table.name](part.app_id)

    def faults(self, stage: str, batch: str) -> list[dict[str, Any]]:
        """Return outcomes of the videos that a stage lost to an internal error; none if their file is lost."""
        is_fault = (pl.col("stage") == stage) & (pl.col("reason") == FAULT)
        version = self.versions.get(STAGE_OUTCOMES.name)
        try:
            return self.lake.read(STAGE_OUTCOMES, batches=[batch], version=version, where=is_fault).to_dicts()
        except FileLost:  # the stage is stale for that reason alone
            return []


# gives a hash of the inputs that a batch takes from other batches; None: there are none at present
CrossBatch = Callable[["Lakehouse", DataVersions, str], int | None]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that a stage's rows are computed from: the input of its data version.

    Attributes:
        tables: tables that it computes.
        reads: upstream tables. Each must be promoted and not refused.
        sections: parts of the profile that the rows depend on.
        computed_by: definitions from which all code that computes the rows is reached.
        queries: names of the SQL files that compute the rows.
        weights: returns the names of the weights that the rows depend on.
        has_manifest: the rows also depend on the batch's list of files.
        cross_batch: what the rows depend on in other batches; None: nothing.
    """

    name: str
    tables: tuple[Table, ...]
    reads: tuple[Table, ...] = ()
    sections: tuple[str, ...] = ()
    computed_by: tuple[Definition, ...]
    queries: tuple[str, ...] = ()
    weights: "Callable[[Lakehouse], Sequence[str]]" = lambda _: ()
    has_manifest: bool = False
    cross_batch: CrossBatch | None = None

    @cached_property
    def code(self) -> str:
        """Hex digest of the code that computes the rows."""
        asked = repr((self.computed_by, self.tables, self.queries))
        return kept_digests().once(asked, self._read_code)

    def _read_code(self) -> str:
        return CODE.digest(self.computed_by, self.tables, [sql_said(sql_text(query)) for query in self.queries])

    def code_version(self, lakehouse: "Lakehouse") -> str:
        """Return a hash of the source, the profile sections that this stage reads, and the weights on disk.

        Weights that the lake was computed with and that are now missing or damaged count as the ones used then: their
        absence is not a new input (nothing is computed without them, see weights.py).
        """
        weights = [_steady_state(lakehouse, name) for name in self.weights(lakehouse)]
        return hashlib.sha256(
            "|".join([self.code, lakehouse.profile.digest(*self.sections), *weights]).encode()
        ).hexdigest()[:16]

    def part(self, table: Table, batch: str, profile: str) -> Slice:
        values = {"batch": batch, "profile": profile, "stage": self.name}
        return Slice({k: values[k] for k in table.partition_by})

    def parents(self, table: Table) -> list[Table]:
        """Return the parents in the graph of one of the step's tables.

        The tables of a step are siblings. If one depended on another, a backfill would place the step as deep as its
        deepest table, and move whatever reads the first table into a separate run. Intake reads no table, so its shots
        depend on its videos.
        """
        return [t for t in (self.reads or self.tables[:1]) if t is not table]

    def upstream(self, recorded: DataVersions, batch: str, profile: str) -> dict[str, int | None]:
        """Return the recorded data version of the batch per input table; None for one never promoted."""
        return {t.name: recorded.of(t, self.part(t, batch, profile)) for t in self.reads}

    def data_version(self, lakehouse: "Lakehouse", recorded: DataVersions, batch: str) -> int:
        """Return the data version that the batch's rows would have if they were computed now."""
        upstream = self.upstream(recorded, batch, lakehouse.profile.name)
        told = [f"{name}={upstream[name]}" for name in sorted(upstream)]
        if self.has_manifest:
            told.append(lakehouse.book.digest(batch))
        code = recorded.once(f"code of {self.name}", lambda: self.code_version(lakehouse))
        own = data_version_of(code, batch, *told)
        others = self.cross_batch(lakehouse, recorded, batch) if self.cross_batch is not None else None
        return own if others is None else own_part(own) | others & CROSS_BATCH_BITS

    def is_same_but_for_others(self, data_version: int, other: int) -> bool:
        """Return whether both data versions are of the same code, settings and inputs of the batch itself."""
        return data_version == other or (self.cross_batch is not None and own_part(data_version) == own_part(other))


@dataclass(frozen=True, kw_only=True)
class StageRecipe(Recipe):
    """Recipe of a stage below gold: a function computes the rows of one batch.

    Attributes:
        compute: returns one frame per table; its inputs are in `stage[name]`.
        kinds: tools that Dagster shows for it.
        pool: Dagster pool that limits how many run at once.
    """

    compute: Compute
    kinds: frozenset[str] = frozenset({"polars"})
    pool: str | None = None


def makes(
    *tables: Table,
    reads: Sequence[Table] = (),
    sections: Sequence[str] = (),
    weights: "Callable[[Lakehouse], Sequence[str]]" = lambda _: (),
    manifest: bool = False,
    cross_batch: CrossBatch | None = None,
    kinds: frozenset[str] = frozenset({"polars"}),
    pool: str | None = None,
) -> Callable[[Compute], StageRecipe]:
    """Declare that the decorated function computes these tables for one batch; see StageRecipe."""

    def declare(compute: Compute) -> StageRecipe:
        return StageRecipe(
            name=compute.__name__,
            tables=tables,
            reads=tuple(reads),
            sections=tuple(sections),
            computed_by=(definition_of(compute),),
            weights=weights,
            has_manifest=manifest,
            cross_batch=cross_batch,
            compute=compute,
            kinds=kinds,
            pool=pool,
        )

    return declare


def promoted_version(expected: int, outcomes: Iterable[Mapping[str, Any]]) -> int:
    """Return the data version to record: the expected one, or another one if internal errors cost videos."""
    faulty = sorted(str(o["video_id"]) for o in outcomes if o["reason"] == FAULT)
    if not faulty:
        return expected
    return own_part(data_version_of(str(own_part(expected)), FAULT, *faulty)) | expected & CROSS_BATCH_BITS


def own_part(data_version: int) -> int:
    """Return a data version without the bits that depend on other batches."""
    return data_version & ~CROSS_BATCH_BITS


def base_name(name: str) -> str:
    """Return the name of weights without the state that names outside the registry carry (`NAME@STATE`)."""
    return name.partition("@")[0]


def weight_state(name: str) -> str:
    """Return the hash of weights on disk, or 'missing', so that rows are recomputed once a missing model is there.

    Names outside the registry (the lake's own model, a package, a face pack) carry their state: `NAME@STATE`.
    """
    return name.partition("@")[2] if "@" in name else examine(name).sha256 or MISSING


def _steady_state(lakehouse: "Lakehouse", name: str) -> str:
    state = weight_state(name)
    if state == MISSING and lakehouse.settings.allow_loss:
        return state
    is_usable = state != MISSING and ("@" in name or not examine(name).is_damaged)
    return state if is_usable else used_weights(lakehouse.settings.lake_dir).get(base_name(name), state)
