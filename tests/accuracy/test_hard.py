"""The hard composites through the whole pipeline, scored by variant, with floors.

Run by `make accuracy` (SEED=N makes other composites, for which the floors are not meant); alone by
`pytest -m accuracy -s tests/accuracy/test_hard.py`.
"""

from pathlib import Path

import pytest
from hard_runs import hard_kit, run_hard, variant_table
from product_runs import show
from real_scores import Figures

pytestmark = [pytest.mark.accuracy, pytest.mark.shared, pytest.mark.weights, pytest.mark.timeout(6000)]


@pytest.fixture(scope="module")
def figures(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Figures]]:
    """Figures by network and variant; the tables are printed."""
    kit = hard_kit(shared, tmp_path_factory.mktemp("hard_kit"))
    found = {}
    for network, figures, files in run_hard(kit, shared, tmp_path_factory.mktemp("hard")):
        print(f"\n{network}")  # noqa: T201 - the table needs a title
        show(variant_table(figures))
        show(files)
        found[network] = figures
    return found


def test_runs(figures: dict[str, dict[str, Figures]]) -> None:
    assert figures
