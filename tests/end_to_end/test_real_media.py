"""Real videos of the shared folder: what a person sees in them must be in the tables."""

import pytest
from lakes import Lake

pytestmark = [pytest.mark.shared, pytest.mark.weights, pytest.mark.timeout(1500)]
DERIVED = "derived_shot_reverse_shot.mp4"


def test_every_file_has_a_status_and_sound_files_are_listed_as_such(real: Lake) -> None:
    assert real.run.returncode == 0, real.run.stderr
    rows = real.rows("SELECT source_name, status, reason FROM videos")
    assert len(rows) == 17
    sound = [r for r in rows if r["source_name"].endswith((".wav", ".mp3", ".flac"))]
    assert {r["reason"] for r in sound} == {"no_video_stream"}
    assert len(sound) == 5


def test_cuts_of_the_derived_video(real: Lake) -> None:
    rows = real.rows(
        f"SELECT start_s FROM shots JOIN videos USING (video_id) WHERE source_name = '{DERIVED}' ORDER BY 1"
    )
    assert [r["start_s"] for r in rows] == pytest.approx([0.0, 8.12, 18.12, 22.80], abs=0.12)


def test_people_and_pairs_of_the_derived_video(real: Lake) -> None:
    people = real.rows(f"SELECT person_id FROM people JOIN videos USING (video_id) WHERE source_name = '{DERIVED}'")
    assert len(people) == 4
    pairs = real.rows(
        f"""SELECT a.shot_index AS a, b.shot_index AS b FROM branch_dialogue
            JOIN clips ca ON ca.clip_id = initiator_clip_id JOIN shots a ON a.shot_id = ca.shot_id
            JOIN clips cb ON cb.clip_id = responder_clip_id JOIN shots b ON b.shot_id = cb.shot_id
            JOIN videos v ON v.video_id = ca.video_id WHERE v.source_name = '{DERIVED}'"""
    )
    assert {(p["a"], p["b"]) for p in pairs} == {(0, 1), (2, 3)}  # two conversations, cut together in another place


def test_the_interview_has_two_people_who_talk_at_once_for_long(real: Lake) -> None:
    name = "visualvoice_interview.mp4"
    people = real.rows(f"SELECT person_id FROM people JOIN videos USING (video_id) WHERE source_name = '{name}'")
    assert len(people) == 2
    bound = real.rows(
        f"""SELECT DISTINCT person_id FROM speaker_bindings JOIN videos USING (video_id)
            WHERE source_name = '{name}' AND speaker_bindings.status = 'bound'"""
    )
    assert len(bound) == 2
    (overlap,) = real.rows(
        f"SELECT max(overlap_s) AS longest FROM speech_turns JOIN videos USING (video_id) WHERE source_name = '{name}'"
    )
    assert overlap["longest"] > 5  # the first eight seconds are crosstalk


def test_the_press_conference_has_a_listener(real: Lake) -> None:
    rows = real.rows(
        """SELECT mode FROM branch_listening JOIN videos USING (video_id)
           WHERE source_name = 'panda_pressconf_listener.mp4'"""
    )
    assert [r["mode"] for r in rows] == ["co_present"]


def test_the_two_women_heard_as_one_voice_are_told_apart_by_their_faces(real: Lake) -> None:
    rows = real.rows(
        """SELECT speaker_id, audio_speaker_id, t.start_s, t.end_s FROM speech_turns AS t JOIN videos USING (video_id)
           WHERE source_name = 'datajuicer_two_women_zh.mp4'"""
    )
    assert {r["audio_speaker_id"] for r in rows} == {"A"}

    def letters(at_s: float) -> set[str]:
        return {r["speaker_id"] for r in rows if r["start_s"] <= at_s < r["end_s"]}

    questions, answers = [letters(t) for t in (3.0, 41.5)], [letters(t) for t in (7.0, 20.0, 29.0, 37.0, 48.0)]
    assert questions == [{"A"}] * 2
    assert answers == [{"B"}] * 5


def test_the_chinese_dialogue_is_transcribed_as_chinese(real: Lake) -> None:
    rows = real.rows(
        """SELECT DISTINCT language FROM transcripts JOIN videos USING (video_id)
           WHERE source_name = 'datajuicer_two_women_zh.mp4'"""
    )
    assert [r["language"] for r in rows] == ["zh"]
