"""States of the joint inference: who may talk at once, prices of steps, scores of faces, emissions."""

import numpy as np
import pytest
from joint.made_scenes import JOINT

from speakervid_dag.curation.joint.evidence import Floats
from speakervid_dag.curation.joint.states import (
    Doubles,
    State,
    emissions,
    face_scores,
    members,
    pairs_of,
    states_of,
    transitions,
)

NAN = np.nan
EVEN = np.full(3, 1 / 3)
FEW = JOINT.model_copy(update={"max_all_pairs": 2})
WIDE = JOINT.model_copy(update={"max_face_score": 100.0})  # nothing is cut


def odds(*rows: list[float]) -> Floats:
    return np.array(rows, np.float32)


def test_states_are_nobody_each_person_and_the_pairs() -> None:
    states = states_of(3, [(0, 2)])

    assert states == [(), (0,), (1,), (2,), (0, 2)]
    assert members(states, 3).astype(int).tolist() == [[0, 1, 0, 0, 1], [0, 0, 1, 0, 0], [0, 0, 0, 1, 1]]


def test_any_two_of_few_people_may_talk_at_once() -> None:
    apart = odds([1, NAN, NAN], [NAN, 1, NAN], [NAN, NAN, NAN])

    assert sorted(pairs_of(apart, JOINT)) == [(0, 1), (0, 2), (1, 2)]
    assert pairs_of(odds(), JOINT) == []


def test_of_many_people_only_faces_seen_together_and_people_never_seen() -> None:
    together = odds([1, 1, NAN], [NAN, 1, NAN], [NAN, NAN, 1], [NAN, NAN, NAN], [NAN, NAN, NAN])

    assert sorted(pairs_of(together, FEW)) == [(0, 1), (0, 3), (0, 4), (1, 3), (1, 4), (2, 3), (2, 4), (3, 4)]


def test_steps_cost_their_prices_and_rows_sum_to_1() -> None:
    states = states_of(4, [(0, 1), (0, 2), (2, 3)])
    steps = transitions(states, JOINT)

    def price(before: State, after: State) -> float:
        row = states.index(before)
        return float(steps[row, row] - steps[row, states.index(after)])

    assert np.exp(steps).sum(axis=1) == pytest.approx(np.ones(len(states)))
    begin, end, swap = JOINT.begin, JOINT.end, JOINT.swap
    assert 0 < begin < swap
    assert price((), (0,)) == pytest.approx(begin)
    assert price((), (0, 1)) == pytest.approx(2 * begin)
    assert price((0,), (0, 1)) == pytest.approx(begin)
    assert price((0,), ()) == pytest.approx(end)
    assert price((0,), (1,)) == pytest.approx(swap)
    assert price((0, 1), (0, 2)) == pytest.approx(swap)
    assert price((0, 1), (2, 3)) == pytest.approx(2 * swap)
    assert price((0, 1), (2,)) == pytest.approx(swap + end)
    assert price((1,), (0, 2)) == pytest.approx(swap + begin)


def test_nobody_alone_stays_nobody() -> None:
    assert transitions([()], JOINT).tolist() == [[0.0]]


def test_a_face_scores_by_its_log_odds_and_its_lead() -> None:
    log_odds = odds([2.0, 2.0, NAN], [0.5, NAN, NAN], [-1.0, NAN, 0.3])

    found = face_scores(log_odds, WIDE)

    def wanted(own: float, lead: float, is_alone: bool = False) -> float:
        return WIDE.talking_weight * own + WIDE.lead_weight * lead + WIDE.alone_score * is_alone + WIDE.face_score

    assert found[:, 0] == pytest.approx([wanted(2.0, 1.5), wanted(0.5, -1.5), wanted(-1.0, -3.0)])
    assert found[0, 1] == pytest.approx(wanted(2.0, 0, is_alone=True))
    assert found[2, 2] == pytest.approx(wanted(0.3, 0, is_alone=True))
    assert np.isnan(found).tolist() == np.isnan(log_odds).tolist()


