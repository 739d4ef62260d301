"""What the lip network's answers mean: the video's offset, margins, own, foreign and not measurable."""

import numpy as np

from speakervid_dag.curation.speaking.lip_frames import LipFrames
from speakervid_dag.curation.speaking.lip_scores import FaceScores, VideoScores, verdict, video_lag, video_scores


def face(seconds: int, yaw_deg: float = 0.0, first: int = 0) -> LipFrames:
    count = 25 * seconds
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
    found = video_scores(model, {"a": face(10), "b": face(4, first=50)}, np.zeros(16000 * 10, np.float32))
    assert found.offset_frames is not None
    assert abs(found.offset_frames - 3.9) < 0.1  # of the network's zero
    assert found.lag == 3
    assert set(model.lags) == {0, 3}
    assert (found.faces["b"].talking == 4).all()
    assert found.faces["b"].margins[0] > 0.15
    np.testing.assert_allclose(found.faces["b"].evidence, 4 + 4 * (found.faces["b"].margins - 0.12), rtol=1e-5)


def test_a_short_or_a_vague_video_has_no_offset() -> None:
    assert video_scores(Model(late=3), {"a": face(5)}, np.zeros(16000, np.float32)).offset_frames is None
    assert video_lag([np.full((500, 31), 0.2, np.float32)]) is None
    assert video_lag([]) is None


def test_foreign_is_told_apart_from_not_measurable() -> None:
    def scores(agreement: float, is_readable: bool, offset: float | None = 3.9) -> VideoScores:
        near = np.zeros((100, 31), np.float32)
        near[:, 17:20] = agreement
        values = np.full(100, 0.0, np.float32)
        face = FaceScores(0, values, near, values, values, np.full(100, is_readable))
        return VideoScores(offset, 0 if offset is None else 3, {"a": face})

    part = slice(10, 80)
    assert verdict(scores(0.2, True), "a", part, 0.1) == "own"
    assert verdict(scores(0.2, True, None), "a", part, 0.1) == "own"  # its lag suits it, wherever it is
    assert verdict(scores(0.2, False), "a", part, 0.1) == "own"
    assert verdict(scores(0.02, True), "a", part, 0.1) == "foreign"
    assert verdict(scores(0.02, False), "a", part, 0.1) == "not_measurable"
    unseen = scores(0.2, True)
    unseen.faces["a"].margins[:] = np.nan
    assert verdict(unseen, "a", part, 0.1) == "not_measurable"
