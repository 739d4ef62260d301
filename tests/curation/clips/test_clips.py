"""Clips from bound turns: one contribution a clip, lengths, boxes, ids, and what is dropped."""

import math

import numpy as np
import pytest
from conversations import Video, clip_settings
from hypothesis import given, settings
from hypothesis import strategies as st

from speakervid_dag.curation import intervals
from speakervid_dag.curation.clips.boundaries import clip_id, make_clips
from speakervid_dag.lake.schemas import CLIPS, DROPPED_SPANS

SETTINGS = clip_settings()


def two_people(end: float = 40.0) -> tuple[Video, str, str]:
    video = Video()
    video.add_shot(0.0, end)
    times = np.arange(0, end, 0.1)
    return video, video.add_track("p00", times), video.add_track("p01", times)


def made(video: Video) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    clips, dropped = make_clips(video.shots, video.tracks, video.turns, video.bindings, video.scores, SETTINGS)
    assert clips.schema == CLIPS.schema
    assert dropped.schema == DROPPED_SPANS.schema
    return clips.to_dicts(), dropped.to_dicts()


def test_question_and_answer_give_two_talking_and_two_listening_clips() -> None:
    video, a, b = two_people()
    question, answer = video.add_turn("A", 1.0, 6.0), video.add_turn("B", 6.4, 12.0)
    video.bind(question, a)
    video.bind(answer, b, margin=1.5)
    clips, _ = made(video)
    found = {(c["role"], c["track_id"]): c for c in clips}
    assert set(found) == {("talking", a), ("talking", b), ("listening", a), ("listening", b)}
    assert found["talking", a]["start_s"] == pytest.approx(1.0 - SETTINGS.pad_s)
    assert found["talking", a]["end_s"] == pytest.approx(6.0 + SETTINGS.pad_s)
    assert found["listening", b]["turn_ids"] == [question]
    assert found["talking", b]["sync_margin"] == 1.5
    assert found["talking", b]["speaker_id"] == "B"


def test_short_pauses_join_and_other_speakers_part() -> None:
    video, a, b = two_people()
    for start, end in ((0.0, 3.5), (4.0, 7.5), (10.0, 14.0)):
        video.bind(video.add_turn("A", start, end), a)
    video.bind(video.add_turn("B", 7.6, 9.9), b)
    talking = [c for c in made(video)[0] if c["role"] == "talking"]
    assert [c["turn_ids"] for c in talking] == [["v1-u0000", "v1-u0001"], ["v1-u0002"]]


def test_a_long_contribution_is_cut_at_its_pauses() -> None:
    video, a, _ = two_people()
    for start, end in ((0.0, 9.0), (9.4, 19.0), (19.4, 26.0)):
        video.bind(video.add_turn("A", start, end), a)
    talking = [c for c in made(video)[0] if c["role"] == "talking"]
    assert all(SETTINGS.min_s <= float(str(c["duration_s"])) <= SETTINGS.max_s for c in talking)
    assert len(talking) == 2
    assert talking[1]["start_s"] == talking[0]["end_s"]


def test_a_short_turn_is_dropped_with_a_reason() -> None:
    video, a, _ = two_people()
    video.bind(video.add_turn("A", 5.0, 6.5), a)
    clips, dropped = made(video)
    assert clips == []
    reasons = {(d["track_id"], d["role"], d["reason"]) for d in dropped}
    assert (a, "talking", "too_short") in reasons


def test_a_rounding_error_is_no_dropped_span() -> None:
    video, end = Video(), 8.0
    video.add_shot(0.0, math.nextafter(end, 9.0))
    track = video.add_track("p00", np.arange(0, end + 1, 0.1))
    video.bind(video.add_turn("A", 0.0, end - SETTINGS.pad_s), track)
    clips, dropped = made(video)
    assert [c["end_s"] for c in clips] == [end]
    assert dropped == []


