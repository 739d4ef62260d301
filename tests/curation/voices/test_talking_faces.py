"""Faces as side information for voices: they split and join what sound leaves open, and nothing that is clear."""

import numpy as np
import pytest
from conversations import RATE_HZ, Video, lips, loudness, section_values, sound, sync_settings
from made_voices import HOP_S, Script, embeddings_of, probabilities

from speakervid_dag.config.sections import DiarizationSettings
from speakervid_dag.curation.speaking import active_speaker
from speakervid_dag.curation.speaking.active_speaker import BackendAnswer
from speakervid_dag.curation.speaking.lip_backends import LipMotion
from speakervid_dag.curation.voices.diarization import (
    SpeechTurn,
    speakers_of,
    speech_regions,
    speech_turns,
    window_centres,
)
from speakervid_dag.curation.voices.talking_faces import NOBODY, TalkingFaces, pieces, talking_faces

QUESTIONS = [("A", 0.4, 8.0), ("B", 8.4, 12.4), ("A", 13.0, 20.0), ("B", 20.4, 24.4), ("A", 25.0, 32.0)]
ALIKE = 0.74  # two voices that sound alone hears as one


@pytest.fixture
def settings() -> DiarizationSettings:
    return DiarizationSettings.model_validate(section_values()["diarization"])


def faces_of(script: Script, people: str, side_by_side: bool = True) -> TalkingFaces:
    """Each piece of the script shows the person of that letter talking; "-" is nobody."""
    numbers = [NOBODY if p == "-" else "AB".index(p) for p in people]
    starts, ends = (np.array([span[i] for span in script]) for i in (1, 2))
    return TalkingFaces(starts, ends, np.array(numbers), np.full((2, 2), side_by_side))


def heard(
    script: Script, settings: DiarizationSettings, between: float, faces: TalkingFaces | None
) -> list[SpeechTurn]:
    regions = speech_regions(probabilities(script), HOP_S, settings)
    centres_s = window_centres(regions, settings)
    return speech_turns(regions, centres_s, embeddings_of(script, centres_s, between), settings, faces)


def wrong_s(turns: list[SpeechTurn], script: Script) -> float:
    """Time with the wrong letter, s, at 10 ms; both scripts here begin with A."""
    grid = np.arange(0, 40, 0.01)
    said, told = np.full(len(grid), "-"), np.full(len(grid), "-")
    for name, start, end in script:
        said[(grid >= start) & (grid < end)] = name
    for turn in turns:
        told[(grid >= turn.start_s) & (grid < turn.end_s)] = turn.speaker_id
    return float(((said != told) & (said != "-") & (told != "-")).sum() / 100)


def test_two_voices_heard_as_one_are_told_apart_by_their_faces(settings: DiarizationSettings) -> None:
    alone = heard(QUESTIONS, settings, ALIKE, None)
    assert {t.speaker_id for t in alone} == {"A"}
    together = heard(QUESTIONS, settings, ALIKE, faces_of(QUESTIONS, "ABABA"))
    assert [t.speaker_id for t in together] == ["A", "B", "A", "B", "A"]
    assert wrong_s(alone, QUESTIONS) == pytest.approx(8.0, abs=0.3)
    assert wrong_s(together, QUESTIONS) <= 0.5


def test_faces_that_are_never_seen_together_split_no_voice(settings: DiarizationSettings) -> None:
    """A narrator speaks over one face after the other: their lips may move, the voice is one."""
    apart = heard(QUESTIONS, settings, ALIKE, faces_of(QUESTIONS, "ABABA", side_by_side=False))
    assert {t.speaker_id for t in apart} == {"A"}


def test_faces_that_do_not_follow_the_voices_split_nothing(settings: DiarizationSettings) -> None:
    one = [("A", start, end) for _, start, end in QUESTIONS]
    for people in ("AAAAA", "-----", "A-A-A"):
        assert {t.speaker_id for t in heard(one, settings, 0.6, faces_of(one, people))} == {"A"}


def test_a_voice_heard_as_two_is_one_where_one_face_talks(settings: DiarizationSettings) -> None:
    near = [("A", 0.4, 4.4), ("B", 4.8, 8.8)]
    assert len({t.speaker_id for t in heard(near, settings, 0.645, None)}) == 2
    assert len({t.speaker_id for t in heard(near, settings, 0.645, faces_of(near, "AA"))}) == 1


