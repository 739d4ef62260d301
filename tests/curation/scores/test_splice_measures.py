"""Jump cuts in one take against gestures, flashes, stalls and a shaking camera, on made series."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from speakervid_dag.config.profiles import load_profile
from speakervid_dag.curation.scores.splice import splice_jump

PROFILE = load_profile("laptop")
LIMIT = PROFILE.gates["sft_splice"].threshold or 0.0
FRAMES, CUT, FPS = 150, 70, 25
Array = NDArray[np.float64]


def take(seed: int = 1) -> dict[str, Array]:
    """A talking head: centre and angles sway, the picture moves with them."""
    random = np.random.default_rng(seed)

    def sway(scale: float) -> Array:
        return np.convolve(random.normal(0, 1, FRAMES + 24), np.ones(25) / 25, mode="valid") * scale

    moves = {"x": sway(0.1), "y": sway(0.1), "yaw_deg": sway(20), "pitch_deg": sway(20), "roll_deg": sway(10)}
    motion = 1.0 + 100 * np.abs(np.diff(moves["x"], prepend=moves["x"][0])) + random.uniform(0, 0.5, FRAMES)
    return {**moves, "motion": motion, "times": np.arange(FRAMES) / FPS}


def jump_of(made: dict[str, Array], span: tuple[float, float] = (0.0, FRAMES / FPS)) -> float:
    value, status = splice_jump(*rows(made), span, PROFILE.scores)
    assert status == "ok"
    assert isinstance(value, float)
    return value


def rows(made: dict[str, Array]) -> tuple[dict[str, Any], dict[str, Any]]:
    x, y = 0.5 + 0.2 * made["x"], 0.5 + 0.3 * made["y"]
    track = {
        "frame_times_s": made["times"].tolist(),
        "boxes": np.stack([x - 0.1, y - 0.15, x + 0.1, y + 0.15], axis=1).tolist(),
        "mesh_score": [1.0] * len(x),
        **{axis: made[axis].tolist() for axis in ("yaw_deg", "pitch_deg", "roll_deg")},
    }
    return track, {"frame_times_s": made["times"].tolist(), "motion": [None, *made["motion"][1:].tolist()]}


def spliced(made: dict[str, Array]) -> dict[str, Array]:
    """From CUT on the head is elsewhere; the picture of that one frame changes with it."""
    cut = {k: v.copy() for k, v in made.items()}
    cut["x"][CUT:] += 0.12
    cut["yaw_deg"][CUT:] += 9
    cut["motion"][CUT] *= 6
    return cut


@pytest.mark.parametrize("seed", range(5))
def test_a_jump_cut_stands_out_and_an_uncut_take_does_not(seed: int) -> None:
    assert jump_of(take(seed)) < 2.5 < LIMIT < jump_of(spliced(take(seed)))


def test_a_flash_a_jittering_mesh_and_a_quick_gesture_are_no_splice() -> None:
    flash, jitter, gesture = take(), take(), take()
    flash["motion"][CUT] *= 20
    jitter["yaw_deg"][CUT] += 30
    gesture["x"][CUT : CUT + 10] += np.linspace(0, 0.8, 10)
    gesture["x"][CUT + 10 :] += 0.8
    gesture["motion"][CUT : CUT + 10] *= 6

    assert max(jump_of(made) for made in (flash, jitter, gesture)) < LIMIT


def test_only_the_clips_own_frames_count() -> None:
    assert jump_of(spliced(take()), (CUT / FPS, FRAMES / FPS)) < LIMIT
    assert jump_of(spliced(take()), (0.0, CUT / FPS)) < LIMIT


def test_a_longer_frame_may_hold_more_motion() -> None:
    made = spliced(take())
    made["times"][CUT:] += 0.4  # the stream has a hole, and says so

    assert jump_of(made) < LIMIT


def test_a_picture_repeated_every_other_frame_is_no_splice() -> None:
    made = take()
    for name in ("x", "y", "yaw_deg", "pitch_deg", "roll_deg"):
        made[name][1::2] = made[name][::2]
    made["motion"][1::2] = 0.0

    assert jump_of(made) < LIMIT


@pytest.mark.parametrize("name", ["track", "series", "short", "outside"])
def test_what_cannot_be_measured_is_no_number(name: str) -> None:
    track, series = rows(take())
    span = {"short": (0.0, 0.2), "outside": (90.0, 99.0)}.get(name, (0.0, 6.0))
    given = (None if name == "track" else track, None if name == "series" else series)

    assert splice_jump(*given, span, PROFILE.scores) == (None, "too_few_frames")


def test_a_face_without_extent_or_mesh_is_not_measured() -> None:
    track, series = rows(take())
    track |= {"boxes": [[0.4, 0.4, 0.4, 0.4]] * FRAMES, "mesh_score": [0.0] * FRAMES}

    assert splice_jump(track, series, (0.0, 6.0), PROFILE.scores) == (None, "too_few_frames")
