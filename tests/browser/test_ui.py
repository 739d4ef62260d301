"""What a person sees in the Dagster UI: the graph, a run, a red check, partitions, an asset with its columns.

Belongs here: pages and the words on them; pictures of each go to .ci/out/. Does not belong here: starting the UI
(conftest.py).
"""

import pytest
from browser.canned_lake import GREEN, RED
from loopback import graphql
from ui import PATIENCE_MS, Ui

from speakervid_dag.lake.schemas import CLIPS

pytestmark = pytest.mark.browser


def run_ids(ui: Ui) -> dict[str, str]:
    """Run id by the batch it was for."""
    query = "{runsOrError{... on Runs{results{runId tags{key value}}}}}"
    runs = graphql(ui.url, query)["runsOrError"]["results"]
    return {t["value"]: run["runId"] for run in runs for t in run["tags"] if t["key"] == "dagster/partition"}


def test_the_graph_shows_layers_and_which_asset_is_red(ui: Ui) -> None:
    ui.open("/asset-groups", "bronze", "silver", "gold", "statistics")
    assert ui.page.get_by_role("dialog").count() == 0, "no sign-up window covers the first page"
    ui.picture("graph_layers")
    ui.page.set_viewport_size({"width": 2400, "height": 2400})
    ui.page.keyboard.press("Alt+e")  # opens all groups
    ui.page.get_by_text("speaker_bindings", exact=True).first.wait_for(timeout=PATIENCE_MS)
    ui.page.mouse.dblclick(2250, 2250)  # fits the graph into the window; what lies outside is not drawn
    for name in ("videos", "speaker_bindings", "clips", "branch_listening", "lake_snapshot", "funnel"):
        ui.page.get_by_text(name, exact=True).first.wait_for(timeout=PATIENCE_MS)
    ui.picture("graph")


def test_a_red_run_names_the_audit_and_what_was_not_executed(ui: Ui) -> None:
    ui.open(f"/runs/{run_ids(ui)[RED]}", "Failure", f"partition: {RED}", "Errored (1)")
    ui.page.get_by_text(f"speakervid quarantine show clips/{RED}").first.wait_for()
    ui.page.get_by_text("Dependencies for step lake_snapshot failed").first.wait_for()
    ui.picture("run_red")


def test_a_green_run_is_a_success(ui: Ui) -> None:
    ui.open(f"/runs/{run_ids(ui)[GREEN]}", "Success", f"partition: {GREEN}", "Errored (0)")
    ui.picture("run_green")


def test_a_red_check_shows_expectation_and_rows(ui: Ui) -> None:
    ui.open("/assets/clips?view=checks&checkDetail=clips_audit", "Failed", "blocking", "Latest execution")
    ui.page.get_by_text("interval_inside_video: 8 of 8 rows: start_s = 1000").first.wait_for()
    ui.picture("check_red")
    ui.page.get_by_text("[Show Markdown]").first.click()
    ui.page.get_by_role("dialog").get_by_text("start_s = 1000").first.wait_for()
    ui.picture("check_rows")


def test_partitions_are_batches(ui: Ui) -> None:
    ui.open("/assets/clips?view=partitions", GREEN, RED, "Failed (1)", "Materialized (1)", "Missing (0)")
    ui.page.get_by_text(GREEN, exact=True).first.click()
    ui.page.get_by_text("delta_version").first.wait_for()
    ui.picture("partitions")


def test_an_asset_shows_columns_kinds_owner_and_rows(ui: Ui) -> None:
    ui.open("/assets/clips", CLIPS.doc, "Delta Lake", "Polars", "speakervid")
    ui.page.get_by_text("talking | listening").first.wait_for()  # a column's description
    assert ui.page.get_by_text("Row count").count() == 1
    ui.picture("asset")


def test_nothing_is_asked_of_another_host(ui: Ui) -> None:
    ui.open("/deployment/daemons", "Sensors", "Running")
    assert ui.strangers == []
