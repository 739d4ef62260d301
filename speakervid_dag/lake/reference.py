"""The generated parts of docs/analysts.md: `python -m speakervid_dag.lake.reference docs/analysts.md`.

Belongs here: tables and statistics as Markdown, from the schemas and the SQL files. Does not belong here: prose.
"""

import sys
from pathlib import Path

from speakervid_dag.lake.schemas import TABLES
from speakervid_dag.lake.session import sql_text, statistics_names


def with_generated_parts(page: str) -> str:
    """The page with its marked parts (`<!-- tables -->` …) made anew. Raises ValueError where they are not marked."""
    for name, text in (("statistics", statistics_table()), ("tables", tables_table())):
        start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        before, _, rest = page.partition(start)
        _, found, after = rest.partition(end)
        if not found:
            raise ValueError(f"the page has no part marked {start} … {end}")
        page = f"{before}{start}\n{text}\n{end}{after}"
    return page


def tables_table() -> str:
    """Every table: layer, what one row is, key, columns."""
    rows = [
        f"| `{t.name}` | {t.layer} | {t.doc} | {', '.join(t.key)} | {', '.join(c.name for c in t.columns)} |"
        for t in TABLES.values()
    ]
    return "\n".join(["| table | layer | one row is | key | columns |", "|---|---|---|---|---|", *rows])


def statistics_table() -> str:
    """Every statistic with its question."""
    rows = [
        f"| `{name}` | {sql_text(f'statistics/{name}').splitlines()[0].removeprefix('-- ')} |"
        for name in statistics_names()
    ]
    return "\n".join(["| view | question |", "|---|---|", *rows])


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(with_generated_parts(target.read_text("utf-8")), "utf-8")
