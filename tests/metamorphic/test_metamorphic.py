"""Changes that leave the right answer as it is leave the labels as they are.

`make metamorphic` makes every change of three real talking clips of the shared folder and of the demo's, and pairs of
changes drawn by a seed; it prints base, change and what moved. By default ten changes of the demo's clip.
"""

import os
import random
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from metamorphic.changes import CHANGES, Change
from metamorphic.film import RATE_HZ as HELD_HZ
from metamorphic.film import Film, Track, read, write
from metamorphic.labels import Labels, labels_of, moved
from scipy.signal import resample_poly

from speakervid_dag.demo import compose, videos
from speakervid_dag.demo.acting import FPS
from speakervid_dag.demo.materials import RATE_HZ
from speakervid_dag.failures import PermanentFailure
from speakervid_dag.media.budget import MediaBudget
from speakervid_dag.media.probe import probe
from speakervid_dag.models.registry import weight_path

pytestmark = [pytest.mark.weights, pytest.mark.usefixtures("weights"), pytest.mark.timeout(0)]
CONTROL = "control"
SIZE = (640, 360)
TEN = (
    *("uneven rate", "pixel aspect", "letterbox", "over a slide", "HDR: PQ", "3 s of black in front"),
    *("last picture held", "one channel inverted", "silent track first", "Matroska from 10 s on"),
)
# file of the shared folder, first second, seconds: one talking head each
REAL = {
    "monologue": ("edtalk_monologue_60s.mp4", 20.0, 8.0),
    "dialogue": ("speakervid_dialogue2_A.mp4", 0.0, 8.0),
    "anchor": ("syncnet_example_anchor.avi", 0.0, 8.0),
}
# talking heads of the shared folder whose lips can be seen; of the others one is half turned away and dark, one late
ALONE = (
    *("edtalk_monologue_60s.mp4", "speakervid_dialogue2_A.mp4", "speakervid_dialogue2_B.mp4"),
    "syncnet_example_anchor.avi",
)
PAIRS = int(os.environ.get("SPEAKERVID_PAIRS", "40"))
SEED = int(os.environ.get("SPEAKERVID_PAIRS_SEED", "0"))


