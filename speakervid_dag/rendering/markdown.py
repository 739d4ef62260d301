"""Markdown tables whose layout no cell's text can break.

Belongs here: tables and the escaping of their cells. Does not belong here: the content of cells.
"""

from collections.abc import Iterable, Sequence

from speakervid_dag.rendering.text import one_line


def table(head: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """Return a table, one line per row, without a trailing newline.

    Cells may contain Markdown; line breaks become spaces and bars are escaped. None gives an empty cell.
    """
    lines = [f"| {' | '.join(map(_cell, row))} |" for row in (head, *rows)]
    return "\n".join([lines[0], f"|{'---|' * len(head)}", *lines[1:]])


def _cell(value: object) -> str:
    return "" if value is None else one_line(str(value)).replace("|", r"\|")
