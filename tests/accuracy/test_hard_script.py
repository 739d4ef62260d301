"""Scripts of the hard composites on small cases whose answer is known: windows, parts, shots, truth."""

import numpy as np
from hard_script import (
    FPS,
    Material,
    Part,
    Scene,
    View,
    cut_window,
    follow_voice,
    is_dialogue,
    perform,
    read_rttm,
    runs,
    truth_of,
)
from hard_sound import FRAME, far, level_db, music, spoken
from labelled import Spoken

RTTM = """
SPEAKER a 1 10.0 4.0 <NA> <NA> X <NA> <NA>
SPEAKER a 1 13.5 3.0 <NA> <NA> Y <NA> <NA>
SPEAKER a 1 14.3 0.7 <NA> <NA> X <NA> <NA>
"""
RNG = np.random.default_rng(0)
BOX = (0, 0, 40, 40)


def material(*, quiet_at: tuple[int, ...] = ()) -> Material:
    """Eight seconds of speech with a pause of two in the middle."""
    voiced = np.ones(200, bool)
    voiced[75:125] = False
    level_db = np.zeros(200)
    level_db[list(quiet_at)] = -40
    return Material(voiced, level_db, (80, 90))


def part(*turns: tuple[int, int], frames: int = 250) -> Part:
    speaks = np.zeros(frames, bool)
    for start, end in turns:
        speaks[start:end] = True
    heard = np.where(speaks, np.arange(frames), -1)
    return Part(np.zeros(frames, int), heard, speaks, moves_lips=False)


def scene(ann: Part, bob: Part, views: list[View], cuts: list[int]) -> Scene:
    return Scene("v", "plain", (80, 40), {"ann": ann, "bob": bob}, views, cuts, "a")


def test_a_window_counts_from_its_start_and_closes_short_pauses() -> None:
    window = cut_window("a", read_rttm(RTTM), 11.0, 5.0)
    assert window.lines == (Spoken(0, 4, "X"), Spoken(2.5, 5, "Y"))
    assert window.speakers == ["X", "Y"]


def test_a_speech_or_crosstalk_is_no_dialogue() -> None:
    talk = [Spoken(0, 4, "X"), Spoken(4, 8, "Y"), Spoken(8, 9, "X"), Spoken(9, 10, "Y")]
    assert is_dialogue(cut_window("a", talk, 0, 10))
    assert not is_dialogue(cut_window("a", [Spoken(0, 9, "X"), Spoken(9, 10, "Y")], 0, 10))
    assert not is_dialogue(cut_window("a", sorted([*talk, Spoken(0, 4, "Y")]), 0, 10))


def test_talk_runs_on_through_the_material_and_wraps_around_without_its_long_pauses() -> None:
    quiet = material(quiet_at=(60,))
    lines = [Spoken(0, 4, "X"), Spoken(6, 9.9, "X")]
    played = perform(quiet, lines, 250, RNG, moves_lips=False)
    (first, _), *_ = found = runs(played.heard >= 0)
    assert first == 0
    assert len(found) == 2
    order = np.concatenate([played.heard[a:b] for a, b in found])
    steps = np.diff(np.searchsorted(quiet.tape, order)) % len(quiet.tape)
    assert (steps == 1).all()
    assert not set(range(80, 120)) & set(order.tolist())  # the middle of the pause
    silent = played.heard < 0
    assert set(played.shown[silent].tolist()) <= set(range(80, 90))
    assert (played.shown[~silent] == played.heard[~silent]).all()


def test_a_turn_ends_where_it_is_quiet() -> None:
    played = perform(material(quiet_at=(30, 55)), [Spoken(0, 1, "X")], 250, RNG, moves_lips=True)
    ((start, end),) = runs(played.heard >= 0)
    assert start == 0
    assert abs(end - FPS) <= 8
    assert len(set(played.shown[end:].tolist())) > 100  # muted talk, not a pause


def test_truth_of_a_split_screen() -> None:
    views = [View("ann", 0, 250, (0, 0, 40, 40)), View("bob", 0, 250, (40, 0, 80, 40))]
    truth = truth_of(scene(part((0, 100)), part((90, 200)), views, []))
    assert [(t["speaker"], t["start_s"], t["end_s"]) for t in truth["turns"]] == [("ann", 0, 4), ("bob", 3.6, 8)]
    assert truth["dialogue_pairs"] == [{"initiator": 0, "responder": 1, "gap_s": -0.4}]
    heard = {(x["listener"], x["start_s"], x["end_s"], x["mode"]) for x in truth["listening"]}
    assert heard == {("bob", 0, 3.6, "co_present"), ("ann", 4, 8, "co_present")}
    assert [face["box"] for face in truth["faces"]] == [[0, 0, 0.5, 1], [0.5, 0, 1, 1]]


def test_a_word_inside_a_turn_is_no_side_of_a_pair() -> None:
    views = [View("ann", 0, 250, (0, 0, 40, 40)), View("bob", 0, 250, (40, 0, 80, 40))]
    truth = truth_of(scene(part((0, 100), (220, 240)), part((40, 50), (110, 200)), views, []))
    assert [t["start_s"] for t in truth["turns"]] == [0, 1.6, 4.4, 8.8]
    assert [(p["initiator"], p["responder"]) for p in truth["dialogue_pairs"]] == [(0, 2), (2, 3)]


def test_whoever_is_never_seen_is_off_screen_and_makes_no_pair() -> None:
    truth = truth_of(scene(part((0, 100)), part((110, 200)), [View("ann", 0, 250, BOX)], []))
    assert [t["on_screen"] for t in truth["turns"]] == [True, False]
    assert truth["dialogue_pairs"] == []
    assert {x["mode"] for x in truth["listening"]} == {"non_co_present"}


def test_cuts_follow_the_voice_late_with_a_look_at_the_listener() -> None:
    parts = {"ann": part((0, 190)), "bob": part((195, 250))}
    shots = [(view.person, view.start, view.end) for view in follow_voice(parts, BOX)]
    assert shots == [("ann", 0, 60), ("bob", 60, 105), ("ann", 105, 200), ("bob", 200, 250)]


def test_sound_plays_frames_in_order_and_keeps_silence() -> None:
    material_sound = np.repeat(np.arange(1, 4, dtype=np.float32), FRAME)
    sound = spoken(material_sound, np.array([-1, 1, 2, -1, 0])).reshape(-1, FRAME)
    assert sound[:, FRAME // 2].tolist() == [0, 2, 3, 0, 1]
    assert sound[1, 0] == 0  # faded in


def test_music_has_the_level_that_is_wanted_and_a_far_voice_is_softer() -> None:
    assert abs(level_db(music(32_000, -30, RNG)) + 30) < 0.1
    voice = RNG.standard_normal(16_000).astype(np.float32) * 0.1
    assert -15 < level_db(far(voice, 0.5, RNG)) - level_db(voice) < -10
