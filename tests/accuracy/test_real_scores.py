"""Each figure of conversations and of calibration.py on a small case whose answer is known."""

from typing import Any

import numpy as np
import pytest
from calibration import Reliability, reliability
from face_scores import (
    average_precision,
    face_candidates,
    face_figures,
    frame_binding,
    sure_frames,
    turn_binding,
    wilson,
)
from labelled import ALL, LabelledVideo, Row, labelled_videos, rttm_recordings, video_recordings
from real_scores import BARS, PACKAGED_BARS, figure_table, file_table, is_reached
from speech_scores import (
    jaccard_errors,
    overlap_figures,
    overlap_in_single_speech,
    overlap_scores,
    speaker_counts,
    speech_errors,
    speech_figures,
)

LEFT, RIGHT = [0.0, 0.0, 0.5, 1.0], [0.5, 0.0, 1.0, 1.0]
SIDE = {"ann": LEFT, "bob": RIGHT}
RTTM = """
SPEAKER m1 1 0.0 10.0 <NA> <NA> X <NA> <NA>
SPEAKER m1 1 8.0 4.0 <NA> <NA> Y <NA> <NA>
"""


def turn(start_s: float, end_s: float, who: str, visible: list[list[float]] | None = None) -> Row:
    shown = [[start_s, end_s]] if visible is None else visible
    return {"start_s": start_s, "end_s": end_s, "speaker": who, "on_screen": bool(shown), "visible": shown}


def unsure(start_s: float, end_s: float, *people: str) -> Row:
    return {"start_s": start_s, "end_s": end_s, "people": list(people)}


def truth(*turns: Row, unsure: tuple[Row, ...] = ()) -> Row:
    """Ten seconds: Ann in the left half of the picture, Bob in the right."""
    faces = [{"start_s": 0, "end_s": 10, "person": who, "box": box} for who, box in SIDE.items()]
    return {"name": "v", "file": "v.mp4", "duration_s": 10.0, "turns": turns, "faces": faces, "unsure": unsure}


TWO_TURNS = truth(turn(0, 4, "ann"), turn(5, 9, "bob"))


def tables(
    *spoken: tuple[float, float, str], bound: tuple[tuple[float, float, str], ...] = (), **more: list[Row]
) -> dict[str, Any]:
    """Rows of one video: turns, a track for each person (ten boxes a second), and stretches bound to a person."""
    times = [k / 10 for k in range(100)]
    return {
        "videos": [{"video_id": "1", "source_name": "folder/v.mp4"}],
        "speech_turns": [{"video_id": "1", "start_s": a, "end_s": b, "speaker_id": who} for a, b, who in spoken],
        "face_tracks": [
            {"video_id": "1", "track_id": who, "frame_times_s": times, "boxes": [inner(box)] * len(times)}
            for who, box in SIDE.items()
        ],
        "speaker_bindings": [{"video_id": "1", "start_s": a, "end_s": b, "track_id": who} for a, b, who in bound],
        "active_speaker": [],
        **more,
    }


def inner(box: list[float]) -> list[float]:
    return [box[0] + 0.2, 0.4, box[2] - 0.2, 0.6]


def errors(labels: Row, *spoken: tuple[float, float, str], collar_s: float = 0) -> list[float | None]:
    """(all, miss, false alarm, confusion) of one video."""
    rates = speech_errors(video_recordings([labels], tables(*spoken)), collar_s)[ALL].rates()
    return [None if rate is None else round(rate, 6) for rate in rates.values()]


# --------------------------------------------------------------------------- speech


def test_a_perfect_answer_has_no_error() -> None:
    assert errors(TWO_TURNS, (0, 4, "A"), (5, 9, "B")) == [0, 0, 0, 0]
    assert errors(TWO_TURNS, (0, 2, "B"), (2, 4, "B"), (5, 9, "A"), collar_s=0.25) == [0, 0, 0, 0]


def test_errors_are_split() -> None:
    assert errors(TWO_TURNS, (0, 4, "A"), (5, 8, "B"), (8, 9, "A")) == [0.125, 0, 0, 0.125]
    assert errors(TWO_TURNS, (0, 3, "A"), (5, 9, "B")) == [0.125, 0.125, 0, 0]
    assert errors(TWO_TURNS, (0, 5, "A"), (5, 9, "B")) == [0.125, 0, 0.125, 0]
    assert errors(TWO_TURNS, (0, 4, "A"), (5, 9, "A")) == [0.5, 0, 0, 0.5]
    assert errors(TWO_TURNS) == [1, 1, 0, 0]


