"""Statistics: every branch × tier, and a funnel in which nothing gets lost."""

from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest
from conversation import clip, gate, profile, turn
from rows import write_lake

from speakervid_dag.lake.queries import session
from speakervid_dag.tiering import gold

OTHERWISE = "\n-- Not in clips and hours per profile: "  # what it counts instead; see docs/extending.md
COSTS = [{"part": "mesh", "elapsed_s": 6.0}, {"part": "camera", "elapsed_s": 3.0}]
Ask = Callable[[str], pl.DataFrame]


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Four videos, one of them rejected; four talking clips and a listening one: 1 sft, 2 pretrain, 2 rejected."""
    root = str(tmp_path_factory.mktemp("lake"))
    clips = [
        clip("a", "pa", 0, 4, ["u1"]),
        clip("b", "pb", 4, 8, ["u2"]),
        clip("c", "pa", 8, 18, ["u3"]),
        clip("d", "pa", 30, 34, []),
        clip("l", "pb", 8, 12, ["u3"], role="listening"),
    ]
    scores = [
        {"clip_id": "a", "luminance": 50.0, "face_blur": 0.9, "face_share": 0.12},
        {"clip_id": "b", "luminance": 50.0, "face_blur": 0.5, "face_share": 0.01},
        {"clip_id": "c", "luminance": 5.0, "face_blur": 0.05},
        {"clip_id": "d", "luminance": None, "luminance_status": "too_few_frames", "face_blur": 0.9},
        {"clip_id": "l", "luminance": 50.0, "face_blur": None, "face_blur_status": "too_few_frames"},
    ]
    gates = {
        "blur": gate("face_blur", threshold=0.1),
        "dark": gate("luminance", threshold=10.0, not_evaluated="fail"),
        "sharp": gate("face_blur", threshold=0.7, level="sft"),
    }
    lake = write_lake(
        root,
        {
            "videos": [
                {
                    "status": "ok",
                    "duration_s": 60.0,
                    "width_px": 1920,
                    "height_px": 1080,
                    "year": 2021,
                    "genre": "News",
                },
                {"video_id": "v2", "status": "degraded", "duration_s": 30.0},
                {"video_id": "v3", "status": "rejected", "reason": "truncated"},
                {"video_id": "v4", "status": "ok", "duration_s": 10.0},
            ],
            "stage_outcomes": [
                {"stage": "clips", "video_id": "v2", "status": "not_evaluated", "elapsed_s": 1.0},
                {"stage": "clips", "status": "ok", "elapsed_s": 2.0, "costs": COSTS},
            ],
            "shots": [{"shot_id": "s1", "end_s": 60.0}],
            "clips": clips,
            "clip_scores": scores,
            "people": [{"person_id": "pa", "identity_id": "i"}, {"person_id": "pb", "identity_id": "i2"}],
            "speech_turns": [turn("u1", "A", 0, 4), turn("u2", "B", 4, 8), turn("u3", "A", 8, 18)],
            "transcripts": [{"turn_id": "u1", "language": "de", "end_s": 3.0}],
        },
    )
    with session.open_session(lake, read_only_user_sql=False) as con:
        made = gold.compute_gold(con, profile(gates), ["b0001"])
    assert dict(made["tiers"].select("clip_id", "tier").iter_rows()) == {
        "a": "sft", "b": "pretrain", "c": "rejected", "d": "rejected", "l": "pretrain",
    }  # fmt: skip
    write_lake(root, {name: table.to_dicts() for name, table in made.items() if table.height})
    with session.open_session(lake, read_only_user_sql=True) as served:
        yield lambda query: session.run_sql(served, query)


def test_funnel_conserves_and_ends_in_the_tiers(ask: Ask) -> None:
    steps = {row["step"]: row for row in ask("FROM funnel").to_dicts()}
    counts = {k: (r["count_in"], r["kept"], r["rejected"], r["not_evaluated"]) for k, r in steps.items()}
    assert counts == {
        "videos": (4, 3, 1, 0),
        "videos_with_clips": (3, 1, 1, 1),  # v4 was looked at and has none; v2 was not evaluated
        "shots": (None, 1, None, None),
        "face_tracks": (None, 0, None, None),
        "clips": (None, 5, None, None),
        "gate: blur": (5, 4, 1, 0),
        "gate: dark": (4, 3, 0, 1),
        "held: blur": (3, 2, 0, 1),  # a listener without a face_blur: barred from sft by the first gate already
        "sft gate: sharp": (2, 1, 1, 0),
        "tier: pretrain": (None, 2, None, None),
        "tier: sft": (None, 1, None, None),
        "tier: rejected": (None, 2, None, None),
    }
    assert all(row["is_conserved"] for row in steps.values() if row["count_in"] is not None)
    assert steps["videos"]["hours_kept"] == pytest.approx(100 / 3600, abs=1e-6)
    assert steps["gate: blur"]["hours_in"] == pytest.approx(26 / 3600, abs=1e-6)
    assert steps["gate: dark"]["hours_kept"] == pytest.approx(12 / 3600, abs=1e-6)
    assert list(steps) == list(counts)
    last_gate, tiers = steps["gate: dark"], [steps[f"tier: {t}"] for t in ("pretrain", "sft")]
    assert last_gate["kept"] == sum(t["kept"] for t in tiers)
    assert last_gate["hours_kept"] == pytest.approx(sum(t["hours_kept"] for t in tiers), abs=2e-6)
    for step in (s for s in steps.values() if s["count_in"] is not None):
        parts = step["hours_kept"] + step["hours_rejected"] + step["hours_not_evaluated"]
        assert parts == pytest.approx(step["hours_in"], abs=3e-6), step["step"]
    last, best = steps["sft gate: sharp"], steps["tier: sft"]
    assert (last["kept"], last["hours_kept"]) == (best["kept"], best["hours_kept"])
    assert steps["gate: blur"]["hours_rejected"] == pytest.approx(10 / 3600, abs=1e-6)
    assert steps["gate: dark"]["hours_not_evaluated"] == pytest.approx(4 / 3600, abs=1e-6)


def test_every_branch_and_tier_has_a_row(ask: Ask) -> None:
    rows = ask("FROM branch_statistics")
    assert rows.height == 5 * 3
    found = {(r["branch"], r["tier"]): (r["clips"], r["people"]) for r in rows.to_dicts()}
    assert found["single", "sft"] == (1, 1)
    assert found["single", "rejected"] == (2, 1)
    assert found["dialogue", "pretrain"] == (1, 2)
    assert found["dialogue", "sft"] == (0, 0)
    assert found["multi_turn_sequential", "rejected"] == (1, 1)
    single = rows.filter(branch="single")
    assert single["hours"].sum() == pytest.approx(22 / 3600, abs=3e-6)


def test_people_are_counted_by_identity(ask: Ask) -> None:
    assert ask("SELECT identity_id, clips, sft_clips, rejected_clips FROM person_statistics").rows() == [
        ("i", 3, 1, 2), ("i2", 2, 0, 0),
    ]  # fmt: skip


def test_reasons_are_counted_alone_and_together(ask: Ask) -> None:
    rows = ask("SELECT tier, reason, clips, only_clips FROM rejections").rows()
    assert set(rows) == {
        ("pretrain", "sharp", 1, 1),
        ("pretrain", "blur:too_few_frames", 1, 0), ("pretrain", "sharp:too_few_frames", 1, 0),
        ("rejected", "blur", 1, 0), ("rejected", "dark", 1, 0), ("rejected", "sharp", 1, 0),
        ("rejected", "dark:too_few_frames", 1, 1),
    }  # fmt: skip


def test_the_small_figures(ask: Ask) -> None:
    assert ask("SELECT language, sum(clips)::INT FROM languages GROUP BY 1 ORDER BY 1").rows() == [
        ("de", 1),
        ("unknown", 3),
    ]
    assert ask("SELECT DISTINCT resolution FROM resolutions").rows() == [("1080p",)]
    assert ask("SELECT DISTINCT years, published_share FROM years").rows() == [("since 2020", 0.67)]
    assert ask("SELECT DISTINCT topic, published_share FROM topics").rows() == [("News", 0.11)]
    bins = ask("SELECT duration_bin, sum(clips)::INT FROM durations GROUP BY 1 ORDER BY 1").rows()
    assert bins == [("03-05", 4), ("10-15", 1)]
    framings = ask("SELECT framing, sum(clips)::INT AS n FROM framings GROUP BY 1").rows()
    assert dict(framings) == {"head": 1, "full": 1, "not_evaluated": 3}
    shares = dict(ask("SELECT tier, share FROM tier_retention").rows())
    assert shares == {"sft": 0.04, "pretrain": 0.08, "rejected": 0.14}  # of 100 s of video
    cost = ask("FROM stage_costs").row(0, named=True)
    assert (cost["elapsed_s"], cost["not_evaluated"], cost["speed_ratio"]) == (3.0, 1, 30.0)
    parts = ask("SELECT part, elapsed_s_per_video_s, ratio_to_face_and_mesh FROM score_costs").rows()
    assert parts == [("mesh", 0.1, 1.0), ("camera", 0.05, 0.5)]  # of 60 s of video


def test_a_year_and_a_topic_that_no_file_tells_are_said_to_be_unknown(tmp_path: Path) -> None:
    lake = write_lake(
        str(tmp_path / "lake"),
        {
            "videos": [{"year": 2012}, {"video_id": "v2", "genre": "Comedy"}],
            "clips": [clip("a", "pa", 0, 4, []), {**clip("b", "pa", 0, 4, []), "video_id": "v2"}],
            "tiers": [{"clip_id": c, "tier": "sft"} for c in "ab"],
        },
    )
    with session.open_session(lake, read_only_user_sql=True) as con:
        years = session.run_sql(con, "SELECT years, clips, share, published_share FROM years").rows()
        topics = session.run_sql(con, "SELECT topic, clips, published_share FROM topics").rows()
    assert years == [("2010-2014", 1, 0.5, 0.08), ("unknown", 1, 0.5, None)]
    assert topics == [("Comedy", 1, 0.12), ("unknown", 1, None)]


def test_clips_in_a_stretch_that_an_earlier_source_shows_are_told(tmp_path: Path) -> None:
    stretch = {"video_id": "v1", "duplicate_of": "v0", "start_s": 2.0, "end_s": 10.0, "agreement": 0.9}
    clips = [clip("a", "pa", 0, 4, []), clip("b", "pa", 4, 8, []), clip("c", "pa", 10, 14, [])]
    lake = write_lake(str(tmp_path / "lake"), {"near_duplicates": [stretch], "clips": clips})
    with session.open_session(lake, read_only_user_sql=True) as con:
        rows = session.run_sql(con, "SELECT clip_id, duplicate_of, share FROM duplicate_clips").rows()
    assert rows == [("a", "v0", 0.5), ("b", "v0", 1.0)]


def test_a_step_that_loses_nothing_says_zero(tmp_path: Path) -> None:
    """An aggregate over nothing must not read as unknown."""
    lake = write_lake(
        str(tmp_path / "lake"),
        {
            "videos": [{"status": "ok", "duration_s": 9.0}],
            "clips": [clip("a", "pa", 0, 4, [])],
            "tiers": [{"clip_id": "a", "tier": "sft"}],
            "clip_gates": [{"clip_id": "a", "gate": "dark", "mode": "enforce", "level": "pretrain", "verdict": "pass"}],
        },
    )
    with session.open_session(lake, read_only_user_sql=True) as con:
        steps = {r["step"]: r for r in session.run_sql(con, "FROM funnel").to_dicts()}
    for step in ("videos", "gate: dark"):
        found = steps[step]
        assert (found["rejected"], found["not_evaluated"], found["is_conserved"]) == (0, 0, True), step
    assert steps["gate: dark"]["kept"] == 1


@pytest.mark.parametrize("name", session.statistics_names())
def test_every_file_runs_alone_and_counts_in_clips_and_hours(ask: Ask, name: str) -> None:
    columns = ask(f'FROM "{name}"').columns
    says_otherwise = OTHERWISE in session.sql_text(f"statistics/{name}")
    assert ({"profile", "clips", "hours"} <= set(columns)) != says_otherwise
    assert not [c for c in columns if c.endswith("_count")]


@pytest.mark.parametrize("name", session.statistics_names())
def test_every_file_says_its_question(name: str) -> None:
    assert session.sql_text(f"statistics/{name}").splitlines()[0].endswith(("?", ")", "."))
