"""Files of a plan: draws the frames, writes NAME.mp4 and NAME.truth.json.

Belongs here: layout, the mark "generated picture", files. Does not belong here: what is said and shown (videos.py).
"""

import hashlib
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from speakervid_dag.demo.acting import FPS, Pose, act
from speakervid_dag.demo.materials import BACKDROP, PORTRAITS, RATE_HZ, Bgr, Find, Samples, load_picture, read_image
from speakervid_dag.demo.plan import VideoPlan
from speakervid_dag.demo.puppet import Puppet
from speakervid_dag.demo.videos import plans
from speakervid_dag.files import written_aside
from speakervid_dag.media.encode import write_video

MARK = "generated picture"
GRAIN = 1.6  # camera noise, standard deviation in grey levels
ROOM_TONE_RMS = 10 ** (-66 / 20)  # models would notice digital silence, which no recording has


@dataclass(frozen=True)
class DemoVideo:
    """One generated file, its truth file, and the plan of both."""

    path: Path
    truth_path: Path
    plan: VideoPlan


def generate(
    out: Path,
    *,
    seed: int = 0,
    report: Callable[[str], None] = lambda line: None,
    find: Find | None = None,
    names: tuple[str, ...] | None = None,
    longest_s: float | None = None,
) -> list[DemoVideo]:
    """Make the demo's videos in `out`: H.264 + AAC, 25 frames/s, and one NAME.truth.json beside each.

    Args:
        seed: varies heads, lids and noise; the words stay the same.
        report: called with one line per video.
        find: (registry name, file name) → path of a material; the weights folder by default.
        names: only these videos.
        longest_s: each video is cut off there.

    Raises:
        WeightsMissing: a material has not been pulled.
    """
    found = find or _registered
    made = []
    for plan in plans(found):
        if names is None or plan.name in names:
            shown = plan if longest_s is None else plan.first(longest_s)
            made.append(_make(shown, out, seed, found))
            report(f"{made[-1].path.name}: {shown.duration_s:.1f} s, generated picture, real voice")
    return made


def _registered(name: str, filename: str) -> Path:
    from speakervid_dag.models.registry import weight_path

    return Path(weight_path(name, filename))


def _make(plan: VideoPlan, out: Path, seed: int, find: Find) -> DemoVideo:
    puppets = puppets_of(plan, find)
    plan = replace(plan, faces={person: puppet.face_box() for person, puppet in puppets.items()})
    path, truth_path = out / f"{plan.name}.mp4", out / f"{plan.name}.truth.json"
    made = DemoVideo(path, truth_path, plan)
    recipe, recipe_path = _recipe(plan, seed), out / f"{plan.name}.recipe"
    if truth_path.exists() and _stamp(recipe, path) == (recipe_path.read_text() if recipe_path.exists() else None):
        return made
    frames = draw(plan, puppets, seed, find)
    sound = plan.sound + _room_tone(len(plan.sound), seed)
    write_video(path, ((i / FPS, image) for i, image in enumerate(frames)), FPS, plan.size, sound, RATE_HZ, crf=21)
    with written_aside(truth_path) as part:
        part.write_text(json.dumps(plan.truth(), indent=1) + "\n", encoding="utf-8")
    with written_aside(recipe_path) as part:
        part.write_text(_stamp(recipe, path) or "")
    return made


def _recipe(plan: VideoPlan, seed: int) -> str:
    """Return the hash of a video's inputs: its plan, the seed and this package's code (pictures are pinned by hash)."""
    digest = hashlib.sha256(json.dumps([plan.truth(), seed, plan.blur_px]).encode() + plan.sound.tobytes())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()


def _stamp(recipe: str, path: Path) -> str | None:
    """Return a recipe with the hash of the file made from it, so that an up-to-date file is kept. The H.264 encoder's
    bytes sometimes differ for the same frames, and a lake treats other bytes as another video."""
    return f"{recipe} {hashlib.sha256(path.read_bytes()).hexdigest()}\n" if path.exists() else None


def puppets_of(plan: VideoPlan, find: Find) -> dict[str, Puppet]:
    panes = {pane.person: pane for shot in plan.shots for pane in shot.panes}
    return {
        person: Puppet(load_picture(find, PORTRAITS[person]), PORTRAITS[person], (pane.rect[2], pane.rect[3]))
        for person, pane in panes.items()
    }


def poses(plan: VideoPlan, seed: int) -> dict[str, list[Pose]]:
    """Return each person's pose in every frame of the video, visible or not."""
    people = sorted({pane.person for shot in plan.shots for pane in shot.panes})
    return {
        person: act(plan.voices.get(person), plan.frames, np.random.default_rng([seed, zlib.crc32(person.encode())]))
        for person in people
    }


def draw(plan: VideoPlan, puppets: dict[str, Puppet], seed: int, find: Find) -> Iterator[Bgr]:
    """Yield the video's frames, uint8 (height, width, 3) BGR."""
    acted = poses(plan, seed)
    width, height = plan.size
    grain = _grain((height, width), seed)
    backdrop = None if all(s.panes for s in plan.shots) else read_image(find(*BACKDROP))
    for shot in plan.shots:
        for i in range(shot.start, shot.end):
            canvas = np.zeros((height, width, 3), np.uint8) if shot.panes else _pan(backdrop, plan.size, i)
            for pane in shot.panes:
                x, y, w, h = pane.rect
                canvas[y : y + h, x : x + w] = puppets[pane.person].draw(acted[pane.person][i])
            yield _finish(canvas, plan.blur_px, grain, i)


def _finish(canvas: Bgr, blur_px: float, grain: np.ndarray, index: int) -> Bgr:
    height, width = canvas.shape[:2]
    rng = np.random.default_rng(index)
    y, x = (int(v) for v in rng.integers(0, 64, 2))
    seen = cv2.GaussianBlur(canvas, (0, 0), blur_px) if blur_px else canvas
    noisy = cv2.add(seen, grain[y : y + height, x : x + width], dtype=cv2.CV_8U)
    for colour, width_px in (((0, 0, 0), 3), ((235, 235, 235), 1)):
        cv2.putText(noisy, MARK, (8, height - 9), cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, width_px, cv2.LINE_AA)
    return np.asarray(noisy, np.uint8)


def _grain(shape: tuple[int, int], seed: int) -> np.ndarray:
    field = np.random.default_rng(seed).normal(0, GRAIN, (shape[0] + 64, shape[1] + 64, 1))
    return np.repeat(np.round(field), 3, axis=2).astype(np.int16)


def _pan(picture: Bgr | None, size: tuple[int, int], index: int) -> Bgr:
    """Return a frame of a slow pan over a still picture."""
    if picture is None:
        raise ValueError("a shot without people needs a backdrop")
    width, height = size
    scale = 1.15 * max(width / picture.shape[1], height / picture.shape[0])
    shift = 0.25 * index
    matrix = np.array([[scale, 0, -10.0 - shift], [0, scale, -10.0 - 0.4 * shift]])
    return np.asarray(
        cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101), np.uint8
    )


def _room_tone(samples: int, seed: int) -> Samples:
    return np.random.default_rng(seed).normal(0, ROOM_TONE_RMS, samples).astype(np.float32)
