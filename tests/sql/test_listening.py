"""Listening: who is silent under whose voice."""

from typing import Any

import pytest
from conversation import clip, profile, turn

pytestmark = pytest.mark.heavy


def scene(**change: Any) -> dict[str, Any]:
    """B listens (clip l, 0-6) to A's turn u1 (1-5); A is in view in the same shot. `change` replaces tables."""
    return {
        "speech_turns": [turn("u1", "A", 1, 5)],
        "clips": [clip("l", "pb", 0, 6, ["u1"], role="listening", track_id="tb")],
        "face_tracks": [{"track_id": "ta", "shot_id": "s1"}, {"track_id": "tb", "shot_id": "s1"}],
        "speaker_bindings": [bound("u1", "ta", "pa")],
        "active_speaker": [face("ta", 3.0), face("tb", -0.5)],
        **change,
    }


def bound(turn_id: str, track: str | None, person: str | None, status: str = "bound", **more: Any) -> dict[str, Any]:
    row = {"turn_id": turn_id, "track_id": track, "person_id": person, "status": status, "speaker_id": "A"}
    return {**row, "start_s": 1.0, "end_s": 5.0, **more}


def face(track: str, log_odds: float | None, backend: str = "x", start_s: float = 0.0) -> dict[str, Any]:
    """Return a track of 6 s, unseen in its first half second, whose face talks or not; None: it could not be told."""
    row = {"track_id": track, "start_s": start_s, "end_s": start_s + 6, "backend": backend}
    if log_odds is None:
        return {**row, "log_odds": [], "status": "not_evaluated", "reason": "no_face_pictures"}
    return {**row, "log_odds": [None] * 12 + [log_odds] * 138, "status": "ok"}


def test_both_in_view(run: Any) -> None:
    row = run(scene())["branch_listening"].row(0, named=True)
    assert row["listening_id"] == "l<u1"
    assert (row["mode"], row["margin"]) == ("co_present", pytest.approx(3.5))
    assert (row["start_s"], row["end_s"], row["duration_s"]) == (1, 5, 4)
    assert (row["listener_person_id"], row["speaker_person_id"]) == ("pb", "pa")


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"face_tracks": [{"track_id": "ta", "shot_id": "s2"}, {"track_id": "tb", "shot_id": "s1"}]},
        {"speaker_bindings": [bound("u1", None, None, "off_screen")]},
    ],
)
def test_the_speaker_is_elsewhere(run: Any, elsewhere: dict[str, Any]) -> None:
    made = run(scene(**elsewhere))["branch_listening"]
    assert made.select("mode", "margin").rows() == [("non_co_present", None)]


@pytest.mark.parametrize("status", ["ambiguous", "not_evaluated"])
def test_an_unknown_speaker_could_be_the_listener(run: Any, status: str) -> None:
    assert run(scene(speaker_bindings=[bound("u1", None, None, status)]))["branch_listening"].is_empty()


def test_a_sample_is_the_longest_time_in_which_the_speaker_is_known(run: Any) -> None:
    stretches = [
        bound("u1", "ta", "pa", end_s=2.0),
        bound("u1", None, None, "ambiguous", start_s=2.0, end_s=2.5),
        bound("u1", "ta", "pa", start_s=2.5, end_s=3.5),
        bound("u1", None, None, "off_screen", start_s=3.5, end_s=5.0),
    ]
    made = run(scene(speaker_bindings=stretches))["branch_listening"]
    assert made.select("start_s", "end_s", "mode").rows() == [(2.5, 5.0, "co_present")]


def test_a_speaker_who_is_known_at_another_time_only_could_be_the_listener(run: Any) -> None:
    later = [bound("u1", "ta", "pa", start_s=7.0, end_s=9.0)]
    assert run(scene(speaker_bindings=later))["branch_listening"].is_empty()


def test_nobody_listens_to_himself(run: Any) -> None:
    assert run(scene(speaker_bindings=[bound("u1", "tb", "pb")]))["branch_listening"].is_empty()
    voice_over = scene(speaker_bindings=[bound("u1", None, None, "off_screen")])
    voice_over["people"] = [{"person_id": "pb", "speaker_id": "A"}]
    assert run(voice_over)["branch_listening"].is_empty()


def test_an_off_screen_voice_has_the_person_known_from_elsewhere(run: Any) -> None:
    tables = scene(speaker_bindings=[bound("u1", None, None, "off_screen")])
    tables["people"] = [{"person_id": "pa", "speaker_id": "A"}]
    assert run(tables)["branch_listening"]["speaker_person_id"].to_list() == ["pa"]


@pytest.mark.parametrize(
    ("log_odds", "needs", "count"), [(2.0, False, 1), (2.1, False, 0), (None, False, 1), (None, True, 0)]
)
def test_the_margin_decides_where_it_is_measured(run: Any, log_odds: float | None, needs: bool, count: int) -> None:
    tables = scene(active_speaker=[face("ta", 3.0), face("tb", log_odds)])
    assert run(tables, profile(listening_needs_margin=needs))["branch_listening"].height == count


def test_log_odds_of_two_networks_are_not_compared(run: Any) -> None:
    made = run(scene(active_speaker=[face("ta", 3.0, "x"), face("tb", -1.0, "y")]))["branch_listening"]
    assert made["margin"].to_list() == [None]


def test_the_margin_is_of_the_time_in_which_the_speaker_is_bound(run: Any) -> None:
    """The speaker's track begins at 2 s and is silent for its last 2; the listener laughs while nobody is bound."""
    speaker = face("ta", 3.0, start_s=2.0) | {"log_odds": [3.0] * 50 + [-4.0] * 50}
    listener = face("tb", -2.0) | {"log_odds": [-2.0] * 100 + [9.0] * 50}
    seen = [bound("u1", "ta", "pa", start_s=2.0, end_s=4.0), bound("u1", None, None, "off_screen", start_s=4.0)]
    made = run(scene(active_speaker=[speaker, listener], speaker_bindings=seen))["branch_listening"]
    assert made.select("start_s", "end_s", "mode", "margin").rows() == [(2.0, 5.0, "co_present", pytest.approx(5.0))]


@pytest.mark.parametrize(("limit", "count"), [(None, 1), (-0.5, 1), (-0.6, 0)])
def test_a_listener_who_talks_is_none(run: Any, limit: float | None, count: int) -> None:
    tables = scene(speaker_bindings=[bound("u1", None, None, "off_screen")])
    assert run(tables, profile(listening_max_log_odds=limit))["branch_listening"].height == count


@pytest.mark.parametrize(("text", "count"), [("hello", 1), (" ", 0)])
def test_words_can_be_asked_for(run: Any, text: str, count: int) -> None:
    tables = scene(speaker_bindings=[bound("u1", None, None, "off_screen")])
    tables["transcripts"] = [{"turn_id": "u1", "text": text}]
    assert run(tables, profile(listening_needs_words=True))["branch_listening"].height == count


def test_a_short_common_time_is_no_sample(run: Any) -> None:
    tables = scene(clips=[clip("l", "pb", 0, 1.9, ["u1"], role="listening", track_id="tb")])
    assert run(tables)["branch_listening"].is_empty()


def test_one_row_a_turn_also_when_the_speaker_has_two_tracks(run: Any) -> None:
    tables = scene(speaker_bindings=[bound("u1", "ta", "pa"), bound("u1", "ta2", "pa")])
    tables["face_tracks"].append({"track_id": "ta2", "shot_id": "s2"})
    assert run(tables)["branch_listening"]["mode"].to_list() == ["co_present"]
