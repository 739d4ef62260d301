"""Words find their turns."""

from types import SimpleNamespace

import pytest

from speakervid_dag.curation.voices.recognition import Recognition, Segment, Word
from speakervid_dag.curation.voices.transcripts import TurnSpan, transcript_rows, turn_of

SETTINGS = SimpleNamespace(max_word_distance_s=0.5)
TURNS = [TurnSpan("v-u0000", "A", 1.0, 3.0), TurnSpan("v-u0001", "B", 3.0, 5.0)]


def segment(*words: Word) -> Segment:
    return Segment(words[0].start_s, words[-1].end_s, "".join(w.text for w in words), words, -0.3, 0.1, 1.2)


def rows_of(*segments: Segment) -> tuple[list[dict], int]:
    return transcript_rows(Recognition("en", 0.9, segments), TURNS, "whisper-base", SETTINGS)


def test_a_segment_is_cut_where_the_turn_changes() -> None:
    rows, homeless = rows_of(
        segment(Word(" Are", 2.0, 2.4, 0.9), Word(" you?", 2.4, 3.1, 0.8), Word(" Yes.", 2.9, 3.6, 1))
    )
    assert [(r["transcript_id"], r["speaker_id"], r["text"]) for r in rows] == [
        ("v-u0000-x00", "A", "Are you?"),
        ("v-u0001-x00", "B", "Yes."),
    ]
    assert rows[0]["words"][1] == {"word": "you?", "start_s": 2.4, "end_s": 3.1, "probability": 0.8}
    assert (rows[0]["start_s"], rows[0]["end_s"], rows[1]["start_s"]) == (2.0, 3.1, 2.9)
    assert {r["avg_logprob"] for r in rows} == {-0.3}
    assert homeless == 0


def test_ids_count_on_within_a_turn() -> None:
    rows, _ = rows_of(segment(Word(" a", 1.0, 1.2, 1)), segment(Word(" b", 1.5, 1.7, 1)))
    assert [r["transcript_id"] for r in rows] == ["v-u0000-x00", "v-u0000-x01"]


def test_words_without_spaces_are_joined_as_written() -> None:
    rows, _ = rows_of(segment(Word("你", 1.0, 1.2, 1), Word("好", 1.2, 1.4, 1)))
    assert rows[0]["text"] == "你好"


def test_a_word_near_a_turn_belongs_to_it_and_a_far_one_is_counted() -> None:
    rows, homeless = rows_of(segment(Word(" So", 0.5, 0.7, 1)), segment(Word(" ghost", 7.0, 7.5, 1)))
    assert [r["turn_id"] for r in rows] == ["v-u0000"]
    assert homeless == 1


def test_blank_words_make_no_row() -> None:
    assert rows_of(segment(Word(" ", 1.0, 1.2, 1))) == ([], 0)


@pytest.mark.parametrize(
    ("start_s", "end_s", "wanted"), [(2.5, 3.2, "v-u0000"), (2.9, 3.2, "v-u0001"), (5.2, 5.3, "v-u0001")]
)
def test_most_shared_time_wins(start_s: float, end_s: float, wanted: str) -> None:
    found = turn_of(Word("x", start_s, end_s, 1), TURNS, 0.5)
    assert found is not None
    assert found.turn_id == wanted


def test_without_turns_every_word_is_homeless() -> None:
    recognition = Recognition("en", 0.9, (segment(Word(" a", 0, 1, 1), Word(" b", 1, 2, 1)),))
    assert transcript_rows(recognition, [], "whisper-base", SETTINGS) == ([], 2)
