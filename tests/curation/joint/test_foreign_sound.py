"""Lips under another's voice: which spans are found, and what the second inference makes of them."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joint.made_scenes import JOINT, face, heard, talks_of

from speakervid_dag.curation.joint.diarization import turns_of
from speakervid_dag.curation.joint.evidence import TalkingFace
from speakervid_dag.curation.joint.foreign_sound import ForeignSpan, foreign_spans, stilled, unseen
from speakervid_dag.curation.joint.inference import NO_TRACK, infer
from speakervid_dag.curation.joint.turns import FaceStretch, SpokenTurn
from speakervid_dag.curation.voices.voice_evidence import GRID_HZ

OWN = JOINT.min_own_margin + 0.1
LONG = round(JOINT.min_foreign_s * GRID_HZ) + 10  # frames
NAN = np.nan


def lips(name: str, *margins: tuple[float, int], start: int = 0, readable: bool = True) -> TalkingFace:
    """A talking face with runs of margins: values and numbers of frames."""
    told = np.repeat(*map(np.array, zip(*margins, strict=True))).astype(np.float32)
    odds = np.where(np.isnan(told), NAN, 3.0).astype(np.float32)
    return TalkingFace(name, start, odds, told, np.full(len(told), readable))


def turn(speaker: int, track: int | None, start: int, end: int) -> SpokenTurn:
    return SpokenTurn(speaker, start, end, (FaceStretch(track, start, end, 0.9, 3.0, 1.0, False, False),))


def spans_of(*faces: TalkingFace) -> list[tuple[int, int, int]]:
    """The foreign spans of faces of whom each is its own speaker throughout."""
    turns = [turn(number, number, face.first, face.last) for number, face in enumerate(faces)]
    return [tuple(span) for span in foreign_spans(faces, turns, JOINT)]


@pytest.mark.parametrize("margin", [0.0, -0.1])
def test_a_long_span_under_another_voice_is_found(margin: float) -> None:
    talker = lips("t0", (OWN, 200), (margin, LONG), (OWN, 100), start=50)
    assert spans_of(talker) == [(0, 250, 250 + LONG)]


@pytest.mark.parametrize(
    "talker",
    [
        lips("short", (OWN, 200), (0.0, round(JOINT.min_foreign_s * GRID_HZ) - 2), (OWN, 100)),
        lips("a bit lower", (OWN, 200), (OWN * JOINT.foreign_share + 0.02, LONG), (OWN, 100)),
        lips("never agrees well", (JOINT.min_own_margin - 0.02, 200), (0.0, LONG), (JOINT.min_own_margin - 0.02, 100)),
        lips("unreadable", (OWN, 200), (0.0, LONG), (OWN, 100), readable=False),
    ],
    ids=lambda face: face.track_id,
)
def test_other_spans_are_not(talker: TalkingFace) -> None:
    assert spans_of(talker) == []


@pytest.mark.parametrize("agrees", [True, False])
def test_a_speaker_whose_lips_never_agree_is_asked_if_somebody_elses_do(agrees: bool) -> None:
    """If nobody's do, the sound may be from elsewhere, or late by an unknown time: nothing is said here."""
    found = spans_of(lips("t0", (OWN if agrees else 0.1, 200)), lips("t1", (0.02, LONG), start=200))
    assert found == ([(1, 200, 200 + LONG)] if agrees else [])


def test_people_are_told_apart_by_voice() -> None:
    """Two people of one wrong face id: the lips of the second are never read as well as those of the first."""
    assert spans_of(lips("t0", (0.45, 300)), lips("t1", (0.12, 300), start=300)) == []


@given(st.lists(st.tuples(st.sampled_from([NAN, -0.1, 0.0, 0.1, OWN, 0.5]), st.integers(1, 120)), min_size=1))
def test_spans_are_long_disjoint_and_inside(runs: list[tuple[float, int]]) -> None:
    talker = lips("t0", *runs, start=7)
    spans = sorted(spans_of(talker))
    assert all(before[2] <= behind[1] for before, behind in pairwise(spans))
    for _, start, end in spans:
        assert talker.first <= start < end <= talker.last
        told = talker.margins[start - talker.first : end - talker.first]
        assert np.count_nonzero(~np.isnan(told)) >= JOINT.min_foreign_s * GRID_HZ
        assert np.nanmean(told) < JOINT.foreign_share * 0.5


@pytest.mark.parametrize(("start", "end"), [(0, 120), (60, 90), (140, 300)])
def test_such_a_mouth_counts_as_still_and_its_speaker_as_unseen(start: int, end: int) -> None:
    """A turn may begin before its face is in view, and end later."""
    talks = talks_of([(0, 0, 12)], 12, 1)
    talker = face("t0", talks[0], 50, 200)
    span = ForeignSpan(0, start, end)
    (found,) = stilled([talker], [span], JOINT)
    changed = talker.first + np.flatnonzero(found.log_odds != talker.log_odds)
    assert changed.tolist() == list(range(max(50, start), min(200, end)))
    assert (found.log_odds[changed - 50] <= -2 * JOINT.max_face_score).all()

    blocks = infer(heard(talks, (0,)), [talker], {"t0": None}, JOINT)
    ((block,), (before,)) = unseen(blocks, [span]), blocks
    hidden = np.flatnonzero((block.track != before.track).any(axis=0))
    assert hidden.tolist() == changed.tolist()
    assert (block.track[:, hidden] == NO_TRACK).all()


def test_an_unseen_voice_is_its_own_beside_lips_that_go_on_moving() -> None:
    """The man in view answers somebody who is never seen, and his lips move on without sound meanwhile."""
    lines = [(0, 0.5, 9), (1, 9.4, 15), (0, 15.4, 23), (1, 23.4, 29)]
    talks = talks_of(lines, 30, 2)
    moving = face("t0", talks.any(axis=0))
    margins = np.where(talks[1], 0.0, OWN).astype(np.float32)
    man = replace(moving, margins=margins)

    def wrong_s(own: TalkingFace) -> float:
        found = turns_of(heard(talks, (0, 1)), [own], {"t0": None}, JOINT)
        bound = np.zeros(talks.shape[1], np.bool_)
        for each in found:
            for part in each.stretches:
                if part.track == 0 and part.talking is not None and part.talking > 0:
                    bound[part.start : part.end] = True
        return float((bound & talks[1]).sum() / GRID_HZ)

    assert wrong_s(man) < 0.5
    assert wrong_s(replace(man, margins=np.full_like(margins, OWN))) > 5  # it is synchrony that tells
