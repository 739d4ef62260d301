"""Cuts that follow the voice: what is evidence, and what is chance."""

import itertools

import numpy as np
from conversations import Video, binding_settings

from speakervid_dag.curation.speaking.co_visibility import co_visibility


def edited(shots: list[tuple[str, float, float]], turns: list[tuple[str, float, float]]) -> Video:
    """Shots that show one person each, and turns."""
    video = Video()
    for index, (person, start, end) in enumerate(shots):
        video.add_shot(start, end)
        video.add_track(person, np.arange(start, end, 0.2), shot=index)
    for speaker, start, end in turns:
        video.add_turn(speaker, start, end)
    return video


def found(video: Video) -> dict[tuple[str, str], float]:
    return co_visibility(video.shots, video.tracks, video.turns, binding_settings())


FOLLOWED = [("p00", 0.0, 6.0), ("p01", 6.0, 12.0), ("p00", 12.0, 18.0), ("p01", 18.0, 24.0)]
VOICES = [("A", 0.2, 5.8), ("B", 6.1, 11.9), ("A", 12.2, 17.8), ("B", 18.1, 23.8)]


def test_cuts_at_every_change_of_voice_name_the_speakers() -> None:
    evidence = found(edited(FOLLOWED, VOICES))
    assert set(evidence) == {("A", "v1-p00"), ("B", "v1-p01")}
    assert min(evidence.values()) > 2.0


def test_people_who_are_seen_once_are_named_too() -> None:
    shots = [(f"p{i:02d}", start, end) for i, (_, start, end) in enumerate(FOLLOWED)]
    turns = [(name, start, end) for name, (_, start, end) in zip("ABCD", VOICES, strict=True)]
    evidence = found(edited(shots, turns))
    assert set(evidence) == {(name, f"v1-p{i:02d}") for i, name in enumerate("ABCD")}


def test_reaction_shots_inside_turns_cost_but_do_not_turn_the_answer() -> None:
    shots = [("p00", 0.0, 6.0), ("p01", 6.0, 8.0), ("p00", 8.0, 10.0), ("p01", 10.0, 12.0), *FOLLOWED[2:]]
    plain, broken = found(edited(FOLLOWED, VOICES)), found(edited(shots, VOICES))
    assert set(broken) == set(plain)
    assert all(0 < broken[key] < plain[key] for key in plain)


def test_one_face_gives_nothing_whatever_the_voices() -> None:
    assert found(edited([("p00", 0.0, 24.0)], VOICES)) == {}


def test_one_coincidence_is_not_enough() -> None:
    assert found(edited([("p00", 0.0, 6.0), ("p01", 6.0, 12.0)], VOICES[:2])) == {}


def test_cuts_away_from_the_changes_give_nothing() -> None:
    shots = [("p00", 0.0, 3.0), ("p01", 3.0, 9.0), ("p00", 9.0, 15.0), ("p01", 15.0, 21.0), ("p00", 21.0, 24.0)]
    assert found(edited(shots, VOICES)) == {}


def test_a_shot_of_both_shows_neither() -> None:
    video = edited(FOLLOWED, VOICES)
    for index, (person, start, end) in enumerate(FOLLOWED):
        video.add_track("p01" if person == "p00" else "p00", np.arange(start, end, 0.2), shot=index)
    assert found(video) == {}


def test_without_faces_or_turns_there_is_no_evidence() -> None:
    video = edited(FOLLOWED, VOICES)
    assert co_visibility(video.shots, video.tracks.clear(), video.turns, binding_settings()) == {}
    assert co_visibility(video.shots, video.tracks, video.turns.clear(), binding_settings()) == {}


def test_random_cuts_seldom_look_like_following() -> None:
    """A likelihood ratio above e^x comes from chance at most once in e^x videos; here x = 3."""
    rng = np.random.default_rng(5)
    strong = 0
    for _ in range(300):
        edges = np.concatenate([[0.0], np.sort(rng.uniform(0, 60, 8)), [60.0]])
        shots = [(f"p0{i % 2}", float(a), float(b)) for i, (a, b) in enumerate(itertools.pairwise(edges))]
        changes = np.concatenate([[0.0], np.sort(rng.uniform(0, 60, 6)), [60.0]])
        turns = [("AB"[i % 2], float(a), float(b)) for i, (a, b) in enumerate(itertools.pairwise(changes))]
        strong += any(v >= 3.0 for v in found(edited(shots, turns)).values())
    assert strong <= 300 * np.exp(-3.0)


def test_order_of_rows_does_not_matter() -> None:
    video = edited(FOLLOWED, VOICES)
    mixed = [frame.sample(fraction=1.0, shuffle=True, seed=3) for frame in (video.shots, video.tracks, video.turns)]
    assert co_visibility(*mixed, binding_settings()) == found(video)
