"""DOVER's two views of a clip, to the frame and the pixel, and the formulas over its raw outputs."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from speakervid_dag.curation.scores import dover as dover_views
from speakervid_dag.curation.scores.dover import DoverLook, aesthetic_frames, fragments, fused, technical_frames

CLIP = {"clip_id": "c", "start_s": 1.0, "end_s": 5.0, "x1": 0.25, "y1": 0.0, "x2": 0.75, "y2": 1.0}


class Model:
    """Remembers what it was given; its technical score is the mean of its view."""

    runs = 2

    def __init__(self, technical: float | None = None) -> None:
        self.technical = technical
        self.given: list[NDArray[np.float32]] = []

    def raw(self, aesthetic: NDArray[np.float32], technical: NDArray[np.float32]) -> tuple[float, float]:
        self.given = [aesthetic, technical]
        return float(technical.mean()) if self.technical is None else self.technical, -0.08285


def test_the_aesthetic_view_takes_the_middle_of_each_32nd() -> None:
    assert aesthetic_frames(32).tolist() == list(range(32))
    assert aesthetic_frames(330).tolist() == [10 * i + 4 for i in range(32)]  # cells of 10, a room of 8


def test_the_technical_view_takes_every_second_frame_of_runs() -> None:
    runs = technical_frames(300, 3)  # cells of 100, a run of 64: 36 to spare
    assert [run[0] for run in runs] == [18, 118, 218]
    assert {tuple(np.diff(run)) for run in runs} == {(2,) * 31}


def test_a_run_longer_than_its_part_goes_on_at_the_start() -> None:
    first, _, last = technical_frames(99, 3).tolist()
    assert (first[0], first[-1]) == (0, 62)
    assert last == [(66 + 2 * i) % 99 for i in range(32)]


@given(count=st.integers(32, 2000), runs=st.integers(1, 6))
def test_frames_lie_in_the_clip(count: int, runs: int) -> None:
    assert aesthetic_frames(count).shape == (32,)
    assert technical_frames(count, runs).shape == (runs, 32)
    for chosen in (aesthetic_frames(count), technical_frames(count, runs)):
        assert chosen.min() >= 0
        assert chosen.max() < count
    assert (np.diff(aesthetic_frames(count)) > 0).all()


def test_fragments_are_the_middles_of_49_cells_unscaled() -> None:
    rows, columns = np.mgrid[:448, :700]
    picture = np.stack([rows % 256, columns % 256, columns // 256], axis=2).astype(np.uint8)
    seen = fragments(picture)
    assert seen.shape == (224, 224, 3)
    for i, j in ((0, 0), (3, 5), (6, 6)):
        top, left = 64 * i + 16, 100 * j + 34  # cells of 64 and 100 px
        piece = seen[32 * i : 32 * i + 32, 32 * j : 32 * j + 32]
        np.testing.assert_array_equal(piece, picture[top : top + 32, left : left + 32])


@given(height=st.integers(32, 500), width=st.integers(32, 500))
def test_any_picture_gives_a_view(height: int, width: int) -> None:
    assert fragments(np.zeros((height, width, 3), np.uint8)).shape == (224, 224, 3)


def test_a_small_picture_is_enlarged_whole() -> None:
    picture = np.zeros((100, 112, 3), np.uint8)
    picture[50:] = 200
    seen = fragments(picture)
    assert seen[:96].max() == 0
    assert seen[128:].min() == 200


def test_input_is_normalised_rgb_by_channel_then_time() -> None:
    pictures = np.zeros((2, 224, 224, 3), np.uint8)
    pictures[1] = (0, 0, 255)  # red, as BGR
    given = dover_views.as_input(pictures)
    assert given.shape == (3, 2, 224, 224)
    assert given[0, 1, 0, 0] == pytest.approx((255 - 123.675) / 58.395)
    assert given[2, 1, 0, 0] == pytest.approx(-103.53 / 57.375)


def test_scores_are_dovers_own_formulas() -> None:
    assert fused(0.1107, -0.08285) == 0.5
    assert dover_views.technical_z(0.1107 + 7 * 0.07355) == pytest.approx(7)
    assert fused(0.1107 + 0.07355, -0.08285) == pytest.approx(1 / (1 + np.exp(-0.6104)))
    assert fused(0.1107, -0.08285 - 0.03774) == pytest.approx(1 / (1 + np.exp(0.3896)))
    assert fused(-1e6, -1e6) == 0
    assert fused(1e6, 1e6) == 1


def looked(
    model: Any, count: int = 100, shape: tuple[int, int] = (224, 896), box: dict[str, float] | None = None
) -> Any:
    """A look at a clip of `count` frames of the shot's; frame n is n grey in the box, white outside."""
    times = np.arange(count + 50) * 4 / count
    look = DoverLook({**CLIP, **(box or {})}, times, model=model)
    shade = np.round((times - 1) * count / 4).clip(0, 254)
    for time_s, grey in zip(times, shade, strict=True):
        if float(time_s) in look.times_s:
            image = np.full((*shape, 3), 255, np.uint8)
            image[:, shape[1] // 4 : shape[1] * 3 // 4] = int(grey)
            look.see(float(time_s), image)
    return look


def test_the_model_is_given_the_clips_own_frames_inside_its_box() -> None:
    model = Model()
    scores = looked(model).answer()
    aesthetic, technical = model.given
    assert (aesthetic.shape, technical.shape) == ((1, 3, 32, 224, 224), (2, 3, 32, 224, 224))
    numbers = np.round(aesthetic[0, 0] * 58.395 + 123.675)
    assert numbers.std(axis=(1, 2)).max() == 0  # nothing of what lies outside the box
    assert numbers[:, 0, 0].tolist() == aesthetic_frames(100).tolist()
    told = np.round(technical[:, 0, :, 0, 0] * 58.395 + 123.675)
    assert told.tolist() == technical_frames(100, 2).tolist()
    assert scores["dover_technical"] == (pytest.approx(dover_views.technical_z(float(technical.mean()))), "ok")
    value, _ = scores["video_quality"]
    assert isinstance(value, float)
    assert 0 < value < 1


@pytest.mark.parametrize(
    ("reason", "look"),
    [
        ("too_few_frames", {"count": 31}),
        ("too_small", {"shape": (31, 896)}),
        ("too_small", {"box": {"x2": 0.25}}),
    ],
)
def test_what_cannot_be_judged_says_why(reason: str, look: dict[str, Any]) -> None:
    assert looked(Model(), **look).answer() == dict.fromkeys(dover_views.NAMES, (None, reason))


def test_a_score_that_is_no_number_is_none() -> None:
    assert looked(Model(float("nan"))).answer() == dict.fromkeys(dover_views.NAMES, (None, "not_finite"))
