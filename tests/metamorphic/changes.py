"""Changes that leave the right answer as it is: one row a change, each a function from film to film.

Belongs here: what is changed, and which labels may move by how much. Does not belong here: reading and writing films
(film.py), comparing labels (labels.py). Most come from bug reports of comparable projects.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction

import av
import cv2
import numpy as np
from metamorphic.film import RATE_HZ, Film, Image, Track
from numpy.typing import NDArray

Sound = NDArray[np.float32]
BT709, BT2020, PQ, HLG, BT2020_NCL, LIMITED, FULL = 1, 9, 16, 18, 9, 1, 2  # ITU-T H.273


@dataclass(frozen=True)
class Change:
    """A change and what may move for it.

    Attributes:
        moved_s: what is seen and heard comes so much later.
        longer_s: the file is so much longer.
        may: labels that may change ("tier", "people"): the change is a real loss of quality, or adds somebody.
        lost_share: of the talking time that may be lost.
    """

    name: str
    make: Callable[[Film], Film]
    moved_s: float = 0.0
    longer_s: float = 0.0
    may: frozenset[str] = field(default_factory=frozenset)
    lost_share: float = 0.15


# -- pictures -----------------------------------------------------------------------------------------------------


def mirror(film: Film) -> Film:
    return film.seen(lambda _, image: np.ascontiguousarray(image[:, ::-1]))


def at_rate(fps: float) -> Callable[[Film], Film]:
    def make(film: Film) -> Film:
        def pictures() -> Iterator[tuple[float, Image]]:
            due = 0
            last = None
            for time_s, image in film.pictures():
                while last is not None and due / fps < time_s - 1e-6:
                    yield due / fps, last
                    due += 1
                last = image
            if last is not None:
                yield due / fps, last

        return film.told(pictures=pictures, fps=fps)

    return make


def uneven(film: Film) -> Film:
    """A fifth of the pictures is dropped, at random: a screen recorder's rate."""

    def pictures() -> Iterator[tuple[float, Image]]:
        rng = np.random.default_rng(0)
        for i, (time_s, image) in enumerate(film.pictures()):
            if i == 0 or rng.random() > 0.2:
                yield time_s, image

    return film.told(pictures=pictures)


def interlaced(film: Film) -> Film:
    """Odd lines come from the picture after."""

    def pictures() -> Iterator[tuple[float, Image]]:
        before = None
        for time_s, image in film.pictures():
            if before is not None:
                woven = before[1].copy()
                woven[1::2] = image[1::2]
                yield before[0], woven
            before = time_s, image
        if before is not None:
            yield before

    return film.told(pictures=pictures)


def flash(film: Film) -> Film:
    half = film.duration_s / 2
    return film.seen(lambda t, image: np.full_like(image, 235) if half <= t < half + 1 / film.fps else image)


def scaled_to(width: int, height: int) -> Callable[[Image], Image]:
    return lambda image: cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def pixel_aspect(film: Film) -> Film:
    width, height = film.size
    narrow = round(width * 3 / 4 / 2) * 2
    small = scaled_to(narrow, height)
    aspect = Fraction(width, narrow).limit_denominator(100)
    return film.seen(lambda _, image: small(image), (narrow, height)).written(pixel_aspect=aspect)


def turned(film: Film) -> Film:
    width, height = film.size
    stored = film.seen(lambda _, image: np.ascontiguousarray(np.rot90(image)), (height, width))
    return stored.written(rotation_deg=90)


def on_canvas(width: int, height: int, scale: float = 1.0, fill: int = 16) -> Callable[[Film], Film]:
    """The picture, scaled, in the middle of a canvas of at least this size."""

    def make(film: Film) -> Film:
        w, h = (round(side * scale / 2) * 2 for side in film.size)
        full = max(width, w), max(height, h)
        left, top = (full[0] - w) // 2, (full[1] - h) // 2
        small = scaled_to(w, h)

        def put(_: float, image: Image) -> Image:
            canvas = np.full((full[1], full[0], 3), fill, np.uint8)
            canvas[top : top + h, left : left + w] = image if (w, h) == film.size else small(image)
            return canvas

        return film.seen(put, full)

    return make


