"""The first ten minutes: `speakervid demo`, held against the exact truth of the videos it makes."""

import json
from typing import Any

import pytest
from lakes import Lake, Run

pytestmark = [pytest.mark.weights, pytest.mark.timeout(1500)]


def test_it_ends_well_and_says_that_its_pictures_are_generated(demo: Lake) -> None:
    assert demo.run.returncode == 0, demo.run.stderr
    assert "generated" in demo.run.stderr
    assert all(word in demo.run.stdout for word in ("multi_turn_sequential", "rejected"))


def test_it_ends_with_a_report_that_shows_what_it_made(demo: Lake) -> None:
    assert f"Report: {demo.folder / 'report.html'}" in demo.run.stderr.replace("\n", "")
    page = (demo.folder / "report.html").read_text()
    assert "generated" in page
    assert page.count("data:image/webp;base64,") >= 10
    assert page.count('class="timeline"') == len(demo.rows("SELECT video_id FROM videos"))


def test_every_branch_has_samples(demo: Lake) -> None:
    found = demo.rows("SELECT branch, sum(clips) AS clips FROM branch_statistics GROUP BY branch")
    assert len(found) == 5
    assert all(row["clips"] > 0 for row in found), found


def test_a_second_run_does_nothing_and_says_so(demo: Lake, speakervid: Run) -> None:
    before = demo.rows("SELECT count(*) AS n FROM stage_outcomes")
    media = next((demo.folder / "demo").rglob("*.mp4")).parent
    again = speakervid("run", media, "--lake", demo.folder)
    assert again.returncode == 0, again.stderr
    assert "Nothing" in again.stderr
    assert demo.rows("SELECT count(*) AS n FROM stage_outcomes") == before


def test_sql_prints_one_json_array(demo: Lake, speakervid: Run) -> None:
    query = "SELECT branch, tier, clips, hours FROM branch_statistics"
    done = speakervid("sql", query, "--format", "json", "--lake", demo.folder)
    rows = json.loads(done.stdout)
    assert {"branch", "tier", "clips", "hours"} == set(rows[0])


def test_shots_are_where_the_cuts_are(demo: Lake, truths: dict[str, dict[str, Any]]) -> None:
    for name, truth in truths.items():
        found = demo.rows(f"SELECT start_s FROM shots JOIN videos USING (video_id) WHERE source_name = '{name}'")
        starts = sorted(row["start_s"] for row in found)
        wanted = [shot["start_s"] for shot in truth["shots"]]
        assert starts == pytest.approx(wanted, abs=0.12), name


def test_no_turn_is_bound_to_the_wrong_face(demo: Lake, truths: dict[str, dict[str, Any]]) -> None:
    bound = demo.rows(
        """SELECT v.source_name, b.start_s, b.end_s, t.boxes[1] AS box FROM speaker_bindings b
           JOIN videos v USING (video_id) JOIN face_tracks t USING (track_id) WHERE b.status = 'bound'"""
    )
    assert len(bound) >= 6
    for row in bound:
        turns = truths[row["source_name"]]["turns"]
        turn = max(turns, key=lambda t: min(t["end_s"], row["end_s"]) - max(t["start_s"], row["start_s"]))
        assert turn["on_screen"], row
        x = (row["box"][0] + row["box"][2]) / 2
        assert turn["box"][0] <= x <= turn["box"][2], row


def test_the_blurred_video_and_the_voice_over_give_nothing_to_fine_tune_on(demo: Lake) -> None:
    tiers = demo.rows(
        """SELECT source_name, tier, reasons FROM tiers JOIN videos USING (video_id)
           WHERE source_name IN ('demo_blurred.mp4', 'demo_voice_over.mp4')"""
    )
    assert [(t["source_name"], t["tier"]) for t in tiers] == [("demo_blurred.mp4", "pretrain")]
    assert tiers[0]["reasons"] == ["sft_face_blur"]


def test_what_is_said_is_recognised(demo: Lake) -> None:
    (row,) = demo.rows(
        "SELECT string_agg(text, ' ' ORDER BY start_s) AS said, any_value(language) AS lang FROM transcripts"
    )
    assert row["lang"] == "en"
    assert len(row["said"].split()) > 60


def test_each_commit_says_where_it_comes_from(demo: Lake) -> None:
    from speakervid_dag.lake.schemas import FACE_TRACKS
    from speakervid_dag.lake.storage.delta import DeltaLake

    newest = DeltaLake(str(demo.folder)).open(FACE_TRACKS).history(1)[0]  # type: ignore[attr-defined]
    assert {"run_id", "code_version", "profile_hash", "weights"} <= set(newest)
    assert "centerface=" in newest["weights"]
