"""Charts and timelines: shapes stand where the rows say; text in all forms fits."""

from typing import Any
from xml.etree.ElementTree import Element

import pytest

from speakervid_dag.rendering import text
from speakervid_dag.report import charts
from speakervid_dag.report.timeline import GUTTER, MAX_PEOPLE, VideoRows, timeline


def of_class(picture: Element, *names: str) -> list[Element]:
    return [e for e in picture.iter() if set(names) <= set(e.get("class", "").split())]


def turn(start: float, end: float, status: str, person: str | None = None, words: str = "yes") -> dict[str, Any]:
    kept = {"margin": None, "reason": None, "turn_id": f"v-u{start}", "speaker_id": "A", "text": words}
    return {**kept, "start_s": start, "end_s": end, "status": status, "person_id": person}


def rows(people: int = 2, **parts: Any) -> VideoRows:
    video = {"video_id": "v", "source_name": "a.mp4", "duration_s": 20.0}
    shots = [{"shot_index": i, "start_s": 10.0 * i, "end_s": 10.0 * i + 10} for i in range(2)]
    tracks = [{"person_id": f"v-p{i:02d}", "start_s": 0.0, "end_s": 10.0 - i / 10} for i in range(people)]
    whole: dict[str, Any] = {"shots": shots, "tracks": tracks, "turns": [], "clips": [], "pairs": [], **parts}
    return VideoRows(video, **whole)


def test_a_row_stands_at_its_time() -> None:
    picture = timeline(rows())
    second = of_class(picture, "shot")[1]
    plot = float(picture.get("width", "0")) - GUTTER
    assert float(second.get("x", "0")) == pytest.approx(GUTTER + plot / 2, abs=8)


def test_bindings_are_told_apart_without_colour() -> None:
    turns = [
        turn(0, 4, "bound", "v-p01"),
        turn(5, 9, "ambiguous"),
        turn(10, 14, "off_screen"),
        turn(15, 19, "not_evaluated"),
    ]
    picture = timeline(rows(turns=turns))
    told = [e.text for e in of_class(picture, "word", "in")]
    assert told == ["p01 yes", "? yes", "off yes", "– yes"]
    assert len(of_class(picture, "speaks")) == 1


def test_only_the_window_is_drawn() -> None:
    turns = [turn(0, 4, "ambiguous"), turn(12, 16, "ambiguous")]
    drawn = of_class(timeline(rows(turns=turns), start_s=10, end_s=20), "turn", "ambiguous")
    assert len(drawn) == 1 + 1  # and the legend's


def test_pairs_join_the_lanes_of_their_people() -> None:
    pair = {"initiator_person_id": "v-p00", "responder_person_id": "v-p01", "initiator_end_s": 4.0, "gap_s": 0.5}
    drawn = of_class(timeline(rows(pairs=[{**pair, "responder_start_s": 4.5, "tier": "sft"}])), "pair")
    told = [e.text or "" for p in drawn for e in p]
    assert any(all(word in text for word in ("p01", "p00", "0.50 s")) for text in told)


def test_a_crowd_is_cut_and_said() -> None:
    picture = timeline(rows(people=30))
    assert len(of_class(picture, "seen")) == MAX_PEOPLE + 1
    assert any(f"{30 - MAX_PEOPLE} people" in (e.text or "") for e in picture.iter())


@pytest.mark.parametrize("low_high", [(0.0, 0.0), (-0.4, -0.2), (3.0, 3.0), (1e-6, 2e-6), (-5.0, 1e6)])
def test_an_axis_holds_values_and_thresholds_and_has_ticks(low_high: tuple[float, float]) -> None:
    axis = charts.axis_for(*low_high, [0.5])
    assert axis.low <= min(*low_high, 0.5) <= max(*low_high, 0.5) <= axis.high
    assert 2 <= len(charts.round_ticks(axis)) <= 7


def test_the_failing_side_is_shaded() -> None:
    bars = [{"sft": 1, "rejected": 2}] * 10
    for keep, starts_left in ((">=", True), ("<=", False)):
        picture = charts.distribution(bars, charts.Axis(0, 1), [charts.Threshold("sft", keep, 0.5, True)], "x")
        (shade,) = of_class(picture, "fails")
        assert (float(shade.get("x", "0")) == charts.LEFT) is starts_left
    informs = charts.distribution(bars, charts.Axis(0, 1), [charts.Threshold("sft", ">=", 0.5, False)], "x")
    assert of_class(informs, "fails") == []


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "0 s"), (0.01, "0 s"), (4.24, "4.2 s"), (63, "63 s"), (150, "2.5 min"), (7300, "2.0 h"), (4e6, "1,111 h")],
)
def test_durations_are_read_as_people_say_them(seconds: float, told: str) -> None:
    assert text.duration(seconds) == told


def test_long_and_wide_words_are_cut_by_columns() -> None:
    assert text.shortened("hello world", 20) == "hello world"
    assert text.shortened("hello world", 7) == "hello…"
    assert text.shortened("話す話す話す", 7) == "話す…"
    assert text.shortened("hello", 1) == ""
    assert text.shortened("a\nb\u202ec\x00", 20) == "a b\ufffdc\ufffd"


def test_lone_surrogates_of_undecodable_names_can_be_written() -> None:
    text.plain("caf\udce9.mp4").encode("utf-8")
