"""speakervid-dag: raw conversation videos in, a tiered and searchable dataset of talking people out."""

from pathlib import Path
from typing import TYPE_CHECKING

from speakervid_dag.version import VERSION

if TYPE_CHECKING:
    import duckdb

__version__ = VERSION


def connect(lake: str | Path | None = None, as_of: str | int | None = None) -> "duckdb.DuckDBPyConnection":
    """A DuckDB connection in which every table and statistic of a published snapshot is a view, read-only.

    Args:
        lake: folder of the lake; None takes $SPEAKERVID_LAKE, else ./lake.
        as_of: a snapshot's number, or an ISO time (UTC if it names no zone); None is the newest snapshot.

    Raises:
        speakervid_dag.failures.UserError: there is no lake, nothing is published, or no such snapshot.
    """
    from speakervid_dag.config.settings import load_settings
    from speakervid_dag.lake.queries.published import open_published

    return open_published(load_settings(lake=lake).lake_dir, None if as_of is None else str(as_of))
