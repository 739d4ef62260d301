"""From networks' outputs to turns and rows of `turn_faces`."""

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joint.made_scenes import JOINT, Line, face, talks_of

from speakervid_dag.arrays import unit
from speakervid_dag.config.profiles import load_profile
from speakervid_dag.curation.joint.diarization import SeenDiarization, calibrated, diarize_jointly, turn_face_rows
from speakervid_dag.curation.joint.evidence import Floats, TalkingFace
from speakervid_dag.curation.joint.turns import FaceStretch
from speakervid_dag.curation.voices.diarization import Heard, Sound, hear_windows, turn_rows
from speakervid_dag.curation.voices.local_speakers import FrameClock, windows_of
from speakervid_dag.curation.voices.voice_evidence import GRID_HZ
from speakervid_dag.lake.schemas import TURN_FACES

SETTINGS = load_profile("laptop").diarization
MAPPED = JOINT.model_copy(update={"probability_map": ((0.1, 0.2), (0.5, 0.4), (0.9, 0.8))})
SETS = ((), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2))
RATE_HZ = 100  # of made-up samples, and of mels


class Ear:
    """Encoder of made-up sound: a sample is a number of who talks, a band of the mels one person's voice."""

    def embed_mels(self, mels: Sequence[Floats]) -> Floats:
        return unit(np.stack([piece.mean(axis=0) + 0.05 for piece in mels]).astype(np.float32))

    def embed(self, sounds: Sequence[Floats]) -> Floats:
        return np.array([[np.mean(sound == 1), np.mean(sound == 2)] for sound in sounds], np.float32)


