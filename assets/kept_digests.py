"""Cached digests of our code, computed once per state of the source: computing them costs a process a second.

Belongs here: the cache shared between processes. Does not belong here: computing digests (code_versions.py).
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

PARTS = ("", ".assets", ".quality_checks", ".sql")  # packages that are separate folders in a checkout


class KeptDigests:
    """Cache of digests by question, valid for one state of the source and kept in a JSON file for later processes.

    Where the file cannot be read or written, each process computes the digests itself. Two processes that write at once
    may lose each other's entries, which costs a second.
    """

    def __init__(self, file: Path | None, source: str) -> None:
        self._file, self._source = file, source
        self._known = self._stored()

    def once(self, question: str, find: Callable[[], str]) -> str:
        """Return the result of `find`; it is called only if no process has asked this question before."""
        key = hashlib.sha256(question.encode()).hexdigest()
        if key not in self._known:
            self._known[key] = find()
            if self._file is not None and source_digest() == self._source:  # the source was not edited meanwhile
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
        with suppress(OSError):  # a read-only home: only this process remembers
            write_bytes(file, json.dumps(told, indent=0).encode())


@functools.cache
def kept_digests() -> KeptDigests:
    """Return this process's cache, for the source as it is on disk."""
    return KeptDigests(memory_file("code_digests.json"), source_digest())


def source_digest() -> str:
    """Return the hex SHA-256 over all our source and the Python version, on which syntax trees depend."""
    found = hashlib.sha256(sys.version.encode())
    for name, file in sorted(source_files()):
        text = file.read_bytes()
        found.update(f"\x1f{name}\x1f{len(text)}\x1f".encode())
        found.update(text)
    return found.hexdigest()


def source_files() -> Iterator[tuple[str, Path]]:
    """Yield the source files of our packages, Python and SQL: name within the package, path."""
    for part in PARTS:
        spec = importlib.util.find_spec(PACKAGE + part)
        for folder in spec.submodule_search_locations or () if spec is not None else ():
            for file in Path(folder).rglob("*"):
                if file.suffix in {".py", ".sql"}:
                    yield f"{part}/{file.relative_to(folder)}", file
