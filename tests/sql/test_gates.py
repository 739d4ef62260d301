"""Gates and tiers: three-valued verdicts, all reasons, and nothing lost."""

from typing import Any

import pytest
from conversation import gate, profile

from speakervid_dag.failures import OperationError

pytestmark = pytest.mark.heavy

BAND = {"keep": "between", "threshold": 0.85, "upper_threshold": 0.999}


def scored(values: dict[str, Any], role: str = "talking", **clips: Any) -> dict[str, Any]:
    """One clip `c1` with these values of clip_scores."""
    return {"clips": [{"clip_id": "c1", "role": role, **clips}], "clip_scores": [{"clip_id": "c1", **values}]}


def verdict(tables: dict[str, Any]) -> tuple[Any, ...]:
    (row,) = tables["clip_gates"].to_dicts()
    return row["verdict"], row["value"], row["threshold"], row["reason"]


@pytest.mark.parametrize(
    ("keep", "value", "passes"),
    [
        (">", 2.0, False), (">", 2.1, True), (">=", 2.0, True), (">=", 1.9, False), ("<", 2.0, False),
        ("<", 1.9, True), ("<=", 2.0, True), ("<=", 2.1, False), ("==", 2.0, True), ("==", 2.1, False),
    ],
)  # fmt: skip
def test_a_value_is_compared(run: Any, keep: str, value: float, passes: bool) -> None:
    made = run(scored({"luminance": value}), profile({"g": gate(keep=keep, threshold=2.0)}))
    side = "at_threshold" if value == 2.0 else "below_threshold" if value < 2.0 else "above_threshold"
    assert verdict(made) == ("pass" if passes else "fail", value, 2.0, None if passes else side)
    assert made["tiers"]["tier"].item() == ("sft" if passes else "rejected")


@pytest.mark.parametrize(
    ("value", "reason"), [(0.84, "below_threshold"), (0.85, None), (0.9, None), (0.999, None), (1.0, "above_threshold")]
)
def test_a_band_has_two_ends(run: Any, value: float, reason: str | None) -> None:
    made = run(scored({"speech_share": value}), profile({"g": gate("speech_share", **BAND)}))
    row = made["clip_gates"].row(0, named=True)
    assert (row["verdict"], row["reason"]) == ("fail" if reason else "pass", reason)
    assert (row["keep"], row["threshold"], row["upper_threshold"]) == ("between", 0.85, 0.999)


def test_a_gate_says_what_it_asks_and_what_missing_means(run: Any) -> None:
    gates = {"z": gate("luminance"), "a": gate("motion", not_evaluated="fail", mode="score_only")}
    made = run(scored({"luminance": 2.0}), profile(gates))["clip_gates"]
    assert made.select("gate", "position", "measure", "not_evaluated").rows() == [
        ("z", 1, "luminance", "hold"), ("a", 2, "motion", "fail"),
    ]  # fmt: skip


@pytest.mark.parametrize(("policy", "level", "tier"), [
    ("fail", "pretrain", "rejected"), ("fail", "sft", "pretrain"),
    ("hold", "pretrain", "pretrain"), ("hold", "sft", "pretrain"),
    ("pass", "pretrain", "sft"), ("pass", "sft", "sft"),
])  # fmt: skip
def test_a_missing_value_means_what_the_profile_says(run: Any, policy: str, level: str, tier: str) -> None:
    made = run(
        scored({"luminance": None, "luminance_status": "too_few_frames"}),
        profile({"g": gate(not_evaluated=policy, level=level)}),
    )
    assert verdict(made) == ("not_evaluated", None, 1.0, "too_few_frames")
    assert made["tiers"]["tier"].item() == tier
    assert made["tiers"]["reasons"].to_list() == [[] if policy == "pass" else ["g:too_few_frames"]]


def test_a_clip_that_nobody_scored_says_so(run: Any) -> None:
    made = run({"clips": [{"clip_id": "c1", "role": "talking"}]}, profile({"a": gate("luminance")}))
    assert made["clip_gates"]["reason"].to_list() == ["not_scored"]
    assert made["tiers"]["reasons"].to_list() == [["a:not_scored"]]


def test_a_row_older_than_the_measure_is_not_scored_rather_than_failed(run: Any) -> None:
    made = run(scored({"video_quality": None, "video_quality_status": None}), profile({"g": gate("video_quality")}))
    assert verdict(made) == ("not_evaluated", None, 1.0, "not_scored")
    assert made["tiers"]["tier"].item() == "pretrain"


