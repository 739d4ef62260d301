"""The hard composites: videos made of real faces and voices that talk with each other as people in real recordings do.

Belongs here: who plays, reading their recordings, the variants, drawing pictures, writing videos and their truth. Does
not belong here: scripts and truth (hard_script.py), sound (hard_sound.py), runs and figures (hard_runs.py).

Nobody here was seen by the packaged lip network in training. Real recordings are late or early by some frames in sound;
this is left as it is, as in real videos.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from hard_script import (
    FPS,
    Material,
    Part,
    Scene,
    View,
    draw_window,
    follow_voice,
    perform,
    read_rttm,
    runs,
    truth_of,
)
from hard_sound import (
    FAR_DB,
    FAR_NOISE_DB,
    FRAME,
    HISS_DB,
    RATE_HZ,
    Samples,
    far,
    gained,
    hiss,
    level_db,
    music,
    spoken,
)
from numpy.typing import NDArray

from speakervid_dag.media.encode import write_video
from speakervid_dag.models.vad import HOP_S, speech_probabilities

Image = NDArray[np.uint8]

SIDE_PX = 360  # of the pictures that are held in memory
MATERIAL_S = 25.0  # of a recording, at most: all its pictures are held at once
SPEECH_P = 0.5
VOICE_DB = -23.0
LIPS_MOVE_SHARE = 0.3  # of the parts: talking material without its sound while the person listens
WORDS = ("well", "so", "this", "is", "what", "they", "said", "about", "it", "then", "because", "nobody", "knew")
WORDS_SHOWN = 5


@dataclass(frozen=True)
class Actor:
    """A person of the shared recordings.

    Args:
        person: the label in MANIFEST.tsv.
        file: their recording.
        crop: left, top and side of the square that is shown, px; None is all of a square picture.
        still: seconds of a pause with quiet lips, chosen by eye.
    """

    person: str
    file: str
    crop: tuple[int, int, int] | None
    still: tuple[float, float]


# people held out of the training of the packaged network, alone in the picture, frontal but for p036, whose speech is
# 15 dB and more above the noise of their pauses
ACTORS = (
    Actor("p021", "dfrf_french.mp4", None, (5.0, 5.24)),
    Actor("p034", "dhfacevid_001600.mp4", None, (5.8, 6.06)),
    Actor("p036", "dhfacevid_002523.mp4", None, (11.42, 11.7)),
    Actor("p044", "dhfacevid_085089.mp4", None, (0.0, 0.24)),
    Actor("p058", "dhfacevid_033011.mp4", None, (2.3, 3.4)),
    Actor("p065", "dhfacevid_026237.mp4", None, (9.54, 9.76)),
    Actor("p088", "hyperlips_video1.mp4", (680, 40, 520), (9.88, 10.12)),
    Actor("p107", "retalking_1.mp4", (90, 20, 540), (4.7, 5.9)),
    Actor("p118", "sadtalker_p118.mp4", None, (4.72, 5.04)),
    Actor("p122", "sadtalker_p122.mp4", None, (6.16, 6.48)),
    Actor("p187", "vanshg_talk.mp4", (33, 0, 782), (0.0, 0.2)),
)


@dataclass(frozen=True)
class Variant:
    """One kind of difficulty.

    Args:
        name: of the variant in the truth.
        videos: how many are made.
        speakers: who talk.
        hidden: how many of them are never seen.
        size: of the picture.
        pane: width and height of a person's part of it.
        is_cut: shots of one person each, which follow the voice, in place of panes side by side.
        has_subtitles: burnt in, changing with the turns.
        music_db: level of a bed of music against the voices.
        room_s: reverberation time of a room in which the microphone is far.
    """

    name: str
    videos: int = 2
    speakers: int = 2
    hidden: int = 0
    size: tuple[int, int] = (640, 360)
    pane: tuple[int, int] = (320, 360)
    is_cut: bool = False
    has_subtitles: bool = False
    music_db: float | None = None
    room_s: float | None = None


VARIANTS = (
    Variant("plain"),
    Variant("three", videos=1, speakers=3, size=(960, 360)),
    Variant("small", videos=1, size=(1280, 720), pane=(124, 124)),
    Variant("subtitles", videos=1, has_subtitles=True),
    Variant("music_10", videos=1, music_db=-10.0),
    Variant("music_5", videos=1, music_db=-5.0),
    Variant("far_05", videos=1, room_s=0.5),
    Variant("far_09", videos=1, room_s=0.9),
    Variant("unseen_of_2", videos=1, hidden=1, size=(400, 360), pane=(400, 360)),
    Variant("unseen_of_3", videos=1, speakers=3, hidden=1),
    Variant("cuts", videos=1, size=(400, 360), pane=(400, 360), is_cut=True),
)


@dataclass(frozen=True)
class Recording:
    """A person's material: square pictures of 25 Hz, the sound beside them, and what is known of both."""

    pictures: Sequence[Image]
    sound: Samples
    material: Material


