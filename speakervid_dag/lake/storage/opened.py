"""A Delta table in a local folder, opened by a path and listing its data files by path.

Belongs here: the one difference to deltalake's own class, which gives percent-encoded URIs, read by polars as paths.
Does not belong here: what is done with a table (tables.py), which path or URI a program is given (places.py).
"""

from collections.abc import Mapping
from typing import Any

from deltalake import DeltaTable

from speakervid_dag.lake.schemas import Table


class LocalTable(DeltaTable):  # type: ignore[misc]
    """A table whose `file_uris` are paths below `folder`, without anything that polars takes for a pattern.

    Args:
        address: what delta-rs takes for its place, with these storage options (`places.delta_address`).
        folder: a plain path to the same place (`places.plain`).
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