def heard_of(lines: Sequence[Line], seconds: float, noise_s: float = 0) -> Heard | None:
    """What perfect networks hear; before `noise_s` the second one hears no speech."""
    talks = talks_of(lines, seconds, 2)
    names = np.select([talks.all(axis=0), talks[0], talks[1]], [4, 1, 2], 0)
    length = 10 * GRID_HZ
    starts = range(0, talks.shape[1] - length + 1, GRID_HZ)
    classes = [(start / GRID_HZ, np.eye(7, dtype=np.float32)[names[start : start + length]]) for start in starts]
    windows = windows_of(classes, SETS, FrameClock(0.5 / GRID_HZ, 1 / GRID_HZ))
    assert windows is not None
    fine = np.repeat(talks, RATE_HZ // GRID_HZ, axis=1).astype(np.float32)
    speech = (np.arange(round(seconds * 10)) >= noise_s * 10).astype(np.float32)
    sound = Sound(fine[0] + 2 * fine[1], RATE_HZ, (speech, 0.1))
    return hear_windows(sound, windows, fine.T, RATE_HZ, Ear(), SETTINGS)


def diarized(
    lines: Sequence[Line], seconds: float, faces: Sequence[TalkingFace], noise_s: float = 0
) -> SeenDiarization:
    """The answer on what perfect networks say."""
    heard = heard_of(lines, seconds, noise_s)
    assert heard is not None
    return diarize_jointly(heard, faces, dict.fromkeys([each.track_id for each in faces]), SETTINGS, JOINT)


LINES = [(0, 0.4, 1.4), (1, 2, 6), (0, 7, 11), (1, 11.4, 13), (0, 13.6, 19)]


def test_turns_have_labels_embeddings_and_the_faces_in_view() -> None:
    talks = talks_of(LINES, 20, 2)
    faces = [face("t-a", talks[0], seed=1), face("t-b", talks[1], 0, 280, seed=2)]  # the second leaves at 11.2 s

    seen = diarized(LINES, 20, faces)

    turns = seen.found.turns
    assert [turn.speaker_id for turn in turns] == ["A", "B", "A", "B", "A"]
    assert seen.found.by_sound == ["A", "B", "A", "B", "A"]
    times = [time for turn in turns for time in turn.span]
    assert times == pytest.approx([time for _, start, end in LINES for time in (start, end)], abs=0.15)
    vectors = [None if v is None else int(v.argmax()) for v in seen.found.embeddings]
    assert vectors[1:] == [1, 0, 1, 0]
    assert [[part.track for part in own] for own in seen.stretches] == [[0], [1], [0], [None], [0]]
    spans = [(own[0].start / GRID_HZ, own[-1].end / GRID_HZ) for own in seen.stretches]
    assert spans == [turn.span for turn in turns]


def test_a_turn_that_is_no_speech_goes_with_its_stretches() -> None:
    talks = talks_of(LINES, 20, 2)
    faces = [face("t-a", talks[0], seed=1), face("t-b", talks[1], seed=2)]

    seen = diarized(LINES, 20, faces, noise_s=1.8)

    assert [turn.speaker_id for turn in seen.found.turns] == ["A", "B", "A", "B"]
    assert [[part.track for part in own] for own in seen.stretches] == [[1], [0], [1], [0]]
    rows = turn_face_rows(turn_rows("v1", seen.found, SETTINGS), seen.stretches, faces, JOINT)
    assert [(row["turn_id"], row["track_id"]) for row in rows] == [
        (f"v1-u{number:04d}", name) for number, name in enumerate(["t-b", "t-a", "t-b", "t-a"])
    ]


def test_silence_is_nobody() -> None:
    assert heard_of([], 10) is None


def test_turns_that_only_faces_find_keep_their_own_label_by_sound() -> None:
    heard = heard_of(LINES, 20)
    assert heard is not None
    talks = talks_of(LINES, 20, 2)

    seen = diarize_jointly(replace(heard, turns=[]), [face("t-a", talks[0], seed=1)], {}, SETTINGS, JOINT)

    assert seen.found.by_sound == [turn.speaker_id for turn in seen.found.turns] != []


def test_rows_fit_their_table() -> None:
    faces = [face(name, np.ones(110, np.bool_)) for name in ("t-a", "t-b")]
    faces[1].margins[25:50], faces[1].margins[50:75], faces[1].is_readable[25:50] = np.nan, 0.1, False
    faces[0].margins[:] = np.nan
    faces[1] = replace(faces[1], offset_frames=1.5)
    stretches = [
        (FaceStretch(1, 25, 75, 0.5, -0.5, 0.75, False, True), FaceStretch(None, 75, 100, 0.9, None, 0.0, True, False)),
        (),
        (FaceStretch(0, 100, 110, 1.0, 3.0, 1.0, False, False),),
    ]
    turns = [{"video_id": "v1", "turn_id": f"u{i}", "speaker_id": "ABA"[i], "start_s": 0.0} for i in range(3)]

    rows = turn_face_rows(turns, stretches, faces, MAPPED)

    table = TURN_FACES.frame([{"batch": "b1"} | row for row in rows])
    assert table["turn_id"].to_list() == ["u0", "u0", "u2"]
    assert table["speaker_id"].to_list() == ["A", "A", "A"]
    assert table["track_id"].to_list() == ["t-b", None, "t-a"]
    assert table.select("start_s", "end_s").rows() == [(1.0, 3.0), (3.0, 4.0), (4.0, 4.4)]
    assert table["probability"].to_list() == pytest.approx([0.4, 0.8, 0.8])
    assert table["talking"].to_list() == [-0.5, None, 3.0]
    assert table["sync_margin"].to_list() == [pytest.approx(0.1), None, None]
    assert table["readable_share"].to_list() == [1.0, 0.0, 0.0]
    assert table["sound_offset_frames"].to_list() == [1.5, None, None]
    assert table["seen_share"].to_list() == [0.75, 0.0, 1.0]
    assert table["has_overlap"].to_list() == [False, True, False]
    assert table["is_contradicted"].to_list() == [True, False, False]


def test_a_probability_is_read_off_the_map() -> None:
    assert calibrated(0.3, MAPPED) == pytest.approx(0.3)
    assert calibrated(0.6, MAPPED) == pytest.approx(0.5)
    assert [calibrated(p, MAPPED) for p in (0.0, 1.0)] == [0.2, 0.8]  # beyond its ends
    for settings in (MAPPED, JOINT):
        assert [calibrated(said, settings) for said, _ in settings.probability_map] == pytest.approx(
            [is_so for _, is_so in settings.probability_map]
        )


@given(st.lists(st.floats(0, 1), min_size=2, max_size=10))
def test_a_surer_posterior_is_never_less_probable(said: list[float]) -> None:
    for settings in (MAPPED, JOINT):
        found = [calibrated(p, settings) for p in sorted(said)]
        assert all(a <= b + 1e-12 for a, b in itertools.pairwise(found))
        assert all(0 <= p <= 1 for p in found)
