"""Programmes of real takes joined by known cuts, dissolves and fades, and takes that are disturbed but not cut.

Belongs here: which files are sources, taking pictures from them, joining and disturbing them. Does not belong here:
detecting shots, comparing them with the truth (shot_scores.py), floors (test_shots.py).

Sources are the real videos of the shared folder that show one take each. A hash of the file name puts each into one of
two halves, so that thresholds can be chosen on one half and reported on the other. Pictures are made at the size of the
product's low-resolution pass. A programme is a function of the half, the seed and its number, whatever else is made.
"""

import hashlib
import io
import itertools
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

HALVES = ("tune", "report")
LENGTHS_S = (0.2, 0.3, 0.5, 0.8, 1.2, 2.0)
CANVASES = ((256, 144), (256, 256), (144, 256))  # width, height: the low-resolution pass has 256 px on the long side
TAKE_S = (3.0, 8.0)
SKIP_S = 2.0  # least time between two takes of one file
_CODED_SCALE = 2  # pictures are coded at twice the size, because the product shrinks what is decoded
_JOINS_PER_PROGRAMME = 6

Image = NDArray[np.uint8]
Random = np.random.Generator

# files with cuts, jump cuts, logos or inserted pictures of their own: from the labels, the manifest and by eye
NOT_ONE_TAKE = [
    "clearervoice_debate_002",
    "datajuicer_two_women_zh",
    "derived_shot_reverse_shot",
    "hamilton_multishot",
    "gestsync_sitcom_sofa",
    "tss_debate_split",
    "speakervid_3",
    "senselab_p124",
    "satya_speech",
    "souvikg_366000_gt",
    "souvikg_139000_gt",
    "souvikg_6000_gt",
    "souvikg_399000_gt",
    "dhfacevid_001406",
    "dhfacevid_034785",
    "dhfacevid_QaFqZQ6JQhs_1",
    "dhfacevid_000680",
    "dhfacevid_001592",
    "dhfacevid_003696",
    "jiho_foreigner_interview",
    "jiho_interview",
    "vanshg_data_p185",
    "vanshg_p185",
    "vanshg_p186",
    "show_half",
    "choi_gVfgkFaswn4_00002",
]


@dataclass(frozen=True)
class Source:
    """One file that shows one take."""

    path: Path
    duration_s: float


@dataclass(frozen=True)
class Join:
    """How one take follows another.

    Args:
        kind: `cut`, `dissolve`, `black` or `white` (a fade through that colour).
        length_s: of the dissolve, or of each ramp of a fade; 0 for a cut.
        hold_s: how long a fade stays empty.
        sides: of a fade: `both`, `out` (then a cut to the next take) or `in`.
        same_scene: the next take is a later one of the same file.
    """

    kind: str
    length_s: float = 0.0
    hold_s: float = 0.0
    sides: str = "both"
    same_scene: bool = False

    @property
    def name(self) -> str:
        """Kind of the join for tables."""
        return f"{self.kind}{', same scene' if self.same_scene else ''}"


@dataclass(frozen=True)
class Transition:
    """A join where it is: from the last frame of one take alone, and whole, to the first of the other."""

    join: Join
    start_s: float
    end_s: float


@dataclass
class Clip:
    """Pictures with their truth.

    Args:
        name: what it is, for tables.
        fps: frames per second.
        images: (height, width, 3) BGR.
        transitions: all joins, in order. Of any other boundary none is right.
        faded_s: fade-in at the start and fade-out at the end: (start, end). They are no boundary.
    """

    name: str
    fps: float
    images: list[Image]
    transitions: list[Transition] = field(default_factory=list)
    faded_s: list[tuple[float, float]] = field(default_factory=list)

    @property
    def duration_s(self) -> float:
        return len(self.images) / self.fps


@cache
def sources(shared: Path, half: str) -> tuple[Source, ...]:
    """Return the files of a half that are long enough for a take, by name."""
    media = shared / "media"
    files = [f for folder in (media, media / "real", media / "talking") for f in folder.iterdir() if f.is_file()]
    found = []
    for path in sorted(files, key=lambda file: file.name):
        if path.suffix in {".mp4", ".avi", ".webm", ".mpg"} and path.stem not in NOT_ONE_TAKE and _half(path) == half:
            with av.open(str(path)) as container:
                duration_s = (container.duration or 0) / av.time_base - 0.2  # sound may end after the pictures
            if duration_s >= TAKE_S[0]:
                found.append(Source(path, duration_s))
    return tuple(found)