def test_all_reasons_are_kept_and_the_worst_decides(run: Any) -> None:
    gates = {
        "z_dark": gate("luminance", threshold=10.0),
        "blur": gate("face_blur", threshold=0.7, level="sft"),
        "snr": gate("snr_db", level="sft"),
        "fine": gate("motion"),
        "told": gate("motion", threshold=99.0, mode="score_only"),
        "off": gate("motion", threshold=99.0, mode="off"),
    }
    values = {"luminance": 5.0, "face_blur": 0.3, "snr_db": None, "snr_db_status": "no_audio", "motion": 3.0}
    made = run(scored(values), profile(gates))
    assert made["tiers"].select("tier", "reasons").row(0) == (
        "rejected",
        ["z_dark", "blur", "snr:no_audio"],
    )  # the profile's order
    assert dict(made["clip_gates"].select("gate", "verdict").iter_rows()) == {
        "blur": "fail", "fine": "pass", "snr": "not_evaluated", "told": "fail", "z_dark": "fail",
    }  # fmt: skip


def test_failing_an_sft_gate_leaves_pretrain(run: Any) -> None:
    made = run(scored({"face_blur": 0.3}), profile({"blur": gate("face_blur", level="sft")}))
    assert made["tiers"].select("tier", "reasons").row(0) == ("pretrain", ["blur"])


def test_a_gate_for_talkers_does_not_ask_listeners(run: Any) -> None:
    gates = {"asr": gate("asr_confidence", applies_to="talking", not_evaluated="fail"), "luma": gate("luminance")}
    made = run(scored({"luminance": 50.0, "asr_confidence_status": "role_listening"}, role="listening"), profile(gates))
    assert made["clip_gates"]["gate"].to_list() == ["luma"]
    assert made["tiers"]["tier"].to_list() == ["sft"]


def test_a_clip_that_no_gate_asks_is_refused_rather_than_lost(run: Any) -> None:
    with pytest.raises(OperationError, match=r"\b1\b.*\bclip_gates\b"):
        run(scored({}, role="listening"), profile({"asr": gate("asr_confidence", applies_to="talking")}))


def test_a_duration_can_be_asked(run: Any) -> None:
    made = run(scored({}, duration_s=4.0), profile({"long": gate("duration_s", threshold=5.0)}))
    assert verdict(made) == ("fail", 4.0, 5.0, "below_threshold")


def many(count: int) -> dict[str, Any]:
    """Clips c000 … with clarity 0, 1, 2 …, in two batches."""
    rows = [{"clip_id": f"c{i:03d}", "role": "talking", "batch": f"b{i % 2}"} for i in range(count)]
    return {"clips": rows, "clip_scores": [{**row, "clarity": float(i)} for i, row in enumerate(rows)]}


def test_a_percentile_is_taken_over_the_whole_lake(run: Any) -> None:
    gates = {"clarity": gate("clarity", threshold=None, percentile=5)}
    made = run(many(101), profile(gates), batches=("b0",))
    assert made["clip_gates"]["threshold"].unique().to_list() == [5.0]  # of 0 … 100, not of the even ones only
    assert sorted(made["tiers"].filter(tier="rejected")["clip_id"]) == ["c000", "c002", "c004"]
    assert made["tiers"].height == 51


def test_a_percentile_is_of_the_clips_that_are_asked(run: Any) -> None:
    rows = many(100)
    silent = [{"clip_id": f"l{i:03d}", "role": "listening", "batch": "b0"} for i in range(100)]
    rows["clips"] += silent
    rows["clip_scores"] += [{**row, "clarity": 1e6} for row in silent]
    gates = {"clarity": gate("clarity", threshold=None, percentile=50, applies_to="talking"), "any": gate("motion")}
    made = run(rows, profile(gates), batches=("b0",))["clip_gates"].filter(gate="clarity")
    assert made["threshold"].unique().to_list() == [49.5]


def test_a_percentile_does_not_depend_on_the_order_of_batches(run: Any) -> None:
    gates = {"clarity": gate("clarity", threshold=None, percentile=7)}
    one, other = many(53), many(53)
    for rows in other.values():
        rows.reverse()
    thresholds = [run(rows, profile(gates), batches=("b1",))["clip_gates"]["threshold"] for rows in (one, other)]
    assert thresholds[0].to_list() == thresholds[1].to_list()


def test_a_percentile_of_too_few_clips_is_not_evaluated(run: Any) -> None:
    gates = {"clarity": gate("clarity", threshold=None, percentile=5)}
    made = run(many(19), profile(gates), batches=("b0", "b1"))
    assert set(made["clip_gates"]["reason"]) == {"population_too_small"}
    assert set(made["tiers"]["tier"]) == {"pretrain"}


def test_only_the_batches_asked_for_are_made(run: Any) -> None:
    made = run(many(10), profile(), batches=("b1",))
    assert all(set(table["batch"]) <= {"b1"} for table in made.values())
    assert made["branch_single"].height == 5