def test_who_may_be_the_speaker_does_not_listen() -> None:
    video, a, _ = two_people()
    video.bind(video.add_turn("A", 1.0, 8.0), None, "ambiguous")
    clips, dropped = made(video)
    assert clips == []
    assert any(d["track_id"] == a and d["reason"] == "ambiguous_speaker" for d in dropped)


def test_a_stretch_whose_face_is_not_sure_parts_a_turn() -> None:
    video, a, b = two_people()
    turn = video.add_turn("A", 1.0, 14.0)
    video.bind(turn, a, span=(1.0, 5.0))
    video.bind(turn, None, "ambiguous", None, span=(5.0, 8.0))
    video.bind(turn, a, span=(8.0, 14.0))
    clips, dropped = made(video)
    spans = {
        role: sorted((c["track_id"], c["start_s"], c["end_s"]) for c in clips if c["role"] == role)
        for role in ("talking", "listening")
    }
    pad = SETTINGS.pad_s
    assert spans["talking"] == [(a, 1.0 - pad, 5.0 + pad), (a, 8.0 - pad, 14.0 + pad)]
    assert spans["listening"] == [(b, 1.0, 5.0), (b, 8.0, 14.0)], "who may be the speaker meanwhile does not listen"
    assert (b, "ambiguous_speaker") in {(d["track_id"], d["reason"]) for d in dropped}


def test_a_short_stretch_whose_face_is_not_sure_does_not_part_a_turn() -> None:
    video, a, _ = two_people()
    turn = video.add_turn("A", 1.0, 9.0)
    for span, track in (((1.0, 4.0), a), ((4.0, 4.0 + SETTINGS.join_pause_s), None), ((5.0, 9.0), a)):
        video.bind(turn, track, "bound" if track else "ambiguous", span=span)
    talking = [c for c in made(video)[0] if c["role"] == "talking"]
    assert [(c["start_s"], c["end_s"]) for c in talking] == [(1.0 - SETTINGS.pad_s, 9.0 + SETTINGS.pad_s)]


def test_a_voice_off_screen_is_listened_to() -> None:
    video, _, _ = two_people()
    turn = video.add_turn("A", 1.0, 8.0)
    video.bind(turn, None, "off_screen", None)
    clips, _ = made(video)
    assert {c["role"] for c in clips} == {"listening"}
    assert all(c["turn_ids"] == [turn] and c["sync_margin"] is None for c in clips)


@pytest.mark.parametrize(
    ("talking", "is_listener"), [(0.49, False), (0.1, True)], ids=["the dubbed man of a cross-fade", "a still mouth"]
)
def test_who_visibly_talks_under_a_voice_of_no_face_is_no_listener(talking: float, is_listener: bool) -> None:
    video, a, b = two_people()
    turn = video.add_turn("A", 1.0, 8.0)
    video.bind(turn, None, "off_screen", None)
    video.score(turn, a, talking, sync_conf=-0.1)
    video.score(turn, b, 0.0)

    clips, dropped = made(video)

    assert {c["track_id"] for c in clips} == ({a, b} if is_listener else {b})
    reasons = {(d["track_id"], d["start_s"], d["end_s"]) for d in dropped if d["reason"] == "talks_itself"}
    assert reasons == (set() if is_listener else {(a, 1.0, 8.0)})


@pytest.mark.parametrize(
    ("sync_conf", "is_listener"),
    [(3.1, False), (1.6, True), (None, True)],
    ids=["in step with the sound", "a laugh", "not measured"],
)
def test_beside_the_speaker_only_lips_in_step_with_the_sound_talk(sync_conf: float | None, is_listener: bool) -> None:
    video, a, b = two_people()
    turn = video.add_turn("A", 1.0, 8.0)
    video.bind(turn, a)
    video.score(turn, a, 0.7, sync_conf=4.0)
    video.score(turn, b, 0.68, sync_conf)

    roles = {c["track_id"]: c["role"] for c in made(video)[0]}

    assert roles == ({a: "talking", b: "listening"} if is_listener else {a: "talking"})


