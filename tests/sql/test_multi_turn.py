"""Multi-turn sessions and histories."""

from typing import Any

from conversation import clip, profile


def said(turn_id: str, speaker: str, words: list[tuple[str, float]], language: str = "en") -> dict[str, Any]:
    timed = [{"word": w, "start_s": float(t), "end_s": t + 0.4, "probability": 1.0} for w, t in words]
    return {
        "transcript_id": f"{turn_id}-x00", "turn_id": turn_id, "speaker_id": speaker, "language": language,
        "start_s": float(words[0][1]), "end_s": words[-1][1] + 0.4, "words": timed, "text": "said",
    }  # fmt: skip


def of(made: Any, mode: str, *columns: str) -> list[tuple[Any, ...]]:
    return list(made["branch_multi_turn"].filter(mode=mode).select(columns).iter_rows())


def test_neighbours_form_a_session_until_a_long_silence(run: Any) -> None:
    made = run({
        "clips": [
            clip("a1", "pa", 0, 4, []), clip("a2", "pa", 4, 8, []), clip("b1", "pb", 7.5, 12, []),
            clip("a3", "pa", 15, 18, []), clip("b2", "pb", 18.5, 22, []), clip("alone", "pa", 40, 44, []),
        ]
    })  # fmt: skip
    assert of(made, "sequential", "session_id", "turn_index", "clip_id", "gap_s") == [
        ("v1-m0000", 0, "a1", None), ("v1-m0000", 1, "a2", 0.0), ("v1-m0000", 2, "b1", -0.5),
        ("v1-m0001", 0, "a3", None), ("v1-m0001", 1, "b2", 0.5),
    ]  # fmt: skip


def test_a_short_clip_inside_a_long_one_does_not_end_the_session(run: Any) -> None:
    made = run({"clips": [clip("a", "pa", 0, 14, []), clip("b", "pb", 1, 4, []), clip("c", "pa", 15, 18, [])]})
    assert of(made, "sequential", "clip_id") == [("a",), ("b",), ("c",)]


def test_history_is_what_was_said_in_the_window_before(run: Any) -> None:
    tables = {
        "clips": [clip("b", "pb", 20, 24, []), clip("first", "pa", 1, 4, [])],
        "transcripts": [
            said("u0", "A", [(" too", 4), (" old", 9.9), (" in", 10), (" time", 11)]),
            said("u1", "B", [(" yes", 19), (" late", 19.7), (" now", 20)]),
        ],
    }
    made = run(tables, profile(multi_turn_window_s=10.0))
    assert of(made, "contextual", "clip_id", "history") == [("b", "A: in time\nB: yes")]


def test_languages_without_spaces(run: Any) -> None:
    tables = {"clips": [clip("b", "pb", 20, 24, [])], "transcripts": [said("u0", "A", [("你", 17), ("好", 18)], "zh")]}
    assert of(run(tables), "contextual", "history") == [("A: 你好",)]


def test_without_words_there_is_no_context(run: Any) -> None:
    assert of(run({"clips": [clip("a", "pa", 0, 4, []), clip("b", "pb", 4, 8, [])]}), "contextual", "clip_id") == []
