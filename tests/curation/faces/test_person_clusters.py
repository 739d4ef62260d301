"""Who is one person: by vector, never against time, by place when there is no vector; and across videos."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_faces import face_points
from numpy.typing import NDArray

from speakervid_dag.config.profiles import load_profile
from speakervid_dag.curation.faces.clusters import TrackFace, cluster_tracks, link_identities
from speakervid_dag.curation.faces.geometry import HeadPose
from speakervid_dag.curation.faces.portraits import Portrait, PortraitAlbum, mean_direction
from speakervid_dag.lake.schemas import PEOPLE

PROFILE = load_profile("speakervid-5m").identity
SETTINGS = PROFILE.model_copy(update={"min_person_cosine": {3: 0.97}, "min_identity_cosine": {3: 0.98, 4: 0.98}})
LEFT, RIGHT = (0.1, 0.2, 0.3, 0.5), (0.6, 0.2, 0.8, 0.5)


def face(angle_deg: float) -> NDArray[np.float32]:
    return np.array([np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg)), 0], dtype=np.float32)


def track(shot: int, start_s: float, end_s: float, vector: NDArray[np.float32] | None, box: Any = LEFT) -> TrackFace:
    return TrackFace(f"v-s{shot:04d}", start_s, end_s, box, box, vector)


def test_a_person_is_found_again_in_a_later_shot_and_numbered_by_first_appearance() -> None:
    tracks = [
        track(0, 0, 5, face(80)),
        track(1, 5, 9, face(0)),
        track(2, 9, 12, face(84)),
        track(3, 12, 15, face(5)),
    ]

    assert cluster_tracks(tracks, SETTINGS) == [0, 1, 0, 1]


def test_two_faces_seen_together_are_two_people_however_alike() -> None:
    tracks = [track(0, 0, 5, face(0), LEFT), track(0, 0, 5, face(1), RIGHT), track(1, 5, 9, face(1.2), RIGHT)]

    assert cluster_tracks(tracks, SETTINGS) == [0, 1, 1]


def test_alike_people_who_share_a_shot_stay_apart_through_their_other_tracks() -> None:
    tracks = [
        track(0, 0, 5, face(0), LEFT),
        track(0, 0, 5, face(9), RIGHT),
        track(1, 5, 9, face(1)),
        track(2, 9, 12, face(8)),
    ]

    assert cluster_tracks(tracks, SETTINGS) == [0, 1, 0, 1]


def test_a_track_without_vector_continues_the_one_before_it_in_its_place() -> None:
    tracks = [
        track(0, 0, 5, face(0), LEFT),
        track(0, 0, 5, face(80), RIGHT),
        track(0, 5.4, 6, None, RIGHT),
        track(0, 6.3, 7, None, RIGHT),
        track(0, 9, 10, None, RIGHT),
        track(1, 10, 12, None, RIGHT),
    ]

    assert cluster_tracks(tracks, SETTINGS) == [0, 1, 1, 1, 2, 3]


def test_no_tracks_no_people() -> None:
    assert cluster_tracks([], SETTINGS) == []


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.floats(0, 10), st.floats(0.5, 5), st.none() | st.floats(0, 360)), max_size=12
    )
)
def test_who_is_seen_together_is_never_one_person(raw: list[tuple[int, float, float, float | None]]) -> None:
    tracks = [track(s, a, a + n, None if v is None else face(v)) for s, a, n, v in raw]

    people = cluster_tracks(tracks, SETTINGS)

    assert sorted(set(people)) == list(range(len(set(people))))
    for i, a in enumerate(tracks):
        for j, b in enumerate(tracks[:i]):
            together = min(a.end_s, b.end_s) - max(a.start_s, b.start_s) > SETTINGS.max_shared_s
            assert not (a.shot_id == b.shot_id and together and people[i] == people[j])


def people(batch: str, *rows: tuple[str, str, NDArray[np.float32] | None], identity: str | None = None) -> pl.DataFrame:
    return PEOPLE.frame(
        [
            {
                "batch": batch,
                "video_id": video,
                "person_id": person,
                "identity_id": identity or person,
                "track_count": 1,
                "visible_s": 1.0,
                "speaking_s": 0.0,
                "face_embedding": None if vector is None else vector.tolist(),
            }
            for video, person, vector in rows
        ]
    )


def test_a_known_person_of_another_video_gives_the_identity() -> None:
    known = people("b1", ("v1", "v1-p00", face(0)), identity="v0-p03")
    found = people("b2", ("v2", "v2-p00", face(3)), ("v2", "v2-p01", face(70)), ("v2", "v2-p02", None))

    linked = link_identities(found, known, SETTINGS)

    assert linked["identity_id"].to_list() == ["v0-p03", "v2-p01", "v2-p02"]
    assert linked["identity_similarity"].to_list() == [pytest.approx(np.cos(np.radians(3)), abs=1e-6), None, None]
    assert linked.schema == PEOPLE.schema


def test_people_of_one_batch_are_linked_whatever_the_order_of_rows() -> None:
    found = people("b", ("v1", "v1-p00", face(0)), ("v2", "v2-p00", face(2)), ("v3", "v3-p00", face(4)))

    for rows in (found, found.reverse()):
        linked = link_identities(rows, PEOPLE.empty(), SETTINGS)
        assert dict(linked.select("person_id", "identity_id").iter_rows()) == dict.fromkeys(
            ("v1-p00", "v2-p00", "v3-p00"), "v1-p00"
        )


def test_people_of_one_video_are_not_linked_to_each_other() -> None:
    found = people("b", ("v1", "v1-p00", face(0)), ("v1", "v1-p01", face(1)))

    assert link_identities(found, PEOPLE.empty(), SETTINGS)["identity_id"].to_list() == ["v1-p00", "v1-p01"]


def test_vectors_of_another_model_are_never_compared() -> None:
    known = people("b1", ("v1", "v1-p00", np.array([1, 0, 0, 0], np.float32)))

    linked = link_identities(people("b2", ("v2", "v2-p00", face(0))), known, SETTINGS)

    assert linked["identity_id"].to_list() == ["v2-p00"]


def test_a_model_without_threshold_is_an_error_not_a_guess() -> None:
    with pytest.raises(ValueError, match="3-d"):
        cluster_tracks([track(0, 0, 5, face(0))], PROFILE)


def portrait(time_s: float, yaw: float = 0, height: float = 120, sharpness: float = 100, mesh: float = 1) -> Portrait:
    box = (100.0, 100.0, 200.0, 100.0 + height)
    return Portrait(time_s, box, HeadPose(yaw, 0, 0), sharpness, mesh, face_points(box))


def test_an_album_keeps_the_best_portraits_spread_in_time() -> None:
    album = PortraitAlbum(SETTINGS)
    image = np.zeros((360, 640, 3), np.uint8)
    for i in range(40):
        album.offer(portrait(i * 0.2, yaw=0 if i in (5, 15, 25, 35) else 40), image)

    assert album.times_s == pytest.approx([1.0, 3.0, 5.0, 7.0])
    assert len(album) == SETTINGS.max_portraits


@pytest.mark.parametrize(
    "bad", [portrait(0, yaw=80), portrait(0, height=10), portrait(0, mesh=0.3), portrait(0, sharpness=1)]
)
def test_a_bad_face_is_no_portrait_and_a_track_without_one_says_so(bad: Portrait) -> None:
    album = PortraitAlbum(SETTINGS)
    album.offer(bad, np.zeros((360, 640, 3), np.uint8))

    assert album.embedding(embedder=None) == (None, "no_good_portrait")  # type: ignore[arg-type]


def test_mean_direction_is_a_unit_vector_or_nothing() -> None:
    mean = mean_direction([face(0), face(60)])

    assert mean is not None
    np.testing.assert_allclose(mean, face(30), atol=1e-6)
    assert mean_direction([face(0), face(180)]) is None
