"""Which stretches of turns are bound: codes, rows, and one row per stretch."""

import math

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speakervid_dag.config.profiles import load_profile
from speakervid_dag.curation.speaking.bindings import bind_stretches
from speakervid_dag.lake.schemas import ACTIVE_SPEAKER, FACE_TRACKS, SPEAKER_BINDINGS, TURN_FACES

BINDING = load_profile("laptop").binding
SURE, UNSURE = BINDING.min_probability + 0.2, BINDING.min_probability - 0.01
MOVING = BINDING.min_log_odds_in_overlap + 1
Row = dict[str, object]


def stretch(**changes: object) -> Row:
    """A stretch that is bound to the face t0, but for the changes."""
    return {
        "batch": "b1",
        "video_id": "v1",
        "turn_id": "u0",
        "speaker_id": "A",
        "track_id": "t0",
        "start_s": 1.0,
        "end_s": 2.0,
        "probability": SURE,
        "talking": MOVING,
        "sync_margin": BINDING.min_sync_margin + 0.2,
        "readable_share": 1.0,
        "sound_offset_frames": 0.5,
        "seen_share": 1.0,
        "has_overlap": False,
        "is_contradicted": False,
    } | changes


def tracks(*spans: tuple[str, str | None, float, float]) -> pl.DataFrame:
    """Face tracks by name, person, start and end, s."""
    rows: list[Row] = [
        {"track_id": name, "person_id": person, "start_s": start, "end_s": end} for name, person, start, end in spans
    ]
    return FACE_TRACKS.frame(rows)


FACES = tracks(("t0", "v1-p00", 0.0, 10.0), ("t1", "v1-p01", 0.0, 10.0))
NO_FACE = {"track_id": None, "talking": None, "sync_margin": None, "readable_share": 0.0, "seen_share": 0.0}


def looked_at(**reasons: str | None) -> pl.DataFrame:
    """Rows of active_speaker: why no network looked at a track, by its name."""
    return ACTIVE_SPEAKER.frame([{"track_id": name, "reason": reason} for name, reason in reasons.items()])


def bound(*rows: Row, faces: pl.DataFrame = FACES, talking: pl.DataFrame | None = None) -> pl.DataFrame:
    return bind_stretches(TURN_FACES.frame(list(rows)), faces, looked_at() if talking is None else talking, BINDING)


def code(row: Row, faces: pl.DataFrame = FACES) -> tuple[object, ...]:
    (found,) = bound(row, faces=faces).select("status", "reason").rows()
    return found


def test_a_sure_stretch_is_bound_to_its_face() -> None:
    (row,) = bound(stretch()).to_dicts()

    assert (row["status"], row["reason"], row["detail"]) == ("bound", None, None)
    assert (row["track_id"], row["person_id"]) == ("t0", "v1-p00")
    assert row["probability"] == pytest.approx(SURE)
    assert row["margin"] == pytest.approx(math.log(SURE / (1 - SURE)))


@pytest.mark.parametrize(
    ("changes", "status", "reason"),
    [
        ({"probability": UNSURE}, "ambiguous", "weak_evidence"),
        ({"seen_share": BINDING.min_face_share - 0.01}, "ambiguous", "mouth_not_visible"),
        ({"is_contradicted": True}, "ambiguous", "turn_disagrees"),
        ({"talking": BINDING.min_log_odds - 0.01}, "ambiguous", "lips_still"),
        ({"talking": BINDING.min_log_odds_in_overlap - 0.01, "has_overlap": True}, "ambiguous", "lips_still"),
        (NO_FACE, "off_screen", "other_voice"),
        (NO_FACE | {"probability": UNSURE}, "ambiguous", "weak_evidence"),
    ],
)
def test_what_is_not_bound_says_why(changes: Row, status: str, reason: str) -> None:
    assert code(stretch(**changes)) == (status, reason)
    row = bound(stretch(**changes)).row(0, named=True)
    assert (row["track_id"], row["person_id"], row["margin"]) == (None, None, None)
    assert (row["probability"] is None) == ("track_id" in changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"probability": BINDING.min_probability},
        {"seen_share": BINDING.min_face_share},
        {"talking": BINDING.min_log_odds},
        {"talking": BINDING.min_log_odds_in_overlap, "has_overlap": True},
        {"talking": BINDING.min_log_odds_in_overlap - 0.01},
    ],
)
def test_the_least_values_bind(changes: Row) -> None:
    assert code(stretch(**changes)) == ("bound", None)


def test_a_voice_while_nobody_is_in_view_has_no_face_however_sure() -> None:
    away = tracks(("t0", "v1-p00", 0.0, 1.0), ("t1", "v1-p01", 2.0, 9.0), ("poster", None, 0.0, 9.0))

    for probability in (SURE, UNSURE):
        assert code(stretch(**NO_FACE, probability=probability), away) == ("off_screen", "no_face_seen")
    assert code(stretch(**NO_FACE, end_s=2.1), away) == ("off_screen", "other_voice")
    assert code(stretch(**NO_FACE), FACE_TRACKS.empty()) == ("off_screen", "no_face_seen")


