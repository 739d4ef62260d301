"""The Dagster instance of a lake: its home, and opening it.

Belongs here: making the command line and the UI share one instance. Does not belong here: running (runner.py).
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from speakervid_dag.config.settings import Settings, export_settings
from speakervid_dag.failures import OperationError
from speakervid_dag.files import write_bytes
from speakervid_dag.lake import own_output

if TYPE_CHECKING:
    import dagster as dg


@contextmanager
def lake_instance(settings: Settings) -> Iterator["dg.DagsterInstance"]:
    """Yield the Dagster instance of a lake (`<lake>/.dagster`), the one the UI shows.

    While it is open, the settings are exported to this process's environment, for steps that run in their own process.
    The environment is restored on exit.
    """
    import dagster as dg
    from filelock import FileLock

    home = prepare_home(settings)
    with _environment(export_settings(settings)):
        with FileLock(home / "databases.lock"):  # two processes creating the databases at once would collide
            opened = dg.DagsterInstance.from_config(str(home))
        with opened as instance:
            yield instance


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def prepare_home(settings: Settings) -> Path:
    """Create and return the lake's DAGSTER_HOME, with the packaged dagster.yaml unless the user put their own there.

    Raises:
        OperationError: the lake cannot be written.
    """
    home = settings.dagster_home
    try:
        settings.lake_dir.mkdir(parents=True, exist_ok=True)  # first: `home` may be a link into it
        home.mkdir(exist_ok=True)
        own_output.mark(settings.lake_dir, own_output.LAKE_MARK)
        target = home / "dagster.yaml"
        if not target.exists():
            write_bytes(target, (resources.files("speakervid_dag.config") / "dagster.yaml").read_bytes())
    except OSError as problem:
        raise OperationError(f"cannot write the lake {settings.lake_dir}: {problem.strerror}") from problem
    if not os.access(home, os.W_OK):  # Dagster would end in a traceback
        raise OperationError(f"cannot write the lake {settings.lake_dir}: {home} is read-only")
    return home
