"""`speakervid retier`: what it publishes is what the report shows."""

import pytest
from click.testing import CliRunner
from house import House

from speakervid_dag.cli.app import cli
from speakervid_dag.lake.upkeep.takedown import REPORT

pytestmark = pytest.mark.heavy


def test_a_new_decision_is_a_new_page(house: House) -> None:
    house.run()
    lake = house.settings.lake_dir
    page = lake / REPORT
    page.write_text("the page of before")
    (lake / "strict.yaml").write_text("inherits: laptop\ngates:\n  snr: {mode: enforce}\n")
    asked = ["retier", "--lake", str(lake), "--profile", str(lake / "strict.yaml")]
    done = CliRunner().invoke(cli, asked, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert f"Report: {page}" in done.output
    assert "strict" in page.read_text()
