"""Settings of one installation: where the lake is, which profile and backends are used, how much of the machine.

Belongs here: what differs from machine to machine, read from SPEAKERVID_* environment variables. Does not belong here:
thresholds of curation (those are profiles).
"""

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from speakervid_dag.failures import UserError
from speakervid_dag.places import check_lake_folder, check_lake_name, for_sqlite

PREFIX = "SPEAKERVID_"


class Settings(BaseModel):
    """Values of one installation. Each field is set by the environment variable SPEAKERVID_<FIELD>."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lake: Path = Field(default=Path("lake"), description="folder of the lake")
    profile: str = Field(default="laptop", description="profile name, or path of a YAML file")
    landing: Path | None = Field(default=None, description="folder the Dagster sensor watches for new videos")
    batch_size: int = Field(default=64, ge=1, description="videos in one ingestion batch")
    threads: int = Field(
        default_factory=lambda: os.cpu_count() or 2, ge=1, description="CPU threads for models; unset: one a core"
    )
    face_pack: Path | None = Field(default=None, description="folder with an InsightFace pack instead of the default")

    isolate: bool = Field(default=True, description="compute stages in a process of their own; false only to debug")
    follow_links: bool = Field(default=False, description="take the files and folders that links lead to")
    allow_loss: bool = Field(default=False, description="publish losses that nothing asked for")
    work_memory_mb: int | None = Field(
        default=None, ge=512, description="memory that process may use, MB; unset: three quarters of the machine's"
    )

    @property
    def lake_dir(self) -> Path:
        return self.lake.expanduser().resolve()

    @property
    def dagster_home(self) -> Path:
        return for_sqlite(self.lake_dir) / ".dagster"


def load_settings(**overrides: object) -> Settings:
    """Settings from the environment; keyword arguments that are not None win.

    Raises:
        UserError: a value of the wrong kind (the message names the variable), or a lake in an object store.
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
    """The environment variables that give these settings to another process (the Dagster UI, its code server)."""
    body = {name: getattr(settings, name) for name in Settings.model_fields}
    if settings.profile.endswith((".yaml", ".yml")):
        body["profile"] = Path(settings.profile)
    body = {k: v.expanduser().resolve() if isinstance(v, Path) else v for k, v in body.items()}  # it may run elsewhere
    out = {PREFIX + name.upper(): str(value) for name, value in body.items() if value is not None}
    return {**out, "DAGSTER_HOME": str(settings.dagster_home)}