def test_a_voice_that_is_clearly_another_stays_one_of_its_own(settings: DiarizationSettings) -> None:
    """A voice-over on a face that moves its lips: what is seen does not outweigh what is heard."""
    far = [("A", 0.4, 6.0), ("B", 6.4, 12.0)]
    assert len({t.speaker_id for t in heard(far, settings, 0.45, faces_of(far, "AA"))}) == 2


def test_more_voices_than_talking_faces_must_be_clearer(settings: DiarizationSettings) -> None:
    near = [("A", 0.4, 8.4), ("B", 8.8, 12.8)]
    strict = settings.model_copy(update={"faces": settings.faces.model_copy(update={"owned_s": 99.0})})
    assert len({t.speaker_id for t in heard(near, strict, 0.645, faces_of(near, "A-"))}) == 2  # a third is unexplained
    assert len({t.speaker_id for t in heard(near, strict, 0.645, faces_of(near, "AA"))}) == 1


def test_the_talker_is_who_moves_the_lips_while_the_others_keep_still(settings: DiarizationSettings) -> None:
    times = np.arange(0, 12, 0.04)
    talk, still = loudness(12, 1), np.zeros(2400)
    own = {"p00": np.where(np.arange(2400) < 800, talk, still), "p01": np.where(np.arange(2400) < 800, still, talk)}
    video = Video()
    video.add_shot(0.0, 12.0)
    for i, (person, envelope) in enumerate(own.items()):
        video.add_track(person, times, lips(np.where(np.arange(2400) >= 1600, talk, envelope), times, seed=i))
    parts = pieces([(0.0, 4.0), (4.0, 8.0), (8.0, 12.0)], settings.faces)
    assert parts.height == 12
    pairs = active_speaker.pairs_of(parts, video.tracks, sync_settings())
    scene = active_speaker.Scene(pairs, sound(talk), RATE_HZ, sync_settings())
    found = talking_faces(parts, pairs, LipMotion().measure(scene), settings.faces)
    middles = (parts["start_s"] + parts["end_s"]).to_numpy() / 2
    assert found.at(middles).tolist() == [0] * 4 + [1] * 4 + [NOBODY] * 4
    assert found.at(np.array([-1.0, 99.0])).tolist() == [NOBODY, NOBODY]
    assert found.are_together.tolist() == [[False, True], [True, False]]


@pytest.mark.parametrize(
    ("scores", "talker"),
    [
        ({"p00": 0.3, "p01": 0.05}, 0),
        ({"p00": 0.3, "p01": 0.2}, NOBODY),  # both move
        ({"p00": 0.1, "p01": 0.0}, NOBODY),  # neither does
        ({"p00": 0.3, "p01": None}, NOBODY),  # the hidden mouth may be the one
        ({"p00": 0.6, "p01": None}, 0),
        ({"p00": None, "p01": None}, NOBODY),
    ],
)
def test_still_mouths_and_hidden_ones_are_not_the_same(
    scores: dict[str, float | None], talker: int, settings: DiarizationSettings
) -> None:
    parts = pieces([(0.0, 1.0)], settings.faces)
    (turn,) = parts.to_dicts()
    pairs = [active_speaker.Pair({"track_id": f"t-{p}", "person_id": p}, turn, 0.0, 1.0) for p in scores]
    answers = {pair.key: BackendAnswer(talking=scores[pair.person_id]) for pair in pairs}
    assert talking_faces(parts, pairs, answers, settings.faces).talkers.tolist() == [talker]


def test_a_video_without_faces_in_its_speech_says_nothing(settings: DiarizationSettings) -> None:
    found = talking_faces(pieces([(0.0, 4.0)], settings.faces), [], {}, settings.faces)
    assert found.at(np.array([1.0])).tolist() == [NOBODY]
    assert {t.speaker_id for t in heard(QUESTIONS, settings, ALIKE, found)} == {"A"}


def test_the_letter_by_sound_is_that_of_most_of_the_turn() -> None:
    turns = [SpeechTurn("A", 0.0, 4.0), SpeechTurn("B", 4.0, 9.0)]
    assert speakers_of(turns, [SpeechTurn("A", 0.0, 9.0)]) == ["A", "A"]
    assert speakers_of(turns, [SpeechTurn("A", 0.0, 5.0), SpeechTurn("B", 5.0, 9.0)]) == ["A", "B"]
