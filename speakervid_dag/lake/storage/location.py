"""Where the tables of a lake lie, for each program that reads or writes them.

Belongs here: roots, URIs, addresses, and the lock of tables whose store cannot refuse a commit. Does not belong here:
turning a path into a URI (places.py), opening a table (tables.py).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from speakervid_dag import places
from speakervid_dag.lake.schemas import Table


@dataclass(frozen=True)
class Location:
    """Where the tables of a lake lie: a folder, or an object-store URI with `storage_options`."""

    root: str
    storage_options: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_remote(self) -> bool:
        return places.is_uri(self.root)

    @property
    def readable_root(self) -> str:
        """The lake's folder as polars and DuckDB take it (`places.plain`); an object store's URI as it is."""
        return self.root if self.is_remote else str(places.plain(Path(self.root).absolute()))

    def uri(self, table: Table) -> str:
        """Return the table's folder, or its URI in an object store."""
        return f"{self.root.rstrip('/')}/tables/{table.name}"

    def address(self, table: Table) -> tuple[str, dict[str, str]]:
        """Return the URI and the storage options under which delta-rs finds the table."""
        if self.is_remote:
            return self.uri(table), dict(self.storage_options)
        return places.delta_address(str(Path(self.root).absolute()), table.name)

    def has_own_store(self, table: Table) -> bool:
        """Return whether delta-rs reaches the table through OpenDAL, since it misreads the folder's path."""
        return not self.is_remote and bool(self.address(table)[1])

    @contextmanager
    def writing(self, table: Table) -> Iterator[None]:
        """Hold the table for a commit, where its store cannot refuse a version that is there already.

        A commit must open the table, or bring it up to date, inside. Of most lakes the store itself sees to it.
        """
        if not self.has_own_store(table):
            yield
            return
        from filelock import FileLock

        folder = Path(self.root, "tables")
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{table.name}.lock", is_singleton=True):
            yield

    def log_folder(self, table: Table) -> Path | None:
        """Of a table in a local folder."""
        return None if self.is_remote else Path(self.uri(table), "_delta_log")

    def file_system(self, table: Table) -> Any:
        """Return a pyarrow file system of the table's folder, by which files that no commit names are written and
        removed."""
        from deltalake.fs import DeltaStorageHandler
        from pyarrow.fs import PyFileSystem

        address, options = self.address(table)
        return PyFileSystem(DeltaStorageHandler(address, options or None))
