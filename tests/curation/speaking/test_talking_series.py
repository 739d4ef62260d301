"""Rows of `active_speaker`, and the share of a turn in which a face talks by them."""

from dataclasses import dataclass, field

import numpy as np
import polars as pl
import pytest
from conversations import RATE_HZ, Video, sync_settings

from speakervid_dag.curation.faces.crops import FaceCrops
from speakervid_dag.curation.speaking.active_speaker import BackendAnswer, Row, Scene, pairs_of
from speakervid_dag.curation.speaking.light_asd import Floats
from speakervid_dag.curation.speaking.lip_backends import LipMotion
from speakervid_dag.curation.speaking.talking_series import (
    StoredTalking,
    speaking_tracks,
    talking_of,
    talking_rows,
    unknown_rows,
)
from speakervid_dag.lake.schemas import ACTIVE_SPEAKER

TIMES = np.arange(2, 6, 0.04)
AUDIO = np.zeros(RATE_HZ * 10, np.float32)
CROPS = FaceCrops(np.zeros(0), np.zeros((0, 3)), np.zeros((0, 3)), [])


@dataclass
class Net:
    """A network with a given answer per track."""

    answers: dict[str, list[float]]
    name: str = "net"
    measured: list[str] = field(default_factory=list)

    def log_odds(self, track: Row, crops: FaceCrops, audio: Floats, rate_hz: int) -> Floats:
        self.measured.append(str(track["track_id"]))
        return np.array(self.answers[str(track["track_id"])], np.float32)


def video(people: int = 2) -> Video:
    """A shot with a picture of a face, a copy of the first person, and these people, in view from 2 to 6 s."""
    found = Video()
    found.add_shot(0.0, 10.0)
    for number in range(people):
        found.add_track(f"p{number:02d}", TIMES)
    found.add_track("poster", TIMES)
    found.rows["tracks"][-1]["person_id"] = None
    found.add_track("p00", TIMES)
    found.rows["tracks"][-1]["copy_of"] = found.rows["tracks"][0]["track_id"]
    return found


def name(number: int) -> str:
    return f"v1-s0000-t{number:02d}"


def test_pictures_of_faces_and_copies_do_not_speak() -> None:
    tracks = video().tracks

    assert speaking_tracks(tracks)["track_id"].to_list() == [name(0), name(1)]


def test_each_track_of_a_person_has_its_series() -> None:
    net = Net({name(0): [0.5, np.nan, -1.5], name(1): [2.0]})

    rows = talking_rows(video().tracks.reverse(), AUDIO, RATE_HZ, lambda _: CROPS, net)

    table = ACTIVE_SPEAKER.frame(rows)
    assert net.measured == table["track_id"].to_list() == [name(0), name(1)]
    assert table["log_odds"].to_list() == [[0.5, None, -1.5], [2.0]]
    assert table.select("batch", "video_id", "backend", "status").unique().rows() == [("b1", "v1", "net", "ok")]
    assert table["reason"].null_count() == table["detail"].null_count() == 2
    assert table["start_s"].to_list() == pytest.approx([2.0, 2.0])
    assert table["end_s"].to_list() == pytest.approx([6.0, 6.0])


def test_a_track_that_cannot_be_measured_says_why() -> None:
    net = Net({name(1): [np.nan, np.nan], name(2): []})

    rows = talking_rows(video(3).tracks, AUDIO, RATE_HZ, lambda track: None if track == name(0) else CROPS, net)

    table = ACTIVE_SPEAKER.frame(rows)
    assert net.measured == [name(1), name(2)]
    assert table["log_odds"].to_list() == [[], [], []]
    assert table["status"].to_list() == ["not_evaluated"] * 3
    assert table["reason"].to_list() == ["no_face_pictures", "no_face_frames", "no_face_frames"]


def test_a_video_that_no_network_measured_says_why() -> None:
    table = ACTIVE_SPEAKER.frame(unknown_rows(video().tracks, "net", "no_sound", "a detail"))

    assert table["track_id"].to_list() == [name(0), name(1)]
    assert table.select("backend", "status", "reason", "detail").unique().rows() == [
        ("net", "not_evaluated", "no_sound", "a detail")
    ]
    assert table["log_odds"].to_list() == [[], []]


def test_a_video_without_people_has_no_row() -> None:
    tracks = video(0).tracks.filter(pl.col("copy_of").is_not_null() | pl.col("person_id").is_null())

    assert talking_rows(tracks, AUDIO, RATE_HZ, lambda _: CROPS, Net({})) == []
    assert unknown_rows(tracks, "net", "no_sound", None) == []


def stored(*series: list[float] | None) -> pl.DataFrame:
    """Rows of active_speaker: a network's series per track; None: no pictures were kept."""
    net = Net({name(i): own for i, own in enumerate(series) if own is not None}, name="net-2")
    tracks = video(len(series)).tracks
    return ACTIVE_SPEAKER.frame(
        talking_rows(tracks, AUDIO, RATE_HZ, lambda track: CROPS if track in net.answers else None, net)
    )


def shares(rows: pl.DataFrame, people: int, *turns: tuple[float, float], audio: Floats = AUDIO) -> list[BackendAnswer]:
    """The answers about each turn and track."""
    scene = video(people)
    for start, end in turns:
        scene.add_turn("A", start, end)
    pairs = pairs_of(scene.turns, scene.tracks, sync_settings())
    answers = StoredTalking(rows).measure(Scene(pairs, audio, RATE_HZ, sync_settings()))
    assert list(answers) == [pair.key for pair in pairs]
    return list(answers.values())


def test_talking_is_the_share_of_frames_of_the_turn_above_even_odds() -> None:
    rows = stored([1.0] * 25 + [-1.0] * 50 + [0.0] * 25, [2.0] * 100)

    found = shares(rows, 2, (0.0, 9.0), (2.0, 3.0), (2.5, 3.5), (4.0, 9.0))

    assert [answer.talking for answer in found] == pytest.approx([0.25, 1, 1, 1, 12 / 25, 1, 0, 1], abs=0.03)
    assert [answer.reason for answer in found] == [None] * 8


def test_frames_without_a_face_do_not_count() -> None:
    rows = stored([1.0] * 10 + [np.nan] * 50 + [-1.0] * 40)

    found = shares(rows, 1, (2.0, 6.0), (2.6, 3.8))

    assert found[0].talking == pytest.approx(10 / 50)
    assert found[1] == BackendAnswer(reason="no_face_frames")


def test_a_pair_without_a_series_says_why() -> None:
    rows = stored([1.0] * 100, None).filter(pl.col("status") == "ok")

    assert [answer.reason for answer in shares(rows, 2, (2.0, 6.0))] == [None, "no_face_pictures"]
    silent = shares(rows, 1, (2.0, 6.0), audio=AUDIO[:RATE_HZ])
    assert silent == [BackendAnswer(reason="no_sound")]


def test_talking_is_by_the_network_that_measured_it_else_by_lips() -> None:
    found = talking_of(stored([1.0] * 100, None))

    assert isinstance(found, StoredTalking)
    assert (found.name, found.question) == ("net-2", "talking")
    for rows in (ACTIVE_SPEAKER.empty(), stored(None, None)):
        assert isinstance(talking_of(rows), LipMotion)
