"""What a reviewer is asked: every claim and gate, once, not again, the same as others, without their answers."""

import pytest
from review.sittings import sitting, videos

from speakervid_dag.failures import UserError
from speakervid_dag.lake.storage.delta import DeltaLake

pytestmark = pytest.mark.heavy


def answer_all(lake: DeltaLake, reviewer: str, word: str = "yes", **plan: object) -> set[tuple[object, ...]]:
    with (at := sitting(lake, reviewer, **plan)).book:
        for index in range(len(at.items)):
            at.save(index, word)
        return {item.key for item in at.items}


def test_every_claim_and_measure_is_asked_question_by_question(shared_lake: DeltaLake) -> None:
    with (at := sitting(shared_lake, "ada")).book:
        asked = [(i.question, i.measure) for i in at.items]
        runs = [a for n, a in enumerate(asked) if n == 0 or asked[n - 1] != a]
        assert runs == [
            ("binding", None),
            ("reply", None),
            ("listening", None),
            ("quality", None),
            ("quality", "luminance"),
        ]
        assert len({i.key for i in at.items}) == len(at.items) == 4 + 8 + 8 + 2 + 2
        pairs = {i.subject_id for i in at.items if i.question == "reply"}
        assert pairs == {f"{v}-c0p00>{v}-c1p01" for v in videos(shared_lake)}


def test_two_reviewers_are_asked_the_same_in_another_order(shared_lake: DeltaLake) -> None:
    with (one := sitting(shared_lake, "ada", count=5)).book, (other := sitting(shared_lake, "ben", count=5)).book:
        assert {i.key for i in one.items} == {i.key for i in other.items}
        assert [i.key for i in one.items] != [i.key for i in other.items]


def test_only_what_was_chosen_is_asked(shared_lake: DeltaLake) -> None:
    with (at := sitting(shared_lake, "ada", gates=("snr",))).book:
        assert {(i.question, i.gate) for i in at.items} == {("quality", "snr")}
    with (at := sitting(shared_lake, "ada", questions=("reply",))).book:
        assert {i.question for i in at.items} == {"reply"}
    with pytest.raises(UserError, match=r"'smell'.*\bquality\b"):
        sitting(shared_lake, "cid", questions=("smell",))
    with pytest.raises(UserError, match="gate 'smell'"):
        sitting(shared_lake, "dan", gates=("smell",))


def test_what_was_answered_is_not_asked_again_and_others_are_asked_it_first(lake: DeltaLake) -> None:
    done = answer_all(lake, "ada", count=2, seed=1, questions=("quality",))
    with (again := sitting(lake, "ada", questions=("quality",))).book:
        assert not done & {i.key for i in again.items}
        assert again.items
    with (other := sitting(lake, "ben", count=2, seed=9, questions=("quality",))).book:
        assert {i.key for i in other.items} == done


def test_what_others_answered_cannot_be_read(lake: DeltaLake) -> None:
    answer_all(lake, "ada", "no", count=1)
    with (at := sitting(lake, "ben")).book:
        assert at.book.asked().columns == ["reviewer", "question", "measure", "subject_id"]
        assert at.book.asked().height > 0


def test_a_reviewer_sits_in_one_place_and_has_a_plain_name(shared_lake: DeltaLake) -> None:
    with (
        sitting(shared_lake, "ada").book,
        pytest.raises(UserError, match=r"'ada'.*--reviewer"),
    ):
        sitting(shared_lake, "ada")
    with sitting(shared_lake, "ada").book:
        pass
    for name in ("", "a/b", "../x", "a b", "ä", "x" * 41):
        with pytest.raises(UserError, match=f"name.*'{name}'"):
            sitting(shared_lake, name)
