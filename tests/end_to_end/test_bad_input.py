"""A folder of trouble beside one good video: a status row each, none for a misspelt path; the good one is unharmed."""

from pathlib import Path

import generate
import pytest
from lakes import Lake, Run

pytestmark = [pytest.mark.weights, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def trouble(speakervid: Run, weights: None, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    folder = tmp_path_factory.mktemp("trouble")
    good = generate.plain(folder / "good.mp4", 75)
    (folder / "text.mp4").write_text("this is not a film")
    (folder / "empty.mp4").touch()
    generate.cut(generate.plain(folder / "whole.mp4", 100), folder / "truncated.mp4", 0.6)
    generate.silent(folder / "mute.mp4", generate.steady(60))
    generate.sound_only(folder / "sound.wav")
    generate.playlist(folder / "list.mp4", "hls", good)
    lake = folder / "lake"
    return Lake(lake, speakervid("run", folder, folder / "missing.mp4", "--lake", lake))


def test_a_misspelt_path_is_named_and_makes_the_exit_status_1(trouble: Lake) -> None:
    assert trouble.run.returncode == 1, trouble.run.stderr
    assert "missing.mp4" in trouble.run.stderr


def test_every_file_has_a_row_with_its_reason(trouble: Lake) -> None:
    rows = trouble.rows("SELECT source_name, status, reason FROM videos")
    found = {Path(r["source_name"]).name: (r["status"], r["reason"]) for r in rows}
    assert found["good.mp4"] == ("ok", None)
    assert found["text.mp4"] == ("rejected", "unrecognised_container")
    assert found["empty.mp4"] == ("rejected", "empty_file")
    assert "missing.mp4" not in found
    assert found["sound.wav"] == ("rejected", "no_video_stream")
    assert found["list.mp4"] == ("rejected", "playlist_refused")
    assert found["mute.mp4"] == ("degraded", "no_audio_stream")
    assert found["truncated.mp4"][0] in ("degraded", "rejected")


def test_no_face_and_no_speech_is_told_by_empty_results_not_by_failures(trouble: Lake) -> None:
    rows = trouble.rows(
        """SELECT stage, o.status, o.reason FROM stage_outcomes o JOIN videos USING (video_id)
           WHERE source_name = 'good.mp4' AND (o.status <> 'ok' OR o.reason IS NOT NULL)"""
    )
    assert rows == [{"stage": "speech_turns", "status": "ok", "reason": "no_speech"}]


def test_without_sound_the_sound_stages_are_skipped_and_say_why(trouble: Lake) -> None:
    rows = trouble.rows(
        """SELECT stage, o.status, o.reason FROM stage_outcomes o JOIN videos USING (video_id)
           WHERE source_name = 'mute.mp4' AND stage = 'speech_turns'"""
    )
    assert rows == [{"stage": "speech_turns", "status": "skipped", "reason": "no_audio_stream"}]


def test_the_lake_among_the_videos_is_not_taken_in_by_the_next_run(speakervid: Run, trouble: Lake) -> None:
    before = trouble.rows("SELECT video_id, batch FROM videos ORDER BY ALL")
    assert list((trouble.folder / "artifacts").rglob("*.wav"))
    again = speakervid("run", trouble.folder.parent, "--lake", trouble.folder)
    assert again.returncode == 0, again.stderr
    assert str(trouble.folder) in again.stderr
    assert trouble.rows("SELECT video_id, batch FROM videos ORDER BY ALL") == before


def test_missing_weights_are_not_evaluated_and_nothing_else_is_lost(
    speakervid: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPEAKERVID_WEIGHTS", str(tmp_path / "none"))
    video = generate.plain(tmp_path / "in" / "good.mp4", 75)
    lake = Lake(tmp_path / "lake", speakervid("run", video, "--lake", tmp_path / "lake"))
    assert lake.run.returncode == 0, lake.run.stderr
    assert "speakervid models pull centerface" in lake.run.stdout
    rows = lake.rows("SELECT status, reason FROM stage_outcomes WHERE stage = 'face_tracks'")
    assert rows == [{"status": "not_evaluated", "reason": "weights_missing"}]