def _half(path: Path) -> str:
    return HALVES[hashlib.sha256(path.name.encode()).digest()[0] % 2]


def programmes(shared: Path, half: str, seed: int = 0) -> Iterator[Clip]:
    """Yield the programmes of a half: each has six joins, a shape, a frame rate and a treatment."""
    deck = _deck(np.random.default_rng([seed, HALVES.index(half)]))
    for number, first in enumerate(range(0, len(deck), _JOINS_PER_PROGRAMME)):
        random = np.random.default_rng([seed, HALVES.index(half), number])
        treatment = TREATMENTS[number % len(TREATMENTS)]
        fps = (25.0, 25.0, 24.0, 30.0, 50.0)[number % 5]
        clip = _programme(sources(shared, half), deck[first : first + _JOINS_PER_PROGRAMME], fps, random)
        yield Clip(treatment, fps, _treated(clip.images, treatment, fps), clip.transitions, clip.faded_s)


def _deck(random: Random) -> list[Join]:
    """Return all joins of a half, shuffled."""
    holds, sides = (0.0, 0.1, 0.5), ("both", "both", "both", "out", "in")
    deck = [Join("cut")] * 72 + [Join("cut", same_scene=True)] * 18
    deck += [Join("dissolve", length) for length in LENGTHS_S] * 9
    deck += [Join("dissolve", length, same_scene=True) for length in LENGTHS_S] * 2
    ways = itertools.cycle(itertools.product(holds, sides))
    for colour, times in (("black", 5), ("white", 3)):
        for _, length_s in itertools.product(range(times), LENGTHS_S):
            hold_s, side = next(ways)
            deck.append(Join(colour, length_s, hold_s, side))
    return [deck[i] for i in random.permutation(len(deck))]


def _programme(files: tuple[Source, ...], joins: list[Join], fps: float, random: Random) -> Clip:
    """Return takes joined by the joins; every other programme fades in at its start and out at its end."""
    canvas = CANVASES[random.integers(len(CANVASES))]
    margin_s = max(join.length_s for join in joins)
    source, start_s, length_s = _drawn(files, None, random, margin_s)
    take = take_of(source, start_s, length_s, fps, canvas)
    images, transitions, faded_s = list(take), [], []
    if is_faded := bool(random.integers(2)):
        ramp_s, level = float(random.choice(LENGTHS_S)), int(random.choice([0, 255]))
        ramp = _ramp(ramp_s, fps)
        images[: len(ramp)] = [_towards(level, one, 1 - w) for one, w in zip(images, ramp, strict=False)]
        faded_s.append((0.0, len(ramp) / fps))
    for join in joins:
        before = (source, start_s + length_s)
        source, start_s, length_s = _drawn(files, before, random, margin_s, same_scene=join.same_scene)
        take = take_of(source, start_s, length_s, fps, canvas)
        begin, whole = _joined(images, take, join, fps)
        transitions.append(Transition(join, begin / fps, whole / fps))
    if is_faded:
        ramp = _ramp(ramp_s, fps)
        images[-len(ramp) :] = [_towards(level, one, w) for one, w in zip(images[-len(ramp) :], ramp, strict=True)]
        faded_s.append(((len(images) - len(ramp)) / fps, len(images) / fps))
    return Clip("", fps, images, transitions, faded_s)


def _drawn(
    files: tuple[Source, ...],
    before: tuple[Source, float] | None,
    random: Random,
    margin_s: float,
    same_scene: bool = False,
) -> tuple[Source, float, float]:
    """Return source, start and length of the next take."""
    least_s = max(TAKE_S[0], 1.0 + 2 * margin_s)
    if before and same_scene:
        source, end_s = before
        left_s = source.duration_s - end_s - SKIP_S
        start_s = end_s + SKIP_S if left_s >= least_s else 0.0
    else:
        able = [one for one in files if one.duration_s >= least_s and (before is None or one != before[0])]
        source = able[random.integers(len(able))]
        start_s = float(random.uniform(0, source.duration_s - least_s))
    most_s = max(least_s, min(TAKE_S[1], source.duration_s - start_s))
    return source, start_s, min(float(random.uniform(least_s, most_s)), source.duration_s - start_s)


