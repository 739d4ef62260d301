"""A picture of a face is told from a face, however it is held; a listener who sits still stays alive."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest
from followed import Followed, Seen
from made_faces import Box, Stage
from numpy.typing import NDArray
from rows import frame

from speakervid_dag.config.profiles import load_profile
from speakervid_dag.curation.clips.boundaries import make_clips
from speakervid_dag.curation.clock import PartClock
from speakervid_dag.curation.faces.liveness import LifeWatch
from speakervid_dag.curation.faces.people import describe_people
from speakervid_dag.curation.frames.frame_pass import FacePass, ShotSpan
from speakervid_dag.curation.speaking.pairs import pairs_of
from speakervid_dag.demo.acting import act
from speakervid_dag.demo.materials import PORTRAITS, load_picture
from speakervid_dag.demo.puppet import Puppet
from speakervid_dag.failures import WeightsMissing
from speakervid_dag.lake.schemas import FACE_TRACKS, SHOTS, SPEAKER_BINDINGS, SPEECH_TURNS, SYNC_SCORES
from speakervid_dag.media.budget import MediaBudget
from speakervid_dag.media.decode import read_frames
from speakervid_dag.media.probe import probe
from speakervid_dag.models.registry import weight_path

pytestmark = pytest.mark.heavy

PROFILE = load_profile("laptop")
FACE: Box = (250.0, 90.0, 350.0, 210.0)
Picture = NDArray[np.uint8]
Film = Callable[[float], Picture]  # seconds → picture


def drawn_face(lid: float = 0.0, lips: float = 0.0) -> Picture:
    """A 360 × 640 picture with a face in FACE; lids closed and lips opened by 0-1."""
    picture = np.full((360, 640, 3), 90, np.uint8)
    picture += (40 * np.sin(np.arange(640) / 9)[None, :, None] ** 2).astype(np.uint8)
    cv2.ellipse(picture, (300, 150), (48, 60), 0, 0, 360, (130, 160, 205), -1)
    cv2.ellipse(picture, (300, 108), (46, 24), 0, 180, 360, (30, 40, 60), -1)
    for x in (280, 320):
        cv2.ellipse(picture, (x, 138), (9, max(1, round(5 * (1 - lid)))), 0, 0, 360, (235, 235, 235), -1)
        cv2.circle(picture, (x, 138), max(1, round(4 * (1 - lid))), (40, 50, 60), -1)
        cv2.line(picture, (x - 10, 126), (x + 10, 125), (40, 50, 70), 3)
    cv2.line(picture, (300, 140), (297, 163), (100, 130, 175), 3)
    cv2.ellipse(picture, (300, 180), (16, 4 + round(8 * lips)), 0, 0, 360, (80, 80, 170), -1)
    return cv2.GaussianBlur(picture, (0, 0), 1.0)


def grained(picture: Picture, seconds: float, deviation: float) -> Picture:
    grain = np.random.default_rng(round(seconds * 1000)).normal(0, deviation, picture.shape)
    return np.clip(picture + grain, 0, 255).astype(np.uint8)


def held(picture: Picture, x: float, y: float, scale: float = 1.0, turn_deg: float = 0.0) -> Picture:
    """The picture moved, zoomed and turned around its face."""
    place = cv2.getRotationMatrix2D((300, 150), turn_deg, scale)
    place[:, 2] += (x, y)
    return np.asarray(cv2.warpAffine(picture, place, (640, 360), borderMode=cv2.BORDER_REFLECT), np.uint8)


def coded(picture: Picture, quality: int) -> Picture:
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], 1))


DEAD: dict[str, Film] = {
    "on a wall, under grain": lambda t: grained(drawn_face(), t, 4),
    "under heavy grain, coded badly": lambda t: coded(grained(drawn_face(), t, 10), 25),
    "slow zoom": lambda t: held(drawn_face(), 0, 0, 1 + 0.03 * t),
    "slow pan": lambda t: grained(held(drawn_face(), 6 * t, -2 * t), t, 3),
    "held in a hand": lambda t: grained(
        held(drawn_face(), 5 * np.sin(8 * t), 4 * np.cos(5 * t), 1, 2 * np.sin(3 * t)), t, 5
    ),
    "light that changes": lambda t: cv2.convertScaleAbs(drawn_face(), alpha=1 + 0.15 * np.sin(4 * t), beta=4 * t),
}
ALIVE: dict[str, Film] = {
    "blinks now and then": lambda t: grained(drawn_face(lid=float(t % 2.6 < 0.6)), t, 3),
    "talks": lambda t: grained(drawn_face(lips=float(np.sin(11 * t) ** 2)), t, 3),
}


def film(picture: Film, seconds: float = 6.0, fps: int = 4) -> list[Seen]:
    return [Seen(i / fps, picture(i / fps)) for i in range(round(seconds * fps))]


def liveness(frames: list[Seen], box: Box = FACE, jitter_px: float = 1.0) -> tuple[float | None, str]:
    """What a watch says of a face in this box; `jitter_px`: the box of a mesh is never quite steady."""
    watch, track = LifeWatch(PROFILE.liveness, PartClock()), Followed(box)
    jitter = np.random.default_rng(0).normal(0, jitter_px, (len(frames), 2))
    for seen, (dx, dy) in zip(frames, jitter, strict=True):
        track.see(seen.time_s, (box[0] + dx, box[1] + dy, box[2] + dx, box[3] + dy))
        watch.feed(seen.time_s, seen.image, [track])
    return watch.liveness(track)


@pytest.mark.parametrize("name", DEAD)
def test_a_picture_of_a_face_leaves_nothing_over(name: str) -> None:
    value, status = liveness(film(DEAD[name]))

    assert status == "ok"
    assert value is not None
    assert value < PROFILE.liveness.min_leftover * 0.7


@pytest.mark.parametrize("name", ALIVE)
def test_lids_or_lips_are_enough_to_be_alive(name: str) -> None:
    value, status = liveness(film(ALIVE[name]))

    assert status == "ok"
    assert value is not None
    assert value > 1.5 * PROFILE.liveness.min_leftover


def test_what_cannot_be_told_says_why_and_is_taken_for_alive() -> None:
    picture = grained(drawn_face(), 0.0, 3)
    small = cv2.resize(picture, (160, 90), interpolation=cv2.INTER_AREA)
    flat = np.full((360, 640, 3), 120, np.uint8)

    assert liveness(film(lambda _: picture, 1.5)) == (None, "too_few_looks")
    assert liveness(film(lambda _: small), tuple(v / 4 for v in FACE)) == (None, "too_small")  # type: ignore[arg-type]
    assert liveness(film(lambda _: flat)) == (None, "too_few_looks")
    assert liveness(film(lambda _: picture), (590.0, 90.0, 690.0, 210.0)) == (None, "too_few_looks")  # at the edge


@pytest.mark.parametrize(("picture", "person"), [(DEAD["slow zoom"], None), (ALIVE["blinks now and then"], "v-p00")])
def test_the_picture_of_a_face_is_a_track_of_nobody(picture: Film, person: str | None) -> None:
    stage = Stage(lambda _: [FACE])
    frames = film(picture, fps=8)
    for number, seen in enumerate(frames):
        seen.image[0, 0] = (number, 0, 0)  # from which the fakes know the frame
    faces = FacePass(
        "v", [ShotSpan("v-s0000", 0.0, 6.0)], PROFILE.tracking, PROFILE.identity, PROFILE.liveness, PROFILE.sampling,
        stage, stage, stage, stage,
    )  # fmt: skip
    track = faces.run(frames).tracks[0]

    assert (track["person_id"], track["liveness_status"]) == (person, "ok")
    assert (track["liveness"] < PROFILE.liveness.min_leftover) == (person is None)


def rows() -> dict[str, pl.DataFrame]:
    """A speaker and, beside her, a photograph; a turn of hers and one of somebody off screen."""
    series = {
        "boxes": [[0.1, 0.1, 0.2, 0.3]], "lip_shape": [[0.0] * 40], "frame_times_s": [0.0],
        "mesh_score": [1.0], "yaw_deg": [0.0],
    }  # fmt: skip
    span = {"start_s": 0.0, "end_s": 10.0, "video_id": "v", "shot_id": "s"}
    tracks = [{"track_id": "t0", "person_id": "v-p00"}, {"track_id": "t1", "person_id": None, "liveness": 0.01}]
    turns = [
        {"turn_id": "u0", "speaker_id": "A", "start_s": 0.0, "end_s": 5.0},
        {"turn_id": "u1", "speaker_id": "B", "start_s": 5.5, "end_s": 9.5},
    ]
    bound = {"turn_id": "u0", "speaker_id": "A", "track_id": "t0", "person_id": "v-p00", "status": "bound"}
    off = {"turn_id": "u1", "speaker_id": "B", "start_s": 5.5, "end_s": 9.5, "status": "off_screen"}
    return {
        "shots": frame(SHOTS, [span]),
        "tracks": frame(FACE_TRACKS, [{**span, **series, **t} for t in tracks]),
        "turns": frame(SPEECH_TURNS, turns),
        "bindings": frame(SPEAKER_BINDINGS, [{**bound, "start_s": 0.0, "end_s": 5.0, "margin": 3.0}, off]),
    }


def test_nobody_neither_talks_nor_listens_and_the_time_says_why() -> None:
    clips, dropped = make_clips(**rows(), scores=SYNC_SCORES.empty(), settings=PROFILE.clips)

    assert [(c["track_id"], c["role"]) for c in clips.to_dicts()] == [("t0", "talking"), ("t0", "listening")]
    spans = dropped.filter(pl.col("track_id") == "t1").select("start_s", "end_s", "reason").rows()
    assert spans == [(0.0, 10.0, "not_alive")]


def test_nobody_is_no_person_and_no_candidate() -> None:
    made = rows()
    people = describe_people(made["tracks"], made["turns"], made["bindings"])
    pairs = pairs_of(made["turns"], made["tracks"], PROFILE.sync)

    assert people["person_id"].to_list() == ["v-p00"]
    assert {p.track_id for p in pairs} == {"t0"}


@pytest.mark.parametrize("name", sorted(PORTRAITS))
def test_the_demos_portraits_are_alive_while_they_only_nod_and_blink(name: str) -> None:
    portrait, (width, height) = PORTRAITS[name], (320, 360)
    try:
        puppet = Puppet(load_picture(weight_path, portrait), portrait, (width, height))
    except WeightsMissing as missing:
        pytest.skip(f"{missing.name}: run `speakervid models pull --demo`")
    poses = act(None, 6 * 25, np.random.default_rng(0))[::5]
    x1, y1, x2, y2 = puppet.face_box()  # of all that moves: wider than the face
    dx, dy = 0.12 * (x2 - x1), 0.12 * (y2 - y1)

    value, status = liveness(
        [Seen(i / 5, puppet.draw(pose)) for i, pose in enumerate(poses)],
        ((x1 + dx) * width, (y1 + dy) * height, (x2 - dx) * width, (y2 - dy) * height),
        jitter_px=0.0,
    )

    assert status == "ok"
    assert value is not None
    assert value > PROFILE.liveness.min_leftover


@pytest.mark.shared
@pytest.mark.parametrize(
    "file", ["edtalk_monologue_60s.mp4", "syncnet_example_anchor.avi", "speakervid_dialogue2_A.mp4"]
)
def test_the_kits_looped_listeners_are_alive(shared: Path, file: str) -> None:
    """A listener of the kit is a pause of a real person, run back and forth."""
    source = next(
        s for s in json.loads((shared / "truth" / "sources.json").read_text())["sources"] if s["file"] == file
    )
    start_s, end_s = source["silent"][0]
    info = probe(shared / "media" / file, MediaBudget())
    with read_frames(shared / "media" / file, info, MediaBudget(), max_long_side_px=480) as reader:
        pause = [f.image for f in itertools.takewhile(lambda f: f.time_s < end_s, reader) if f.time_s >= start_s]
    loop = itertools.cycle([*pause, *pause[-2:0:-1]])
    height, width = pause[0].shape[:2]
    x1, y1, x2, y2 = source["face"]  # over the whole source: wider than the face is in a pause
    dx, dy = 0.1 * (x2 - x1), 0.1 * (y2 - y1)
    box = ((x1 + dx) * width, (y1 + dy) * height, (x2 - dx) * width, (y2 - dy) * height)

    shown = [Seen(i / 25, picture) for i, picture in zip(range(6 * 25), loop, strict=False)]
    value, status = liveness(shown, box, jitter_px=0.0)

    assert status == "ok"
    assert value is not None
    assert value > PROFILE.liveness.min_leftover