def test_a_copy_of_a_face_is_nobody() -> None:
    video, a, b = two_people()
    video.rows["tracks"][1]["copy_of"] = a
    video.bind(video.add_turn("A", 1.0, 8.0), a)

    clips, dropped = made(video)

    assert {c["track_id"] for c in clips} == {a}
    assert [(d["reason"], d["start_s"]) for d in dropped if d["track_id"] == b] == [("copy_of_a_face", 0.0)]


def test_a_clip_stays_in_its_shot() -> None:
    video = Video()
    video.add_shot(0.0, 5.0)
    video.add_shot(5.0, 10.0)
    first = video.add_track("p00", np.arange(0, 5, 0.1), shot=0)
    second = video.add_track("p00", np.arange(5, 10, 0.1), shot=1)
    turn = video.add_turn("A", 0.5, 9.5)
    video.bind(turn, first)
    video.bind(turn, second)
    spans = {c["shot_id"]: (c["start_s"], c["end_s"]) for c in made(video)[0]}
    assert spans["v1-s0000"][1] <= 5.0 <= spans["v1-s0001"][0]


def test_the_box_is_the_union_over_the_clips_own_time() -> None:
    video, a, _ = two_people()
    times = video.rows["tracks"][0]["frame_times_s"]
    assert isinstance(times, list)
    video.rows["tracks"][0]["boxes"] = [[0.4, 0.4, 0.5, 0.6] if t < 10 else [0.0, 0.0, 0.1, 0.1] for t in times]
    video.bind(video.add_turn("A", 2.0, 8.0), a)
    clip = made(video)[0][0]
    margin = SETTINGS.box_margin
    assert clip["x1"] == pytest.approx(0.4 - 0.1 * margin)
    assert clip["y2"] == pytest.approx(0.6 + 0.2 * margin)


def test_the_id_depends_on_track_role_and_milliseconds() -> None:
    first = clip_id("v1", "t", "talking", (1.0, 4.0))
    assert first.startswith("v1-c")
    assert len(first) == len("v1-c") + 8
    assert first == clip_id("v1", "t", "talking", (1.0000001, 4.0))
    assert len({first, clip_id("v1", "t", "listening", (1.0, 4.0)), clip_id("v1", "t", "talking", (1.0, 4.001))}) == 3


TURNS = st.lists(
    st.tuples(
        st.sampled_from(["A", "B"]),
        st.integers(0, 380),
        st.integers(3, 200),
        st.sampled_from(["bound", "ambiguous", "off_screen"]),
    ),
    max_size=8,
    unique_by=lambda t: t[1],
)


@settings(max_examples=50, deadline=None)
@given(TURNS)
def test_a_tracks_time_is_conserved(script: list[tuple[str, int, int, str]]) -> None:
    video, a, b = two_people()
    for speaker, start, length, status in sorted(script, key=lambda t: t[1]):
        turn = video.add_turn(speaker, start / 10, min(40.0, (start + length) / 10))
        video.bind(turn, {"A": a, "B": b}[speaker] if status == "bound" else None, status)
    clips, dropped = made(video)
    assert len({c["clip_id"] for c in clips}) == len(clips)
    assert len({(d["track_id"], d["start_s"]) for d in dropped}) == len(dropped)
    for track in video.rows["tracks"]:
        kept = [(c["start_s"], c["end_s"]) for c in clips if c["track_id"] == track["track_id"]]
        lost = [(d["start_s"], d["end_s"]) for d in dropped if d["track_id"] == track["track_id"]]
        assert all(SETTINGS.min_s <= end - start <= SETTINGS.max_s + 1e-9 for start, end in kept)
        assert intervals.total_s(intervals.intersect(kept, lost)) == 0
        assert intervals.total_s(kept) + intervals.total_s(lost) == pytest.approx(
            track["end_s"] - track["start_s"], abs=0.061
        )
