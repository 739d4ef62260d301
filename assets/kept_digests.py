"""Digests of our code, worked out once for each state of the source: to read it costs every process a second.

Belongs here: the memory of digests between processes. Does not belong here: what a digest is over (code_versions.py).
"""

import functools
import hashlib
import importlib.util
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from speakervid_dag.assets.code_versions import PACKAGE
from speakervid_dag.files import write_bytes
from speakervid_dag.user_cache import memory_file

PARTS = ("", ".assets", ".quality_checks", ".sql")  # packages that lie apart in a checkout


class KeptDigests:
    """Digests by question, which hold for one state of the source. Kept in a JSON file for the next process.

    Where the file cannot be read or written, each process finds the digests itself. Two that write at once may lose
    each other's: that costs a second.
    """

    def __init__(self, file: Path | None, source: str) -> None:
        self._file, self._source = file, source
        self._known = self._stored()

    def once(self, question: str, find: Callable[[], str]) -> str:
        """Return what `find` gives; it is called only where no process has asked this before."""
        key = hashlib.sha256(question.encode()).hexdigest()
        if key not in self._known:
            self._known[key] = find()
            if self._file is not None and source_digest() == self._source:  # nobody edited it meanwhile
                self._store(self._file)
        return self._known[key]

    def _stored(self) -> dict[str, str]:
        try:
            told = json.loads(self._file.read_bytes()) if self._file is not None else {}
            return {str(k): str(v) for k, v in told["digests"].items()} if told["source"] == self._source else {}
        except (OSError, ValueError, TypeError, AttributeError, KeyError):
            return {}

    def _store(self, file: Path) -> None:
        told = {"source": self._source, "digests": {**self._stored(), **self._known}}
        with suppress(OSError):  # a read-only home: this process remembers
            write_bytes(file, json.dumps(told, indent=0).encode())


@functools.cache
def kept_digests() -> KeptDigests:
    """Return the memory of this process, for the source as it is on disk."""
    return KeptDigests(memory_file("code_digests.json"), source_digest())


def source_digest() -> str:
    """Return hex SHA-256 over all that we wrote, and the version of Python, whose syntax trees are read."""
    found = hashlib.sha256(sys.version.encode())
    for name, file in sorted(source_files()):
        text = file.read_bytes()
        found.update(f"\x1f{name}\x1f{len(text)}\x1f".encode())
        found.update(text)
    return found.hexdigest()


def source_files() -> Iterator[tuple[str, Path]]:
    """Yield the files of our packages that hold source, Python and SQL: name within the package, path."""
    for part in PARTS:
        spec = importlib.util.find_spec(PACKAGE + part)
        for folder in spec.submodule_search_locations or () if spec is not None else ():
            for file in Path(folder).rglob("*"):
                if file.suffix in {".py", ".sql"}:
                    yield f"{part}/{file.relative_to(folder)}", file
