"""The text detector on generated pictures: captions move the share of text, and what is no text does not."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from speakervid_dag.config.profiles import load_profile
from speakervid_dag.curation.clock import PartClock
from speakervid_dag.curation.faces.geometry import Box
from speakervid_dag.curation.frames.log import FrameLog, ShotSpan
from speakervid_dag.curation.frames.texture import text_share
from speakervid_dag.curation.scores.camera import picture_scores
from speakervid_dag.models.text_detector import TextDetector

PROFILE = load_profile("laptop")
LINES = ("SO WHAT DID YOU SAY THEN", "I said that we should go", "And did they listen to you?", "BREAKING NEWS TONIGHT")


class Seen:
    def __init__(self, time_s: float, image: NDArray[np.uint8]) -> None:
        self.time_s, self.image = time_s, image


@pytest.fixture(scope="module")
def detector(need: Callable[..., None]) -> TextDetector:
    need("text_detector")
    return TextDetector(1)


def picture(lines: int, height: int = 360, width: int = 640) -> NDArray[np.uint8]:
    """A soft, coloured background with that many lines of captions, white with a black rim."""
    soft = cv2.resize(np.random.default_rng(0).integers(60, 160, (6, 10, 3), dtype=np.uint8), (width, height))
    image = np.asarray(cv2.GaussianBlur(soft, (0, 0), 5))
    for number, words in enumerate(LINES[:lines]):
        for colour, thickness in (((0, 0, 0), 6), ((255, 255, 255), 2)):
            place = (60, height - 30 - 60 * number)
            cv2.putText(image, words, place, cv2.FONT_HERSHEY_SIMPLEX, 1.1, colour, thickness, cv2.LINE_AA)
    return image


def share(detector: TextDetector, image: NDArray[np.uint8], faces: Sequence[Box] = ()) -> float:
    found = detector.probability(image, PROFILE.sampling.text_long_side_px)
    return text_share(found, faces, PROFILE.sampling.min_text_score)


def test_more_captions_more_text(detector: TextDetector) -> None:
    shares = [share(detector, picture(lines)) for lines in range(5)]

    assert shares[0] == 0.0
    assert all(a + 0.01 < b for a, b in pairwise(shares))


def test_stripes_noise_and_a_drawn_face_are_no_text(detector: TextDetector) -> None:
    stripes = np.zeros((360, 640, 3), np.uint8)
    stripes[:, ::40] = stripes[:, 1::40] = 200
    face = picture(0)
    cv2.ellipse(face, (320, 180), (70, 95), 0, 0, 360, (140, 170, 210), -1, cv2.LINE_AA)
    for x in (290, 350):
        cv2.circle(face, (x, 160), 8, (40, 40, 40), -1, cv2.LINE_AA)
    noise = np.random.default_rng(1).integers(0, 256, (360, 640, 3), dtype=np.uint8)

    assert [share(detector, image) for image in (stripes, noise)] == pytest.approx([0, 0], abs=0.002)
    assert share(detector, face) > 0.005  # two eyes and no more are taken for letters: so faces are left out
    assert share(detector, face, [(0.35, 0.2, 0.65, 0.8)]) == 0.0


@pytest.mark.parametrize(("lines", "least", "most"), [(0, 0.0, 0.0), (1, 0.01, 0.06), (3, 0.03, 0.2)])
def test_a_clips_score_is_what_stays_on_the_screen(
    detector: TextDetector, lines: int, least: float, most: float
) -> None:
    log = FrameLog(ShotSpan("s", 0.0, 4.0), PROFILE.sampling, PartClock(), text=detector)
    for number in range(20):  # 5 frames a second; for two looks of five the screen is full
        frame = Seen(number / 5, picture(4 if number < 5 else lines))
        log.note(frame)
        log.look(frame, [])
    row = {k: v.to_list() if hasattr(v, "to_list") else v for k, v in log.row().items()}
    value, status = picture_scores(row, (0.0, 4.0), PROFILE.scores, (), "-")["text_share"]

    assert status == "ok"
    assert len(row["text_share"]) == 5
    assert least <= float(value or 0) <= most


def test_text_on_a_face_does_not_count() -> None:
    found = np.zeros((10, 20), np.float32)
    found[2:4, 5:15] = 0.9

    assert text_share(found, [], 0.3) == pytest.approx(0.1)
    assert text_share(found, [(0.25, 0.0, 0.5, 1.0)], 0.3) == pytest.approx(0.05)
    assert text_share(found, [], 0.95) == 0.0
