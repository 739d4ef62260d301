"""The generated parts of the pages in docs: `python -m speakervid_dag.cli.reference docs/*.md docs/*/*.md`.

Belongs here: tables, measures, gates, settings and weights as Markdown, from where they are stated. Does not belong
here: prose, and what a gate's row says (config/profile_views.py).
"""

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import polars as pl

from speakervid_dag.config.profile_views import gate_rows, needing, profile_sections
from speakervid_dag.config.profiles import profile_names
from speakervid_dag.config.settings import PREFIX, Settings
from speakervid_dag.lake.queries.session import sql_text, statistics_names
from speakervid_dag.lake.schemas import SECOND_NAMES, TABLES, Column, Table
from speakervid_dag.lake.schemas.measures import MEASURES
from speakervid_dag.media.budget import MediaBudget
from speakervid_dag.models.registry import load_registry
from speakervid_dag.rendering.markdown import table

# ending of a column's name → its unit; STYLE: the unit stands in the name
UNITS = {
    "fps": "Hz",
    "_s": "s",
    "_px": "px",
    "_hz": "Hz",
    "_bps": "bit/s",
    "_deg": "deg",
    "_db": "dB",
    "_bytes": "bytes",
}
TYPES: Mapping[str, str] = {
    "Int64": "integer", "Float64": "float", "Float32": "float32", "Int16": "int16",
    "String": "text", "Boolean": "true/false", "Datetime": "time, UTC",
}  # fmt: skip


def with_generated_parts(page: str) -> str:
    """The page with its marked parts (`<!-- tables -->` … `<!-- /tables -->`) made anew; other marks are left alone.

    Raises:
        ValueError: a part that begins has no end.
    """
    for name, make in PARTS.items():
        before, start, rest = page.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition(f"<!-- /{name} -->")
        if start and not end:
            raise ValueError(f"the page has no <!-- /{name} --> after <!-- {name} -->")
        page = f"{before}{start}{make() + chr(10) if start else ''}{end}{after}"
    return page


def tables() -> str:
    """Every table with all its columns, by layer as they are made."""
    return "\n".join(_section(each) for each in TABLES.values())


def statistics() -> str:
    """Every statistic with its question."""
    told = {n: sql_text(f"statistics/{n}").splitlines()[0].removeprefix("-- ") for n in statistics_names()}
    return table(["view", "question"], ([f"`{name}`", question] for name, question in told.items()))


def measures() -> str:
    """Every measure that a gate can ask: unit, meaning, and which gates of the packaged profiles ask it."""
    asked = _askers()
    rows = (
        [f"`{m.name}`", m.unit, m.scale_text, m.doc + needing(m.weights), "<br>".join(asked.get(n, ()))]
        for n, m in MEASURES.items()
    )
    return table(["measure", "unit", "scale", "what it is", "asked by"], rows)


def settings() -> str:
    """Every environment variable of an installation."""
    rows = (
        [
            f"`{PREFIX}{name.upper()}`",
            _default(None if field.default_factory else field.default),
            field.description or "",
        ]
        for name, field in Settings.model_fields.items()
    )
    return table(["variable", "default", "meaning"], rows)


def budget() -> str:
    """What one media file may cost."""
    rows = ([f"`{n}`", f"{f.default:,}", f.description or ""] for n, f in MediaBudget.model_fields.items())
    return table(["limit", "default", "meaning"], rows)


def weights() -> str:
    """Every registered weight with its licence."""
    rows = (
        [f"`{w.name}`", w.stage, w.what, w.licence, _yes(w.is_commercial_ok), _yes(w.is_default), _yes(w.is_pinned)]
        for w in load_registry().values()
    )
    return table(["name", "stage", "what", "licence", "commercial use", "default", "hash pinned"], rows)


def decisions() -> str:
    """The records in docs/decisions, by number."""
    pages = sorted(Path("docs/decisions").glob("[0-9]*.md"))
    return "\n".join(f"- [{p.read_text('utf-8').splitlines()[0].lstrip('# ')}]({p.name})" for p in pages)


PARTS: Mapping[str, Callable[[], str]] = {
    "tables": tables,
    "statistics": statistics,
    "measures": measures,
    "settings": settings,
    "budget": budget,
    "weights": weights,
    "profiles": profile_sections,
    "decisions": decisions,
}


def _section(described: Table) -> str:
    key, parts = ", ".join(f"`{k}`" for k in described.key), ", ".join(f"`{p}`" for p in described.partition_by)
    head = f"### {described.name}\n\n{described.layer} · one row is {described.doc} · key {key}"
    head += f" · partitioned by {parts}\n\n" if parts else "\n\n"
    rows = ([_names(c.name), _type(c.dtype), _unit(c), "yes" if c.nullable else "", c.doc] for c in described.columns)
    return head + table(["column", "type", "unit", "may be null", "meaning"], rows) + "\n"


def _names(column: str) -> str:
    """The name to use in SQL first, then the one of the stored table."""
    return f'`{SECOND_NAMES[column]}`, `"{column}"`' if column in SECOND_NAMES else f"`{column}`"


def _askers() -> dict[str, list[str]]:
    """Measure → `profile: rule` of every gate that asks it."""
    found: dict[str, list[str]] = {}
    for profile in profile_names():
        for row in gate_rows(profile):
            mode = "" if row["mode"] == "enforce" else f", {row['mode']}"
            found.setdefault(row["measure"], []).append(f"{profile}: {row['rule']} ({row['level']}{mode})")
    return found


def _type(dtype: pl.DataType) -> str:
    if isinstance(dtype, pl.List):
        return f"list of {_type(dtype.inner)}"  # type: ignore[arg-type]
    if isinstance(dtype, pl.Struct):
        return "{" + ", ".join(field.name for field in dtype.fields) + "}"
    return TYPES[type(dtype).__name__]


def _unit(column: Column) -> str:
    """The unit of a number: stated, or told by the name."""
    if column.unit:
        return column.unit
    is_number = re.search(r"Int|Float", str(column.dtype))
    return next((unit for end, unit in UNITS.items() if is_number and column.name.endswith(end)), "")


def _default(value: object) -> str:
    return "" if value is None else f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _yes(is_so: bool) -> str:
    return "yes" if is_so else ""


if __name__ == "__main__":
    for name in sys.argv[1:]:
        target = Path(name)
        target.write_text(with_generated_parts(target.read_text("utf-8")), "utf-8")
