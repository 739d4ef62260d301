"""Recipes: what a stage's rows are computed from, and the fingerprint that decides whether they are up to date.

Belongs here: recipes, the decorator that declares one, and reading the marks of promoted rows. Does not belong here:
the list of all recipes (graph.py), running a stage (table_asset.py, gold_asset.py), comparing over the graph
(freshness.py).

A batch's mark in a table is the fingerprint of code, profile sections, weights and the marks of its inputs, so any
change upstream propagates downstream. The low bits of the mark cover dependencies on other batches
(docs/decisions/0006). A stage that lost a video to an internal error (`internal_error`) gets a mark that differs from
the expected one. It, and everything computed from it, therefore stays stale until the error is fixed.
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
from speakervid_dag.lake.storage.slices import Slice, fingerprint_of
from speakervid_dag.lake.used_weights import MISSING, used_weights
from speakervid_dag.models.registry import examine
from speakervid_dag.stages.stage import Compute

if TYPE_CHECKING:
    from speakervid_dag.assets.resources import Factory

OTHERS = (1 << 24) - 1  # bits of a mark that cover other batches, in a recipe with a population
T = TypeVar("T")


@dataclass
class Marks:
    """The marks of a lake now, or at `versions`. Each table's marks are read once for all batches."""

    lake: DeltaLake
    versions: Mapping[str, int] = field(default_factory=dict)
    _read: dict[str, Callable[[str], int | None]] = field(default_factory=dict)
    _known: dict[str, Any] = field(default_factory=dict)

    def once(self, name: str, find: Callable[[], T]) -> T:
        """Return the result of `find`, called only the first time: for values that are the same for all batches."""
        if name not in self._known:
            self._known[name] = find()
        found: T = self._known[name]
        return found

    def of(self, table: Table, part: Slice) -> int | None:
        """Return the mark of the slice; None if it was never promoted."""
        if table.name not in self._read:
            self._read[table.name] = self.lake.fingerprints(table, self.versions.get(table.name))
        return self._read[table.name](part.app_id)

    def faults(self, stage: str, batch: str) -> list[dict[str, Any]]:
        """Return the outcomes of videos that a stage lost to internal errors; none if the outcomes' file is lost."""
        is_fault = (pl.col("stage") == stage) & (pl.col("reason") == FAULT)
        version = self.versions.get(STAGE_OUTCOMES.name)
        try:
            return self.lake.read(STAGE_OUTCOMES, batches=[batch], version=version, where=is_fault).to_dicts()
        except FileLost:  # the stage is stale for that reason anyway
            return []


# returns a hash of what a batch's rows depend on in other batches; None: they depend on none at present
Population = Callable[["Factory", Marks, str], int | None]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that a stage's rows are computed from: the input of its fingerprint.

    Attributes:
        tables: tables that it computes.
        reads: upstream tables. Each must be promoted and not refused.
        sections: parts of the profile that the rows depend on.
        computed_by: definitions from which all code that computes the rows is reached.
        queries: names of the SQL files that compute the rows.
        weights: returns the names of the weights that the rows depend on.
        has_manifest: the rows also depend on the batch's list of files.
        population: what the rows depend on in other batches; None: nothing.
    """

    name: str
    tables: tuple[Table, ...]
    reads: tuple[Table, ...] = ()
    sections: tuple[str, ...] = ()
    computed_by: tuple[Definition, ...]
    queries: tuple[str, ...] = ()
    weights: "Callable[[Factory], Sequence[str]]" = lambda _: ()
    has_manifest: bool = False
    population: Population | None = None

    @cached_property
    def code(self) -> str:
        """Hex digest of the code that computes the rows."""
        asked = repr((self.computed_by, self.tables, self.queries))
        return kept_digests().once(asked, self._read_code)

    def _read_code(self) -> str:
        return CODE.digest(self.computed_by, self.tables, [sql_said(sql_text(query)) for query in self.queries])

    def code_version(self, factory: "Factory") -> str:
        """Return a hash of the source, the profile sections that this stage reads, and the weights on disk.

        Weights that the lake was computed with and that are now missing or damaged count as the ones used then: their
        absence is not a new input (nothing is computed without them, see weights.py).
        """
        weights = [_steady_state(factory, name) for name in self.weights(factory)]
        return hashlib.sha256(
            "|".join([self.code, factory.profile.digest(*self.sections), *weights]).encode()
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

    def upstream(self, marks: Marks, batch: str, profile: str) -> dict[str, int | None]:
        """Return the mark of the batch in each input table; None for one that was never promoted."""
        return {t.name: marks.of(t, self.part(t, batch, profile)) for t in self.reads}

    def fingerprint(self, factory: "Factory", marks: Marks, batch: str) -> int:
        """Return the fingerprint of what the batch's rows would be computed from now."""
        upstream = self.upstream(marks, batch, factory.profile.name)
        told = [f"{name}={upstream[name]}" for name in sorted(upstream)]
        if self.has_manifest:
            told.append(factory.book.digest(batch))
        code = marks.once(f"code of {self.name}", lambda: self.code_version(factory))
        own = fingerprint_of(code, batch, *told)
        others = self.population(factory, marks, batch) if self.population is not None else None
        return own if others is None else own_part(own) | others & OTHERS

    def is_same_but_for_others(self, mark: int, other: int) -> bool:
        """Return whether both marks cover the same code, settings and inputs of the batch itself."""
        return mark == other or (self.population is not None and own_part(mark) == own_part(other))


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
    weights: "Callable[[Factory], Sequence[str]]" = lambda _: (),
    manifest: bool = False,
    population: Population | None = None,
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
            population=population,
            compute=compute,
            kinds=kinds,
            pool=pool,
        )

    return declare


def mark_of(fingerprint: int, outcomes: Iterable[Mapping[str, Any]]) -> int:
    """Return the mark under which rows are promoted: the fingerprint, or another one if internal errors lost videos."""
    faulty = sorted(str(o["video_id"]) for o in outcomes if o["reason"] == FAULT)
    if not faulty:
        return fingerprint
    return own_part(fingerprint_of(str(own_part(fingerprint)), FAULT, *faulty)) | fingerprint & OTHERS


def own_part(mark: int) -> int:
    """Return a mark without the bits that cover other batches."""
    return mark & ~OTHERS


def base_name(name: str) -> str:
    """Return the name of weights without the state that names outside the registry carry (`NAME@STATE`)."""
    return name.partition("@")[0]


def weight_state(name: str) -> str:
    """Return the hash of weights on disk, or 'missing', so that rows are recomputed once a missing model is there.

    Names outside the registry (the lake's own model, a package, a face pack) carry their state: `NAME@STATE`.
    """
    return name.partition("@")[2] if "@" in name else examine(name).sha256 or MISSING


def _steady_state(factory: "Factory", name: str) -> str:
    state = weight_state(name)
    if state == MISSING and factory.settings.allow_loss:
        return state
    is_usable = state != MISSING and ("@" in name or not examine(name).is_damaged)
    return state if is_usable else used_weights(factory.settings.lake_dir).get(base_name(name), state)
