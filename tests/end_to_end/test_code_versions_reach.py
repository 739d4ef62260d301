"""What a stage executes is what its code version is made of: a real run, watched call by call."""

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from metamorphic.film import write
from metamorphic.test_metamorphic import demo_film

from speakervid_dag.assets import graph, table_asset
from speakervid_dag.assets.code_versions import CODE, Definition, Origin
from speakervid_dag.assets.recipes import StageRecipe
from speakervid_dag.config.settings import load_settings
from speakervid_dag.runs import runner
from speakervid_dag.stages.stage import Compute, Stage

MADE_BY_PYTHON = ("<", "__create_fn__")  # comprehensions and lambdas of a module, and what a dataclass is made of
Calls = set[tuple[str, str]]


def watched(calls: dict[str, Calls]) -> Callable[..., Compute]:
    """`table_asset._computed`, in this process, with each call of a function of ours noted by stage."""

    def computed(recipe: StageRecipe, **_: Any) -> Compute:
        found = calls.setdefault(recipe.name, set())

        def note(frame: FrameType, event: str, _: Any) -> None:
            module = frame.f_globals.get("__name__", "")
            if event == "call" and module.startswith("speakervid_dag"):
                found.add((module, frame.f_code.co_qualname.partition(".")[0]))

        def compute(stage: Stage) -> Any:
            threading.setprofile(note)
            sys.setprofile(note)
            try:
                return recipe.compute(stage)
            finally:
                sys.setprofile(None)
                threading.setprofile(None)  # type: ignore[arg-type]

        return compute

    return computed


@pytest.mark.slow
@pytest.mark.weights
@pytest.mark.usefixtures("weights")
def test_every_function_that_a_stage_executes_is_in_its_closure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    write(demo_film(), tmp_path / "in", "man")
    calls: dict[str, Calls] = {}
    monkeypatch.setattr(table_asset, "_computed", watched(calls))
    settings = load_settings(lake=tmp_path / "lake", isolate=False)
    report = runner.run_plan(settings, runner.plan_run(settings, [tmp_path / "in"], None))
    assert report.is_clean
    assert calls.keys() == {name for name, recipe in graph.recipes().items() if isinstance(recipe, StageRecipe)}
    for name, found in calls.items():
        reached = CODE.closure(*graph.recipes()[name].computed_by)
        inside = {
            Definition(module, function)
            for module, function in found
            if not Origin(module).is_outside
            and not function.startswith(MADE_BY_PYTHON)
            and module != "speakervid_dag.event_log"  # Dagster's own threads, meanwhile
        }
        assert inside, name
        assert inside <= reached, name