def letterbox(film: Film) -> Film:
    return on_canvas(film.size[0], round(film.size[1] * 1.35 / 2) * 2)(film)


def pillarbox(film: Film) -> Film:
    return on_canvas(round(film.size[0] * 2 / 2) * 2, film.size[1])(film)


def slide_of(width: int, height: int) -> Image:
    slide = np.full((height, width, 3), 245, np.uint8)
    for row in range(8):
        y = round(height * (0.15 + row * 0.1))
        cv2.putText(slide, "quarterly figures, part two", (width // 20, y), 0, height / 700, (60, 40, 30), 2)
    return slide


def over_slide(film: Film) -> Film:
    """The person at the lower right of a slide of a call, at his own size."""
    w, h = film.size
    slide = slide_of(w * 2, h * 2)

    def put(_: float, image: Image) -> Image:
        canvas = slide.copy()
        canvas[-h:, -w:] = image
        return canvas

    return film.seen(put, (w * 2, h * 2))


def lower_third(film: Film) -> Film:
    w, h = film.size

    def put(_: float, image: Image) -> Image:
        out = image.copy()
        out[round(h * 0.88) :] = (120, 60, 20)
        cv2.putText(out, "BREAKING", (w // 20, round(h * 0.96)), 0, h / 500, (255, 255, 255), 2)
        return out

    return film.seen(put)


def subtitles(film: Film) -> Film:
    w, h = film.size

    def put(t: float, image: Image) -> Image:
        out = image.copy()
        cv2.putText(out, f"line number {int(t / 2)}", (w // 5, round(h * 0.95)), 0, h / 500, (255, 255, 255), 2)
        return out

    return film.seen(put)


def toned(gain: float, offset: float = 0.0) -> Callable[[Film], Film]:
    table = np.clip(np.arange(256) * gain + offset, 0, 255).astype(np.uint8)
    return lambda film: film.seen(lambda _, image: cv2.LUT(image, table))


def grey(film: Film) -> Film:
    return film.seen(lambda _, image: cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR))


def grain(film: Film) -> Film:
    rng = np.random.default_rng(0)
    noise = [rng.normal(0, 3, (film.size[1], film.size[0], 1)) for _ in range(5)]
    return film.seen(lambda t, image: np.clip(image + noise[round(t * film.fps) % 5], 0, 255).astype(np.uint8))


def blurred_copies(film: Film) -> Film:
    """The picture between two blurred copies of itself."""
    w, h = film.size

    def put(_: float, image: Image) -> Image:
        soft = cv2.GaussianBlur(image, (0, 0), h / 120)
        return np.concatenate([soft, image, soft], axis=1)

    return film.seen(put, (w * 3, h))


def fade_in(film: Film) -> Film:
    return film.seen(lambda t, image: cv2.convertScaleAbs(image, alpha=min(1.0, t / 0.8)))


def fade_out(film: Film) -> Film:
    end = film.duration_s
    return film.seen(lambda t, image: cv2.convertScaleAbs(image, alpha=float(np.clip((end - t) / 0.8, 0, 1))))


def _delayed(film: Film, seconds: float, first: Callable[[], Iterator[tuple[float, Image]]]) -> Film:
    def pictures() -> Iterator[tuple[float, Image]]:
        yield from first()
        for time_s, image in film.pictures():
            yield time_s + seconds, image

    silence = round(seconds * RATE_HZ)
    late = film.told(pictures=pictures)
    return late.heard(lambda s: np.concatenate([np.zeros((silence, s.shape[1]), np.float32), s]))


def black_first(film: Film) -> Film:
    black = np.full((film.size[1], film.size[0], 3), 16, np.uint8)
    count = round(3 * film.fps)
    return _delayed(film, count / film.fps, lambda: ((i / film.fps, black) for i in range(count)))


def title_first(film: Film) -> Film:
    slide = slide_of(*film.size)
    count = round(2 * film.fps)
    return _delayed(film, count / film.fps, lambda: ((i / film.fps, slide) for i in range(count)))


def held_last(film: Film) -> Film:
    """The last picture stands for two seconds more, as one picture."""

    def pictures() -> Iterator[tuple[float, Image]]:
        time_s, image = 0.0, np.zeros((film.size[1], film.size[0], 3), np.uint8)
        for time_s, image in film.pictures():
            yield time_s, image
        yield time_s + 2.0, image

    return film.told(pictures=pictures)


def hdr(transfer: int) -> Callable[[Film], Film]:
    """The same picture as BT.2020 10 bit, its white at 203 cd/m² (ITU-R BT.2408)."""

    def make(film: Film) -> Film:
        table = _hdr_table(transfer)

        def encoded(image: Image) -> av.VideoFrame:
            linear = (image[..., ::-1] / 255.0) ** 2.4
            wide = np.clip(linear @ BT709_TO_BT2020.T, 0, 1)
            signal = table[np.round(wide * (len(table) - 1)).astype(np.int32)]
            frame = av.VideoFrame.from_ndarray(np.round(signal * 65535).astype(np.uint16), "rgb48le")
            return frame.reformat(format="yuv420p10le", dst_colorspace=BT2020_NCL, dst_color_range=LIMITED)

        colours = {"color_trc": transfer, "color_primaries": BT2020, "colorspace": BT2020_NCL, "color_range": LIMITED}
        return film.written(pixels="yuv420p10le", colours=colours, encoded=encoded)

    return make


# ITU-R BT.2087-0, linear light
BT709_TO_BT2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])


def _hdr_table(transfer: int) -> NDArray[np.float64]:
    """Signal of linear light 0-1, where 1 is diffuse white (ITU-R BT.2100)."""
    light = np.linspace(0, 1, 4096)
    if transfer == PQ:
        y = (light * 203 / 10_000) ** 0.1593017578125
        return np.asarray(((0.8359375 + 18.8515625 * y) / (1 + 18.6875 * y)) ** 78.84375)
    scene = (light * 0.203) ** (1 / 1.2)  # diffuse white of a display of 1,000 cd/m², its OOTF undone
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), a * np.log(np.maximum(12 * scene - b, 1e-9)) + c)


# -- sound --------------------------------------------------------------------------------------------------------


def silent(film: Film) -> Track:
    return Track(np.zeros_like(film.tracks[0].samples))


def channels(layout: str, *gains: float) -> Callable[[Film], Film]:
    """The first channel on each channel of the layout with this gain."""
    return lambda film: film.heard(lambda s: s[:, :1] * np.array(gains, np.float32), layout)


def noisy(kind: str, level_db: float) -> Callable[[Film], Film]:
    """A bed below the speech, this far below its level."""

    def add(samples: Sound) -> Sound:
        t = np.arange(len(samples)) / RATE_HZ
        rng = np.random.default_rng(0)
        bed = rng.normal(size=len(t)) if kind == "hiss" else sum(np.sin(2 * np.pi * f * t) for f in (220, 277, 330))
        level = np.sqrt(np.mean(samples**2)) * 10 ** (level_db / 20) / np.sqrt(np.mean(bed**2))
        return np.clip(samples + (bed * level)[:, None], -1, 1).astype(np.float32)

    return lambda film: film.heard(add)


def gain(db: float) -> Callable[[Film], Film]:
    return lambda film: film.heard(lambda s: s * np.float32(10 ** (db / 20)))


def longer_sound(film: Film) -> Film:
    return film.heard(lambda s: np.concatenate([s, np.zeros((RATE_HZ // 2, s.shape[1]), np.float32)]))


def shorter_sound(film: Film) -> Film:
    return film.heard(lambda s: s[: -round(0.3 * RATE_HZ)])


def late_sound(film: Film) -> Film:
    """Samples stay where they are; the track begins 0.3 s later."""
    cut = round(0.3 * RATE_HZ)
    return film.told(tracks=tuple(replace(t, samples=t.samples[cut:], start_s=0.3) for t in film.tracks))


def tracks(*made: Callable[[Film], Track]) -> Callable[[Film], Film]:
    return lambda film: film.told(tracks=tuple(make(film) for make in made))


def spoken(film: Film) -> Track:
    return film.tracks[0]


def faint(film: Film) -> Track:
    """Another microphone of the same room, further away."""
    heard = film.tracks[0]
    return replace(heard, samples=np.roll(heard.samples, 30, axis=0) * np.float32(0.3))


# -- files --------------------------------------------------------------------------------------------------------


def stored(**how: object) -> Callable[[Film], Film]:
    return lambda film: film.written(**how)


def with_cover(film: Film) -> Film:
    return film.written(cover=slide_of(320, 240))


def tier() -> frozenset[str]:
    return frozenset({"tier"})


CHANGES: dict[str, Change] = {
    change.name: change
    for change in (
        Change("mirrored", mirror),
        Change("12 fps", at_rate(12), may=tier()),
        Change("60 fps", at_rate(60)),
        Change("120 fps", at_rate(120)),
        Change("uneven rate", uneven),
        Change("interlaced", interlaced, may=tier()),
        Change("a flash", flash),
        Change("pixel aspect", pixel_aspect),
        Change("rotation flag", turned),
        Change("letterbox", letterbox),
        Change("pillarbox", pillarbox),
        Change("4K canvas", on_canvas(3840, 2160)),
        Change("wide canvas", on_canvas(2048, 640)),
        Change("over a slide", over_slide),
        Change("lower third", lower_third, may=tier()),
        Change("subtitles", subtitles, may=tier()),
        Change("darker", toned(0.8)),
        Change("lighter", toned(1.1, 6)),
        Change("black and white", grey),
        Change("camera grain", grain),
        Change("blurred copies", blurred_copies, may=tier()),
        Change("fade in", fade_in),
        Change("fade out", fade_out),
        Change("3 s of black in front", black_first, moved_s=3.0, longer_s=3.0),
        Change("a title in front", title_first, moved_s=2.0, longer_s=2.0),
        Change("last picture held", held_last, longer_s=2.0),
        Change("HDR: PQ", hdr(PQ)),
        Change("HDR: HLG", hdr(HLG)),
        Change("strong compression", stored(options={"crf": "30", "preset": "veryfast"}), may=tier()),
        Change("B frames", stored(options={"crf": "16", "preset": "veryfast", "bf": "3"})),
        Change("stereo", channels("stereo", 1, 1)),
        Change("one-sided stereo", channels("stereo", 1, 0)),
        Change("one channel inverted", channels("stereo", 1, -1)),
        Change("5.1, voice in the centre", channels("5.1", 0, 0, 1, 0, 0, 0)),
        Change("silent track first", tracks(silent, spoken)),
        Change("speech twice", tracks(spoken, spoken)),
        Change("two microphones", tracks(spoken, faint)),
        Change("-36 dB", gain(-36)),
        Change("hiss 25 dB below", noisy("hiss", -25), may=tier()),
        Change("music 20 dB below", noisy("music", -20), may=tier()),
        Change("sound longer than picture", longer_sound, longer_s=0.5),
        Change("sound shorter than picture", shorter_sound),
        Change("sound begins late", late_sound),
        Change("mp3", stored(suffix="mkv", sound_codec="libmp3lame")),
        Change("16 kHz sound", stored(sound_rate_hz=16_000)),
        Change("Matroska", stored(suffix="mkv")),
        Change("Matroska from 10 s on", stored(suffix="mkv", start_s=10.0)),
        Change(
            "WebM",
            stored(
                suffix="webm", codec="libvpx", sound_codec="libopus", options={"crf": "10", "b": "4M", "cpu-used": "8"}
            ),
        ),
        Change("MPEG-TS", stored(suffix="ts")),
        Change("QuickTime", stored(suffix="mov", sound_codec="pcm_s16le")),
        Change("fragmented MP4", stored(container_options={"movflags": "frag_keyframe+empty_moov+default_base_moof"})),
        Change("full range", stored(pixels="yuvj420p")),
        Change("cover art", with_cover),
    )
}
