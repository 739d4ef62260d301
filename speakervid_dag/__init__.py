"""speakervid-dag: turns raw conversation videos into a tiered, searchable dataset of talking people."""

from pathlib import Path
from typing import TYPE_CHECKING

from speakervid_dag.version import VERSION

if TYPE_CHECKING:
    import duckdb

__version__ = VERSION


def connect(lake: str | Path | None = None, as_of: str | int | None = None) -> "duckdb.DuckDBPyConnection":
    """Return a read-only DuckDB connection with one view per table and statistic of a published snapshot.

    Args:
        lake: folder of the lake; None: $SPEAKERVID_LAKE, else ./lake.
        as_of: a snapshot's number, or an ISO time (UTC without a zone); None: the newest snapshot.

    Raises:
        speakervid_dag.failures.UserError: there is no lake, nothing is published, or the snapshot does not exist.
    """
    from speakervid_dag.config.settings import load_settings
    from speakervid_dag.lake.queries.published import open_published

    return open_published(load_settings(lake=lake).lake_dir, None if as_of is None else str(as_of))
