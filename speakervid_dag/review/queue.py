"""The questions of one sitting: subjects and their order.

Belongs here: querying candidates, and turning the choice of review/sampling.py into items. Does not belong here: what
an item shows (subjects.py). From other people only *what* they were asked is read, never their answers: reviewers stay
blind to each other.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import polars as pl

from speakervid_dag.failures import UserError
from speakervid_dag.lake.queries.session import Session, query_file
from speakervid_dag.review import sampling
from speakervid_dag.review.questions import QUESTIONS, asked_about, question_of


@dataclass(frozen=True)
class Item:
    """One question about one subject. `gate`: the gate near whose threshold it was chosen."""

    question: str
    measure: str | None
    subject_id: str
    gate: str | None = None

    @property
    def key(self) -> tuple[str, str | None, str]:
        """Return what a reviewer answers only once."""
        return self.question, self.measure, self.subject_id

    @property
    def kind(self) -> str:
        return question_of(self.question, self.measure).kind


@dataclass(frozen=True)
class ReviewPlan:
    """A reviewer's choice of questions.

    Args:
        count: subjects per gate and per claim.
        questions: only these, by name; () for all.
        gates: only these gates, including score_only ones; () for the enforced ones and lip sync.
    """

    reviewer: str
    seed: int = 0
    count: int = 100
    questions: tuple[str, ...] = ()
    gates: tuple[str, ...] = ()


def build(con: Session, profile: str, plan: ReviewPlan, asked: pl.DataFrame) -> list[Item]:
    """Return the items of a sitting by question, each in the reviewer's own order, without those already answered.

    Args:
        asked: reviewer, question, measure, subject_id of every existing answer.

    Raises:
        UserError: a question or gate that does not exist.
    """
    done = _keys(asked.filter(pl.col("reviewer") == plan.reviewer))
    return [item for item in choose(con, profile, plan, asked) if item.key not in done]


def choose(con: Session, profile: str, plan: ReviewPlan, asked: pl.DataFrame) -> list[Item]:
    """Return the items of `build`, and those that the reviewer has answered already."""
    refuse_unknown(con, profile, plan)
    done = _keys(asked.filter(pl.col("reviewer") == plan.reviewer))
    others = _keys(asked.filter(pl.col("reviewer") != plan.reviewer)) - done
    chosen = [] if plan.gates else _claims(con, profile, plan, others)
    chosen += _gates(con, profile, plan, others)
    wanted = [i for i in chosen if not plan.questions or i.question in plan.questions]
    once: dict[tuple[str, str | None, str], Item] = {}
    for item in wanted:
        once.setdefault(item.key, item)
    return _ordered(list(once.values()), plan)


def refuse_unknown(con: Session, profile: str, plan: ReviewPlan) -> None:
    """Raise UserError if a question of the plan does not exist, or no clip has a verdict of a gate of it."""
    if unknown := set(plan.questions) - set(QUESTIONS):
        raise UserError(f"there is no question '{min(unknown)}'; there are {', '.join(QUESTIONS)}")
    known = set(query_file(con, "review/gate_names", profile=profile)["gate"])
    if missing := set(plan.gates) - known:
        raise UserError(f"no clip passed or failed the gate '{min(missing)}' of the profile '{profile}'")


def _claims(
    con: Session, profile: str, plan: ReviewPlan, others: Collection[tuple[str, str | None, str]]
) -> list[Item]:
    first = sorted({s for _, measure, s in others if measure is None})
    frame = query_file(
        con, "review/claim_subjects", profile=profile, count=plan.count, seed=str(plan.seed), first=first
    )
    items = []
    for name in ("binding", "reply", "listening", "quality"):
        mine, before = frame.filter(question=name), [s for q, m, s in others if (q, m) == (name, None)]
        choose = sampling.balanced if name == "quality" else sampling.weakest
        items += [Item(name, None, s) for s in choose(mine, plan.count, plan.seed, before)]
    return items


def _gates(con: Session, profile: str, plan: ReviewPlan, others: Collection[tuple[str, str | None, str]]) -> list[Item]:
    first = sorted({s for _, _, s in others})
    frame = query_file(
        con,
        "review/gate_subjects",
        profile=profile,
        count=plan.count,
        seed=str(plan.seed),
        gates=list(plan.gates),
        first=first,
    )
    found = {str(gate): part for (gate,), part in frame.group_by("gate", maintain_order=True)}
    items = []
    for gate, part in found.items():
        question, measure = asked_about(part["measure"][0])
        before = [s for q, m, s in others if (q, m) == (question, measure)]
        chosen = sampling.near_threshold(part, plan.count, plan.seed, before)
        items += [Item(question, measure, subject, gate) for subject in chosen]
    return items


def _ordered(items: Sequence[Item], plan: ReviewPlan) -> list[Item]:
    names, groups = list(QUESTIONS), dict[tuple[str, str | None], dict[str, Item]]()
    for item in items:
        groups.setdefault((item.question, item.measure), {})[item.subject_id] = item
    in_turn = sorted(groups, key=lambda g: (names.index(g[0]), g[1] or ""))
    return [groups[g][s] for g in in_turn for s in sampling.own_order(groups[g], plan.seed, plan.reviewer)]


def _keys(answers: pl.DataFrame) -> set[tuple[str, str | None, str]]:
    return set(answers.select("question", "measure", "subject_id").iter_rows())
