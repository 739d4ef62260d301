"""The resource of every asset: the lake, the settings and the profile.

Belongs here: the bridge between Dagster's configuration and our settings. Does not belong here: anything else.
"""

from functools import cached_property

import dagster as dg

from speakervid_dag.config.profiles import Profile, load_profile
from speakervid_dag.config.settings import Settings, load_settings
from speakervid_dag.lake.batches import BatchBook
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.processes.identity import PROCESS, process_of


class Factory(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Settings of the installation; by default those of the SPEAKERVID_* environment variables."""

    lake_dir: str | None = None
    profile_name: str | None = None
    allow_loss: bool | None = None

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Tag the run with the process that executes it, to distinguish a dead run from a slow one."""
        if context.instance is not None and context.run is not None:
            context.instance.add_run_tags(context.run.run_id, {PROCESS: process_of(context.run.run_id)})

    @cached_property
    def settings(self) -> Settings:
        return load_settings(lake=self.lake_dir, profile=self.profile_name, allow_loss=self.allow_loss)

    @cached_property
    def profile(self) -> Profile:
        return load_profile(self.settings.profile)

    @cached_property
    def lake(self) -> DeltaLake:
        return DeltaLake(str(self.settings.lake_dir))

    @cached_property
    def book(self) -> BatchBook:
        return BatchBook(self.settings.lake_dir)
