"""What the lip network's answers mean: the video's offset, margins, own, foreign and not measurable."""

import numpy as np
import pytest

from speakervid_dag.curation.speaking.lip_frames import LipFrames
from speakervid_dag.curation.speaking.lip_scores import FaceScores, video_scores


def face(seconds: float, yaw_deg: float = 0.0, first: int = 0, late: int = 0) -> LipFrames:
    count = round(25 * seconds)
    pictures = [np.zeros((count, side, side), np.uint8) for side in (72, 64)]
    state = np.tile(np.array([1.0, 100.0, yaw_deg], np.float32), (count, 1))
    return LipFrames(first, *pictures, np.full((count, 40), late, np.float32), state, np.ones(count, bool))  # type: ignore[call-arg]


class Model:
    """Faces agree with the sound as many frames later as their first lip coordinate says, by `strength`."""

    def __init__(self, strength: float = 0.5) -> None:
        self.strength = strength
        self.lags: list[int] = []

    def sound(self, samples: np.ndarray, frames: int) -> int:
        return frames

    def mouth(self, mouths: np.ndarray, faces: np.ndarray, lips: np.ndarray, *rest: np.ndarray) -> tuple[int, int]:
        return len(mouths), round(float(lips[0, 0])) if len(lips) else 0

    def synchrony(self, mouth: tuple[int, int], sound: int, first: int) -> np.ndarray:
        count, late = mouth
        near = np.zeros((count, 31), np.float32)
        near[:, 14 + late : 17 + late] = np.array([0.5, 1, 0.5]) * self.strength
        return near

    def talking(self, mouth: tuple[int, int], sound: int, first: int, lag: int = 0) -> np.ndarray:
        self.lags.append(lag)
        return np.full(mouth[0], 1.0 + lag, np.float32)


def scores(model: Model, *faces: tuple[str, LipFrames]) -> dict[str, FaceScores]:
    """By person: each has one track."""
    return video_scores(model, [(name, name, track) for name, track in faces], np.zeros(16000 * 30, np.float32))


def test_the_offset_of_the_video_moves_the_sound() -> None:
    model = Model()
    found = scores(model, ("a", face(10, late=3)), ("b", face(4, late=3, first=50)))
    assert [f.offset_frames for f in found.values()] == [pytest.approx(3.9, abs=0.1)] * 2  # of the network's zero
    assert set(model.lags) == {0, 3}
    assert (found["b"].talking == 4).all()
    assert found["b"].margins[0] > 0.15


def test_a_person_from_another_source_has_an_offset_of_their_own() -> None:
    found = scores(Model(), ("a", face(20, late=3)), ("b", face(5, late=-4, first=50)), ("c", face(2, late=-4)))
    assert found["a"].offset_frames == found["c"].offset_frames == pytest.approx(3.9, abs=0.1)
    assert found["b"].offset_frames == pytest.approx(-3.1, abs=0.1)
    assert found["b"].margins[0] > 0.15
    assert found["c"].margins[0] < 0.05, "too short to be believed"


def test_the_tracks_of_a_person_have_one_offset() -> None:
    tracks = [(f"b{n}", "b", face(2, late=-4, first=60 * n)) for n in range(3)]
    found = video_scores(Model(), [("a", "a", face(20, late=3)), *tracks], np.zeros(16000 * 30, np.float32))
    assert [found[f"b{n}"].offset_frames for n in range(3)] == [pytest.approx(-3.1, abs=0.1)] * 3


def test_a_short_or_a_vague_video_has_no_offset() -> None:
    for model, track, agrees in ((Model(), face(3, late=3), True), (Model(0.05), face(20, late=3), False)):
        (found,) = scores(model, ("a", track)).values()
        assert found.offset_frames is None
        assert (found.margins > 0.15).all() == agrees, "faces are compared where they suit best"
        assert set(model.lags) == {0}, "talking is asked where the sound is told to be"


def test_a_blink_of_a_face_is_compared_where_the_sound_is_told_to_be() -> None:
    (found,) = scores(Model(), ("a", face(0.5, late=5))).values()
    assert found.offset_frames is None
    assert (found.margins < 0.15).all()


def test_a_video_without_a_face_has_no_scores() -> None:
    assert scores(Model()) == {}


def test_turned_small_and_unseen_faces_are_not_readable() -> None:
    turned, seen = face(2, yaw_deg=50.0), face(2)
    seen.is_seen[:10], seen.state[10:20, 1], seen.state[20:30, 0] = False, 20, 0.1
    found = scores(Model(), ("turned", turned), ("seen", seen))
    assert not found["turned"].is_readable.any()
    assert np.flatnonzero(found["seen"].is_readable).tolist() == list(range(30, 50))
    assert np.isnan(found["seen"].margins[:10]).all()
    assert np.isnan(found["seen"].talking[:10]).all()
