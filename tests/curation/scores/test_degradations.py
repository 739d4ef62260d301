"""Every graded degradation against every score, on a generated clip: what must move does, the rest keeps its band."""

from functools import cache

import cv2
import degraded
import numpy as np
import pytest
from made_faces import Frame, Stage

from speakervid_dag.config.profiles import load_profile
from speakervid_dag.curation.frames.frame_pass import FacePass
from speakervid_dag.curation.frames.log import ShotSpan
from speakervid_dag.curation.scores import person as person_measures
from speakervid_dag.curation.scores import picture as picture_measures
from speakervid_dag.curation.scores import sound as audio_measures
from speakervid_dag.curation.scores.camera import picture_scores

pytestmark = pytest.mark.heavy

PROFILE = load_profile("laptop")
SIZE, LENGTH_S, FACE = (640, 360), 4.0, (260.0, 60.0, 380.0, 210.0)
SPEECH = [(0.6, 1.4), (2.0, 3.2)]


def texture(height: int, width: int, seed: int) -> np.ndarray:
    """Structure at every scale about mid-grey, float."""
    chance = np.random.default_rng(seed)
    layers = [
        cv2.resize(chance.normal(0, 1, (height // size + 1, width // size + 1, 3)), (width, height)) * np.sqrt(size)
        for size in (2, 4, 8, 16, 32)
    ]
    whole = np.sum(layers, axis=0)
    return np.asarray(120 + 35 * whole / whole.std())


@cache
def clip() -> tuple[np.ndarray, ...]:
    """A still room, a face that nods by 3 px, somebody who walks behind it, a camera's grain: 4 s at 25 fps."""
    room, face, chance = texture(*SIZE[::-1], seed=0), texture(160, 120, seed=1), np.random.default_rng(2)
    walker = texture(300, 60, seed=3)
    frames = []
    for number in range(round(LENGTH_S * degraded.FPS)):
        picture, nod = room.copy(), round(3 + 3 * np.sin(number / 4))
        picture[60:, number * 5 : number * 5 + 60] = walker
        picture[60:210, 260:380] = face[nod : nod + 150]
        frames.append(np.clip(picture + chance.normal(0, 2, picture.shape), 0, 255).astype(np.uint8))
    return tuple(frames)


def voice() -> np.ndarray:
    """Two stretches of a voiced tone with syllables, in a quiet room."""
    t = np.arange(round(LENGTH_S * degraded.RATE_HZ)) / degraded.RATE_HZ
    on = np.any([(t >= a) & (t < b) for a, b in SPEECH], axis=0)
    tone = np.sum([np.sin(2 * np.pi * 140 * k * t) / k for k in range(1, 12)], axis=0)
    room = np.random.default_rng(4).normal(0, 0.0005, len(t))
    return np.asarray(on * tone * (0.1 + 0.1 * np.sin(2 * np.pi * 4 * t) ** 2) + room, np.float32)


def picture_scores_of(frames: list[np.ndarray]) -> dict[str, float | None]:
    stage = Stage(lambda _: [FACE])
    shots, span = [ShotSpan("s", 0.0, LENGTH_S)], (0.0, LENGTH_S)
    faces = FacePass(
        "v",
        shots,
        PROFILE.tracking,
        PROFILE.identity,
        PROFILE.liveness,
        PROFILE.sampling,
        stage,
        stage,
        stage,
        stage,
    )
    found = faces.run(Frame(i / degraded.FPS, f) for i, f in enumerate(frames))
    log, track, pose = (
        {k: v.to_list() if hasattr(v, "to_list") else v for k, v in rows[0].items()}
        for rows in (found.frames, found.tracks, found.poses)
    )
    video = {"width_px": SIZE[0], "height_px": SIZE[1]}
    told = picture_measures.region_measures(track, span, PROFILE.scores)
    told["face_count_consistency"] = picture_measures.face_count(log, span, PROFILE.scores, "-")
    told |= picture_scores(log, span, PROFILE.scores, (), "-")
    told |= picture_measures.face_measures(track, span, video, PROFILE.scores, picture_measures.picture_box(log))
    told |= person_measures.person_scores(pose, track, log, span, video, PROFILE.scores)
    return {name: told[name][0] for name in degraded.BANDS if name in told}  # type: ignore[misc]


@pytest.mark.parametrize("name", degraded.PICTURE)
def test_a_degraded_picture_moves_its_score_and_no_other(name: str) -> None:
    grades = [picture_scores_of(degraded.PICTURE[name](list(clip()), grade)) for grade in range(degraded.GRADES)]
    series = {score: [grade[score] for grade in grades] for score in grades[0]}

    assert {*degraded.MOVES[name]} <= {*series}
    assert len(series) >= 10
    assert degraded.complaints(name, series) == []


@pytest.mark.parametrize("name", degraded.SOUND)
def test_degraded_sound_moves_its_score_and_no_other(name: str) -> None:
    sounds = [degraded.SOUND[name](voice(), grade) for grade in range(degraded.GRADES)]
    series = {
        "snr_db": [audio_measures.snr_db(s, degraded.RATE_HZ, SPEECH)[0] for s in sounds],
        "clipping_share": [audio_measures.clipping_share(s)[0] for s in sounds],
    }

    assert degraded.complaints(name, series) == []


def test_the_table_names_only_scores_that_have_a_band() -> None:
    named = {score for table in (degraded.MOVES, degraded.COUPLED) for row in table.values() for score in row}
    assert named <= {*degraded.BANDS}
    assert {*degraded.MOVES} == {*degraded.PICTURE, *degraded.SOUND} == {*degraded.COUPLED}


def test_a_complaint_is_made_of_a_score_that_stalls_and_of_one_that_strays() -> None:
    still = {"luminance": [100.0, 50.0, 50.0, 10.0], "clipping_share": [0.0, 0.0, 0.0, 0.1]}
    assert [told.split(":")[1].split()[0] for told in degraded.complaints("darkness", still)] == [*still]
    assert len(degraded.complaints("darkness", {"luminance": [100.0, None, 20.0, 10.0]})) == 1