def test_no_face_has_to_lead_over_its_partner() -> None:
    log_odds = odds([2.0, 2.0], [3.0, 3.0], [-1.0, NAN])

    found = face_scores(log_odds, WIDE, beside=1)

    without = face_scores(odds([2.0, 2.0], [-1.0, NAN]), WIDE)
    assert found[[0, 2]] == pytest.approx(without, nan_ok=True)
    assert (found[0] > face_scores(log_odds, WIDE)[0]).all()


def test_scores_are_cut() -> None:
    found = face_scores(odds([30.0], [-30.0]), JOINT)

    assert found[:, 0].tolist() == pytest.approx([JOINT.max_face_score, -JOINT.max_face_score])


def emitted(
    states: list[State], log_odds: Floats, voices: Floats | None = None, unseen: Floats | None = None
) -> Doubles:
    """Emissions less that of nobody, with even shares."""
    people, frames = log_odds.shape
    silent = np.zeros((people, frames), np.float32) if voices is None else voices
    prices = np.zeros(people, np.float32) if unseen is None else unseen
    found = emissions(states, np.tile(EVEN, (frames, 1)).astype(np.float32), log_odds, silent, prices, JOINT)
    return found - found[:, :1]


def test_the_number_of_talkers_is_heard_and_never_impossible() -> None:
    shares = np.array([[0.7, 0.3, 0.0]], np.float32)

    found = emissions(states_of(2, [(0, 1)]), shares, odds([NAN], [NAN]), np.zeros((2, 1), np.float32), EVEN[:2], JOINT)

    assert found[0, :3] == pytest.approx(np.log([0.7, 0.3, 0.3]))
    assert found[0, 3] == pytest.approx(np.log(JOINT.least_share) - JOINT.pair_price)


def test_a_person_out_of_view_pays_for_it() -> None:
    found = emitted(states_of(1, []), odds([1.0, NAN]))

    own = JOINT.face_weight * (JOINT.talking_weight + JOINT.alone_score + JOINT.face_score)
    assert found[:, 1] == pytest.approx([own, -JOINT.hidden_price])


def test_a_voice_without_a_face_pays_only_while_a_face_is_in_view() -> None:
    found = emitted(states_of(2, []), odds([1.0, NAN], [NAN, NAN]), unseen=np.array([0.0, 0.5], np.float32))

    assert found[:, 2] == pytest.approx([-0.5, 0.0])


def test_a_voice_counts_by_half_in_pairs() -> None:
    voices = np.array([[2.0], [-1.0]], np.float32)

    found = emitted(states_of(2, [(0, 1)]), odds([NAN], [NAN]), voices)

    weight = JOINT.voice_weight
    assert found[0, 1:] == pytest.approx([2 * weight, -weight, weight / 2 - JOINT.pair_price])


def test_of_a_pair_no_face_has_to_lead_over_the_other() -> None:
    log_odds = odds([2.0, 2.0], [1.0, NAN], [-1.0, -1.0])

    found = emitted(states_of(3, [(0, 1)]), log_odds)

    first, second = face_scores(log_odds, JOINT, beside=1)[0], face_scores(log_odds, JOINT, beside=0)[1]
    assert found[0, 4] == pytest.approx(JOINT.face_weight * (first[0] + second[0]) - JOINT.pair_price)
    assert found[1, 4] == pytest.approx(JOINT.face_weight * first[1] - JOINT.hidden_price - JOINT.pair_price)


def test_beside_a_voice_without_a_face_a_face_has_to_lead_as_ever() -> None:
    log_odds = odds([2.0], [NAN], [1.0])

    found = emitted(states_of(3, [(0, 1)]), log_odds)

    assert found[0, 4] == pytest.approx(found[0, 1] + found[0, 2] - JOINT.pair_price)