def _joined(images: list[Image], take: list[Image], join: Join, fps: float) -> tuple[int, int]:
    """Append the take to the images; return the numbers of the last frame before the join and the first after it."""
    steps = round(join.length_s * fps)
    if join.kind == "cut":
        images += take
        return len(images) - len(take), len(images) - len(take)
    if join.kind == "dissolve":
        begin = len(images) - steps
        weights = np.arange(1, steps) / steps
        if steps % 2:  # half of them ease in and out
            weights = weights**2 * (3 - 2 * weights)
        for k, weight in enumerate(weights):
            images[begin + 1 + k] = _mixed(images[begin + 1 + k], take[k], float(weight))
        images += take[steps - 1 :]
        return begin, begin + steps
    level, ramp = (0 if join.kind == "black" else 255), _ramp(join.length_s, fps)
    begin = len(images) - 1
    if join.sides != "in":
        begin = len(images) - len(ramp) - 1
        images[begin + 1 :] = [_towards(level, one, w) for one, w in zip(images[begin + 1 :], ramp, strict=True)]
    hold = max(1 if join.sides != "both" else 0, round(join.hold_s * fps))
    images += [np.full_like(images[0], level)] * hold
    if join.sides != "out":
        images += [_towards(level, one, 1 - w) for one, w in zip(take, ramp, strict=False)]
        take = take[len(ramp) :]
    images += take
    return begin, len(images) - len(take)


def _ramp(length_s: float, fps: float) -> NDArray[np.float64]:
    steps = max(2, round(length_s * fps))
    return np.arange(1, steps + 1) / steps


def _mixed(before: Image, after: Image, weight: float) -> Image:
    return cv2.addWeighted(before, 1 - weight, after, weight, 0).astype(np.uint8)


def _towards(level: int, image: Image, weight: float) -> Image:
    return _mixed(image, np.full_like(image, level), weight)


def take_of(source: Source, start_s: float, length_s: float, fps: float, size: tuple[int, int]) -> list[Image]:
    """Return the pictures of a stretch at a frame rate, filling a canvas of (width, height)."""
    wanted = start_s + np.arange(round(length_s * fps)) / fps
    images: list[Image] = []
    with av.open(str(source.path)) as container:
        stream = container.streams.video[0]
        origin_s = float((stream.start_time or 0) * (stream.time_base or 0))
        stream.thread_count = 1
        if start_s > 1.0:
            container.seek(int((start_s + origin_s) * av.time_base), backward=True)
        last: Image | None = None
        for frame in container.decode(stream):
            time_s = (frame.time or 0.0) - origin_s
            if time_s < start_s - 0.1:
                continue
            last = _filling(frame, size)
            while len(images) < len(wanted) and wanted[len(images)] < time_s + 1e-6:
                images.append(last)
            if len(images) == len(wanted):
                return images
    if last is None:
        raise ValueError(f"{source.path.name} has no picture at {start_s} s")
    return images + [last] * (len(wanted) - len(images))


def _filling(frame: av.VideoFrame, size: tuple[int, int]) -> Image:
    width, height = size
    scale = max(width / frame.width, height / frame.height)
    wide, high = max(width, round(frame.width * scale)), max(height, round(frame.height * scale))
    image = frame.reformat(wide, high, "bgr24", interpolation="AREA").to_ndarray()
    left, top = (wide - width) // 2, (high - height) // 3  # heads are above the middle
    return np.ascontiguousarray(image[top : top + height, left : left + width])


TREATMENTS = ("plain", "dark", "plain", "grey", "plain", "coded")


