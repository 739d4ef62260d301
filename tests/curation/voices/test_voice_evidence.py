"""What is heard, on the grid."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speakervid_dag.curation.voices.local_speakers import FrameClock, LocalSpeakers, Windows, windows_of
from speakervid_dag.curation.voices.voice_evidence import GRID_HZ, VoiceEvidence, of_single_voices, of_windows

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

    sound = of_windows(windows(sorted(starts_s), classes), local((0, 0), (0, 2)), frames)

    assert sound.frames == frames
    assert sound.shares.sum(axis=1) == pytest.approx(np.ones(frames), abs=1e-5)
    assert ((sound.shares >= 0) & (sound.shares <= 1)).all()
    seen = sum(min(frames, round(start * GRID_HZ) + LENGTH) - min(frames, round(start * GRID_HZ)) for start in starts_s)
    assert abs(np.where(sound.shares[:, 0] == 1, 0, sound.looks).sum() - seen) <= len(starts_s)  # rounded starts
    assert (sound.alone <= sound.activity + 1e-6).all()


def test_windows_are_put_where_they_are_heard() -> None:
    classes = sure([(1, 2, 4), (4, 4, 5), (2, 5, 6)])  # one, both, the other

    sound = of_windows(windows([0.0, 20.0], classes), local((0, 0), (1, 1)), 800)

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

    sound = of_windows(both, local((0, 0)), 400)

    assert [shares_at(sound, time_s)[1] for time_s in (2, 7, 12)] == [1, 0.5, 0]
    assert sound.looks[[50, 175, 300, 399]].tolist() == [1, 2, 1, 1]


def test_a_window_past_the_end_of_the_grid_is_cut() -> None:
    classes = sure([(1, 0, 10)])

    cut = of_windows(windows([0.0, 4.0], classes), local((0, 0), (1, 0)), 150)
    whole = of_windows(windows([0.0, 4.0], classes), local((0, 0), (1, 0)), 400)

    assert cut.shares == pytest.approx(whole.shares[:150])
    assert cut.looks.tolist() == whole.looks[:150].tolist()
    assert cut.activity.shape == (2, LENGTH)


def test_no_local_speaker_is_no_activity() -> None:
    sound = of_windows(windows([0.0], sure([])), local(), 100)

    assert sound.activity.shape == sound.alone.shape == (0, LENGTH)


def test_windows_of_one_voice_stand_for_what_is_around_them() -> None:
    probs = np.zeros(100, np.float32)
    probs[20:80] = 1  # 2 to 8 s
    centres_s = 2.05 + 0.1 * np.arange(60)
    vectors = np.eye(2, dtype=np.float32)[(centres_s > 5).astype(int)]

    sound = of_single_voices((probs, 0.1), [(4.0, 5.0)], centres_s, vectors, 250)

    assert [shares_at(sound, time_s) for time_s in (1, 3, 4.5, 7, 9)] == [
        [1, 0, 0], [0, 1, 0], [0, 0.5, 0.5], [0, 1, 0], [1, 0, 0],
    ]  # fmt: skip
    assert np.diff(sound.firsts) == pytest.approx(10, abs=1), "every fourth window is enough"
    assert sound.embeddings.argmax(axis=1).tolist() == [0] * 8 + [1] * 7
    assert sound.activity.sum() / GRID_HZ == pytest.approx(6, abs=0.2)
    assert sound.alone.sum() / GRID_HZ == pytest.approx(5.5, abs=0.2)
    assert sound.shares.sum(axis=1) == pytest.approx(np.ones(250), abs=1e-6)


@settings(max_examples=30)
@given(st.integers(1, 40), st.lists(st.floats(0, 3), max_size=6), st.integers(0, 2**32 - 1))
def test_any_windows_of_one_voice_fit_on_the_grid(frames: int, centres: list[float], seed: int) -> None:
    rng = np.random.default_rng(seed)
    probs = rng.random(max(1, frames // 2)).astype(np.float32)
    vectors = np.eye(6, dtype=np.float32)[: len(centres)]

    sound = of_single_voices((probs, 0.08), [], np.sort(centres), vectors, frames)

    assert (sound.frames, len(sound.firsts)) == (frames, len(sound.embeddings))
    assert ((sound.shares >= 0) & (sound.shares <= 1)).all()
    assert (sound.looks >= 1).all()
    assert ((sound.firsts >= 0) & (sound.firsts < frames)).all()
