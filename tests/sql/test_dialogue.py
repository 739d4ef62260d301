"""Dialogue pairs: who answers whom."""

from typing import Any

import pytest
from conversation import clip, profile, turn

pytestmark = pytest.mark.heavy

STUDIO, GARDEN = [0.5, 0.3, 0.2, 0.0], [0.0, 0.0, 0.1, 0.9]  # 0.1 in common


def pairs(made: Any) -> list[tuple[str, str]]:
    return list(made["branch_dialogue"].select("initiator_clip_id", "responder_clip_id").iter_rows())


def two(gap: float = 0.5, **answer: Any) -> dict[str, Any]:
    """A speaks 0-5, B answers after the gap for 4 s."""
    start = 5 + gap
    return {
        "speech_turns": [turn("u1", "A", 0, 5), turn("u2", "B", start, start + 4)],
        "clips": [clip("a", "pa", 0, 5, ["u1"]), clip("b", "pb", start, start + 4, ["u2"], **answer)],
    }


def test_a_question_and_its_answer(run: Any) -> None:
    row = run(two())["branch_dialogue"].row(0, named=True)
    assert row["pair_id"] == "a>b"
    assert (row["initiator_person_id"], row["responder_person_id"]) == ("pa", "pb")
    assert (row["initiator_turn_id"], row["responder_turn_id"]) == ("u1", "u2")
    assert row["gap_s"] == pytest.approx(0.5)
    assert row["duration_s"] == pytest.approx(9.0)
    assert row["is_same_shot"] is True


def test_shot_and_reverse_shot(run: Any) -> None:
    assert run(two(shot_id="s2"))["branch_dialogue"]["is_same_shot"].to_list() == [False]


@pytest.mark.parametrize(("gap", "count"), [(3.0, 1), (3.1, 0), (-1.0, 1), (-1.1, 0)])
def test_gap_and_overlap_have_limits(run: Any, gap: float, count: int) -> None:
    assert run(two(gap))["branch_dialogue"].height == count


def test_one_person_with_two_voices_is_no_dialogue(run: Any) -> None:
    assert pairs(run(two(person_id="pa"))) == []


def test_listening_clips_are_no_side(run: Any) -> None:
    assert pairs(run(two(role="listening"))) == []


def test_of_a_cut_turn_the_clips_at_the_change_are_taken(run: Any) -> None:
    made = run({
        "speech_turns": [turn("u1", "A", 0, 20), turn("u2", "B", 20.5, 45)],
        "clips": [
            clip("a1", "pa", 0, 10, ["u1"]), clip("a2", "pa", 10, 20, ["u1"]),
            clip("b1", "pb", 20.5, 33, ["u2"]), clip("b2", "pb", 33, 45, ["u2"]),
        ],
    })  # fmt: skip
    assert pairs(made) == [("a2", "b1")]


@pytest.mark.parametrize(
    ("is_backchannel", "expected"), [(True, {("a2", "b2")}), (False, {("a", "b"), ("b", "a2"), ("a2", "b2")})]
)
def test_a_backchannel_does_not_take_the_floor(run: Any, is_backchannel: bool, expected: set[tuple[str, str]]) -> None:
    made = run({
        "speech_turns": [
            turn("u1", "A", 0, 5), turn("x", "B", 5.1, 5.7, is_backchannel=is_backchannel),
            turn("u2", "A", 8, 12), turn("u3", "B", 12.2, 16),
        ],
        "clips": [
            clip("a", "pa", 0, 5, ["u1"]), clip("b", "pb", 4.9, 7.9, ["x"]),
            clip("a2", "pa", 8, 12, ["u2"]), clip("b2", "pb", 12.2, 16, ["u3"]),
        ],
    })  # fmt: skip
    assert set(pairs(made)) == expected


def test_a_short_answer_that_opens_a_turn_is_kept(run: Any) -> None:
    """ "No." and, after a pause, the rest: the same speaker goes on, so the short word took the floor."""
    made = run({
        "speech_turns": [turn("u1", "A", 0, 5), turn("x", "B", 5.3, 5.7), turn("u2", "B", 6.2, 9)],
        "clips": [clip("a", "pa", 0, 5, ["u1"]), clip("b", "pb", 5.3, 9, ["x", "u2"])],
    })  # fmt: skip
    assert made["branch_dialogue"].select("pair_id", "responder_turn_id").rows() == [("a>b", "x")]


def test_a_turn_inside_another_is_an_interruption_and_not_an_answer(run: Any) -> None:
    made = run({
        "speech_turns": [turn("u1", "A", 0, 10), turn("x", "B", 9.2, 9.8), turn("u2", "B", 10.4, 14)],
        "clips": [clip("a", "pa", 0, 10, ["u1"]), clip("b", "pb", 10.4, 14, ["u2"])],
    })  # fmt: skip
    assert pairs(made) == [("a", "b")]
    assert made["branch_dialogue"]["gap_s"].item() == pytest.approx(0.4)


def test_a_pair_appears_once_and_forwards(run: Any) -> None:
    """A's one clip spans B's answer: B's clip is answered by it, but it does not end before B's."""
    made = run({
        "speech_turns": [turn("u1", "A", 0, 4), turn("u2", "B", 4.5, 8), turn("u3", "A", 8.5, 12)],
        "clips": [clip("a", "pa", 0, 12, ["u1", "u3"]), clip("b", "pb", 4.5, 8, ["u2"])],
    })  # fmt: skip
    assert pairs(made) == []


