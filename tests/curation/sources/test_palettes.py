"""The colours of shots: alike in one room, unlike in two, and never mixed over a cut."""

from types import SimpleNamespace

import numpy as np
import pytest
from conversations import section_values

from speakervid_dag.config.sections import ShotSettings
from speakervid_dag.curation.sources.palettes import BINS, PaletteSampler, colour_shares

RED, BLUE, GREY = (np.full((36, 64, 3), colour, np.uint8) for colour in ((20, 20, 220), (220, 40, 20), (90, 90, 90)))


@pytest.fixture
def settings() -> ShotSettings:
    return ShotSettings.model_validate(section_values()["shots"])


def common(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.minimum(a, b).sum())


def test_shares_are_shares() -> None:
    shares = colour_shares(np.random.default_rng(0).integers(0, 255, (36, 64, 3)).astype(np.uint8))
    assert shares.shape == (np.prod(BINS),)
    assert shares.sum() == pytest.approx(1.0, abs=1e-5)
    assert shares.min() >= 0


def test_the_same_colours_elsewhere_in_the_picture_are_the_same_palette() -> None:
    room = np.concatenate([RED, BLUE], axis=1)
    turned = np.concatenate([BLUE, RED], axis=1)
    assert common(colour_shares(room), colour_shares(turned)) == pytest.approx(1.0, abs=1e-5)
    assert common(colour_shares(room), colour_shares(np.concatenate([RED, GREY], axis=1))) == pytest.approx(
        0.5, abs=0.01
    )
    assert common(colour_shares(RED), colour_shares(GREY)) == 0.0


def test_a_shot_has_the_colours_between_its_cuts(settings: ShotSettings) -> None:
    sampler = PaletteSampler(settings)
    for i in range(50):
        sampler.feed(SimpleNamespace(time_s=i / 25, image=RED if i < 25 else BLUE))
    first, second, unseen = sampler.finish([(0.0, 1.0), (1.0, 2.0), (2.0, 2.1)])
    assert first is not None
    assert second is not None
    assert common(np.array(first), colour_shares(RED)) == pytest.approx(1.0, abs=1e-3)
    assert common(np.array(second), colour_shares(BLUE)) == pytest.approx(1.0, abs=1e-3)
    assert unseen is None