@pytest.mark.parametrize(
    ("talking", "reason"),
    [
        (looked_at(), "talking_not_measured"),
        (looked_at(t0="no_face_pictures", t1="weights_missing"), "no_face_pictures"),
        (looked_at(away="no_face_frames", t1="weights_missing"), "weights_missing"),
    ],
)
def test_where_no_network_looked_at_a_face_nothing_is_known(talking: pl.DataFrame, reason: str) -> None:
    row = bound(stretch(**NO_FACE, probability=None), talking=talking).row(0, named=True)
    assert (row["status"], row["reason"], row["probability"]) == ("not_evaluated", reason, None)
    alone = bound(stretch(**NO_FACE, probability=None), faces=FACE_TRACKS.empty(), talking=talking)
    assert alone.select("status", "reason").rows() == [("off_screen", "no_face_seen")]


@pytest.mark.parametrize("probability", [0.9995, 1.0])
def test_a_margin_is_finite(probability: float) -> None:
    assert bound(stretch(probability=probability))["margin"].to_list() == [pytest.approx(math.log(999))]


FOREIGN = {"sync_margin": BINDING.min_sync_margin - 0.05, "end_s": 1.0 + BINDING.min_sync_s}


def test_a_speaker_whose_lips_do_not_make_the_sound_is_not_bound() -> None:
    later = stretch(turn_id="u1", start_s=20.0, end_s=20.1)
    other = stretch(speaker_id="B", track_id="t1", turn_id="u2", start_s=30.0, end_s=40.0)

    found = bound(stretch(**FOREIGN), later, other)

    assert found.select("status", "reason").rows() == [("ambiguous", "foreign_sound")] * 2 + [("bound", None)]


@pytest.mark.parametrize(
    "changes",
    [
        {"end_s": 0.9 + BINDING.min_sync_s},
        {"seen_share": 0.9},
        {"sync_margin": BINDING.min_sync_margin},
        {"readable_share": BINDING.min_readable_share - 0.01},
        {"sync_margin": None},
    ],
)
def test_what_cannot_be_told_of_the_sound_refuses_nothing(changes: Row) -> None:
    assert code(stretch(**FOREIGN | changes)) == ("bound", None)


def test_a_sound_that_nobodys_lips_agree_with_binds_nobody() -> None:
    turned = stretch(speaker_id="B", track_id="t1", turn_id="u2", start_s=30.0, end_s=40.0, readable_share=0.0)
    agreeing, disagreeing = turned | {"sync_margin": 0.3}, turned | {"sync_margin": 0.0}

    for rows, codes in (
        ([stretch(**FOREIGN), agreeing], ["foreign_sound", None]),
        ([stretch(**FOREIGN), disagreeing], ["foreign_sound", "foreign_sound"]),
        ([disagreeing], [None]),
    ):
        assert bound(*rows)["reason"].to_list() == codes


def test_without_an_offset_a_face_at_its_best_lag_needs_a_greater_margin() -> None:
    between = FOREIGN | {"sync_margin": (BINDING.min_sync_margin + BINDING.min_sync_margin_unaligned) / 2}

    assert code(stretch(**between)) == ("bound", None)
    assert code(stretch(**between, sound_offset_frames=None)) == ("ambiguous", "foreign_sound")


def test_no_stretch_is_no_row() -> None:
    found = bound()

    assert found.is_empty()
    assert found.schema == SPEAKER_BINDINGS.schema


STRETCH = st.fixed_dictionaries(
    {
        "track_id": st.sampled_from([None, "t0", "t1"]),
        "probability": st.floats(0, 1),
        "talking": st.floats(-6, 6),
        "sync_margin": st.floats(-0.3, 0.5),
        "readable_share": st.floats(0, 1),
        "seen_share": st.floats(0, 1),
        "has_overlap": st.booleans(),
        "is_contradicted": st.booleans(),
        "speaker_id": st.sampled_from(["A", "B"]),
    }
)


@settings(max_examples=30)
@given(st.lists(st.tuples(STRETCH, st.floats(0, 20), st.floats(0.1, 5)), max_size=8))
def test_every_stretch_has_one_row_with_its_own_times(drawn: list[tuple[Row, float, float]]) -> None:
    rows = []
    for number, (changes, start_s, length_s) in enumerate(drawn):
        talking = None if changes["track_id"] is None else changes["talking"]
        span = {"turn_id": f"u{number}", "start_s": start_s, "end_s": start_s + length_s}
        rows.append(stretch(**changes | span | {"talking": talking}))

    found = bound(*rows)

    assert found.schema == SPEAKER_BINDINGS.schema
    keys = ["batch", "video_id", "turn_id", "speaker_id", "start_s", "end_s"]
    assert found.select(keys).sort("turn_id").equals(TURN_FACES.frame(rows).select(keys).sort("turn_id"))
    assert found["start_s"].is_sorted()
    people = {"t0": "v1-p00", "t1": "v1-p01"}
    own = {row["turn_id"]: row for row in rows}
    for row in found.to_dicts():
        is_bound = row["status"] == "bound"
        assert (row["reason"] is None) == is_bound
        assert (row["margin"] is not None) == is_bound
        assert row["track_id"] == (own[row["turn_id"]]["track_id"] if is_bound else None)
        assert row["person_id"] == (people[row["track_id"]] if is_bound else None)
        assert not is_bound or (row["probability"] >= BINDING.min_probability and row["margin"] >= 0)
