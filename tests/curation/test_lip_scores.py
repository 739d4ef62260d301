"""What the lip network's answers mean: the video's offset, margins, own, foreign and not measurable."""

import numpy as np

from speakervid_dag.curation.speaking.lip_frames import LipFrames
from speakervid_dag.curation.speaking.lip_scores import video_scores


def face(seconds: float, yaw_deg: float = 0.0, first: int = 0) -> LipFrames:
    count = round(25 * seconds)
    pictures = [np.zeros((count, side, side), np.uint8) for side in (72, 64)]
    state = np.tile(np.array([1.0, 100.0, yaw_deg], np.float32), (count, 1))
    return LipFrames(first, *pictures, np.ones((count, 40), np.float32), state, np.ones(count, bool))  # type: ignore[call-arg]


class Model:
    """Faces agree with the sound `late` frames later as much as the first value of their state says."""

    def __init__(self, late: int, strength: float = 0.5) -> None:
        self.late, self.strength = late, strength
        self.lags: list[int] = []

    def sound(self, samples: np.ndarray, frames: int) -> int:
        return frames

    def mouth(self, mouths: np.ndarray, *rest: np.ndarray) -> int:
        return len(mouths)

    def synchrony(self, mouth: int, sound: int, first: int) -> np.ndarray:
        near = np.zeros((mouth, 31), np.float32)
        near[:, 14 + self.late : 17 + self.late] = np.array([0.5, 1, 0.5]) * self.strength
        return near

    def talking(self, mouth: int, sound: int, first: int, lag: int = 0) -> np.ndarray:
        self.lags.append(lag)
        return np.full(mouth, 1.0 + lag, np.float32)


def test_the_offset_of_the_video_moves_the_sound() -> None:
    model = Model(late=3)
    found = video_scores(model, [("a", face(10)), ("b", face(4, first=50))], np.zeros(16000 * 10, np.float32))
    assert found.offset_frames is not None
    assert abs(found.offset_frames - 3.9) < 0.1  # of the network's zero
    assert found.lag == 3
    assert set(model.lags) == {0, 3}
    assert (found.faces["b"].talking == 4).all()
    assert found.faces["b"].margins[0] > 0.15


def test_a_short_or_a_vague_video_has_no_offset() -> None:
    sound = np.zeros(16000 * 30, np.float32)
    for model, seconds, lag in ((Model(late=3), 5, 3), (Model(late=3, strength=0.05), 20, 3), (Model(late=0), 0.5, 0)):
        found = video_scores(model, [("a", face(seconds))], sound)
        assert (found.offset_frames, found.lag) == (None, lag), "faces are compared where they suit best"
        assert set(model.lags) == {0}, "talking is asked where the sound is told to be"


def test_a_video_without_a_face_has_no_scores() -> None:
    found = video_scores(Model(late=3), [], np.zeros(16000, np.float32))
    assert (found.offset_frames, found.lag, found.faces) == (None, 0, {})


def test_turned_small_and_unseen_faces_are_not_readable() -> None:
    turned, seen = face(2, yaw_deg=50.0), face(2)
    seen.is_seen[:10], seen.state[10:20, 1], seen.state[20:30, 0] = False, 20, 0.1
    found = video_scores(Model(late=0), [("turned", turned), ("seen", seen)], np.zeros(32000, np.float32)).faces
    assert not found["turned"].is_readable.any()
    assert np.flatnonzero(found["seen"].is_readable).tolist() == list(range(30, 50))
    assert np.isnan(found["seen"].margins[:10]).all()
    assert np.isnan(found["seen"].talking[:10]).all()
