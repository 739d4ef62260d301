"""Histories of lakes, one a seed: `make test` takes a few, `make slow` many, and goes on where its last run stopped.

SPEAKERVID_HISTORY_SEED=N replays one, SPEAKERVID_HISTORIES=N sets how many more `make slow` does of each (500 if
unset), SPEAKERVID_HISTORIES_FROM=N where it begins; .cache/histories holds how many are done.
"""

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from histories.machine import Machine, Processes
from histories.reduced_machine import Reduced
from histories.whole import Whole
from hypothesis import HealthCheck, settings
from hypothesis.stateful import get_state_machine_test

pytestmark = pytest.mark.heavy

DONE = Path(__file__).resolve().parents[2] / ".cache" / "histories"
REDUCED = range(16)  # seeds of `make test`
WHOLE = [4, 10]
FIRST = int(os.environ.get("SPEAKERVID_HISTORIES_FROM", "0"))
MORE = int(os.environ.get("SPEAKERVID_HISTORIES", "500"))


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    made = Processes(tmp_path_factory.mktemp("histories"))
    yield made
    made.close()


def history(machine: type[Machine], processes: Processes, number: int) -> None:
    """One history: Hypothesis chooses by the random bytes of this seed. What was done is told when it fails."""
    made: list[Machine] = []

    def begin() -> Machine:
        made.append(machine(processes))
        return made[-1]

    how = settings(
        stateful_step_count=machine.steps, database=None, deadline=None, suppress_health_check=list(HealthCheck)
    )
    test = get_state_machine_test(begin, settings=how, _min_steps=machine.steps)  # type: ignore[arg-type]
    try:
        test.hypothesis.fuzz_one_input(random.Random(number).randbytes(1 << 14))  # type: ignore[attr-defined]
    except BaseException as problem:
        for line in made[-1].done:
            problem.add_note(line)
        name = machine.__name__.lower()
        problem.add_note(f"Replay it: SPEAKERVID_HISTORY_SEED={number} python -m pytest tests/histories -k {name}")
        raise


def seeds(chosen: range | list[int]) -> list[int]:
    asked = os.environ.get("SPEAKERVID_HISTORY_SEED")
    return [int(asked)] if asked else list(chosen)


@pytest.mark.parametrize("number", seeds(REDUCED))
def test_reduced(number: int, processes: Processes, record_property: Callable[[str, object], None]) -> None:
    record_property("history", f"reduced {number}")
    history(Reduced, processes, number)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("number", seeds(WHOLE))
def test_whole(number: int, processes: Processes, record_property: Callable[[str, object], None]) -> None:
    record_property("history", f"whole {number}")
    history(Whole, processes, number)


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.parametrize("machine", [Reduced, Whole])
def test_many(machine: type[Machine], processes: Processes) -> None:
    """As many as are asked for, beyond those that earlier runs have done."""
    told = DONE / machine.__name__.lower()
    told.parent.mkdir(parents=True, exist_ok=True)
    for _ in range(MORE):
        number = int(told.read_text()) if told.exists() else FIRST
        history(machine, processes, number)
        told.write_text(f"{number + 1}\n")
