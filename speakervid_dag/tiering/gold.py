"""Gold tables: one SQL file each, run for given batches and one profile.

Belongs here: the SQL file of each table, and the profile in a form that SQL can read. Does not belong here: SQL itself,
committing, Dagster.
"""

import math
from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from speakervid_dag.config.profiles import Profile
from speakervid_dag.config.sections import Gate
from speakervid_dag.failures import OperationError
from speakervid_dag.formats import quantity
from speakervid_dag.lake.queries.session import Session, ask_measures, query_file
from speakervid_dag.lake.schemas import TABLES
from speakervid_dag.lake.storage.slices import check_schema

QUERIES = {
    "clip_gates": "gates/clip_gates",
    "tiers": "tiers/tiers",
    "branch_single": "branches/single",
    "branch_dialogue": "branches/dialogue",
    "branch_listening": "branches/listening",
    "branch_multi_turn": "branches/multi_turn",
}  # in the order in which they depend on each other

# clips whose rows are in memory and audited at once: 20 gates each stay below 2 GB; other tables have a row per clip
GATES_CHUNK_CLIPS = 40_000
CHUNK_CLIPS = 160_000

_GATE_COLUMNS = pl.Schema(
    {
        "gate": pl.String,
        "position": pl.Int64,
        "measure": pl.String,
        "applies_to": pl.String,
        "keep": pl.String,
        "threshold": pl.Float64,
        "upper_threshold": pl.Float64,
        "unit": pl.String,
        "level": pl.String,
        "mode": pl.String,
        "not_evaluated": pl.String,
    }
)


def compute(con: Session, table: str, profile: Profile, batches: Sequence[str]) -> pl.DataFrame:
    """Return the rows of one gold table for these batches and this profile, with exactly its schema.

    Reads the other tables by their names in `con`, which must contain the batches' silver rows (for tiers and branches
    also their upstream gold rows). Percentile gates read every batch of the session.

    Raises:
        OperationError: a query failed, or tiers are computed and a clip of the batches has no row in clip_gates.
        KeyError: not a gold table.
    """
    query, wanted = QUERIES[table], TABLES[table]
    measures = sorted({g.measure for g in profile.gates.values()})
    params = {
        "batches": list(batches),
        "profile": profile.name,
        "measures": measures,
        **profile.branches.model_dump(),
    }
    if table == "clip_gates":
        con.register("profile_gates", _gate_rows(con, profile.gates))
        ask_measures(con, measures, batches)
    try:
        frame = query_file(con, query, **params)
    finally:
        if table == "clip_gates":
            con.unregister("profile_gates")
    frame = frame.select(wanted.schema.names()).cast(wanted.schema)
    check_schema(wanted, frame)
    if table == "tiers":
        _refuse_ungated(con, frame, list(batches))
    return frame


def compute_chunks(
    con: Session, table: str, profile: Profile, batches: Sequence[str]
) -> Iterator[tuple[list[str], pl.DataFrame]]:
    """Yield the same rows in chunks of whole batches, with one set of thresholds."""
    are_gates = table == "clip_gates"
    fixed = with_fixed_thresholds(con, profile) if are_gates else profile
    for chunk in chunks_of(con, batches, GATES_CHUNK_CLIPS if are_gates else CHUNK_CLIPS):
        yield chunk, compute(con, table, fixed, chunk)


def chunks_of(con: Session, batches: Sequence[str], most_clips: int) -> list[list[str]]:
    """Return the batches in order, in groups of at most `most_clips` clips; a larger batch forms its own group."""
    counted = "SELECT batch, count(*) FROM clips WHERE list_contains($b, batch) GROUP BY batch"
    clips: dict[str, int] = dict(con.sql(counted, params={"b": list(batches)}).fetchall())
    chunks: list[list[str]] = []
    room = 0
    for batch in batches:
        if not chunks or clips.get(batch, 0) > room:
            chunks.append([])
            room = most_clips
        chunks[-1].append(batch)
        room -= clips.get(batch, 0)
    return chunks