def test_overlap_counts() -> None:
    both = truth(turn(0, 4, "ann"), turn(2, 4, "bob"))
    assert errors(both, (0, 4, "A"), (2, 4, "B")) == [0, 0, 0, 0]
    assert errors(both, (0, 4, "A")) == [pytest.approx(2 / 6, abs=1e-6), pytest.approx(2 / 6, abs=1e-6), 0, 0]


def test_one_speakers_turns_that_overlap_are_one() -> None:
    assert errors(TWO_TURNS, (0, 3, "A"), (2, 4, "A"), (5, 9, "B")) == [0, 0, 0, 0]


def test_a_collar_lies_on_either_side_of_an_edge() -> None:
    late = [(0.25, 4.25, "A"), (5.25, 9.25, "B")]
    assert errors(TWO_TURNS, *late)[0] == 4 * 0.25 / 8
    assert errors(TWO_TURNS, *late, collar_s=0.25)[0] == 0
    assert errors(TWO_TURNS, (0, 4.5, "A"), (5, 9, "B"), collar_s=0.25)[0] == pytest.approx(0.25 / 7, abs=1e-6)


def test_what_is_unsure_is_cut_out() -> None:
    labels = truth(*TWO_TURNS["turns"], unsure=(unsure(8, 10, "ann"), unsure(8.5, 9)))
    assert errors(labels, (0, 4, "A"), (5, 8, "B"), (8, 10, "C")) == [0, 0, 0, 0]
    assert errors(truth(*TWO_TURNS["turns"], unsure=(unsure(0, 10),)), (0, 9, "A")) == [None] * 4


def test_errors_of_files_are_summed_by_seconds() -> None:
    short = {**truth(turn(0, 2, "ann")), "name": "w", "file": "w.mp4"}
    found = speech_errors(video_recordings([TWO_TURNS, short], tables((0, 4, "A"), (5, 9, "B"))), 0)
    assert {name: e.rates()[ALL] for name, e in found.items()} == {ALL: 0.2, "v": 0, "w": 1}


def test_jaccard_weighs_speakers_alike() -> None:
    recordings = video_recordings([TWO_TURNS], tables((0, 4, "A"), (5, 7, "B")))
    assert jaccard_errors(recordings) == {ALL: 0.25, "v": 0.25}  # (0 + half) / 2
    nothing = video_recordings([truth()], tables())
    assert jaccard_errors(nothing) == {ALL: None, "v": None}


def test_speakers_count_from_a_second_of_sure_speech() -> None:
    labels = truth(turn(0, 4, "ann"), turn(5, 5.9, "bob"), turn(6, 9, "cleo"), unsure=(unsure(6.5, 9),))
    recordings = video_recordings([labels], tables((0, 1, "A"), (1, 2, "B"), (2, 2.6, "C"), (3, 3.4, "C")))
    assert speaker_counts(recordings) == {"v": (1, 3)}
    figures = speech_figures("videos", recordings)
    assert figures["videos.speakers.count_right"] == 0
    assert figures["videos.speakers.mean_abs_error"] == 2


def test_meetings_are_read_from_rttm() -> None:
    (meeting,) = rttm_recordings(RTTM, {**tables(), "videos": []}, 31)
    assert [tuple(s) for s in meeting.labelled] == [(0, 10, "X"), (8, 12, "Y")]
    assert meeting.found == ()


def test_overlap_by_time() -> None:
    rows = {**tables((0, 9, "A"), (7, 12, "B")), "videos": [{"video_id": "1", "source_name": "m1.mp4"}]}
    found = overlap_scores(rttm_recordings(RTTM, rows, 31))
    assert found == {"precision": 0.5, "recall": 0.5, "found_s": 2, "labelled_s": 2}  # 7 to 9 for 8 to 10
    nothing = {**rows, "speech_turns": []}
    assert overlap_scores(rttm_recordings(RTTM, nothing, 31))["precision"] is None


def test_overlap_in_single_speech_leaves_unsure_stretches_alone() -> None:
    labels = truth(turn(0, 4, "ann"), turn(5, 9, "bob"), unsure=(unsure(0, 2),))
    recordings = video_recordings([labels], tables((0, 4, "A"), (1, 3, "B"), (4, 5, "A"), (4, 5, "B")))
    found = overlap_in_single_speech(recordings)  # 1 to 3 and 4 to 5 are told, of these 2 to 3 in sure speech
    assert found == {
        "found_s": 3,
        "in_single_s": 1,
        "share_of_found": pytest.approx(1 / 3),
        "share_of_single": pytest.approx(1 / 6),
    }
    names = overlap_figures(recordings, [])
    assert names["videos.overlap.in_single_s"] == 1
    assert names["ami.overlap.recall"] is None


# --------------------------------------------------------------------------- faces


