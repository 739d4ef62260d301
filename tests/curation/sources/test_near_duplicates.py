"""Copies of a source are found whatever was done to the picture; others of the same person and place are not."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from speakervid_dag.config.profiles import load_profile
from speakervid_dag.curation.sources.fingerprints import Fingerprint, Fingerprinter, picture_hash
from speakervid_dag.curation.sources.near_duplicates import candidates, duplicate_rows, find_duplicates
from speakervid_dag.curation.sources.shots import signature_of

pytestmark = pytest.mark.heavy

SETTINGS = load_profile("speakervid-5m").near_duplicates
FPS, LENGTH_S = 12.5, 16.0
Image = NDArray[np.uint8]


@dataclass
class Frame:
    time_s: float
    image: Image


def portrait(place: int, speech: int, length_s: float = LENGTH_S) -> Iterator[Image]:
    """A head before a wall (`place`), whose mouth and nod follow `speech`; 144 x 192."""
    import cv2

    wall = np.random.default_rng(place).random((6, 8)).astype(np.float32)
    scene = cv2.resize(wall, (192, 144), interpolation=cv2.INTER_CUBIC) * 150 + 50
    rng = np.random.default_rng(1000 + speech)
    count = round(length_s * FPS)
    loud = np.repeat(rng.random(count // 4 + 1) ** 2, 4)[:count]
    nod = np.cumsum(rng.normal(size=count) * loud) * 0.8
    for k in range(count):
        image = np.repeat(scene[:, :, None], 3, axis=2).clip(0, 255).astype(np.uint8)
        y = round(70 + float(np.clip(nod[k], -8, 8)))
        cv2.ellipse(image, (96, y), (30, 42), 0, 0, 360, (150, 180, 220), -1)
        cv2.ellipse(image, (96, y + 22), (12, 1 + round(9 * loud[k] * (k % 2))), 0, 0, 360, (40, 40, 90), -1)
        yield image


def fingerprint(
    images: Iterator[Image], change: Callable[[Image], Image] = lambda i: i, skip_s: float = 0
) -> Fingerprint:
    printer = Fingerprinter()
    for k, image in enumerate(images):
        if k >= skip_s * FPS:
            printer.feed(signature_of(Frame((k - round(skip_s * FPS)) / FPS, change(image)), 16))
    return printer.finish()


def coded(image: Image) -> Image:
    import cv2

    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 25])[1], cv2.IMREAD_COLOR)


def scaled(image: Image) -> Image:
    import cv2

    return cv2.resize(image, (96, 72), interpolation=cv2.INTER_AREA)


def cropped(image: Image) -> Image:
    height, width = image.shape[:2]
    return np.ascontiguousarray(image[height // 40 : -(height // 40), width // 40 : -(width // 40)])


def mirrored(image: Image) -> Image:
    return np.ascontiguousarray(image[:, ::-1])


@pytest.fixture(scope="module")
def original() -> Fingerprint:
    return fingerprint(portrait(1, 1))


@pytest.mark.parametrize("change", [coded, scaled, cropped])
def test_a_copy_is_found_whole(original: Fingerprint, change: Callable[[Image], Image]) -> None:
    copy = fingerprint(portrait(1, 1), change)

    (found,) = find_duplicates(copy, original, SETTINGS)

    assert (found.start_s, found.end_s) == (0.0, LENGTH_S)
    assert found.offset_s == pytest.approx(0.0, abs=0.01)
    assert candidates([("copy", copy.look_hashes)], [("a", original.look_hashes)], SETTINGS) == {"copy": ["a"]}


@pytest.mark.parametrize("skip_s", [3.0, 3.24])
def test_a_copy_without_its_beginning_is_found_at_its_offset(original: Fingerprint, skip_s: float) -> None:
    (found,) = find_duplicates(fingerprint(portrait(1, 1), coded, skip_s), original, SETTINGS)

    assert found.offset_s == pytest.approx(skip_s, abs=0.21)
    assert found.end_s - found.start_s >= LENGTH_S - skip_s - 1


def test_rows_end_with_the_source_and_say_their_share(original: Fingerprint) -> None:
    copy = fingerprint(portrait(1, 1), coded)

    (row,) = duplicate_rows(copy, original, 15.9, SETTINGS)

    assert (row["end_s"], row["share"]) == (15.9, 1.0)


def test_a_mirrored_copy_is_not_found(original: Fingerprint) -> None:
    assert find_duplicates(fingerprint(portrait(1, 1), mirrored), original, SETTINGS) == []


@pytest.mark.parametrize("speech", range(2, 8))
def test_the_same_portrait_saying_something_else_is_no_duplicate(original: Fingerprint, speech: int) -> None:
    other = fingerprint(portrait(1, speech))

    looks = find_duplicates(other, original, SETTINGS.model_copy(update={"min_agreement": -0.99}))
    assert looks, "the looks alone agree: that is the trap"
    assert find_duplicates(other, original, SETTINGS) == []


def test_a_still_picture_is_no_evidence() -> None:
    still = fingerprint(iter([next(portrait(1, 1))] * 200))

    assert find_duplicates(still, still, SETTINGS) == []


def test_a_stretch_shorter_than_the_shortest_is_nothing() -> None:
    short = fingerprint(portrait(1, 1, length_s=SETTINGS.min_s - 1))

    assert find_duplicates(short, short, SETTINGS) == []


def test_frames_that_are_not_there_stay_unknown() -> None:
    printer = Fingerprinter()
    for time_s in (1.1, 1.2, 2.0):
        printer.feed(signature_of(Frame(time_s, next(portrait(1, 1))), 16))
    made = printer.finish()

    assert [h is None for h in made.look_hashes] == [True, True, False, True, False]
    assert [a is None for a in made.activity] == [True] * 5 + [False, False] + [True] * 3 + [False]
    assert Fingerprinter().finish() == Fingerprint([], [])


def test_alike_pictures_have_near_hashes_and_others_far_ones() -> None:
    a, b = (signature_of(Frame(0, next(portrait(place, 1))), 16).structure for place in (1, 2))
    near = signature_of(Frame(0, coded(next(portrait(1, 1)))), 16).structure

    def apart(x: NDArray[np.float32], y: NDArray[np.float32]) -> int:
        return bin((picture_hash(x) ^ picture_hash(y)) & (2**64 - 1)).count("1")

    assert apart(a, near) <= 6 < 20 <= apart(a, b)


def test_candidates_come_from_before_and_a_band_of_everybody_tells_nothing() -> None:
    rng = np.random.default_rng(0)
    looks = {i: [int(h) for h in rng.integers(-(2**63), 2**63 - 1, 20)] for i in range(400)}
    known = [(f"k{i:03d}", [*looks[i], 0]) for i in range(300)]  # black somewhere in all of them
    own = [("x", [*looks[7], 0]), ("y", [*looks[350], 0]), ("z", [*looks[350], 0])]

    near = candidates(own, known, SETTINGS)

    assert near["x"][0] == "k007"
    assert "y" in near["z"]
    assert "z" not in near["y"]
    assert sum(map(len, near.values())) < 10, "of 300 sources with black, only those with a look in common are compared"
