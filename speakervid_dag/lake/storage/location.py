"""Location of a lake's tables, in the form that each library needs.

Belongs here: roots, URIs, addresses, and the lock for tables whose store cannot refuse a commit. Does not belong here:
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
    """Location of a lake's tables: a folder, or an object-store URI with `storage_options`."""

    root: str
    storage_options: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_remote(self) -> bool:
        return places.is_uri(self.root)

    @property
    def readable_root(self) -> str:
        """Return the lake's folder in the form for polars and DuckDB (`places.plain`), or its object-store URI."""
        return self.root if self.is_remote else str(places.plain(Path(self.root).absolute()))

    def uri(self, table: Table) -> str:
        """Return the table's folder, or its URI in an object store."""
        return f"{self.root.rstrip('/')}/tables/{table.name}"

    def address(self, table: Table) -> tuple[str, dict[str, str]]:
        """Return the table's URI and storage options for delta-rs."""
        if self.is_remote:
            return self.uri(table), dict(self.storage_options)
        return places.delta_address(str(Path(self.root).absolute()), table.name)

    def has_own_store(self, table: Table) -> bool:
        """Return whether delta-rs needs OpenDAL for the table, because it misreads the folder's path."""
        return not self.is_remote and bool(self.address(table)[1])

    @contextmanager
    def writing(self, table: Table) -> Iterator[None]:
        """Lock the table for a commit if its store cannot refuse a version that already exists; most stores can.

        A commit must open or update the table inside this context.
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
        """Return the log folder of a table in a local folder; None in an object store."""
        return None if self.is_remote else Path(self.uri(table), "_delta_log")

    def file_system(self, table: Table) -> Any:
        """Return a pyarrow file system of the table's folder, to write and remove files that no commit names."""
        from deltalake.fs import DeltaStorageHandler
        from pyarrow.fs import PyFileSystem

        address, options = self.address(table)
        return PyFileSystem(DeltaStorageHandler(address, options or None))
