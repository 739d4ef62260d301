"""The names of Dagster that it calls private, and we use all the same.

Belongs here: importing them, each with why. Does not belong here: using them. While this module is not empty, the
requirement is `dagster>=1.13,<1.14`: any minor version may move them.
"""

from dagster._core.definitions.data_version import (  # what the UI compares when it calls an asset stale
    CODE_VERSION_TAG,
    DATA_VERSION_TAG,
    get_input_data_version_tag,
    get_input_event_pointer_tag,
)
from dagster._core.launcher.base import CheckRunHealthResult, WorkerStatus  # how a launcher tells of a dead run
from dagster._core.storage.event_log import SqliteEventLogStorage  # the files that our event log keeps open
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData  # how dagster.yaml makes a class

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