def test_the_worse_tier_counts(run: Any) -> None:
    from conversation import gate

    tables = two()
    tables["clip_scores"] = [{"clip_id": "a", "luminance": 9.0}, {"clip_id": "b", "luminance": 0.0}]
    made = run(tables, profile({"luma": gate("luminance", level="sft")}))
    assert dict(made["tiers"].select("clip_id", "tier").iter_rows()) == {"a": "sft", "b": "pretrain"}
    assert made["branch_dialogue"]["tier"].to_list() == ["pretrain"]


def test_videos_are_kept_apart(run: Any) -> None:
    tables = two()
    tables["speech_turns"][1]["video_id"] = tables["clips"][1]["video_id"] = "v2"
    assert pairs(run(tables)) == []


def four(*, back: bool = False, places: str = "SSGG") -> dict[str, Any]:
    """A and B talk, then (after a cut) C and D, each in a shot of their own; nobody is asked back unless `back`."""
    voices = "ABABCDCD" if back else "ABCD"
    turns = [turn(f"u{i}", voice, 5.0 * i, 5.0 * i + 4.5) for i, voice in enumerate(voices)]
    shot = {"A": "s1", "B": "s2", "C": "s3", "D": "s4"}
    clips = [
        clip(f"c{i}", f"p{voice}", 5.0 * i, 5.0 * i + 4.5, [f"u{i}"], shot_id=shot[voice])
        for i, voice in enumerate(voices)
    ]
    look = {"S": STUDIO, "G": GARDEN, "-": None}
    shots = [{"shot_id": s, "palette": look[place]} for s, place in zip(shot.values(), places, strict=True)]
    tracks = [
        {"track_id": f"t-{s}", "shot_id": s, "person_id": f"p{v}", "start_s": 0.0, "end_s": 40.0}
        for v, s in shot.items()
    ]
    return {"speech_turns": turns, "clips": clips, "shots": shots, "face_tracks": tracks}


def test_people_of_two_conversations_do_not_answer_each_other(run: Any) -> None:
    found = pairs(run(four(back=True)))
    assert set(found) == {(f"c{i}", f"c{i + 1}") for i in (0, 1, 2, 4, 5, 6)}  # not c3 > c4: B to C


def test_a_question_answered_once_is_of_one_conversation_in_one_place(run: Any) -> None:
    assert pairs(run(four())) == [("c0", "c1"), ("c2", "c3")]


@pytest.mark.parametrize("chosen", [{}, {"dialogue_min_palette": 1.1}])
def test_who_takes_turns_both_ways_talks_together_wherever_they_are(run: Any, chosen: dict[str, float]) -> None:
    found = set(pairs(run(four(back=True, places="SGSG"), profile(**chosen))))
    assert found >= {(f"c{i}", f"c{i + 1}") for i in (0, 1, 2, 4, 5, 6)}


def test_where_colours_do_not_count_only_what_is_sure_is_a_pair(run: Any) -> None:
    assert pairs(run(four(), profile(dialogue_min_palette=1.1))) == []


def test_the_place_is_not_asked_where_it_may_differ_or_is_not_known(run: Any) -> None:
    every = [("c0", "c1"), ("c1", "c2"), ("c2", "c3")]
    assert pairs(run(four(), profile(dialogue_min_palette=0.0))) == every
    assert pairs(run(four(places="----"))) == every


def test_one_look_at_both_in_one_place_is_enough(run: Any) -> None:
    """B is seen in the garden, too: they walked there."""
    tables = four()
    tables["face_tracks"].append(
        {"track_id": "t-x", "shot_id": "s3", "person_id": "pB", "start_s": 50.0, "end_s": 60.0}
    )
    assert pairs(run(tables)) == [("c0", "c1"), ("c1", "c2"), ("c2", "c3")]


def test_two_voices_alone_in_a_video_talk_together_wherever_they_are(run: Any) -> None:
    tables = two(shot_id="s2")
    tables["shots"] = [{"shot_id": "s1", "palette": STUDIO}, {"shot_id": "s2", "palette": GARDEN}]
    tables["face_tracks"] = [
        {"track_id": f"t-{s}", "shot_id": s, "person_id": p, "start_s": 0.0, "end_s": 9.0}
        for s, p in (("s1", "pa"), ("s2", "pb"))
    ]
    assert pairs(run(tables)) == [("a", "b")]


def test_people_seen_together_are_in_one_conversation(run: Any) -> None:
    seen = [
        {"track_id": f"t{name}", "shot_id": shot, "person_id": f"p{name}", "start_s": 0.0, "end_s": 20.0}
        for name, shot in (("A", "s1"), ("B", "s1"), ("C", "s3"), ("D", "s4"))
    ]
    assert pairs(run(four() | {"face_tracks": seen}, profile(dialogue_min_palette=1.1))) == [("c0", "c1")]


def test_those_who_follow_each_other_in_a_shot_are_not_seen_together(run: Any) -> None:
    seen = [
        {"track_id": f"t{name}", "shot_id": "s1", "person_id": f"p{name}", "start_s": at, "end_s": at + 10.0}
        for name, at in (("A", 0.0), ("B", 10.0))
    ]
    assert pairs(run(four() | {"face_tracks": seen}, profile(dialogue_min_palette=1.1))) == []
