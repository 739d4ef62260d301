"""Rows of `active_speaker`: what networks say of each track, and why of some nothing."""

from dataclasses import dataclass, field

import numpy as np
import polars as pl
import pytest
from conversations import Video

from speakervid_dag.curation.faces.crops import CropCollector, FaceCrops
from speakervid_dag.curation.speaking.lip_frames import Floats
from speakervid_dag.curation.speaking.pairs import speaking_tracks
from speakervid_dag.curation.speaking.talking_series import LIP_NETWORK, talking_rows, unknown_rows
from speakervid_dag.lake.schemas import ACTIVE_SPEAKER

TIMES = np.arange(2, 6, 0.04)
AUDIO = np.zeros(160_000, np.float32)
NO_CROPS = CropCollector().done()


def crops(times_s: np.ndarray = TIMES) -> FaceCrops:
    """Pictures of a grey face."""
    found = CropCollector()
    for time_s in times_s:
        found.add(float(time_s), np.full((120, 160, 3), 99, np.uint8), (60.0, 40.0, 100.0, 80.0))
    return found.done()


class Lips:
    """A lip network that sees talking lips, and finds them in agreement with the sound two frames later."""

    def sound(self, samples: Floats, frames: int) -> int:
        return frames

    def mouth(self, mouths: np.ndarray, *rest: np.ndarray) -> int:
        return len(mouths)

    def synchrony(self, mouth: int, sound: int, first: int) -> Floats:
        near = np.zeros((mouth, 31), np.float32)
        near[:, 16:19] = 0.4
        return near

    def talking(self, mouth: int, sound: int, first: int, lag: int = 0) -> Floats:
        return np.full(mouth, 2.0 + lag, np.float32)


@dataclass
class Net:
    """Another network, with a given answer for all frames."""

    answer: float = -1.5
    name: str = "net"
    measured: list[tuple[int, int]] = field(default_factory=list)

    def log_odds(self, crops: FaceCrops, audio: Floats, first: int, count: int) -> Floats:
        self.measured.append((first, count))
        return np.full(count, self.answer, np.float32)


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
    rows = talking_rows(video().tracks.reverse(), AUDIO, lambda _: crops(), Lips(), None)

    table = ACTIVE_SPEAKER.frame(rows)
    assert table["track_id"].to_list() == [name(0), name(1)]
    assert table.select("batch", "video_id", "backend", "status").unique().rows() == [("b1", "v1", LIP_NETWORK, "ok")]
    assert table["reason"].null_count() == table["detail"].null_count() == 2
    assert table["start_s"].to_list() == pytest.approx([2.0, 2.0], abs=0.02)
    for series in ("log_odds", "sync_margins", "is_readable"):
        assert table[series].list.len().to_list() == pytest.approx([100, 100], abs=1)
    assert table["sync_margins"][0].to_list() == pytest.approx([0.4] * 100)
    assert table["sound_offset_frames"].null_count() == 0, "their lips agree with the sound for 4 s each"


def test_another_network_says_who_talks_while_synchrony_stays() -> None:
    net = Net()

    rows = talking_rows(video(1).tracks, AUDIO, lambda _: crops(), Lips(), net)

    assert rows[0]["backend"] == "net"
    ((first, count),) = net.measured
    assert (first, count) == (round(rows[0]["start_s"] * 25), len(rows[0]["log_odds"]))
    assert rows[0]["log_odds"] == [-1.5] * count
    assert rows[0]["sync_margins"] == [pytest.approx(0.4)] * count


def test_frames_without_a_picture_are_not_told() -> None:
    rows = talking_rows(video(1).tracks, AUDIO, lambda _: crops(TIMES[:50]), Lips(), None)

    told = [value is not None for value in rows[0]["log_odds"]]
    assert told == [value is not None for value in rows[0]["sync_margins"]]
    assert sum(told) == pytest.approx(50, abs=2)
    assert told[:48] == [True] * 48


def test_a_track_that_cannot_be_measured_says_why() -> None:
    kept = {name(0): None, name(1): NO_CROPS, name(2): crops()}

    rows = talking_rows(video(3).tracks, AUDIO, lambda track: kept[track], Lips(), Net())

    table = ACTIVE_SPEAKER.frame(rows)
    assert table["status"].to_list() == ["not_evaluated", "not_evaluated", "ok"]
    assert table["reason"].to_list() == ["no_face_pictures", "no_face_frames", None]
    assert table["log_odds"].list.len().to_list()[:2] == [0, 0]


def test_a_video_that_no_network_measured_says_why() -> None:
    table = ACTIVE_SPEAKER.frame(unknown_rows(video().tracks, "net", "no_sound", "a detail"))

    assert table["track_id"].to_list() == [name(0), name(1)]
    assert table.select("backend", "status", "reason", "detail").unique().rows() == [
        ("net", "not_evaluated", "no_sound", "a detail")
    ]
    assert table["log_odds"].to_list() == [[], []]


def test_a_video_without_people_has_no_row() -> None:
    tracks = video(0).tracks.filter(pl.col("copy_of").is_not_null() | pl.col("person_id").is_null())

    assert talking_rows(tracks, AUDIO, lambda _: crops(), Lips(), None) == []
    assert unknown_rows(tracks, "net", "no_sound", None) == []