def binding(labels: Row, *bound: tuple[float, float, str]) -> dict[str, float | None]:
    return frame_binding(
        [f for v in labelled_videos([labels], tables((0, 9, "A"), bound=bound)) for f in sure_frames(v)]
    )


def tally(labels: Row, *bound: tuple[float, float, str]) -> tuple[float | None, ...]:
    found = binding(labels, *bound)
    return found["right"], found["wrong"], found["abstained"]


def test_frames_right_wrong_and_abstained() -> None:
    assert tally(TWO_TURNS, (0, 4, "ann"), (5, 9, "bob")) == (200, 0, 0)
    assert tally(TWO_TURNS, (0, 4, "ann"), (5, 7, "ann")) == (100, 50, 50)
    assert tally(TWO_TURNS, (0, 4, "ann"), (2, 4, "bob")) == (50, 50, 100)  # another face beside the right one
    assert tally(TWO_TURNS, (0, 9, "unknown track")) == (0, 0, 200)


def test_a_face_of_nobody_is_wrong() -> None:
    labels = {**TWO_TURNS, "faces": TWO_TURNS["faces"][1:]}
    assert tally(labels, (0, 4, "ann")) == (0, 100, 100)


def test_frames_of_two_speakers_and_unsure_ones_do_not_count() -> None:
    labels = truth(turn(0, 4, "ann"), turn(3, 5, "bob"), unsure=(unsure(0, 1, "bob"),))
    assert tally(labels, (0, 3, "ann"), (4, 5, "bob")) == (75, 0, 0)


def test_shares_of_frames() -> None:
    found = binding(TWO_TURNS, (0, 4, "ann"), (5, 6, "ann"))
    assert found["frames"] == 200
    assert found["right_share"] == 0.5
    assert found["wrong_of_bound"] == 0.2
    assert found["yield"] == 0.625
    assert found["abstained_share"] == 0.375
    assert found["right_share_low"] < 0.5 < found["right_share_high"]  # type: ignore[operator]


def test_errors_near_labelled_edges_are_told_apart() -> None:
    found = binding(TWO_TURNS, (0, 4, "ann"), (5, 5.2, "ann"), (5.2, 9, "bob"))
    assert found["wrong"] == 5
    assert found["wrong_of_bound_far_from_edges"] == 0
    assert binding(TWO_TURNS, (0, 4, "ann"), (5, 5.24, "ann"))["wrong_of_bound_far_from_edges"] == 1 / 91


def test_a_speaker_who_is_not_seen_counts_apart() -> None:
    labels = truth(turn(0, 4, "ann", visible=[[0, 2]]), turn(5, 9, "bob", visible=[]))
    found = binding(labels, (0, 4, "ann"), (5, 6, "ann"))
    assert (found["frames"], found["right"], found["wrong"]) == (50, 50, 0)
    assert (found["off_screen"], found["off_screen_wrong"]) == (150, 25)


def test_nothing_labelled_gives_no_shares() -> None:
    found = binding(truth())
    assert found["frames"] == 0
    assert found["right_share"] is None
    assert found["wrong_of_bound_low"] is None


def test_turns_have_intervals() -> None:
    found = turn_binding({"turns": 10, "right": 6, "wrong": 2, "abstained": 1, "rightly_abstained": 1})
    assert found["precision"] == 0.75
    assert (found["precision_low"], found["precision_high"]) == wilson(6, 8)
    assert found["off_screen"] == 1


def test_faces_are_ranked_by_talking() -> None:
    rows = [
        {"video_id": "1", "track_id": "ann", "start_s": 0, "log_odds": [2.0] * 100},
        {"video_id": "1", "track_id": "bob", "start_s": 2, "log_odds": [None] * 25 + [-1.0] * 25},
    ]
    (video,) = labelled_videos([truth(turn(0, 4, "ann"), turn(5, 6, "bob", visible=[]))], tables(active_speaker=rows))
    found = face_candidates(video)
    assert len(found) == 200  # 4 s of two faces; nobody counts while the speaker is unseen
    assert found[:2] == [(True, 2.0), (False, None)]
    assert found[-2:] == [(True, 2.0), (False, -1.0)]
    assert average_precision(found) == 1


def test_average_precision() -> None:
    assert average_precision([(True, 3), (False, 2), (True, 1)]) == pytest.approx(0.5 + 0.5 * 2 / 3)
    assert average_precision([(True, None), (False, None)]) == 0.5  # all alike: chance
    assert average_precision([(True, None), (False, 1)]) == 0.5
    assert average_precision([(False, 1)]) is None


