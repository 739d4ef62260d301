"""The backends that look at face pictures, with networks of known answers handed in."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scenes import grey_crops, scene_of

from speakervid_dag.curation.speaking import light_asd, syncnet
from speakervid_dag.curation.speaking.light_asd import LightASDBackend, grey
from speakervid_dag.curation.speaking.sync import sync_figures
from speakervid_dag.curation.speaking.syncnet import SyncNetBackend, lag_distances

Floats = NDArray[np.float32]


class Brightness:
    """Says that a face talks when its picture is brighter than 119."""

    def scores(self, faces: NDArray[np.uint8], samples: Floats) -> Floats:
        assert samples.shape == (len(faces) * 640,)
        return np.asarray(faces.mean(axis=(1, 2)) - 119, np.float32)


class Constant:
    """Puts all faces into one point, and all sound into another, 3 apart."""

    def embed_faces(self, pictures: NDArray[np.uint8]) -> Floats:
        return np.zeros((len(pictures) - 4, 1), np.float32)

    def embed_sound(self, samples: Floats, count: int) -> Floats:
        assert samples.shape == ((count + 5) * 640,)
        return np.full((count, 1), 3, np.float32)


SOUND = np.zeros(100 * 640, np.float32)


def test_every_picture_has_log_odds_and_one_without_a_face_has_none() -> None:
    found = LightASDBackend(Brightness()).log_odds(grey_crops(50), SOUND, 0, 60)
    assert found.shape == (60,)
    np.testing.assert_allclose(found[:50], np.arange(50) - 29, atol=1)  # brightness is 90 + number of the picture
    assert np.isnan(found[52:]).all()
    np.testing.assert_allclose(LightASDBackend(Brightness()).log_odds(grey_crops(50), SOUND, 10, 20), found[10:30])


def test_long_tracks_are_scored_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(light_asd, "_CHUNK", 10)
    found = LightASDBackend(Brightness()).log_odds(grey_crops(50), SOUND, 0, 50)
    np.testing.assert_allclose(found, np.arange(50) - 29, atol=1)


def test_synchrony_is_the_mean_distance_of_all_windows_at_each_lag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syncnet, "_CHUNK", 16)  # windows held at once: a third of them
    scene = scene_of(grey_crops(50), 2.0)
    (found,) = SyncNetBackend(Constant()).measure(scene).values()
    assert found.distances is not None
    np.testing.assert_allclose(found.distances.values, np.full(31, 3.0))
    (short,) = SyncNetBackend(Constant()).measure(scene_of(grey_crops(4), 0.16)).values()
    assert (short.distances, short.reason) == (None, "too_short")


def test_grey_is_the_luma_of_bgr() -> None:
    picture = np.zeros((1, 2, 2, 3), np.uint8)
    picture[0, 0, 0], picture[0, 1, 1] = (255, 0, 0), (0, 0, 255)
    assert grey(picture)[0].tolist() == [[29, 0], [0, 76]]


@pytest.mark.parametrize("late", [-15, -4, 0, 9])
def test_a_planted_offset_is_found_with_its_sign(late: int) -> None:
    """The sound shows at row i + late what the picture shows at row i: positive = audio late."""
    rng = np.random.default_rng(1)
    both = rng.normal(0, 1, (120, 16)).astype(np.float32)
    seen, heard = both[40:80], both[40 - 15 - late : 80 + 15 - late]
    distance = lag_distances(seen, heard, np.ones(40, bool), 15)
    conf, dist, offset = sync_figures(distance)
    assert offset == late
    assert dist == pytest.approx(0, abs=1e-5)
    assert conf == pytest.approx(float(np.median(distance)), abs=1e-5)


def test_confidence_is_median_minus_least_and_unseen_pictures_do_not_count() -> None:
    distance = np.full(31, 7.0)
    distance[14] = 4.0
    assert sync_figures(distance) == (3.0, 4.0, -1)
    seen, heard = np.zeros((3, 2), np.float32), np.zeros((5, 2), np.float32)
    seen[1] = 100.0
    np.testing.assert_allclose(lag_distances(seen, heard, np.array([True, False, True]), 1), 0)
