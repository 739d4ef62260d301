"""Binding speakers to people: right answers, refusals, and what each turn of a bound speaker gets."""

import numpy as np
import polars as pl
from conversations import RATE_HZ, Video, binding_settings, lips, loudness, sound, sync_settings
from hypothesis import given, settings
from hypothesis import strategies as st

from speakervid_dag.curation.speaking.binding_evidence import Evidence
from speakervid_dag.curation.speaking.bindings import assign, bind_video
from speakervid_dag.curation.speaking.sync import score_video
from speakervid_dag.lake.schemas import SPEAKER_BINDINGS, SYNC_SCORES

TIMES = np.arange(0, 12, 0.04)
SILENCE = np.zeros(2400)


def bound(video: Video, audio: np.ndarray) -> pl.DataFrame:
    scores = score_video(video.turns, video.tracks, audio, RATE_HZ, sync_settings())
    return bind_video(video.shots, video.turns, video.tracks, scores, binding_settings())


def two_voices() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two envelopes and what is heard: the first until 6 s, then the second."""
    first, second = loudness(12, 1), loudness(12, 2)
    return first, second, np.concatenate([first[:1200], second[1200:]])


def conversation(first: np.ndarray, second: np.ndarray) -> Video:
    video = Video()
    video.add_shot(0.0, 12.0)
    video.add_track("p00", TIMES, lips(first, TIMES, seed=1))
    video.add_track("p01", TIMES, lips(second, TIMES, seed=2))
    for speaker, start, end in (("A", 0.1, 2.9), ("A", 3.1, 5.9), ("B", 6.1, 8.9), ("B", 9.1, 11.9)):
        video.add_turn(speaker, start, end)
    return video


def test_both_mouths_move_all_the_time() -> None:
    first, second, heard = two_voices()
    found = bound(conversation(first, second), sound(heard))
    assert found.schema == SPEAKER_BINDINGS.schema
    assert found["status"].to_list() == ["bound"] * 4
    assert found["person_id"].to_list() == ["v1-p00", "v1-p00", "v1-p01", "v1-p01"]
    assert min(found["margin"].to_list()) >= binding_settings().min_margin


def test_a_still_listener_is_never_bound() -> None:
    first, second, heard = two_voices()
    first[1200:], second[:1200] = 0, 0
    found = bound(conversation(first, second), sound(heard))
    assert found["person_id"].to_list() == ["v1-p00", "v1-p00", "v1-p01", "v1-p01"]


def test_a_foreign_voice_over_a_talking_face_is_not_bound() -> None:
    video = Video()
    video.add_track("p00", TIMES, lips(loudness(12, 1), TIMES))
    video.add_turn("A", 0.2, 11.8)
    found = bound(video, sound(loudness(12, 9)))
    assert found["status"].to_list() == ["ambiguous"]
    assert found["track_id"].to_list() == [None]


def test_a_voice_over_a_still_picture_is_off_screen() -> None:
    video = Video()
    still = lips(SILENCE, TIMES[:1]) * len(TIMES)
    video.add_track("p00", TIMES, still)
    video.add_turn("A", 0.2, 11.8)
    found = bound(video, sound(loudness(12, 1)))
    assert found.select("status", "reason", "track_id").row(0) == ("off_screen", "lips_still", None)


def test_a_turn_without_a_face_is_off_screen_and_not_a_guess() -> None:
    video = Video()
    video.add_turn("A", 0.0, 3.0)
    found = bind_video(video.shots, video.turns, video.tracks, SYNC_SCORES.empty(), binding_settings())
    assert found.select("status", "reason").row(0) == ("off_screen", "no_face_seen")


def test_a_hidden_mouth_is_not_evaluated() -> None:
    video = Video()
    video.add_track("p00", TIMES, lips(loudness(12, 1), TIMES))
    video.rows["tracks"][0]["mesh_score"] = [0.0] * len(TIMES)
    video.add_turn("A", 0.0, 12.0)
    found = bound(video, sound(loudness(12, 1)))
    assert found.select("status", "reason").row(0) == ("not_evaluated", "mouth_not_visible")


def test_a_speaker_out_of_view_in_one_turn_is_off_screen_there() -> None:
    envelope = loudness(12, 1)
    video = Video()
    seen = TIMES[TIMES < 8]
    video.add_track("p00", seen, lips(envelope, seen, seed=1))
    late = TIMES[TIMES >= 8]
    video.add_track("p01", late, lips(SILENCE, late, seed=2))
    video.add_turn("A", 0.1, 7.9)
    video.add_turn("A", 8.4, 11.9)
    found = bound(video, sound(envelope)).sort("start_s")
    assert found["status"].to_list() == ["bound", "off_screen"]
    assert found["start_s"].to_list() == [0.1, 8.4]


def test_a_mislabelled_turn_is_not_bound_to_the_wrong_face() -> None:
    first, second, heard = two_voices()
    video = conversation(first, second)
    video.rows["turns"][3]["speaker_id"] = "A"  # said by B's face
    found = bound(video, sound(heard)).filter(pl.col("turn_id") == "v1-u0003")
    assert "v1-p00" not in found["person_id"].to_list()


def talker(on: tuple[float, float], seed: int) -> list[list[float]]:
    """A mouth that moves with nobody's sound while `on`, and is still else: hidden, or too far away for synchrony."""
    envelope = loudness(12, seed)
    outside = (np.arange(2400) < on[0] * 200) | (np.arange(2400) >= on[1] * 200)
    return lips(np.where(outside, 0, envelope), TIMES, seed=seed)


