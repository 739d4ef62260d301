"""Private names of Dagster that this package uses.

Belongs here: importing them, each with the reason. Does not belong here: using them. While this module is not empty,
the requirement is `dagster>=1.13,<1.14`: any minor version may move them.
"""

from dagster._core.definitions.data_version import (  # tags the UI compares to decide whether an asset is stale
    CODE_VERSION_TAG,
    DATA_VERSION_TAG,
    get_input_data_version_tag,
    get_input_event_pointer_tag,
)
from dagster._core.launcher.base import CheckRunHealthResult, WorkerStatus  # how a launcher reports a dead run
from dagster._core.storage.event_log import SqliteEventLogStorage  # base of our event log, which keeps its files open
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData  # how dagster.yaml configures a class

__all__ = [
    "CODE_VERSION_TAG",
    "DATA_VERSION_TAG",
    "SQLITE_BUSY_TIMEOUT_SECONDS",
    "CheckRunHealthResult",
    "ConfigurableClassData",
    "SqliteEventLogStorage",
    "WorkerStatus",
    "get_input_data_version_tag",
    "get_input_event_pointer_tag",
]
