"""Splits by person: nobody is in two of them.

Belongs here: which people belong together, and the split of each group. Does not belong here: decisions of earlier
exports (split_book), queries, samples, files.
"""

import random
from collections.abc import Iterable, Mapping, Set

from speakervid_dag.failures import UserError

Bond = tuple[str, str | None, int]  # (identity, the one it is bound to or None, clips)


def parse_shares(text: str) -> dict[str, float]:
    """Parse 'train=.9,val=.05,test=.05' into shares, in that order.

    Raises:
        UserError: not of that form, a name that is not an identifier, or shares that do not add up to 1.
    """
    shares: dict[str, float] = {}
    for part in text.split(","):
        name, equals, value = (word.strip() for word in part.partition("="))
        try:
            share = float(value)
        except ValueError:
            share = -1.0
        if not equals or not name.isascii() or not name.isidentifier() or name in shares or not 0 < share <= 1:
            raise UserError(f"--split takes NAME=SHARE,… with shares above 0, such as train=.9,test=.1; not '{text}'")
        shares[name] = share
    if abs(sum(shares.values()) - 1) > 1e-6:
        raise UserError(f"the shares of --split add up to {sum(shares.values()):g}, not 1")
    return shares


def components(bonds: Iterable[Bond]) -> dict[str, str]:
    """Return identity → the first (by name) of all identities it is bound to, directly or through others."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            parent[name] = parent[parent[name]]  # halves the path for the next search
            name = parent[name]
        return name

    for one, other, _ in bonds:
        first, second = sorted((root(one), root(other if other is not None else one)))
        parent[second] = first
    return {name: root(name) for name in parent}


def assign(
    bonds: Iterable[Bond], shares: Mapping[str, float], seed: int, remembered: Mapping[str, Set[str]] | None = None
) -> dict[str, str]:
    """Return identity → split, the same for the same arguments in any order.

    A group with a remembered person stays in that person's split. If there are several, all go to the one with the
    largest share, so that nobody who was trained on is tested on. New groups come in seeded order; each goes to the
    split that lacks most clips. A group larger than a split's share overfills it: with few people the shares are only
    approximate.

    Args:
        remembered: identity → the splits it was in before.
    """
    known = list(bonds)
    group_of = components(known)
    sizes = dict.fromkeys(group_of.values(), 0)
    for one, _, clips in known:
        sizes[group_of[one]] += clips
    before: dict[str, set[str]] = {group: set() for group in sizes}
    for identity, group in group_of.items():
        before[group] |= (remembered or {}).get(identity, set())
    split_of = {group: max(sorted(was), key=lambda name: shares[name]) for group, was in before.items() if was}
    missing = {name: share * sum(sizes.values()) for name, share in shares.items()}
    for group, split in split_of.items():
        missing[split] -= sizes[group]
    fresh = [group for group in sorted(sizes) if group not in split_of]
    random.Random(seed).shuffle(fresh)
    for group in fresh:
        split_of[group] = max(missing, key=lambda name: missing[name])
        missing[split_of[group]] -= sizes[group]
    return {identity: split_of[group] for identity, group in group_of.items()}
