"""Splits: nobody in two, whoever is bound together together, the same again for the same seed."""

import networkx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speakervid_dag.failures import UserError
from speakervid_dag.release.splits import Bond, assign, components, parse_shares

people = st.sampled_from([f"p{n:02d}" for n in range(25)])
pairs = st.tuples(people, people, st.just(0))
loners = st.tuples(people, st.none(), st.integers(1, 9))
lakes = st.lists(st.one_of(pairs, loners), max_size=60)
SHARES = {"train": 0.8, "val": 0.1, "test": 0.1}


@given(lakes, st.integers(0, 5))
def test_bound_people_share_a_split_whatever_the_order(bonds: list[tuple[str, str | None, int]], seed: int) -> None:
    split_of = assign(bonds, SHARES, seed)
    assert split_of == assign(bonds[::-1], SHARES, seed)
    assert set(split_of) == {p for one, other, _ in bonds for p in (one, other) if p is not None}
    assert all(split_of[one] == split_of[other] for one, other, _ in bonds if other is not None)


@given(lakes)
def test_components_join_only_what_a_chain_of_bonds_joins(bonds: list[tuple[str, str | None, int]]) -> None:
    graph = networkx.Graph()
    for one, other, _ in bonds:
        graph.add_edge(one, other if other is not None else one)
    wanted = {name: min(part) for part in networkx.connected_components(graph) for name in part}
    assert components(bonds) == wanted


@given(st.lists(lakes, min_size=1, max_size=5), st.integers(0, 5))
def test_nobody_moves_while_a_lake_grows_but_who_was_joined(steps: list[list[Bond]], seed: int) -> None:
    """The lake of each step holds those before. What moves goes to the largest split of those it was joined with."""
    bonds: list[Bond] = []
    remembered: dict[str, set[str]] = {}
    for more in steps:
        bonds = bonds + more
        split_of = assign(bonds, SHARES, seed, remembered)
        assert split_of == assign(bonds[::-1], SHARES, seed, remembered)
        assert set(split_of) == {p for one, other, _ in bonds for p in (one, other) if p is not None}
        group_of = components(bonds)
        for identity, was in remembered.items():
            joined = {s for p, g in group_of.items() if g == group_of[identity] for s in remembered.get(p, set())}
            assert split_of[identity] == max(sorted(joined), key=SHARES.__getitem__)
            assert split_of[identity] in was or len(joined) > 1
        for identity, split in split_of.items():
            remembered.setdefault(identity, set()).add(split)


def test_shares_are_met_where_there_are_enough_people() -> None:
    bonds = [(f"p{n:04d}", None, 1 + n % 7) for n in range(400)]
    split_of = assign(bonds, SHARES, seed=1)
    total = sum(clips for *_, clips in bonds)
    for name, share in SHARES.items():
        got = sum(clips for one, _, clips in bonds if split_of[one] == name) / total
        assert got == pytest.approx(share, abs=0.02)
    assert split_of != assign(bonds, SHARES, seed=2)


@pytest.mark.parametrize("text", ["train", "train=x", "train=.5", "train=.5,train=.5", "a/b=1", "train=1,test=0", ""])
def test_shares_that_are_none(text: str) -> None:
    with pytest.raises(UserError):
        parse_shares(text)


def test_shares() -> None:
    assert parse_shares("train=.9, val=.05,test=.05") == {"train": 0.9, "val": 0.05, "test": 0.05}
