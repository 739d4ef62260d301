"""Properties of gates over random clips and random profiles: tiers are disjoint and complete, a stricter threshold lets
nothing more in, and the funnel loses nothing, in clips and in hours, in each batch and in total."""

import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from conversation import gate, profile
from rows import frame

from speakervid_dag.config.sections import Gate
from speakervid_dag.lake.queries import session
from speakervid_dag.lake.queries.session import Session
from speakervid_dag.lake.schemas import TABLES
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.tiering import gold

pytestmark = pytest.mark.heavy

MEASURES = ("luminance", "face_blur", "motion", "snr_db", "video_quality")  # the last one without its weights
BATCHES = ("b0", "b1", "b2")
PROFILES = range(5)


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """120 clips of three batches, each measure 0-10 in steps of 1/2 (so that some lie on a threshold), some missing."""
    chance, clips, scores = random.Random(7), [], []
    for i in range(120):
        own = {"batch": chance.choice(BATCHES), "clip_id": f"c{i:03d}"}
        role = chance.choice(("talking", "talking", "listening"))
        clips.append({**own, "role": role, "duration_s": chance.uniform(3, 14)})
        values = {m: None if chance.random() < 0.15 else chance.randrange(21) / 2 for m in MEASURES[:-1]}
        gaps = {f"{m}_status": "ok" if v is not None else "too_few_frames" for m, v in values.items()}
        scores.append({**own, **values, **gaps, "video_quality_status": "weights_missing"})
    videos = [{"batch": b, "video_id": f"v{b}", "status": "ok", "duration_s": 60.0} for b in BATCHES]
    lake = DeltaLake(str(tmp_path_factory.mktemp("lake")))
    for name, rows in (("videos", videos), ("clips", clips), ("clip_scores", scores)):
        lake.append(TABLES[name], frame(TABLES[name], rows), {"run_id": "test"})
    with session.open_session(lake, read_only_user_sql=False) as opened:
        yield opened


def random_gates(seed: int) -> dict[str, Gate]:
    chance = random.Random(seed)
    gates = {"always": gate("motion", threshold=-1.0, not_evaluated="pass")}
    for i in range(chance.randrange(1, 6)):
        keep = chance.choice((">", ">=", "<", "<=", "==", "between"))
        upper = {"upper_threshold": 8.0} if keep == "between" else {}
        rule = {"threshold": float(chance.randrange(8)), **upper}
        if keep in (">=", "<=") and chance.random() < 0.3:
            rule = {"threshold": None, "percentile": chance.choice((5, 20, 50))}
        policy, level = chance.choice(("fail", "pass", "hold")), chance.choice(("pretrain", "sft"))
        mode = chance.choice(("enforce", "enforce", "enforce", "score_only", "off"))
        role = chance.choice(("all", "all", "talking", "listening"))
        more = {"not_evaluated": policy, "level": level, "mode": mode, "applies_to": role}
        gates[f"g{i}"] = gate(chance.choice(MEASURES), keep=keep, **rule, **more)
    return gates


def decide(con: Session, gates: dict[str, Gate]) -> dict[str, str]:
    """clip → tier; the session's gold tables are these from then on."""
    tiers = gold.compute_gold(con, profile(gates), BATCHES)["tiers"]
    return dict(tiers.select("clip_id", "tier").iter_rows())


@pytest.mark.parametrize("seed", PROFILES)
def test_tiers_are_disjoint_and_complete(con: Session, seed: int) -> None:
    made = gold.compute_gold(con, profile(random_gates(seed)), BATCHES)
    assert made["tiers"]["clip_id"].is_unique().all()
    assert made["tiers"].height == 120
    assert set(made["tiers"]["tier"]) <= {"sft", "pretrain", "rejected"}
    assert ((made["tiers"]["tier"] == "sft") == (made["tiers"]["reasons"].list.len() == 0)).all()


RANK = {"rejected": 0, "pretrain": 1, "sft": 2}
STRICTER: dict[str, tuple[dict[str, float], ...]] = {
    ">": ({"threshold": 1.0},), ">=": ({"threshold": 1.0},), "<": ({"threshold": -1.0},), "<=": ({"threshold": -1.0},),
    "between": ({"threshold": 0.5}, {"upper_threshold": -0.5}),
}  # fmt: skip


@pytest.mark.parametrize("seed", PROFILES)
def test_a_stricter_threshold_never_lets_more_in(con: Session, seed: int) -> None:
    gates = random_gates(seed)
    before = decide(con, gates)
    for name, old in gates.items():
        for step in STRICTER.get(old.keep, ()) if old.percentile is None else ():
            moved = {key: getattr(old, key) + by for key, by in step.items()}
            after = decide(con, {**gates, name: gate(**{**old.model_dump(), **moved})})
            risen = [clip for clip in before if RANK[after[clip]] > RANK[before[clip]]]
            assert risen == [], f"{name}: {old.rule} made stricter by {step}"


@pytest.mark.parametrize("seed", PROFILES)
def test_the_funnel_loses_nothing(con: Session, seed: int, tmp_path: Path) -> None:
    made = gold.compute_gold(con, profile(random_gates(seed)), BATCHES)
    lake = DeltaLake(str(tmp_path))
    for name in ("videos", "clips"):
        lake.append(TABLES[name], con.sql(f'FROM "{name}"').pl().cast(TABLES[name].schema), {"run_id": "test"})
    for name in ("clip_gates", "tiers"):
        lake.append(TABLES[name], made[name], {"run_id": "test"})
    with session.open_session(lake, read_only_user_sql=True) as served:
        whole, parts = (session.run_sql(served, f"FROM {name}") for name in ("funnel", "batch_funnel"))
    for rows in (whole, *parts.partition_by("batch")):
        _conserves(rows)
    kept = dict(parts.group_by("step").agg(pl.col("kept").sum()).iter_rows())
    assert kept == dict(whole.select("step", "kept").iter_rows())
    counted = dict(made["tiers"]["tier"].value_counts().iter_rows())
    assert {t: kept[f"tier: {t}"] for t in counted} == counted


def _conserves(rows: pl.DataFrame) -> None:
    """Each gate gets what the one before kept; the last of a section keeps its tiers."""
    tier = {r["step"]: (r["kept"], r["hours_kept"]) for r in rows.to_dicts() if r["section"] == "tiers"}
    clips = rows.filter(step="clips").row(0, named=True)
    start = {"pretrain": (clips["kept"], clips["hours_kept"])}
    start["sft"] = tuple(a + b for a, b in zip(tier["tier: pretrain"], tier["tier: sft"], strict=True))  # type: ignore[assignment]
    end = {"pretrain": start["sft"], "sft": tier["tier: sft"]}
    for section, (count, hours) in start.items():
        steps = rows.filter(section=section).to_dicts()
        for step in steps:
            assert step["is_conserved"], step
            assert (step["count_in"], step["hours_in"]) == (count, pytest.approx(hours, abs=1e-5)), step
            lost = step["hours_rejected"] + step["hours_not_evaluated"]
            assert step["hours_kept"] == pytest.approx(step["hours_in"] - lost, abs=1e-5)
            count, hours = step["kept"], step["hours_kept"]
        if steps:
            assert (count, hours) == (end[section][0], pytest.approx(end[section][1], abs=1e-5))