def _treated(images: list[Image], treatment: str, fps: float) -> list[Image]:
    if treatment == "dark":  # a fifth of the light, and the noise of a camera that amplifies it
        noise = np.random.default_rng(0)
        return [np.clip(one * 0.2 + noise.normal(0, 2, (*one.shape[:2], 1)), 0, 255).astype(np.uint8) for one in images]
    if treatment == "grey":
        return [
            cv2.cvtColor(cv2.cvtColor(one, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR).astype(np.uint8) for one in images
        ]
    if treatment == "coded":
        height, width = images[0].shape[:2]
        file = io.BytesIO()
        encode(file, images, fps, crf=32)
        file.seek(0)
        with av.open(file) as container:
            return [
                frame.reformat(width, height, "bgr24", interpolation="AREA").to_ndarray()
                for frame in container.decode(video=0)
            ]
    return images


def encode(file: io.BytesIO | str, images: list[Image], fps: float, crf: int) -> None:
    """Write the images as H.264 at twice their size."""
    height, width = (_CODED_SCALE * side for side in images[0].shape[:2])
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=round(fps))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.thread_count = 1
        stream.options = {"crf": str(crf), "preset": "veryfast"}
        for image in images:
            big = cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(big, format="bgr24")))
        container.mux(stream.encode())


# ------------------------------------------------------------------------------------------ takes that are not cut


