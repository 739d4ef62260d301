"""People of a video: sums, main voice, mean directions, identities."""

import numpy as np
import pytest
from conversations import Video

from speakervid_dag.curation.faces.people import describe_people, mean_direction
from speakervid_dag.lake.schemas import PEOPLE


def test_a_person_over_two_shots() -> None:
    video = Video()
    video.add_shot(0.0, 5.0)
    video.add_shot(5.0, 10.0)
    first = video.add_track("p00", np.arange(0, 4, 0.04), shot=0)
    second = video.add_track("p00", np.arange(5, 8, 0.04), shot=1)
    video.add_track("p01", np.arange(5, 10, 0.04), shot=1)
    video.rows["tracks"][0]["embedding"] = [1.0, 0.0]
    video.rows["tracks"][1]["embedding"] = [0.0, 1.0]
    video.bind(video.add_turn("A", 1.0, 3.0), first)
    video.bind(video.add_turn("B", 5.0, 5.5), second)
    found = describe_people(video.tracks, video.turns, video.bindings, {"v1-p01": ("v0-p03", 0.8)})
    assert found.schema == PEOPLE.schema
    one, other = found.to_dicts()
    assert one["speaker_id"] == "A"
    assert one["track_count"] == 2
    assert one["visible_s"] == pytest.approx(7.0)
    assert one["speaking_s"] == pytest.approx(2.5)
    assert one["face_embedding"] == pytest.approx([0.5**0.5] * 2)
    assert (one["identity_id"], one["identity_similarity"]) == ("v1-p00", None)
    assert (other["identity_id"], other["identity_similarity"]) == ("v0-p03", 0.8)
    assert other["speaker_id"] is None
    assert other["face_embedding"] is None


def test_mean_direction_needs_a_direction() -> None:
    assert mean_direction([None]) is None
    assert mean_direction([[1.0, 0.0], [-1.0, 0.0]]) is None
    assert mean_direction([[0.0, 2.0]]) == [0.0, 1.0]