def compose(shared: Path, out: Path, seed: int) -> list[Path]:
    """Make all videos, each with NAME.truth.json beside it; return the videos.

    The same seed, recordings and libraries give the same truth and sound; pictures may differ by an encoder's rounding.
    """
    conversations = {p.stem: read_rttm(p.read_text("utf-8")) for p in sorted((shared / "truth/real/rttm").glob("*"))}
    rng, played, made = np.random.default_rng(seed), Counter[str](), []
    for variant in VARIANTS:
        for number in range(1, variant.videos + 1):
            name = f"{variant.name}_{number}"
            window = draw_window(conversations, variant.speakers, rng)
            cast = {actor.person: actor for actor in draw_cast(variant.speakers, played, rng)}
            played.update(list(cast))
            recordings = {who: read_recording(shared / "media/talking", actor) for who, actor in cast.items()}
            parts = {}
            for who, speaker in zip(cast, window.speakers, strict=True):
                lines = [line for line in window.lines if line.who == speaker]
                moves = bool(rng.random() < LIPS_MOVE_SHARE)
                parts[who] = perform(recordings[who].material, lines, window.frames, rng, moves_lips=moves)
            scene = staged(name, variant, parts, f"{window.origin}, VoxConverse", rng)
            sound = mixed(variant, {who: spoken(recordings[who].sound, part.heard) for who, part in parts.items()}, rng)
            pictures = drawn(variant, scene, {who: recordings[who].pictures for who in parts}, rng)
            made.append(out / f"{name}.mp4")
            write_video(made[-1], pictures, FPS, variant.size, sound, RATE_HZ, crf=20)
            (out / f"{name}.truth.json").write_text(json.dumps(truth_of(scene), indent=1))
    return made


def draw_cast(speakers: int, played: Mapping[str, int], rng: np.random.Generator) -> list[Actor]:
    """Return random people out of those who played least so far."""
    return sorted(ACTORS, key=lambda actor: (played.get(actor.person, 0), rng.random()))[:speakers]


# --------------------------------------------------------------------------- recordings


def read_recording(folder: Path, actor: Actor) -> Recording:
    """Return a person's recording, in frames of 25 Hz from time zero of the file on."""
    path = folder / actor.file
    sound = _read_sound(path)
    pictures = _read_pictures(path, actor.crop, len(sound) // FRAME)
    count = len(pictures)
    sound = sound[: count * FRAME]
    probability, _ = speech_probabilities(sound)
    at = np.arange(count)
    voiced = probability[np.minimum((at + 0.5) / FPS / HOP_S, len(probability) - 1).astype(int)] >= SPEECH_P
    power = np.square(sound.reshape(count, FRAME)).mean(1)
    loudness = 10 * np.log10(power[voiced].mean())
    still = (round(actor.still[0] * FPS), round(actor.still[1] * FPS))
    material = Material(voiced, 10 * np.log10(power + 1e-9), still)
    return Recording(pictures, gained(sound, VOICE_DB - loudness), material)


def _read_sound(path: Path) -> Samples:
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE_HZ)
        parts, start_s = [], None
        for frame in container.decode(container.streams.audio[0]):
            start_s = frame.time if start_s is None else start_s
            parts += [part.to_ndarray()[0] for part in resampler.resample(frame)]
    late = round((start_s or 0.0) * RATE_HZ)  # a stream may begin later than the file, or in priming samples before it
    sound = np.concatenate([np.zeros(max(late, 0), np.float32), *parts])[max(-late, 0) :]
    return sound[: int(MATERIAL_S * RATE_HZ)].astype(np.float32)


