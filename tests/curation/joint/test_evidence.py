"""What is seen, on the grid."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speakervid_dag.config.profiles import load_profile
from speakervid_dag.curation.joint.evidence import TalkingFace, mean_around, on_grid, seen_faces
from speakervid_dag.curation.voices.voice_evidence import GRID_HZ

JOINT = load_profile("laptop").joint


def row(
    start_s: float,
    log_odds: list[float | None],
    margins: list[float | None] | None = None,
    offset_frames: float | None = None,
) -> dict[str, object]:
    """A row of active_speaker; its margins are 0 if they are not told."""
    agreement = [0.0] * len(log_odds) if margins is None else margins
    readable = [value is not None for value in log_odds]
    series = {"log_odds": log_odds, "sync_margins": agreement, "is_readable": readable}
    return {"track_id": "t0", "start_s": start_s, "sound_offset_frames": offset_frames} | series


def test_a_series_at_the_rate_of_the_grid_is_itself() -> None:
    found = on_grid(row(2.0, [0.5, None, -1.5], [0.1, None, 0.3]), 25, 100, JOINT)

    assert found is not None
    assert (found.track_id, found.first, found.last) == ("t0", 50, 53)
    assert found.log_odds.tolist() == pytest.approx([0.5, np.nan, -1.5], nan_ok=True)
    assert found.margins.tolist() == pytest.approx([0.1, np.nan, 0.3], nan_ok=True)
    assert found.is_readable.tolist() == [True, False, True]


def test_the_grid_cuts_a_series_at_both_its_ends() -> None:
    found = on_grid(row(-0.08, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]), 25, 3, JOINT)

    assert found is not None
    assert (found.first, found.last) == (0, 3)
    assert found.log_odds.tolist() == [2.0, 3.0, 4.0]


@pytest.mark.parametrize(
    ("start_s", "values"), [(4.0, [1.0]), (9.0, [1.0]), (-1.0, [1.0, 1.0]), (0.0, [None, None]), (0.0, [])]
)
def test_a_series_outside_the_grid_or_never_seen_is_none(start_s: float, values: list[float | None]) -> None:
    assert on_grid(row(start_s, values), 25, 100, JOINT) is None


def test_synchrony_is_evidence_where_the_offset_of_the_sound_is_known() -> None:
    neutral, weight = JOINT.neutral_margin, JOINT.sync_weight
    margins: list[float | None] = [*[neutral + 0.1] * 100, None, *[neutral - 0.2] * 100]
    odds: list[float | None] = [1.0] * 201

    known = on_grid(row(0.0, odds, margins, 2.0), 25, 300, JOINT)
    unknown = on_grid(row(0.0, odds, margins), 25, 300, JOINT)

    assert known is not None
    assert unknown is not None
    far = JOINT.sync_frames // 2 + 1
    assert known.log_odds[: 100 - far] == pytest.approx(1 + 0.1 * weight)
    assert known.log_odds[101 + far : 201] == pytest.approx(1 - 0.2 * weight)
    assert 1 - 0.2 * weight < known.log_odds[100] < 1 + 0.1 * weight
    assert unknown.log_odds == pytest.approx(1.0)


def test_a_mean_skips_what_is_missing() -> None:
    values = np.array([1, np.nan, 3, np.nan, np.nan, np.nan], np.float32)

    assert mean_around(values, 3).tolist() == pytest.approx([1, 2, 3, 3, np.nan, np.nan], nan_ok=True)
    assert mean_around(values[:1], 25).tolist() == [1]


@given(st.floats(-2, 6), st.sampled_from([25, 50]), st.integers(1, 120))
def test_each_frame_gets_the_value_of_its_time(start_s: float, rate_hz: int, count: int) -> None:
    middles_s: list[float | None] = [start_s + (i + 0.5) / rate_hz for i in range(count)]

    found = on_grid(row(start_s, middles_s), rate_hz, 100, JOINT)

    if found is not None:
        assert 0 <= found.first <= found.last <= 100
    centres_s = (np.arange(100) + 0.5) / GRID_HZ
    values = np.full(100, np.nan) if found is None else seen_faces([found], 0, 100)[0]
    for centre_s, value in zip(centres_s.tolist(), values.tolist(), strict=True):
        if np.isfinite(value):
            assert abs(value - centre_s) <= 0.5 / rate_hz + 1e-5
        else:
            assert centre_s < start_s + 1e-5 or centre_s > start_s + count / rate_hz - 1e-5


def test_faces_are_cut_to_a_part_of_the_grid() -> None:
    faces = [
        TalkingFace(name, first, np.arange(10, dtype=np.float32), np.zeros(10, np.float32), np.ones(10, np.bool_))
        for name, first in (("early", 0), ("late", 8), ("far", 90))
    ]

    found = seen_faces(faces, 6, 12)

    assert found[0].tolist() == pytest.approx([6, 7, 8, 9, np.nan, np.nan], nan_ok=True)
    assert found[1].tolist() == pytest.approx([np.nan, np.nan, 0, 1, 2, 3], nan_ok=True)
    assert np.isnan(found[2]).all()
    assert seen_faces([], 0, 5).shape == (0, 5)
