"""Turns and their faces from what is heard and seen: the joint inference from its evidence to its rows.

Belongs here: that path, speaker labels, rows of `turn_faces`. Does not belong here: the inference (inference.py), the
decision which stretches are bound (speaking/bindings.py), turns by sound alone and their rows (voices/diarization.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from speakervid_dag.config.sections import DiarizationSettings, JointSettings
from speakervid_dag.curation.joint.evidence import TalkingFace
from speakervid_dag.curation.joint.foreign_sound import foreign_spans, stilled, unseen
from speakervid_dag.curation.joint.inference import infer
from speakervid_dag.curation.joint.turns import FaceStretch, SpokenTurn, spoken_turns
from speakervid_dag.curation.voices.diarization import (
    Diarization,
    Heard,
    embedded,
    heard_as_speech,
    relabelled,
    speakers_of,
)
from speakervid_dag.curation.voices.overlaps import SpeechTurn
from speakervid_dag.curation.voices.voice_evidence import GRID_HZ, VoiceEvidence

Row = dict[str, object]


@dataclass(frozen=True)
class SeenDiarization:
    """Turns in order of time, and the stretches of each with the face in view."""

    found: Diarization
    stretches: list[tuple[FaceStretch, ...]]


def diarize_jointly(
    heard: Heard,
    faces: Sequence[TalkingFace],
    person_ids: Mapping[str, str | None],
    settings: DiarizationSettings,
    joint: JointSettings,
) -> SeenDiarization:
    """Return who speaks when, and whose face is in view meanwhile.

    Args:
        heard: who is heard.
        faces: talking log odds of the tracks, at least one.
        person_ids: person of each track by its face.
    """
    spoken = turns_of(heard.voices, faces, person_ids, joint)
    turns = [SpeechTurn(str(t.speaker), t.start / GRID_HZ, t.end / GRID_HZ) for t in spoken]
    kept = heard_as_speech(turns, *heard.sound.speech, settings.local_speakers.min_speech_probability)
    chosen = [number for number, is_kept in enumerate(kept) if is_kept]
    turns = relabelled([turns[number] for number in chosen])
    found = Diarization(turns, embedded(turns, heard, settings), speakers_of(turns, heard.turns))
    return SeenDiarization(found, [spoken[number].stretches for number in chosen])


def turns_of(
    sound: VoiceEvidence, faces: Sequence[TalkingFace], person_ids: Mapping[str, str | None], settings: JointSettings
) -> list[SpokenTurn]:
    """Return the turns of all people; inferred again where lips move under another's voice (see foreign_sound.py).

    Args:
        sound: who is heard; faces: who is seen, at least one track.
        person_ids: person of each track by its face.
    """
    blocks = infer(sound, faces, person_ids, settings)
    turns = spoken_turns(blocks, settings)
    spans = foreign_spans(faces, turns, settings)
    if not spans:
        return turns
    again = infer(sound, stilled(faces, spans, settings), person_ids, settings, unseen(blocks, spans))
    return spoken_turns(again, settings)


def turn_face_rows(
    turn_rows: Sequence[Mapping[str, object]],
    stretches: Sequence[Sequence[FaceStretch]],
    faces: Sequence[TalkingFace],
    settings: JointSettings,
) -> list[Row]:
    """Return rows of the table `turn_faces`, without `batch`.

    Args:
        turn_rows: rows of speech_turns; stretches: of each.
        faces: the tracks by number.
    """
    rows: list[Row] = []
    for turn, own in zip(turn_rows, stretches, strict=True):
        base = {name: turn[name] for name in ("video_id", "turn_id", "speaker_id")}
        for part in own:
            rows.append(
                base
                | {
                    "track_id": None if part.track is None else faces[part.track].track_id,
                    "start_s": part.start / GRID_HZ,
                    "end_s": part.end / GRID_HZ,
                    "probability": calibrated(part.probability, settings),
                    "talking": part.talking,
                    **_synchrony(part, faces),
                    "seen_share": part.seen_share,
                    "has_overlap": part.has_overlap,
                    "is_contradicted": part.is_contradicted,
                }
            )
    return rows


def heard_face_rows(turn_rows: Sequence[Mapping[str, object]]) -> list[Row]:
    """Return a row of `turn_faces` for each turn of a video in which no network looked at a face, without `batch`."""
    unseen = {"track_id": None, "probability": None, "talking": None, "seen_share": 0.0, "is_contradicted": False}
    unseen |= {"sync_margin": None, "readable_share": 0.0, "sound_offset_frames": None}
    taken = ("video_id", "turn_id", "speaker_id", "start_s", "end_s", "has_overlap")
    return [{name: turn[name] for name in taken} | unseen for turn in turn_rows]


def _synchrony(part: FaceStretch, faces: Sequence[TalkingFace]) -> Row:
    """Return how well lips and sound agree in a stretch."""
    if part.track is None:
        return {"sync_margin": None, "readable_share": 0.0, "sound_offset_frames": None}
    face = faces[part.track]
    frames = slice(max(0, part.start - face.first), max(0, part.end - face.first))
    is_seen = ~np.isnan(face.margins[frames])
    if not is_seen.any():
        return {"sync_margin": None, "readable_share": 0.0, "sound_offset_frames": face.offset_frames}
    return {
        "sound_offset_frames": face.offset_frames,
        "sync_margin": float(face.margins[frames][is_seen].mean()),
        "readable_share": float(face.is_readable[frames][is_seen].mean()),
    }


def calibrated(probability: float, settings: JointSettings) -> float:
    """Return how often a stretch of this posterior is right: the profile's map, linear between its points."""
    said, is_so = zip(*settings.probability_map, strict=True)
    return float(np.interp(probability, said, is_so))
