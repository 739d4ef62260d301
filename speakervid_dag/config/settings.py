"""Settings of one installation: the lake, the profile, the resources that may be used.

Belongs here: what differs between machines, read from SPEAKERVID_* environment variables. Does not belong here:
thresholds of curation (profiles.py).
"""

import os
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from speakervid_dag.failures import UserError
from speakervid_dag.places import check_lake_folder, check_lake_name, for_sqlite

PREFIX = "SPEAKERVID_"
WORKER_BYTES = 3 << 30  # measured: a worker with all its models and decoders stays below 2 GB


class Settings(BaseModel):
    """Settings of one installation. The environment variable SPEAKERVID_<FIELD> sets each field."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lake: Path = Field(default=Path("lake"), description="folder of the lake")
    profile: str = Field(default="laptop", description="profile name, or path of a YAML file")
    landing: Path | None = Field(default=None, description="folder that the Dagster sensor watches for new videos")
    batch_size: int = Field(default=64, ge=1, description="videos per ingestion batch")
    threads: int = Field(
        default_factory=lambda: os.cpu_count() or 2, ge=1, description="CPU threads for models; unset: one per core"
    )
    workers: int | None = Field(
        default=None,
        ge=1,
        description="videos of a stage that are computed at once, each in a process of its own; unset: one per core "
        "and 3 GB of memory",
    )
    face_pack: Path | None = Field(default=None, description="folder with an InsightFace pack instead of the default")
    lip_network: Path | None = Field(
        default=None, description="weights that `speakervid train-lips` wrote, instead of the packaged ones"
    )
    isolate: bool = Field(default=True, description="compute stages in a separate process; false only to debug")
    follow_links: bool = Field(default=False, description="follow links to files and folders")
    allow_loss: bool = Field(default=False, description="publish even if videos, clips or people are lost")
    work_memory_mb: int | None = Field(
        default=None, ge=512, description="memory limit of that process, MB; unset: three quarters of the machine's"
    )

    @property
    def lake_dir(self) -> Path:
        return self.lake.expanduser().resolve()

    @property
    def worker_count(self) -> int:
        """Return how many videos are computed at once.

        One per core: two workers of one thread took 350 s for twelve videos on two cores, one worker of two threads
        534 s, and more processor time (docs/scale.md). No more than there are threads.
        """
        memory = psutil.virtual_memory().total
        return self.workers or max(1, min(self.threads, os.cpu_count() or 1, memory // WORKER_BYTES))

    @property
    def worker_threads(self) -> int:
        """Return how many threads each of several workers may use."""
        return max(1, self.threads // self.worker_count)

    @property
    def dagster_home(self) -> Path:
        return for_sqlite(self.lake_dir) / ".dagster"


def load_settings(**overrides: object) -> Settings:
    """Load the settings from the environment; keyword arguments that are not None override it.

    Raises:
        UserError: a value is invalid (the message names the variable), or the lake is in an object store.
    """
    found: dict[str, object] = {
        name: os.environ[PREFIX + name.upper()]
        for name in Settings.model_fields
        if os.environ.get(PREFIX + name.upper())
    }
    found.update({k: v for k, v in overrides.items() if v is not None})
    check_lake_name(str(found.get("lake", "")))
    try:
        settings = Settings.model_validate(found)
    except ValidationError as problem:
        first = problem.errors()[0]
        raise UserError(f"{PREFIX}{str(first['loc'][0]).upper()}: {first['msg']}") from problem
    check_lake_folder(settings.lake_dir)
    return settings


def export_settings(settings: Settings) -> dict[str, str]:
    """Return the environment variables that pass these settings to another process (Dagster UI, its code server)."""
    body = {name: getattr(settings, name) for name in Settings.model_fields}
    if settings.profile.endswith((".yaml", ".yml")):
        body["profile"] = Path(settings.profile)
    body = {
        k: v.expanduser().resolve() if isinstance(v, Path) else v for k, v in body.items()
    }  # its working folder may differ
    out = {PREFIX + name.upper(): str(value) for name, value in body.items() if value is not None}
    return {**out, "DAGSTER_HOME": str(settings.dagster_home)}
