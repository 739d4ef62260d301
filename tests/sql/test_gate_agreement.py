"""sql/review/gate_agreement.sql against tables that were filled and computed by hand."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rows import PROFILE, write_lake

from speakervid_dag.lake.queries import session

AT = datetime(2026, 1, 1, tzinfo=UTC)


def answers(reviewer: str, told: str, *, question: str = "quality", measure: str | None = "luminance") -> list[Any]:
    """One answer a subject c0, c1 …: y, n, u, or - for none."""
    word = {"y": "yes", "n": "no", "u": "unsure"}
    plain = {"reviewer": reviewer, "question": question, "measure": measure, "at": AT, "subject_kind": "clip"}
    return [
        {**plain, "subject_id": f"c{i}", "clip_id": f"c{i}", "answer": word[letter]}
        for i, letter in enumerate(told)
        if letter != "-"
    ]


def gates(verdicts: str, **more: Any) -> list[Any]:
    """p, f or n for each of c0, c1 …; the value is the place."""
    word = {"p": "pass", "f": "fail", "n": "not_evaluated"}
    plain = {"gate": "bright", "measure": "luminance", "threshold": 3.0, "keep": "<=", "mode": "enforce", **more}
    return [
        {**plain, "clip_id": f"c{i}", "verdict": word[v], "value": None if v == "n" else float(i)}
        for i, v in enumerate(verdicts)
    ]


def ask(root: Path, **tables: list[Any]) -> dict[tuple[str, str | None], dict[str, Any]]:
    lake = write_lake(str(root / "lake"), tables)
    with session.open_session(lake, read_only_user_sql=True) as con:
        rows = session.query_file(con, "review/gate_agreement", profile=PROFILE).to_dicts()
    return {(r["question"], r["gate"]): r for r in rows}


def test_two_reviewers_by_hand(tmp_path: Path) -> None:
    told = [*answers("ada", "yyyynnnnyu"), *answers("ben", "yyynnnnyyn")]
    row = ask(tmp_path, reviews=told, clip_gates=gates("pppfffpfnp"))["quality", "bright"]
    # both said yes or no to nine: agreed on 7. ada: 5 yes, ben: 5 yes; by chance 25/81 + 16/81 = 41/81
    assert row["doubly_answered"] == 9
    assert row["light_kappa"] == pytest.approx((7 / 9 - 41 / 81) / (1 - 41 / 81))
    # majority: c0-c2 yes, c3 and c7 tie, c4-c6 no, c8 yes (not evaluated), c9 no: 'unsure' has no vote
    # verdicts: c0-c2 pass (3 tp), c4, c5 fail (2 tn), c6 pass (fp), c9 pass (fp)
    counts = ("true_positives", "false_positives", "false_negatives", "true_negatives", "undecided", "not_evaluated")
    assert [row[name] for name in counts] == [3, 2, 0, 2, 2, 1]
    assert row["subjects"] == 7
    assert row["accuracy"] == pytest.approx(5 / 7)
    assert row["precision"] == pytest.approx(3 / 5)
    assert row["recall"] == 1.0
    assert row["f1"] == pytest.approx(2 * (3 / 5) / (3 / 5 + 1))
    assert dict(zip(row["values"], row["is_good"], strict=True)) == {
        **dict.fromkeys((0.0, 1.0, 2.0), True),
        **dict.fromkeys((4.0, 5.0, 6.0, 9.0), False),
    }


def test_the_kappa_of_three_reviewers_is_the_mean_over_pairs(tmp_path: Path) -> None:
    told = [*answers("ada", "yynn"), *answers("ben", "yynn"), *answers("cid", "ynyn")]
    row = ask(tmp_path, reviews=told, clip_gates=gates("ppff"))["quality", "bright"]
    assert row["reviewers"] == 3
    assert row["light_kappa"] == pytest.approx((1 + 0 + 0) / 3)


def test_kappa_does_not_exist_where_all_gave_one_answer_or_nobody_shared_a_subject(tmp_path: Path) -> None:
    told = [*answers("ada", "yyyy"), *answers("ben", "yyyy")]
    assert ask(tmp_path / "1", reviews=told, clip_gates=gates("ppff"))["quality", "bright"]["light_kappa"] is None
    told = [*answers("ada", "yy--"), *answers("ben", "--yn")]
    row = ask(tmp_path / "2", reviews=told, clip_gates=gates("ppff"))["quality", "bright"]
    assert (row["light_kappa"], row["doubly_answered"], row["subjects"]) == (None, None, 4)


def test_all_gates_that_ask_one_measure_are_judged_by_the_same_answers(tmp_path: Path) -> None:
    told = answers("ada", "yynn")
    both = [*gates("ppff"), *gates("pppp", gate="looser"), *gates("ffff", gate="other", measure="snr_db")]
    found = ask(tmp_path, reviews=told, clip_gates=both)
    assert set(found) == {("quality", "bright"), ("quality", "looser")}
    assert found["quality", "bright"]["accuracy"] == 1.0
    assert found["quality", "looser"]["precision"] == 0.5


def test_lips_are_the_question_of_the_lip_sync_gate(tmp_path: Path) -> None:
    told = answers("ada", "yn", question="lips", measure=None)
    found = ask(tmp_path, reviews=told, clip_gates=gates("pf", gate="lip_sync", measure="sync_conf"))
    assert found["lips", "lip_sync"]["accuracy"] == 1.0


def test_claims_have_a_precision_and_all_gates_together_are_the_tiers(tmp_path: Path) -> None:
    told = [
        *answers("ada", "yyn", question="binding", measure=None),
        *answers("ada", "ynn", question="quality", measure=None),
    ]
    clips = [{"clip_id": f"c{i}", "role": "talking"} for i in range(3)]
    tiers = [{"clip_id": f"c{i}", "tier": t} for i, t in enumerate(("sft", "pretrain", "rejected"))]
    found = ask(tmp_path, reviews=told, clips=clips, tiers=tiers)
    claim, whole = found["binding", None], found["quality", None]
    assert claim["precision"] == pytest.approx(2 / 3)
    assert claim["recall"] is None
    assert claim["f1"] is None
    assert (whole["true_positives"], whole["false_positives"], whole["true_negatives"]) == (1, 1, 1)
    assert whole["f1"] == pytest.approx(2 / 3)
