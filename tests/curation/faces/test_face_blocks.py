"""Linking people of a large lake: few comparisons, and nearly what comparing everybody would give."""

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from speakervid_dag.config.profiles import load_profile
from speakervid_dag.curation.faces.blocks import FaceBlocks
from speakervid_dag.curation.faces.clusters import KNOWN_COLUMNS, link_identities

pytestmark = pytest.mark.heavy

SETTINGS = load_profile("speakervid-5m").identity
BLOCKING = SETTINGS.blocking
EXACT = SETTINGS.model_copy(update={"blocking": BLOCKING.model_copy(update={"exact_people": 10**9})})


def faces(count: int, alike: float, dims: int = 512, cone: float = 0.0, seed: int = 0) -> NDArray[np.float32]:
    """Unit vectors, each person twice with that cosine on average; all within a cone when its cosine is above 0."""
    rng = np.random.default_rng(seed)
    axis = rng.standard_normal(dims)

    def unit(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return x / np.linalg.norm(x, axis=-1, keepdims=True)

    people = np.repeat(unit(rng.standard_normal((count // 2, dims))), 2, axis=0)
    own = (alike - cone) / (1 - cone)
    mixed = np.sqrt(own) * people + np.sqrt(1 - own) * unit(rng.standard_normal((count, dims)))
    vectors = np.sqrt(cone) * unit(axis) + np.sqrt(1 - cone) * unit(mixed)
    return unit(vectors)[rng.permutation(count)].astype(np.float32)


def lake(vectors: NDArray[np.float32], found: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """People of earlier batches, and the last `found` of them as a new batch's."""
    ids = [f"v{i:06d}" for i in range(len(vectors))]
    rows = pl.DataFrame(
        {"batch": "b1", "video_id": ids, "person_id": ids, "identity_id": ids, "face_embedding": vectors.tolist()},
        schema_overrides={"face_embedding": pl.List(pl.Float32)},
    ).select(KNOWN_COLUMNS)
    return rows.tail(found), rows.head(len(vectors) - found)


@pytest.mark.parametrize(
    ("alike", "dims", "cone", "least"),
    [(0.7, 512, 0.0, 0.99), (0.6, 512, 0.0, 0.95), (0.97, 128, 0.87, 0.99)],
    ids=["arcface", "arcface_barely", "dlib"],
)
def test_blocking_finds_nearly_all_that_comparing_everybody_finds_and_nothing_else(
    alike: float, dims: int, cone: float, least: float
) -> None:
    found, known = lake(faces(5_000, alike, dims, cone), found=300)

    blocked = link_identities(found, known, SETTINGS)
    exact = link_identities(found, known, EXACT)

    linked = exact["identity_similarity"].is_not_null()
    same = blocked["identity_id"] == exact["identity_id"]
    assert linked.sum() > 150
    assert (same & linked).sum() >= least * linked.sum()
    assert same.filter(~linked).all()


def test_a_lake_below_the_limit_is_compared_exactly() -> None:
    vectors = faces(BLOCKING.exact_people, 0.6)
    blocks = FaceBlocks(vectors, BLOCKING)

    assert blocks.is_exact
    assert blocks.earlier(1_000).tolist() == list(range(1_000))


def test_the_same_vectors_fall_into_the_same_blocks() -> None:
    vectors = faces(5_000, 0.6)

    first, second = FaceBlocks(vectors, BLOCKING), FaceBlocks(vectors, BLOCKING)

    for place in range(4_900, 5_000):
        assert first.earlier(place).tolist() == second.earlier(place).tolist()
        assert (first.earlier(place) < place).all()


def test_comparisons_stay_near_linear_in_the_number_of_people() -> None:
    def comparisons(count: int) -> float:
        """Of linking them all, each with those before; from every 40th of them."""
        blocks = FaceBlocks(faces(count, 0.6), BLOCKING)
        for place in range(0, count, 40):
            blocks.earlier(place)
        return blocks.comparisons * 40.0

    small, large = comparisons(5_000), comparisons(20_000)

    assert large < 0.1 * 20_000**2 / 2
    assert large < 4 * 1.3 * small