def with_fixed_thresholds(con: Session, profile: Profile) -> Profile:
    """Return the profile with each percentile replaced by its value in this lake: computed once, not per chunk."""
    fixed = {
        name: gate.model_copy(update={"threshold": _threshold(con, gate), "percentile": None})
        for name, gate in profile.gates.items()
        if gate.mode != "off"
    }
    return profile.model_copy(update={"gates": {**profile.gates, **fixed}})


def enforced_percentiles(profile: Profile) -> dict[str, Gate]:
    """Return the enforced percentile gates: through them, clips of other batches affect a clip's tier."""
    return {n: g for n, g in profile.gates.items() if g.percentile is not None and g.mode == "enforce"}


def enforced_thresholds(con: Session, profile: Profile) -> dict[str, float | None]:
    """Return each of those gates' percentile value in this lake; None if it has too few clips."""
    return {name: _threshold(con, gate) for name, gate in enforced_percentiles(profile).items()}


def asked_gates(profile: Profile) -> pl.DataFrame:
    """Return the gates for which clips of each role must have a row: profile, role, gate."""
    rows = [
        (profile.name, role, name)
        for name, gate in sorted(profile.gates.items())
        for role in ("talking", "listening")
        if gate.mode != "off" and gate.applies_to in ("all", role)
    ]
    return pl.DataFrame(rows, schema={"profile": pl.String, "role": pl.String, "gate": pl.String}, orient="row")


def compute_gold(con: Session, profile: Profile, batches: Sequence[str]) -> dict[str, pl.DataFrame]:
    """Compute all gold tables, each from the new ones: in `con` they shadow the stored ones until it is closed."""
    made: dict[str, pl.DataFrame] = {}
    for table in QUERIES:
        made[table] = compute(con, table, profile, batches)
        con.register("__made", made[table])
        con.execute(f'CREATE OR REPLACE TEMP TABLE "{table}" AS FROM __made')
        con.unregister("__made")
    return made


def _gate_rows(con: Session, gates: Mapping[str, Gate]) -> pl.DataFrame:
    """Return the gates that are not off, in the form SQL reads; `position` counts all gates in the profile's order."""
    rows = [
        {
            "gate": name,
            "position": position,
            "threshold": _threshold(con, gate),
            **gate.model_dump(include=set(_GATE_COLUMNS) - {"gate", "position", "threshold"}),
        }
        for position, (name, gate) in enumerate(gates.items(), 1)
        if gate.mode != "off"
    ]
    return pl.DataFrame(rows, schema=_GATE_COLUMNS, orient="row")


def _threshold(con: Session, gate: Gate) -> float | None:
    """Return the gate's threshold; for a percentile its value over the session's clips, None if they are too few.

    The p-th percentile cuts something off only among 100 / p clips or more (100 / (100 - p) from above).
    """
    if gate.percentile is None:
        return gate.threshold
    asked = {"share": gate.percentile / 100, "measure": gate.measure, "applies_to": gate.applies_to}
    ask_measures(con, [gate.measure])
    found = query_file(con, "gates/percentile", **asked).row(0, named=True)
    smaller = min(gate.percentile, 100 - gate.percentile)
    needed = math.ceil(100 / smaller) if smaller else 1
    return float(found["threshold"]) if found["clip_count"] >= needed else None


def _refuse_ungated(con: Session, tiers: pl.DataFrame, batches: list[str]) -> None:
    """Raise OperationError if a clip has no gate: it would silently be in no tier."""
    counted = con.sql("SELECT count(*) FROM clips WHERE list_contains($b, batch)", params={"b": batches}).fetchall()
    missing = int(counted[0][0]) - tiers.height
    if missing:
        raise OperationError(
            f"{quantity(missing, 'clip')} without a row in clip_gates: "
            "gates were not computed, or none applies to the clips' role"
        )
