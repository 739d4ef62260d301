"""A lake by the canned graph, run in this process, and what a run changed in it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import canned
import dagster as dg
import pytest
import yaml
from canned import Breaks

from speakervid_dag.assets import recipes, table_asset
from speakervid_dag.assets.partitions import register_batches
from speakervid_dag.assets.resources import Lakehouse
from speakervid_dag.config.settings import Settings, export_settings, load_settings
from speakervid_dag.lake.schemas import TABLES
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.models.registry import names_of
from speakervid_dag.quality_checks import factory as audits
from speakervid_dag.runs import execution, runner
from speakervid_dag.runs import instance as instances
from speakervid_dag.runs.report import RunReport

B1, B2, B3 = (canned.batch_name(n) for n in (1, 2, 3))
Done = set[tuple[str, str]]
# states of weights, whatever lies on this machine
CANNED_WEIGHTS = {**dict.fromkeys(names_of("default"), "c" * 64), "dover": "missing", "light-asd": "missing"}


@dataclass
class House:
    """A lake, an instance in memory, and changes one can make; `breaks` may spoil what a stage hands back."""

    settings: Settings
    instance: dg.DagsterInstance = field(default_factory=dg.DagsterInstance.ephemeral)
    breaks: Breaks = canned.no_breaks
    weights: dict[str, str] = field(default_factory=lambda: dict(CANNED_WEIGHTS))

    @property
    def lake(self) -> DeltaLake:
        return DeltaLake(str(self.settings.lake_dir))

    @property
    def lakehouse(self) -> Lakehouse:
        return Lakehouse(lake_dir=str(self.settings.lake_dir), profile_name=self.settings.profile)

    def run(self, *new: str) -> RunReport:
        return runner.run_plan(self.settings, canned.plan(*new))

    def execute(self, job: str, assets: list[str], *batches: str) -> str | None:
        with instances.lake_instance(self.settings) as instance:
            register_batches(instance, self.lakehouse.book.names())
            return execution.execute(instance, job, assets, batches=batches)

    def change_profile(self, **sections: Any) -> None:
        """From here on `laptop` with these values."""
        path = self.settings.lake_dir / "laptop.yaml"
        path.write_text(yaml.safe_dump({"inherits": "laptop", "name": "laptop", **sections}))
        self.settings = self.settings.model_copy(update={"profile": str(path)})

    def versions(self) -> dict[str, int | None]:
        return {n: self.lake.version(t) for n, t in TABLES.items() if t.layer != "system"}

    def files(self, batch: str) -> dict[str, list[str]]:
        found = {n: self.lake.files(t) for n, t in TABLES.items() if t.layer != "system"}
        return {n: [f for f in files if f"batch={batch}/" in f] for n, files in found.items()}

    def materialized(self) -> Done:
        """(table, batch) of every materialization that this instance has seen."""
        found: Done = set()
        kind = dg.DagsterEventType.ASSET_MATERIALIZATION
        for run_id in self.runs():
            for record in self.instance.get_records_for_run(run_id, of_type=kind).records:
                event = record.event_log_entry.dagster_event
                if event is not None and event.partition is not None and event.asset_key is not None:
                    found.add((event.asset_key.to_user_string(), event.partition))
        return found

    def check_results(self) -> list[tuple[str, str | None, bool]]:
        """(table, batch or None, passed) of every check evaluation."""
        kind, found = dg.DagsterEventType.ASSET_CHECK_EVALUATION, []
        for run_id in self.runs():
            for record in self.instance.get_records_for_run(run_id, of_type=kind).records:
                event = record.event_log_entry.dagster_event
                assert event is not None
                data = event.asset_check_evaluation_data
                found.append((data.asset_key.to_user_string(), data.partition, data.passed))
        return found

    def runs(self) -> set[str]:
        return {run.run_id for run in self.instance.get_runs()}


def made_house(lake: Path, patch: pytest.MonkeyPatch) -> House:
    house = House(load_settings(lake=lake, profile="laptop", isolate=False))
    real_state = recipes.weight_state

    @contextmanager
    def instance_of(settings: Settings) -> Iterator[dg.DagsterInstance]:
        patch.setattr(os, "environ", {**os.environ, **export_settings(settings)})
        yield house.instance

    def weight_state(name: str) -> str:
        return house.weights.get(name, real_state(name))

    patch.setattr(instances, "lake_instance", instance_of)
    patch.setattr(recipes, "weight_state", weight_state)
    patch.setattr(table_asset, "weight_state", weight_state)
    patch.setattr(table_asset, "_run", canned.canned_run(lambda stage, rows: house.breaks(stage, rows)))
    patch.setattr(audits, "audit", canned.quick_audit)
    return house
