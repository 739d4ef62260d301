"""Exact truth follows from turns and shots."""

import itertools

import numpy as np
import pytest

from speakervid_dag.demo.acting import HOP
from speakervid_dag.demo.materials import RATE_HZ
from speakervid_dag.demo.plan import Pane, ScriptShot, ScriptTurn, VideoPlan
from speakervid_dag.demo.videos import CALL_FROM_S, Line, call_turns, only, place

SIZE = (200, 100)
LEFT, RIGHT = Pane("ann", (0, 0, 100, 100)), Pane("bob", (100, 0, 100, 100))
FULL_ANN, FULL_BOB = Pane("ann", (0, 0, 200, 100)), Pane("bob", (0, 0, 200, 100))


def plan(shots: tuple[ScriptShot, ...], turns: tuple[ScriptTurn, ...]) -> VideoPlan:
    sound = np.zeros(shots[-1].end * HOP, np.float32)
    return VideoPlan("clip", "cuts", "cuts", SIZE, shots, turns, sound, {"ann": sound, "bob": sound}, ("a.wav",))


def test_listener_beside_the_speaker_is_co_present_except_while_talking_too() -> None:
    both = plan((ScriptShot(0, 250, (LEFT, RIGHT)),), (ScriptTurn("ann", 1.0, 6.0), ScriptTurn("bob", 2.0, 2.6)))
    rows = [(r["listener"], r["start_s"], r["end_s"], r["mode"]) for r in both.truth()["listening"]]
    assert rows == [("bob", 1.0, 2.0, "co_present"), ("bob", 2.6, 6.0, "co_present")]


def test_reaction_shot_is_listening_without_the_speaker() -> None:
    shots = (ScriptShot(0, 100, (FULL_ANN,)), ScriptShot(100, 200, (FULL_BOB,)), ScriptShot(200, 250, (FULL_ANN,)))
    truth = plan(shots, (ScriptTurn("ann", 0.4, 9.0),)).truth()
    assert truth["turns"][0]["visible"] == [[0.4, 4.0], [8.0, 9.0]]
    assert [(r["listener"], r["start_s"], r["end_s"], r["mode"]) for r in truth["listening"]] == [
        ("bob", 4.0, 8.0, "non_co_present")
    ]


def test_a_word_thrown_in_is_no_dialogue_neighbour() -> None:
    turns = (ScriptTurn("ann", 0.0, 4.0), ScriptTurn("bob", 1.0, 1.4), ScriptTurn("bob", 4.2, 8.0))
    pairs = plan((ScriptShot(0, 250, (LEFT, RIGHT)),), turns).truth()["dialogue_pairs"]
    assert pairs == [{"initiator": 0, "responder": 2, "gap_s": 0.2}]


def test_a_speaker_never_shown_is_off_screen() -> None:
    turn = plan((ScriptShot(0, 100, (FULL_BOB,)),), (ScriptTurn("ann", 0.0, 3.0),)).truth()["turns"][0]
    assert (turn["on_screen"], turn["box"], turn["visible"]) == (False, None, [])


def test_cutting_a_plan_short_keeps_it_consistent() -> None:
    whole = plan(
        (ScriptShot(0, 100, (FULL_ANN,)), ScriptShot(100, 200, (FULL_BOB,))),
        (ScriptTurn("ann", 0, 3), ScriptTurn("bob", 4.5, 7)),
    )
    short = whole.first(5.0)
    assert (short.frames, len(short.sound), short.turns[-1].end_s) == (125, 125 * HOP, 5.0)
    assert whole.first(4.0).turns == (ScriptTurn("ann", 0, 3),)


def test_rttm_turns_are_shifted_and_named_by_appearance() -> None:
    text = "SPEAKER x 1 6.6 1.0 <NA> <NA> q <NA> <NA>\nSPEAKER x 1 8.6 2.0 <NA> <NA> p <NA> <NA>\n"
    turns = call_turns(text, ("ann", "bob"))
    assert [t.person for t in turns] == ["ann", "bob"]
    assert turns[1].start_s == pytest.approx(8.6 - CALL_FROM_S)
    assert turns[1].end_s == pytest.approx(10.6 - CALL_FROM_S)


def test_only_keeps_one_persons_turns() -> None:
    kept = only(np.ones(3 * RATE_HZ, np.float32), (ScriptTurn("ann", 0, 1), ScriptTurn("bob", 1, 2)), "bob")
    assert kept.sum() == RATE_HZ
    assert kept[RATE_HZ : 2 * RATE_HZ].all()


def test_placed_lines_make_touching_shots_and_long_reactions() -> None:
    long, short = np.ones(9 * RATE_HZ, np.float32), np.ones(4 * RATE_HZ, np.float32)
    turns, shots = place([Line("ann", long, True), Line("bob", short, False)], SIZE)
    assert shots[0].start == 0
    assert all(a.end == b.start for a, b in itertools.pairwise(shots))
    assert [s.panes[0].person for s in shots] == ["ann", "bob", "ann", "bob"]
    reaction = shots[1].span
    assert turns[0].start_s + 3 < reaction[0]
    assert reaction[1] - reaction[0] >= 3.0
    assert reaction[1] < turns[0].end_s
