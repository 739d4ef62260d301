"""Who is asked about: near the threshold on both sides, the same for every reviewer, in an order of each one's own."""

import polars as pl

from speakervid_dag.review.sampling import balanced, near_threshold, own_order, weakest


def gate(values: list[float | None], threshold: float = 50.0, upper: float | None = None) -> pl.DataFrame:
    """keep: >= threshold (or between); subjects are named by their value."""

    def verdict(value: float | None) -> str:
        if value is None:
            return "not_evaluated"
        return "pass" if value >= threshold and (upper is None or value <= upper) else "fail"

    rows = {
        "subject_id": [f"c{i:03d}" for i in range(len(values))],
        "verdict": [verdict(v) for v in values],
        "value": values,
        "threshold": [threshold] * len(values),
        "upper_threshold": [upper] * len(values),
    }
    return pl.DataFrame(rows, schema_overrides={"value": pl.Float64, "upper_threshold": pl.Float64})


def numbers(subjects: list[str]) -> list[int]:
    return [int(s[1:]) for s in subjects]


def test_half_lies_just_above_and_half_just_below_and_some_anywhere() -> None:
    chosen = numbers(near_threshold(gate([float(i) for i in range(100)]), 20, seed=1))
    assert sorted(chosen[:16]) == list(range(42, 58))
    assert len(set(chosen)) == 20
    assert any(not 40 <= i < 60 for i in chosen[16:])


def test_a_side_with_too_few_is_made_up_by_the_other() -> None:
    chosen = numbers(near_threshold(gate([float(i) for i in range(48, 98)]), 10, seed=1))
    assert sorted(chosen[:8]) == list(range(8))


def test_both_ends_of_a_band_are_borders() -> None:
    chosen = numbers(near_threshold(gate([float(i) for i in range(100)], 30, 70), 10, seed=1))
    assert all(min(abs(i - 30), abs(i - 70)) <= 2 for i in chosen[:8])


def test_what_was_not_evaluated_is_not_asked_about() -> None:
    assert numbers(near_threshold(gate([None, 60.0, None, 40.0]), 10, seed=1)) in ([1, 3], [3, 1])


def test_the_choice_depends_on_the_seed_and_not_on_the_order_of_rows() -> None:
    frame = gate([50.0] * 40 + [49.0] * 40)
    chosen = near_threshold(frame, 20, seed=1)
    assert near_threshold(frame.reverse(), 20, seed=1) == chosen
    assert set(near_threshold(frame, 20, seed=2)) != set(chosen)


def test_what_somebody_else_answered_comes_first() -> None:
    chosen = near_threshold(gate([float(i) for i in range(100)]), 4, seed=1, first=["c001", "c099", "gone"])
    assert chosen[:2] == ["c001", "c099"]
    assert len(chosen) == 4


def test_claims_are_half_the_weakest_and_half_any() -> None:
    claims = pl.DataFrame({"subject_id": [f"c{i:03d}" for i in range(50)], "evidence": [None, *range(49)]})
    chosen = numbers(weakest(claims, 10, seed=3))
    assert chosen[:5] == [0, 1, 2, 3, 4]
    assert max(chosen[5:]) > 10


def test_kept_and_rejected_are_asked_about_alike() -> None:
    tiers = pl.DataFrame({"subject_id": [f"c{i:03d}" for i in range(50)], "is_kept": [i >= 8 for i in range(50)]})
    assert sum(i < 8 for i in numbers(balanced(tiers, 10, seed=3))) == 5
    assert sum(i < 8 for i in numbers(balanced(tiers, 30, seed=3))) == 8
    assert len(balanced(tiers, 100, seed=3)) == 50


def test_two_reviewers_have_the_same_subjects_in_another_order() -> None:
    subjects = [f"c{i:03d}" for i in range(30)]
    one, other = own_order(subjects, 1, "ada"), own_order(subjects, 1, "ben")
    assert one != other
    assert sorted(one) == sorted(other) == subjects
    assert own_order(subjects[::-1], 1, "ada") == one