def test_figures_of_faces_take_turns_from_the_report() -> None:
    report = {"binding": {"turns": 2, "right": 2, "wrong": 0, "abstained": 0, "rightly_abstained": 0}}
    videos = labelled_videos([TWO_TURNS], tables(bound=((0, 4, "ann"), (5, 9, "bob"))))
    figures = face_figures(videos, report)
    assert figures["videos.frames.right_share"] == 1
    assert figures["videos.turns.precision"] == 1
    assert figures["videos.active_speaker.chance"] == 0.5


def test_a_video_that_the_lake_lacks_is_missed() -> None:
    (video,) = labelled_videos([{**TWO_TURNS, "file": "other.mp4"}], tables((0, 9, "A")))
    assert video == LabelledVideo({**TWO_TURNS, "file": "other.mp4"}, [], [], [], [])
    assert {frame.outcome for frame in sure_frames(video)} == {"abstained"}


# --------------------------------------------------------------------------- intervals, bars, tables


def test_wilson() -> None:
    low, high = wilson(48, 50)  # type: ignore[misc]
    assert (round(low, 3), round(high, 3)) == (0.865, 0.989)
    assert wilson(0, 10) == (0, pytest.approx(0.2775, abs=1e-4))
    assert wilson(0, 0) is None


def test_bars() -> None:
    assert is_reached(0.15, ("≤", 0.15))
    assert not is_reached(0.16, ("≤", 0.15))
    assert is_reached(12, ("≥", 12))
    assert not is_reached(None, ("≥", 0))


def test_tables_show_bars_and_files() -> None:
    one, other = {"videos.der.all": 0.25, "videos.jer": None}, {"videos.der.all": 0.1}
    shown = figure_table({"one": (one, BARS), "other": (other, BARS)}).rows()
    assert shown == [
        ("videos.der.all", "0.250", "≤ 0.150 *", "0.100", "≤ 0.150"),
        ("videos.jer", "-", "", "-", ""),
    ]
    rows = tables((0, 4, "A"), (5, 9, "A"), bound=((0, 4, "ann"),))
    (row,) = file_table(video_recordings([TWO_TURNS], rows), labelled_videos([TWO_TURNS], rows)).rows()
    assert row == ("v", "0.500 (0.000, 0.000, 0.500)", "0.500 (0.000, 0.000, 0.500)", "0.750", "2, 1", "100, 0, 100")


def test_every_bar_has_a_figure() -> None:
    report = {"binding": {"turns": 0, "right": 0, "wrong": 0, "abstained": 0, "rightly_abstained": 0}}
    ours = {
        *speech_figures("videos", []),
        *speech_figures("ami", []),
        *face_figures([], report),
        *overlap_figures([], []),
    }
    of_score = {"videos.listening.precision", "videos.listening.recall", "videos.dialogue.matched"}
    of_what_if = {"videos.hidden.bound_to_another", "videos.hidden.others_still_bound", "videos.foreign.bound"}
    of_what_if |= {"videos.evidence.average_precision", "videos.evidence.choice"}
    of_what_if |= {f"videos.calibration.{name}" for name in reliability([], {}).figures(MAP)}
    assert set(BARS) <= set(PACKAGED_BARS) <= ours | of_score | of_what_if


MAP = ((0.0, 0.0), (0.8, 0.8), (1.0, 0.9))


def test_reliability_compares_what_is_said_with_what_is_right() -> None:
    sure, unsure = np.full(100, 0.9), np.full(50, 0.4)
    is_right = np.concatenate([np.arange(100) < 90, np.arange(50) < 30])
    files = np.array(["a"] * 50 + ["b"] * 50 + ["c"] * 50)
    found = Reliability(files, np.concatenate([sure, unsure]), is_right)
    told = found.figures(MAP)
    assert told["expected_error"] == pytest.approx((100 * 0 + 50 * 0.2) / 150)
    assert told["expected_error_unmapped"] == pytest.approx((100 * 0.1 + 50 * 0.2) / 150)
    # file a is all right, b 40 of 50: each is told what the other one is
    assert told["expected_error_left_out"] == pytest.approx((50 * 0.2 + 50 * 0.2 + 50 * 0.2) / 150)
    assert found.curve().rows() == [("0 to 0.5", 50, 0.4, 0.6), ("0.9 to 0.93", 100, 0.9, 0.9)]


def test_a_stretch_counts_where_its_track_shows_a_labelled_person() -> None:
    stretch = {"video_id": "1", "track_id": "ann", "start_s": 0.0, "end_s": 9.0, "probability": 0.8, "talking": 1.0}
    faceless = stretch | {"track_id": None, "talking": None}
    found = reliability([TWO_TURNS], tables((0, 4, "A"), (5, 9, "A"), turn_faces=[stretch, faceless]))
    assert (set(found.said), len(found.is_right), int(found.is_right.sum())) == ({0.8}, 200, 100)
