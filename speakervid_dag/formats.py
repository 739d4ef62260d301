"""Values and rows as text: JSON, CSV and cells of a table.

Belongs here: the conversion of each type. Does not belong here: where the text goes (cli/output.py, cli/console.py).
"""

import base64
import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, time
from decimal import Decimal
from itertools import chain
from typing import Any

_RUN_BY_A_SPREADSHEET = ("=", "+", "-", "@", "\t", "\r")
_TO_QUOTE = re.compile(r'[",\r\n]')
_CONTROLS = {code: repr(chr(code))[1:-1] for code in (*range(0x20), *range(0x7F, 0xA0))}
Rows = Iterable[Sequence[Any]]


def json_value(value: Any) -> Any:
    """Return the value for JSON: numbers stay numbers, NaN and infinities become null, bytes base64, times ISO 8601.

    A map becomes an object with text keys, a struct an object; a list, an array or a tuple becomes an array.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return int(value) if value.as_tuple().exponent == 0 else json_value(float(value))
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, date | time):  # a datetime is a date
        return value.isoformat()
    if isinstance(value, dict):
        return {_key(k): json_value(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(v) for v in value]
    return str(value)  # uuid, timedelta


def json_text(value: Any) -> str:
    return json.dumps(json_value(value), ensure_ascii=False, allow_nan=False)


def json_rows(names: Sequence[str], rows: Rows) -> Iterator[str]:
    """Yield the pieces of one array with one object per row."""
    before = "["
    for row in rows:
        yield before + json_text(dict(zip(names, row, strict=True)))
        before = ", "
    yield ("[]" if before == "[" else "]") + "\n"


def csv_rows(names: Sequence[str], rows: Rows) -> Iterator[str]:
    """Yield lines of CSV with a header. NULL is empty, empty text is `""`, a nested value is JSON.

    Text that a spreadsheet would run as a formula is prefixed with an apostrophe, so that it is shown as text.
    """
    for row in chain([names], rows):
        yield ",".join(map(_csv_cell, row)) + "\n"


def cell(value: Any) -> str:
    """Return the value as a cell of a printed table: one line, control characters escaped (a terminal obeys them)."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.3f}" if value == 0 or not abs(value) < 0.001 else f"{value:.3g}"
    if isinstance(value, bool | dict | list | tuple):
        return json_text(value).translate(_CONTROLS)
    if isinstance(value, Decimal):
        return f"{value:f}"
    return str(json_value(value) if isinstance(value, bytes) else value).translate(_CONTROLS)


def _csv_cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        text = f"'{value}" if value.startswith(_RUN_BY_A_SPREADSHEET) else value
    elif isinstance(value, float):
        text = repr(value) if math.isfinite(value) else {math.inf: "inf", -math.inf: "-inf"}.get(value, "NaN")
    elif isinstance(value, Decimal):
        text = f"{value:f}"
    elif isinstance(value, bool | dict | list | tuple):
        text = json_text(value)
    else:
        text = str(json_value(value))
    return f'"{text.replace(chr(34), chr(34) * 2)}"' if not text or _TO_QUOTE.search(text) else text


def _key(value: Any) -> str:
    found = json_value(value)
    return found if isinstance(found, str) else json.dumps(found)


def quantity(count: int, noun: str, plural: str | None = None) -> str:
    """Return "1 file" or "2 files"; `plural` is for nouns whose plural is irregular."""
    return f"{count} {noun if count == 1 else plural or noun + 's'}"
