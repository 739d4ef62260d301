"""A Delta table in a local folder that lists its data files by path.

Belongs here: the one difference from deltalake's class, whose percent-encoded URIs polars would read as paths. Does
not belong here: using a table (tables.py), choosing a path or URI for a program (places.py).
"""

from collections.abc import Mapping
from typing import Any

from deltalake import DeltaTable

from speakervid_dag.lake.schemas import Table


class LocalTable(DeltaTable):  # type: ignore[misc]
    """A table whose `file_uris` are paths below `folder`, free of characters that polars would read as a pattern.

    Args:
        address: the table's address for delta-rs, with these storage options (`places.delta_address`).
        folder: a plain path to the same folder (`places.plain`).
    """

    def __init__(
        self, table: Table, address: str, options: Mapping[str, str], folder: str, version: int | None = None
    ) -> None:
        super().__init__(address, version=version, storage_options=dict(options) or None)
        self._folder, self._depth = folder, len(table.partition_by) + 1  # a folder per partition column, and the file

    def file_uris(self, *args: Any, **filters: Any) -> list[str]:
        """Return the paths of this version's data files."""
        inside = ("/".join(uri.rsplit("/", self._depth)[1:]) for uri in super().file_uris(*args, **filters))
        return [f"{self._folder}/{path}" for path in inside]