def _read_pictures(path: Path, crop: tuple[int, int, int] | None, count: int) -> list[Image]:
    """Return the picture that is shown in the middle of each frame of 25 Hz."""
    found: list[Image] = []
    image: Image | None = None
    with av.open(str(path)) as container:
        for frame in container.decode(container.streams.video[0]):
            while image is not None and len(found) < count and (len(found) + 0.5) / FPS < frame.time:
                found.append(image)
            if len(found) == count:
                break
            whole = frame.to_ndarray(format="bgr24")
            left, top, side = crop or (0, 0, min(whole.shape[:2]))
            square = whole[top : top + side, left : left + side]
            image = cv2.resize(square, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
    return found


# --------------------------------------------------------------------------- pictures


def staged(name: str, variant: Variant, parts: Mapping[str, Part], origin: str, rng: np.random.Generator) -> Scene:
    """Return a scene: who is seen where."""
    width, height = variant.size
    across, down = variant.pane
    frames = len(next(iter(parts.values())).shown)
    hidden = set(rng.choice(list(parts), variant.hidden, replace=False)) if variant.hidden else set()
    seen = [person for person in parts if person not in hidden]
    if variant.is_cut:
        views = follow_voice(parts, (0, 0, width, height))
        cuts = [view.start for view in views[1:]]
    else:
        top = (height - down) // 2
        lefts = [round((place + 0.5) * width / len(seen) - across / 2) for place in range(len(seen))]
        boxes = [(left, top, left + across, top + down) for left in lefts]
        views = [View(person, 0, frames, box) for person, box in zip(seen, boxes, strict=True)]
        cuts = []
    return Scene(name, variant.name, variant.size, parts, views, cuts, origin)


def drawn(
    variant: Variant, scene: Scene, pictures: Mapping[str, Sequence[Image]], rng: np.random.Generator
) -> Iterator[tuple[float, Image]]:
    """Yield the pictures of a scene with their times."""
    backdrop = _backdrop(variant.size, rng)
    titles = _titles(scene, rng) if variant.has_subtitles else [""] * scene.frames
    for at in range(scene.frames):
        image = backdrop.copy()
        for view in scene.views:
            if view.start <= at < view.end:
                left, top, right, bottom = view.box
                picture = pictures[view.person][scene.parts[view.person].shown[at]]
                image[top:bottom, left:right] = _covering(picture, (right - left, bottom - top))
        yield at / FPS, _titled(image, titles[at])


def _backdrop(size: tuple[int, int], rng: np.random.Generator) -> Image:
    """Return a picture of blurred colours, like a room out of focus."""
    spots = (rng.integers(40, 110, (5, 8, 1)) + rng.integers(0, 30, (5, 8, 3))).astype(np.uint8)
    return np.asarray(cv2.resize(spots, size, interpolation=cv2.INTER_CUBIC), np.uint8)


def _covering(picture: Image, size: tuple[int, int]) -> Image:
    """Return the middle of a square picture, scaled so that it fills a pane."""
    side = max(size)
    big = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA if side < SIDE_PX else cv2.INTER_CUBIC)
    left, top = (side - size[0]) // 2, (side - size[1]) // 3  # faces lie above the middle
    return np.asarray(big[top : top + size[1], left : left + size[0]], np.uint8)


def _titles(scene: Scene, rng: np.random.Generator) -> list[str]:
    """Return the subtitle of each frame: other words at each turn, none while nobody talks."""
    titles = [""] * scene.frames
    for part in scene.parts.values():
        for start, end in runs(part.speaks):
            titles[start:end] = [" ".join(rng.choice(WORDS, WORDS_SHOWN))] * (end - start)
    return titles


def _titled(image: Image, words: str) -> Image:
    if words:
        (width, _), _ = cv2.getTextSize(words, cv2.FONT_HERSHEY_SIMPLEX, 0.8, 2)
        place = ((image.shape[1] - width) // 2, image.shape[0] - 24)
        for colour, thickness in (((0, 0, 0), 6), ((255, 255, 255), 2)):
            cv2.putText(image, words, place, cv2.FONT_HERSHEY_SIMPLEX, 0.8, colour, thickness, cv2.LINE_AA)
    return image


# --------------------------------------------------------------------------- sound


def mixed(variant: Variant, voices: Mapping[str, Samples], rng: np.random.Generator) -> Samples:
    """Return the sound of a scene."""
    room_s = variant.room_s
    heard = [voice if room_s is None else far(voice, room_s, rng) for voice in voices.values()]
    sound: Samples = np.stack(heard).sum(axis=0)
    noise_db = HISS_DB if room_s is None else VOICE_DB + FAR_DB + FAR_NOISE_DB
    sound += hiss(len(sound), noise_db, rng)
    if variant.music_db is not None:
        sound += music(len(sound), level_db(sound) + variant.music_db, rng)
    return np.clip(sound, -1, 1)