def demo_film() -> Film:
    """The demo's man, alone and sharp, while he reads one line."""
    plan = replace(videos.blurred(weight_path), blur_px=0.0).first(4.2)
    drawn = compose.draw(plan, compose.puppets_of(plan, weight_path), 0, weight_path)
    images = [(i / FPS, cv2.resize(image, SIZE, interpolation=cv2.INTER_AREA)) for i, image in enumerate(drawn)]
    sound = resample_poly(plan.sound, HELD_HZ // RATE_HZ, 1).astype(np.float32)
    return Film(lambda: iter(images), SIZE, FPS, (Track(sound[:, None]),))


def labelled(films: Mapping[str, Film], folder: Path) -> dict[str, Labels]:
    """Labels of films that are run through the pipeline into one lake, by their names."""
    names = {f"{i:03d}": name for i, name in enumerate(films)}
    (folder / "films").mkdir(parents=True)
    for stem, name in names.items():
        write(films[name], folder / "films", stem)
    return {names[stem]: labels for stem, labels in run(folder / "lake", folder / "films").items()}


def run(lake: Path, *paths: Path) -> dict[str, Labels]:
    """Words are not compared, so the smallest model transcribes; a second thread would mostly wait."""
    profile = lake.parent / "quick.yaml"
    profile.write_text("inherits: laptop\ntranscripts:\n  weights: whisper-tiny-en\n")
    command = [sys.executable, "-m", "speakervid_dag", "run", *map(str, paths)]
    command += ["--lake", str(lake), "--profile", str(profile)]
    environment = {**os.environ, "SPEAKERVID_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return labels_of(lake)


def judged(base: str, film: Film, changes: Mapping[str, Change], folder: Path) -> dict[str, list[str]]:
    """What moved, by change, from the labels that the film has as it is, alone in a lake; printed, too."""
    control = labelled({CONTROL: film}, folder / "alone")[CONTROL]
    found = labelled({name: change.make(film) for name, change in changes.items()}, folder / "changed")
    assert control.talking, f"the base {base} gives no talking clip: {control}"
    told = {name: moved(control, found[name], change) for name, change in changes.items()}
    for name, lines in {CONTROL: [str(control)], **told}.items():
        print(f"{base:10} {name:45} {'; '.join(lines) or '-'}")  # noqa: T201 - `make metamorphic` is for reading
    return {name: lines for name, lines in told.items() if lines}


def pairs(count: int, seed: int) -> Iterator[Change]:
    """Two changes one after the other, drawn by seed; of two ways to store a file one is enough."""
    chance = random.Random(seed)
    film = Film(lambda: iter(()), SIZE, FPS, (Track(np.zeros((HELD_HZ, 1), np.float32)),))
    storing = {name for name, change in CHANGES.items() if change.make(film).writing is not film.writing}
    drawn: set[tuple[str, str]] = set()
    while len(drawn) < count:
        first, second = sorted(chance.sample(sorted(CHANGES), 2))
        if (first, second) not in drawn and not storing.issuperset({first, second}):
            drawn.add((first, second))
            yield both(CHANGES[first], CHANGES[second])


def both(first: Change, second: Change) -> Change:
    def make(film: Film) -> Film:
        return second.make(first.make(film))

    lost = first.lost_share + second.lost_share
    longer, later = first.longer_s + second.longer_s, first.moved_s + second.moved_s
    return Change(f"{first.name} + {second.name}", make, later, longer, first.may | second.may, lost)


def test_ten_changes_of_the_demos_clip_leave_its_labels(tmp_path: Path) -> None:
    assert judged("demo", demo_film(), {name: CHANGES[name] for name in TEN}, tmp_path) == {}


@pytest.fixture(params=["demo", *REAL])
def base(request: pytest.FixtureRequest, shared: Path) -> tuple[str, Film]:
    if request.param == "demo":
        return request.param, demo_film()
    name, from_s, seconds = REAL[request.param]
    return request.param, read(shared / "media" / name, seconds, from_s)


@pytest.mark.metamorphic
@pytest.mark.shared
def test_every_change_leaves_the_labels(base: tuple[str, Film], tmp_path: Path) -> None:
    assert judged(*base, CHANGES, tmp_path) == {}


@pytest.mark.metamorphic
@pytest.mark.shared
def test_pairs_of_changes_leave_the_labels(shared: Path, tmp_path: Path) -> None:
    drawn = list(pairs(PAIRS, SEED))
    told = {}
    for i, (name, (file, from_s, seconds)) in enumerate(REAL.items()):
        mine = {change.name: change for change in drawn[i :: len(REAL)]}
        film = read(shared / "media" / file, seconds, from_s)
        told |= judged(name, film, mine, tmp_path / name)
    assert told == {}


@pytest.mark.metamorphic
@pytest.mark.shared
@pytest.mark.parametrize("name", ALONE)
def test_a_talking_head_alone_gives_its_clips(shared: Path, tmp_path: Path, name: str) -> None:
    (found,) = run(tmp_path / "lake", shared / "media" / name).values()
    print(f"{name}: {found}")  # noqa: T201
    assert found.talking


@pytest.mark.metamorphic
@pytest.mark.shared
def test_the_share_of_talking_heads_that_give_a_clip_is_printed(shared: Path, tmp_path: Path) -> None:
    """Of the clips of 8 s and more; each shows one person who talks to the camera."""
    long = [path for path in sorted((shared / "media" / "talking").glob("*.*")) if length_s(path) >= 8.0]
    found = run(tmp_path / "lake", *long)
    with_clip = [name for name, labels in found.items() if labels.talking]
    print(f"{len(with_clip)} of {len(found)} talking heads give a talking clip")  # noqa: T201
    assert len(with_clip) > len(found) / 2


def length_s(path: Path) -> float:
    try:
        return probe(path, MediaBudget()).duration_s
    except PermanentFailure:
        return 0.0