def test_cuts_that_follow_the_voice_bind_mouths_without_synchrony() -> None:
    heard, video = loudness(32, 9), Video()
    for i, name in enumerate("ABCD"):
        video.add_shot(8.0 * i, 8.0 * i + 8)
        times = np.arange(8.0 * i, 8.0 * i + 8, 0.04)
        moves = loudness(32, 20 + i) * (0.35 if name == "B" else 1.0)  # B is behind a microphone
        video.add_track(f"p0{i}", times, lips(moves, times, seed=i), shot=i)
        video.add_turn(name, 8.0 * i + 0.1, 8.0 * i + 7.9)
    found = bound(video, sound(heard)).sort("start_s")
    assert found["person_id"].to_list() == [f"v1-p0{i}" for i in range(4)]
    still = {t["track_id"]: t for t in video.rows["tracks"] if t["person_id"] == "v1-p01"}
    for track in still.values():  # a photograph in the same place is not the speaker
        track["lip_shape"] = lips(SILENCE, np.zeros(1)) * len(track["lip_shape"])  # type: ignore[arg-type]
    found = bound(video, sound(heard)).sort("start_s")
    assert found["person_id"].to_list() == ["v1-p00", None, "v1-p02", "v1-p03"]


def test_the_other_face_is_the_other_voice_when_the_bound_one_falls_silent() -> None:
    first, _, heard = two_voices()
    video = Video()
    video.add_shot(0.0, 12.0)
    video.add_track("p00", TIMES, lips(np.where(np.arange(2400) < 1200, first, 0), TIMES, seed=1))
    video.add_track("p01", TIMES, talker((6, 12), seed=7))
    for speaker, start, end in (("A", 0.1, 5.9), ("B", 6.1, 11.9)):
        video.add_turn(speaker, start, end)
    assert bound(video, sound(heard))["person_id"].to_list() == ["v1-p00", "v1-p01"]
    # both mouths move all the time: nothing falls silent, nothing is completed
    video.rows["tracks"][0]["lip_shape"] = lips(first, TIMES, seed=1)
    video.rows["tracks"][1]["lip_shape"] = talker((0, 12), seed=7)
    assert bound(video, sound(heard))["person_id"].to_list() == ["v1-p00", None]


def test_a_rival_must_fit_a_turn_clearly_better_to_contest_it() -> None:
    first, second, heard = two_voices()
    video = conversation(first, second)
    scores = score_video(video.turns, video.tracks, sound(heard), RATE_HZ, sync_settings())
    rows = {(r["turn_id"], r["track_id"]): r for r in scores.to_dicts()}
    own, rival = (rows["v1-u0000", t["track_id"]] for t in video.rows["tracks"])

    def first_turn(lead: float) -> str:
        """Status of A's first turn when the other face fits it so much better, as correlation."""
        peak = 15 + int(own["offset_frames"])
        curve = [v + lead * (i == peak) for i, v in enumerate(own["lag_curve"])]
        rival.update(lag_curve=curve, sync_conf=own["sync_conf"] + 10 * lead, offset_frames=own["offset_frames"])
        found = bind_video(
            video.shots, video.turns, video.tracks, SYNC_SCORES.frame(list(rows.values())), binding_settings()
        )
        return str(found.filter(pl.col("turn_id") == "v1-u0000")["status"][0])

    assert first_turn(0.01) == "bound"  # both talk at once: a hair is no answer
    assert first_turn(0.2) == "ambiguous"


def test_a_mouth_that_moves_a_little_is_not_called_off_screen_when_the_voice_is_unknown() -> None:
    video = Video()
    video.add_shot(0.0, 12.0)
    video.add_track("p00", TIMES, lips(loudness(12, 1) * 0.28, TIMES))
    video.add_turn("A", 0.2, 11.8)
    found = bound(video, sound(loudness(12, 9)))
    assert found["status"].to_list() == ["ambiguous"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.floats(-0.5, 1.0), min_size=3, max_size=3), min_size=1, max_size=4))
def test_a_person_gets_one_speaker_at_most(table: list[list[float]]) -> None:
    evidence = {
        (f"S{i}", f"p{j}"): Evidence(10.0, 0.6, 10.0, value)
        for i, row in enumerate(table)
        for j, value in enumerate(row)
    }
    speakers = [f"S{i}" for i in range(len(table))]
    answers = assign(speakers, evidence, dict.fromkeys(speakers, 10.0), binding_settings())
    people = [a.person_id for a in answers.values() if a.person_id]
    assert len(people) == len(set(people))
    assert all(
        a.margin is not None and a.margin >= binding_settings().min_margin for a in answers.values() if a.person_id
    )
