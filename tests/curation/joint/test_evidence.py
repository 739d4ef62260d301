"""What is heard and seen, on the grid."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speakervid_dag.config.profiles import load_profile
from speakervid_dag.curation.joint.evidence import (
    GRID_HZ,
    TalkingFace,
    VoiceEvidence,
    mean_around,
    on_grid,
    seen_faces,
    voice_evidence,
)
from speakervid_dag.curation.voices.local_speakers import FrameClock, LocalSpeakers, Windows, windows_of

JOINT = load_profile("laptop").joint
SETS = ((), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2))
SEGMENTATION = FrameClock(first_s=495 / 16000, step_s=270 / 16000)  # of models/segmentation.py
FRAMES = 589  # of a window of 10 s
LENGTH = 248  # of the same on the grid


def windows(starts_s: list[float], classes: np.ndarray) -> Windows:
    """Windows that all say the same: (f, 7)."""
    found = windows_of([(start, classes.astype(np.float32)) for start in starts_s], SETS, SEGMENTATION)
    assert found is not None
    return found


def local(*speakers: tuple[int, int]) -> LocalSpeakers:
    """Local speakers by window and voice."""
    window, voice = np.array(speakers, np.int64).reshape(-1, 2).T
    return LocalSpeakers(window, voice, np.ones(len(window)), np.eye(len(window), 3, dtype=np.float32))


def sure(spans_s: list[tuple[int, float, float]]) -> np.ndarray:
    """A window that is sure of its classes: (f, 7)."""
    centres_s = SEGMENTATION.first_s + np.arange(FRAMES) * SEGMENTATION.step_s
    names = np.zeros(FRAMES, np.int64)
    for name, start, end in spans_s:
        names[(centres_s >= start) & (centres_s < end)] = name
    return np.eye(len(SETS))[names]


def shares_at(sound: VoiceEvidence, time_s: float) -> list[float]:
    return [round(float(v), 3) for v in sound.shares[int(time_s * GRID_HZ)]]


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.lists(st.floats(0, 12), min_size=1, max_size=4), st.integers(310, 600))
def test_shares_sum_to_1_and_every_frame_counts_its_windows(seed: int, starts_s: list[float], frames: int) -> None:
    classes = np.random.default_rng(seed).dirichlet(np.full(7, 0.3), FRAMES)

    sound = voice_evidence(windows(sorted(starts_s), classes), local((0, 0), (0, 2)), frames)

    assert sound.frames == frames
    assert sound.shares.sum(axis=1) == pytest.approx(np.ones(frames), abs=1e-5)
    assert ((sound.shares >= 0) & (sound.shares <= 1)).all()
    seen = sum(min(frames, round(start * GRID_HZ) + LENGTH) - min(frames, round(start * GRID_HZ)) for start in starts_s)
    assert abs(np.where(sound.shares[:, 0] == 1, 0, sound.looks).sum() - seen) <= len(starts_s)  # rounded starts
    assert (sound.alone <= sound.activity + 1e-6).all()


def test_windows_are_put_where_they_are_heard() -> None:
    classes = sure([(1, 2, 4), (4, 4, 5), (2, 5, 6)])  # one, both, the other

    sound = voice_evidence(windows([0.0, 20.0], classes), local((0, 0), (1, 1)), 800)

    assert sound.firsts.tolist() == [0, 500]
    for start_s in (0, 20):
        heard = [shares_at(sound, start_s + time_s) for time_s in (1, 3, 4.5, 5.5, 7)]
        assert heard == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 0], [1, 0, 0]]
    assert shares_at(sound, 15) == [1, 0, 0]  # in no window
    for row, (start, end) in enumerate([(2, 5), (4, 6)]):
        assert np.flatnonzero(sound.activity[row] > 0.5)[[0, -1]] / GRID_HZ == pytest.approx([start, end], abs=0.05)
    assert sound.alone.sum(axis=1) / GRID_HZ == pytest.approx([2, 1], abs=0.05)
    assert sound.embeddings.shape == (2, 3)


def test_windows_that_disagree_are_averaged() -> None:
    ahead, behind = sure([(1, 0, 10)]), sure([])
    both = windows_of([(0.0, ahead.astype(np.float32)), (5.0, behind.astype(np.float32))], SETS, SEGMENTATION)
    assert both is not None

    sound = voice_evidence(both, local((0, 0)), 400)

    assert [shares_at(sound, time_s)[1] for time_s in (2, 7, 12)] == [1, 0.5, 0]
    assert sound.looks[[50, 175, 300, 399]].tolist() == [1, 2, 1, 1]


def test_a_window_past_the_end_of_the_grid_is_cut() -> None:
    classes = sure([(1, 0, 10)])

    cut = voice_evidence(windows([0.0, 4.0], classes), local((0, 0), (1, 0)), 150)
    whole = voice_evidence(windows([0.0, 4.0], classes), local((0, 0), (1, 0)), 400)

    assert cut.shares == pytest.approx(whole.shares[:150])
    assert cut.looks.tolist() == whole.looks[:150].tolist()
    assert cut.activity.shape == (2, LENGTH)


def test_no_local_speaker_is_no_activity() -> None:
    sound = voice_evidence(windows([0.0], sure([])), local(), 100)

    assert sound.activity.shape == sound.alone.shape == (0, LENGTH)


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
