"""Hand-labelled conversations and meetings of the shared folder through the whole pipeline, scored, with floors.

Run by `make accuracy` after the composites; alone by `pytest -m accuracy -s tests/accuracy/test_real.py`. All figures
are printed, with the bar that some of them have to reach yet. A floor keeps what was measured from being lost: it is no
bar, and nothing is tuned to it.
"""

from pathlib import Path

import pytest
from product_runs import show
from real_runs import RealScores, run_real

pytestmark = [pytest.mark.accuracy, pytest.mark.shared, pytest.mark.weights, pytest.mark.timeout(6000)]


@pytest.fixture(scope="module")
def scores(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> RealScores:
    """Figures of one run with the default profile; the tables are printed."""
    if not (shared / "truth/real").is_dir():
        pytest.skip("the shared folder has no hand-labelled videos")
    found = run_real(shared, tmp_path_factory.mktemp("real"))
    print()  # noqa: T201 - behind pytest's own line
    for table in found.tables():
        show(table)
    return found