def disturbed(shared: Path, half: str, seed: int = 0) -> Iterator[Clip]:
    """Yield takes without a cut, each with one disturbance; eight of each kind."""
    files = sources(shared, half)
    for (kind, disturb), number in itertools.product(DISTURBANCES.items(), range(8)):
        random = np.random.default_rng([seed, HALVES.index(half), number, zlib.crc32(kind.encode())])
        fps = (25.0, 30.0, 24.0, 50.0)[number % 4]
        width, height = CANVASES[number % len(CANVASES)]
        able = [one for one in files if one.duration_s >= 6.0]
        source, other = (able[i] for i in random.choice(len(able), 2, replace=False))
        length_s = min(source.duration_s, 8.0)
        start_s = float(random.uniform(0, source.duration_s - length_s))
        wide = take_of(source, start_s, length_s, fps, (width * 3 // 2, height * 3 // 2))  # room to move the camera
        passer = take_of(other, 0.0, 0.2, fps, (width, height))[0]
        yield Clip(kind, fps, disturb(wide, passer, fps, random))


def _centre(wide: Image) -> Image:
    return _window(wide, 0.5, 0.5)


def _window(wide: Image, across: float, down: float, zoom: float = 1.0, turn_deg: float = 0.0) -> Image:
    """Return a part of the picture, two thirds of its size, at a place (0-1, 0-1)."""
    height, width = (side * 2 // 3 for side in wide.shape[:2])
    inner_w, inner_h = width / zoom, height / zoom
    x = inner_w / 2 + across * (wide.shape[1] - inner_w)
    y = inner_h / 2 + down * (wide.shape[0] - inner_h)
    turn = cv2.getRotationMatrix2D((x, y), turn_deg, zoom)
    turn[:, 2] += np.array([width / 2 - x, height / 2 - y])
    return cv2.warpAffine(wide, turn, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT).astype(
        np.uint8
    )


def _shown(count: int, fps: float, random: Random, hold_s: float = 1.5) -> NDArray[np.float64]:
    """Return the weight of something that appears and goes again, 0-1, with ramps of 0 to half a second."""
    ramp, at = random.choice([0.0, 0.2, 0.5]) * fps, random.uniform(0.15, 0.5) * count
    frames = np.arange(count)
    rise, fall = (frames - at) / max(ramp, 0.5), (at + hold_s * fps - frames) / max(ramp, 0.5)
    return np.clip(np.minimum(rise, fall), 0, 1)


def _nothing(wide: list[Image], _passer: Image, _fps: float, _random: Random) -> list[Image]:
    return [_centre(one) for one in wide]


def _caption(wide: list[Image], _passer: Image, fps: float, random: Random) -> list[Image]:
    """A line of text, a lower third or a title over most of the picture."""
    images = [_centre(one) for one in wide]
    height, width = images[0].shape[:2]
    layer, cover = images[0].copy(), np.zeros((height, width, 1), np.float32)
    style = int(random.integers(3))
    top, bottom = [(0.8, 0.95), (0.65, 0.95), (0.1, 0.9)][style]
    rows = slice(round(top * height), round(bottom * height))
    if style:  # a box behind the text
        layer[rows], cover[rows] = random.integers(0, 255, 3), 0.8
    for line in range([1, 2, 6][style]):
        place = (round(0.06 * width), round((top + 0.1 + 0.13 * line) * height))
        mask = np.zeros((height, width), np.uint8)
        cv2.putText(mask, "Professor of something", place, cv2.FONT_HERSHEY_SIMPLEX, width / 400, 255, 2)
        layer[mask > 0], cover[mask > 0] = 255 if not style else random.choice([0, 255]), 1.0
    weights = _shown(len(images), fps, random)
    return [
        (one * (1 - w * cover) + layer * (w * cover)).astype(np.uint8) for one, w in zip(images, weights, strict=True)
    ]


def _flash(wide: list[Image], _passer: Image, _fps: float, random: Random) -> list[Image]:
    """Four flashes of one to three frames."""
    images = [_centre(one) for one in wide]
    for at in random.choice(len(images) - 20, 4, replace=False) + 10:
        for k in range(int(random.integers(1, 4))):
            images[at + k] = _towards(255, images[at + k], float(random.uniform(0.6, 1.0)))
    return images


def _pan(wide: list[Image], _passer: Image, fps: float, random: Random) -> list[Image]:
    """The camera turns to the side and back, in 0.2 to 2 s."""
    return [_window(one, 1 - w, 0.5) for one, w in zip(wide, _swing(len(wide), fps, random), strict=True)]


def _zoom(wide: list[Image], _passer: Image, fps: float, random: Random) -> list[Image]:
    return [_window(one, 0.5, 0.4, 1 + w) for one, w in zip(wide, _swing(len(wide), fps, random), strict=True)]


def _swing(count: int, fps: float, random: Random) -> NDArray[np.float64]:
    """Return 0, a rise to 1 in 0.2 to 2 s, a rest, and the same back."""
    rise_s, start_s = random.choice([0.2, 0.5, 1.0, 2.0]), random.uniform(0.8, 1.5)
    place = np.minimum(
        (np.arange(count) / fps - start_s) / rise_s, (start_s + rise_s + 3.0 - np.arange(count) / fps) / rise_s
    )
    place = np.clip(place, 0, 1)
    return np.asarray(place**2 * (3 - 2 * place))


def _shake(wide: list[Image], _passer: Image, fps: float, random: Random) -> list[Image]:
    """A hand-held camera: slow drift and quick jerks, in both directions and in turn."""
    seconds = np.arange(len(wide)) / fps
    waves = [
        sum(a * np.sin(2 * np.pi * f * seconds + p) for a, f, p in zip((0.3, 0.1, 0.05), fs, ps, strict=True))
        for fs, ps in zip(random.uniform((0.2, 1, 3), (1, 3, 6), (3, 3)), random.uniform(0, 6.3, (3, 3)), strict=True)
    ]
    return [_window(one, 0.5 + x, 0.5 + y, turn_deg=8 * r) for one, x, y, r in zip(wide, *waves, strict=True)]


def _passer_by(wide: list[Image], passer: Image, fps: float, random: Random) -> list[Image]:
    """Somebody, cut out of another picture, walks through before the camera and fills most of the picture."""
    images = [_centre(one) for one in wide]
    height, width = images[0].shape[:2]
    crossing = random.uniform(0.5, 2.0) * fps
    start, size = random.uniform(0.2, 0.5) * len(images), random.uniform(0.25, 0.6)
    for i in range(len(images)):
        centre = ((i - start) / crossing * 2 - 0.5) * width
        mask = np.zeros((height, width), np.uint8)
        cv2.ellipse(mask, (round(centre), round(0.6 * height)), (round(size * width), height), 0, 0, 360, 255, -1)
        shifted = np.roll(passer, round(centre - width / 2), axis=1)
        images[i] = np.where(mask[:, :, None] > 0, shifted, images[i])
    return images


def _light(wide: list[Image], _passer: Image, fps: float, random: Random) -> list[Image]:
    """A light goes out or on, at once or slowly, and back."""
    images = [_centre(one) for one in wide]
    low, weights = random.choice([0.1, 0.3, 0.5]), _shown(len(images), fps, random)
    if random.integers(2):
        weights = 1 - weights
    return [(one * (1 - (1 - low) * w)).astype(np.uint8) for one, w in zip(images, weights, strict=True)]


Disturb = Callable[[list[Image], Image, float, Random], list[Image]]
DISTURBANCES: dict[str, Disturb] = {
    "nothing": _nothing,
    "caption": _caption,
    "flash": _flash,
    "pan": _pan,
    "zoom": _zoom,
    "shake": _shake,
    "passer-by": _passer_by,
    "light": _light,
}
