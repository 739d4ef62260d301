"""A second picture of one face against a second person, by how both move."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from speakervid_dag.config.profiles import load_profile
from speakervid_dag.curation.faces.copies import copies

SETTINGS = load_profile("laptop").identity
FACE, TWIN, STRANGER = [1.0] + [0.0] * 127, [0.98, 0.199] + [0.0] * 126, [0.7, 0.714] + [0.0] * 126
HZ = 25


def motion(seed: int, frames: int) -> NDArray[np.float32]:
    """(4, frames): mouth opening and three angles, smooth and of their own."""
    steps = np.random.default_rng(seed).normal(0, 1, (4, frames + 24))
    smooth = np.stack([np.convolve(s, np.ones(25) / 5, mode="valid") for s in steps])
    return smooth.astype(np.float32)[:, :frames]


def track(
    number: int, moves: NDArray[np.float32], sharpness: float, *, size: float = 0.2, start: int = 0, **more: Any
) -> dict[str, Any]:
    frames = moves.shape[1]
    names = ("mouth_opening", "yaw_deg", "pitch_deg", "roll_deg")
    row = {
        "shot_id": "v-s0000",
        "track_id": f"v-s0000-t{number:02d}",
        "frame_times_s": pl.Series((np.arange(frames) + start) / HZ),
        "boxes": pl.Series([[0.1, 0.1, 0.1 + size, 0.1 + size]] * frames, dtype=pl.List(pl.Float32)),
        "face_sharpness": pl.Series([sharpness] * frames, dtype=pl.Float32),
        "embedding": pl.Series(FACE, dtype=pl.Float32),
    }
    row |= {name: pl.Series(m) for name, m in zip(names, moves, strict=True)}
    return row | {k: v if k == "shot_id" else pl.Series(v, dtype=pl.Float32) for k, v in more.items()}


def noisy(moves: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """As a mesh measures it again in a blurred copy: correlation about 0.8."""
    noise = np.random.default_rng(seed).normal(0, 0.75, moves.shape)
    return np.asarray(moves + noise * moves.std(axis=1, keepdims=True), dtype=np.float32)


def test_the_sharp_picture_stands_for_the_blurred_ones_though_they_are_larger() -> None:
    moves = motion(1, 200)
    left, middle = track(0, noisy(moves, 2), 8, size=0.36), track(1, moves, 127, size=0.3)
    right = track(2, noisy(moves, 3), 8.1, size=0.36)

    assert copies([left, middle, right], SETTINGS) == {
        left["track_id"]: middle["track_id"],
        right["track_id"]: "v-s0000-t01",
    }


def test_a_copy_blurred_beyond_recognition_is_told_by_its_head() -> None:
    """Of the real one behind it: mouths .39, heads .84 to .98; no identity can be told."""
    moves = motion(1, 200)
    mouth = motion(7, 200)[:1] * 0.5 + moves[:1] * 0.4
    blurred = track(1, np.vstack([mouth, moves[1:]]), 8) | {"embedding": None}
    assert copies([track(0, moves, 48), blurred], SETTINGS) == {"v-s0000-t01": "v-s0000-t00"}
    other = track(1, np.vstack([moves[:1], motion(3, 200)[1:]]), 8) | {"embedding": None}
    assert copies([track(0, moves, 48), other], SETTINGS) == {}


@pytest.mark.parametrize(
    "other",
    [
        track(1, motion(2, 200), 60, embedding=TWIN),
        track(1, motion(1, 200), 60, embedding=STRANGER),
        track(1, np.roll(motion(1, 200), 15, axis=1), 60),
        track(1, motion(1, 200) * np.array([[1], [-1], [1], [-1]], np.float32), 60),
        track(1, motion(1, 30), 60),
        track(1, motion(1, 200), 60, shot_id="v-s0001"),
        track(1, np.vstack([motion(3, 200)[:1], motion(1, 200)[1:]]), 60),
    ],
    ids=["twin", "other face", "half a second late", "mirror", "1.2 s", "other shot", "one shaking camera"],
)
def test_who_moves_otherwise_stays_a_second_person(other: dict[str, Any]) -> None:
    assert copies([track(0, motion(1, 200), 120), other], SETTINGS) == {}


def test_a_short_time_together_is_no_copy() -> None:
    moves = motion(1, 400)
    longer = track(1, np.hstack([moves[:, :60], motion(5, 340)]), 60)

    assert copies([track(0, moves[:, :60], 120), longer], SETTINGS) == {}


def test_faces_that_do_not_move_at_all_are_no_copies() -> None:
    still = np.zeros((4, 100), np.float32)

    assert copies([track(0, still, 120), track(1, still, 60)], SETTINGS) == {}


def test_what_is_not_measured_does_not_count() -> None:
    moves, gaps = motion(1, 200), motion(1, 200)
    gaps[:, ::7] = np.nan

    assert copies([track(0, moves, 120), track(1, gaps, 60)], SETTINGS) == {"v-s0000-t01": "v-s0000-t00"}
