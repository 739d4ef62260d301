"""Known rows of every column type that a table has, the awkward values among them.

Belongs here: the values, made alike in whichever process asks, and telling two frames apart to the last bit. Does not
belong here: how they travel (test_isolation.py).
"""

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import cycle, islice
from typing import Any

import polars as pl

from speakervid_dag.lake.schemas import TABLES
from speakervid_dag.lake.schemas.columns import BATCH, VIDEO, Column, Table

HEIGHT = 23  # no value is left out, and no list of values fits a whole number of times
FLOATS = [0.0, -0.0, math.nan, math.inf, -math.inf, 5e-324, -1.5e-45, 0.1, -1 / 3, 1e-38, 3.4e38]
VALUES: Mapping[type[pl.DataType], list[Any]] = {
    pl.Float64: [*FLOATS, 1.7976931348623157e308],
    pl.Float32: FLOATS,
    pl.Int64: [0, -1, 2**63 - 1, -(2**63), 2**53 + 1],
    pl.Int16: [0, -1, 2**15 - 1, -(2**15)],
    pl.Boolean: [True, False],
    pl.String: ["", "null", "a\0b", "\r\n\t", "\"';|,\\", "e\u0301 \u202egpm", "話す 😀", "\ufeff", "x" * 5000],
    pl.Datetime: [datetime(1, 1, 1, tzinfo=UTC), datetime(2026, 11, 27, 1, 2, 3, 456_789, tzinfo=UTC)],
}
TYPES = sorted({dtype for table in TABLES.values() for dtype in table.schema.dtypes()}, key=str)
OWN = tuple(Column(f"c{i:02}", dtype, "", nullable=True) for i, dtype in enumerate(TYPES))
EXCHANGED = Table("exchanged", "silver", "known values", ("video_id",), (BATCH, VIDEO, *OWN))


def known_rows() -> pl.DataFrame:
    """The columns `OWN`: HEIGHT rows, the first null."""
    columns = [pl.Series(c.name, list(islice(cycle(_values(c.dtype)), HEIGHT)), c.dtype) for c in OWN]
    return pl.DataFrame([column.extend_constant(None, 1).shift(1) for column in columns])


def exact(frame: pl.DataFrame) -> tuple[pl.Schema, str]:
    """Schema and values, as text that tells -0.0 from 0.0, null from NaN, and an empty list from none."""
    return frame.schema, repr(frame.rows())


def _values(dtype: Any) -> list[Any]:
    """Return values of a type, null among those of what is nested. Raises KeyError for a type that has none here."""
    if isinstance(dtype, pl.List):
        inner = [*_values(dtype.inner), None]
        return [inner, [], [None], None, inner[::-1]]
    if isinstance(dtype, pl.Struct):
        return [*islice(_structs(dtype), HEIGHT // 2), None]
    return VALUES[dtype.base_type()]


def _structs(dtype: pl.Struct) -> Iterator[dict[str, Any]]:
    fields = {field.name: cycle([*_values(field.dtype), None]) for field in dtype.fields}
    while True:
        yield {name: next(values) for name, values in fields.items()}
