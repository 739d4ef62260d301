"""Histories of lakes, one a seed: `make test` takes a few, `make slow` many, and goes on where the last run stopped.

SPEAKERVID_HISTORY_SEED=N replays one, SPEAKERVID_HISTORIES=N sets how many `make slow` does of each machine.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from histories.machine import Machine, Processes, Reduced
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

DONE = Path(__file__).resolve().parents[2] / ".cache" / "histories.json"
STEPS = 10
REDUCED = 40  # of `make test`


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    made = Processes(tmp_path_factory.mktemp("histories"))
    yield made
    made.close()


def history(machine: type[Machine], processes: Processes, number: int) -> None:
    """One history of this seed; what it did is told when it fails."""
    how = settings(
        max_examples=2,  # the first is the simplest one, of a single step
        stateful_step_count=STEPS,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )

    class Seeded(machine):  # type: ignore[misc,valid-type]
        pass

    Seeded.processes = processes
    try:
        run_state_machine_as_test(seed(number)(Seeded), settings=how)
    except BaseException as problem:
        problem.add_note(
            f"Replay it: SPEAKERVID_HISTORY_SEED={number} python -m pytest -o addopts= -s tests/histories -k {machine.__name__.lower()}"
        )
        raise


def seeds(count: int) -> range | list[int]:
    asked = os.environ.get("SPEAKERVID_HISTORY_SEED")
    return [int(asked)] if asked else range(count)


@pytest.mark.parametrize("number", seeds(REDUCED))
def test_reduced(number: int, processes: Processes) -> None:
    history(Reduced, processes, number)


@pytest.mark.slow
@pytest.mark.parametrize("machine", [Reduced])
def test_many(machine: type[Machine], processes: Processes) -> None:
    """As many as are asked for beyond those that earlier runs have done."""
    done = json.loads(DONE.read_text()) if DONE.exists() else {}
    first = done.get(machine.__name__, 0)
    for number in range(first, first + int(os.environ.get("SPEAKERVID_HISTORIES", "500"))):
        history(machine, processes, number)
        DONE.parent.mkdir(exist_ok=True)
        DONE.write_text(json.dumps({**done, machine.__name__: number + 1}))
