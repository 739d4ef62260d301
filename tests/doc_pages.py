"""Fenced blocks of the pages in docs, for the tests that run them.

Belongs here: reading and applying blocks. Does not belong here: running them.
"""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))
FENCE = re.compile(
    r"^( *)```(\w*)(?: title=\"([^\"]+)\")?\n(.*?)^\1```$\n*((?:\1\|[^\n]*\n)*)", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Block:
    """One fenced block: language, title (a file's name), text, and the table that stands below it."""

    kind: str
    title: str
    text: str
    table: str

    @property
    def commands(self) -> list[str]:
        """Its lines, when it is made of commands."""
        return [line for line in self.text.splitlines() if line.strip()] if self.kind == "bash" else []

    @property
    def answer(self) -> list[dict[str, str]]:
        """The rows of the table below it."""
        lines = [[cell.strip() for cell in line.strip("| ").split("|")] for line in self.table.splitlines()]
        return [dict(zip(lines[0], row, strict=True)) for row in lines[2:]]


def blocks(page: Path) -> Iterator[Block]:
    """Blocks of a page, from top to bottom."""
    for indent, kind, title, text, table in FENCE.findall(page.read_text("utf-8")):
        yield Block(kind, title, textwrap.dedent(text) if indent else text, table)


def write_files(page: Path, folder: Path) -> None:
    """The page's YAML files without a folder in their name: profiles of one's own."""
    for block in blocks(page):
        if block.kind == "yaml" and block.title and "/" not in block.title:
            (folder / block.title).write_text(block.text)


def changed(text: str, diff: str) -> str:
    """The text after the hunks of a diff block, which are parted by empty lines; each must fit in one place."""
    for hunk in re.split(r"\n\n+", diff.strip("\n")):
        lines = hunk.split("\n")
        old, new = ("".join(line[1:] + "\n" for line in lines if line[0] in f" {sign}") for sign in "-+")
        if text.count(old) != 1:
            raise ValueError(f"fits in {text.count(old)} places:\n{old}")
        text = text.replace(old, new)
    return text


def shown(value: object) -> str:
    """A value as a page prints it."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
