"""Building blocks of table definitions: types, `Column`, `Table`, and columns that many tables share.

Belongs here: polars types, `Column`, `Table`. Does not belong here: any particular table.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import polars as pl
from polars.datatypes import DataType, DataTypeClass

Layer = Literal["bronze", "silver", "gold", "system"]
PolarsType = DataType | DataTypeClass

STRING, BOOL, INT, FLOAT = pl.String(), pl.Boolean(), pl.Int64(), pl.Float64()
SERIES = pl.List(pl.Float32())
TIMES = pl.List(pl.Float64())
FLAGS = pl.List(pl.Boolean())
SKELETONS = pl.List(pl.List(pl.Int16()))
COSTS = pl.List(pl.Struct({"part": pl.String(), "elapsed_s": FLOAT}))
BOXES = pl.List(pl.List(pl.Float32()))
STRINGS = pl.List(pl.String())
HASHES = pl.List(pl.Int64())
WORDS = pl.List(pl.Struct({"word": pl.String(), "start_s": FLOAT, "end_s": FLOAT, "probability": FLOAT}))
SOUND_TRACKS = pl.List(
    pl.Struct(
        {
            "track": INT,
            "codec": pl.String(),
            "language": pl.String(),
            "title": pl.String(),
            "is_default": BOOL,
            "channels": INT,
            "layout": pl.String(),
            "sample_rate_hz": INT,
            "start_s": FLOAT,
            "end_s": FLOAT,
            "level_dbfs": FLOAT,
            "speech_s": FLOAT,
            "found": pl.String(),
            "channels_found": STRINGS,
        }
    )
)
SOUND_TAKEN = pl.List(pl.Struct({"track": INT, "channel": INT, "weight": FLOAT}))


# SQL keyword that DuckDB accepts as a column only in quotes → the alias that the views offer
SECOND_NAMES = {"at": "at_time", "table": "table_name"}


@dataclass(frozen=True)
class Column:
    """One column: polars dtype, meaning (with unit), whether it may be null."""

    name: str
    dtype: DataType
    doc: str
    nullable: bool = False
    unit: str | None = None  # only of a score that gates can test; '1' for a ratio or an index


@dataclass(frozen=True)
class Table:
    """One table: its columns in order, its key, and how its files are partitioned."""

    name: str
    layer: Layer
    doc: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    partition_by: tuple[str, ...] = ("batch",)
    extra_docs: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def schema(self) -> pl.Schema:
        return pl.Schema({c.name: c.dtype for c in self.columns})

    @property
    def required(self) -> tuple[str, ...]:
        return tuple(c.name for c in self.columns if not c.nullable)

    def empty(self) -> pl.DataFrame:
        return pl.DataFrame(schema=self.schema)

    def frame(self, rows: list[dict[str, object]]) -> pl.DataFrame:
        """Return the rows as a frame of exactly these columns. Raises on a value of another type or an unknown key."""
        unknown = {k for row in rows for k in row} - set(self.schema.names())
        if unknown:
            raise ValueError(f"{self.name} has no column {sorted(unknown)}")
        return pl.DataFrame(rows, schema=self.schema, strict=True, orient="row") if rows else self.empty()


def column(name: str, dtype: DataType, doc: str, *, null: bool = False) -> Column:
    """Return a column that is not a score; `null`: it may be empty."""
    return Column(name, dtype, doc, null)


BATCH = column("batch", STRING, "ingestion batch; partition column")
VIDEO = column("video_id", STRING, "'v' + first 16 hex digits of the file's SHA-256")
SPAN = (column("start_s", FLOAT, "start on the container's clock, s"), column("end_s", FLOAT, "end (exclusive), s"))
PROFILE = column("profile", STRING, "profile that the decision follows")
BOX = tuple(
    column(n, FLOAT, f"{n} of the box, 0-1 of the display {d}")
    for n, d in (("x1", "width"), ("y1", "height"), ("x2", "width"), ("y2", "height"))
)


def status(*states: str, also: str = "") -> tuple[Column, ...]:
    """Return the columns of a row's status (`states`, best first), the reason code, and the detail.

    Args:
        also: what else has a reason.
    """
    return (
        column("status", STRING, " | ".join(states)),
        column("reason", STRING, f"reason code (snake_case) if the status is not {states[0]}{also}", null=True),
        column("detail", STRING, "explanation in one sentence", null=True),
    )
