"""The event log of a lake's Dagster instance: Dagster's own SQLite files, opened once instead of at every event.

Belongs here: the event log class that dagster.yaml names. Does not belong here: anything about lakes.

Dagster creates an engine and a connection and does a full sync for each event. A batch has some 200 events, which makes
this half of its cost apart from the models. The files are the same: either class reads what the other wrote.
"""

import os
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import sqlalchemy
from dagster import EventLogEntry, StringSource

from speakervid_dag.dagster_private import SQLITE_BUSY_TIMEOUT_SECONDS, ConfigurableClassData, SqliteEventLogStorage

FOLDER = ("history", "runs")  # below DAGSTER_HOME, as Dagster has it
OPEN_SHARDS = 8  # files kept open: the index and the latest runs


class EventLogStorage(SqliteEventLogStorage):
    """SQLite event log that keeps its connections open and syncs only at checkpoints.

    A killed process loses nothing. After a power cut the newest events may be missing; the tables' own logs still
    record what was done and what is left to do.
    """

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: OrderedDict[str, sqlalchemy.Engine] = OrderedDict()
        super().__init__(base_dir, inst_data)

    @classmethod
    def config_type(cls) -> Any:
        return {"home": StringSource}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        return cls(str(Path(config_value["home"], *FOLDER)), inst_data)

    def store_event(self, event: EventLogEntry) -> None:
        super().store_event(event)
        os.utime(self.path_for_shard(event.run_id))  # the UI watches the file's mtime, which only checkpoints change

    def dispose(self) -> None:
        with self._db_lock:
            self._close()
        super().dispose()

    def wipe(self) -> None:
        with self._db_lock:
            self._close()
        super().wipe()

    @contextmanager
    def _connect(self, shard: str) -> Iterator[sqlalchemy.Connection]:
        with self._db_lock:
            engine = self._engine(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.begin() as connection:
                yield connection

    def _engine(self, shard: str) -> sqlalchemy.Engine:
        if shard not in self._engines:
            made = sqlalchemy.create_engine(
                self.conn_string_for_shard(shard), pool_size=1, connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS}
            )
            sqlalchemy.event.listen(made, "connect", _sync_at_checkpoints)
            self._engines[shard] = made
            if len(self._engines) > OPEN_SHARDS:
                self._engines.popitem(last=False)[1].dispose()
        self._engines.move_to_end(shard)
        return self._engines[shard]

    def _close(self) -> None:
        while self._engines:
            self._engines.popitem()[1].dispose()


def _sync_at_checkpoints(connection: Any, _: Any) -> None:
    connection.execute("PRAGMA synchronous=NORMAL")  # safe with the write-ahead log, which Dagster turns on
