"""What the joint inference says when a speaker's face is taken away, when face ids of two videos are mixed up, and when
a video is under another's sound.

Belongs here: the evidence of a finished lake, taken once more from its sound; these changes of it, and figures.
Does not belong here: runs (real_runs.py), figures of the lake as it is (speech_scores.py, face_scores.py).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
from face_scores import average_precision, person_of, sure_times
from labelled import Figures, LabelledVideo, Recording, Row, Spoken, less, spans_of
from numpy.typing import NDArray
from pyannote.core import Segment, Timeline
from speech_scores import speech_errors

from speakervid_dag.config.profiles import Profile
from speakervid_dag.curation.joint import diarization as joint
from speakervid_dag.curation.joint.evidence import TalkingFace, on_grid
from speakervid_dag.curation.joint.turns import SpokenTurn
from speakervid_dag.curation.speaking.bindings import bind_stretches
from speakervid_dag.curation.speaking.lip_frames import FPS
from speakervid_dag.curation.speaking.talking_series import TalkingBackend, talking_rows
from speakervid_dag.curation.voices import diarization as diarizing
from speakervid_dag.curation.voices.local_speakers import FrameClock, windows_of
from speakervid_dag.curation.voices.voice_evidence import GRID_HZ, VoiceEvidence
from speakervid_dag.lake.artifacts import kept_sound
from speakervid_dag.lake.schemas import ACTIVE_SPEAKER, FACE_TRACKS, TURN_FACES, VIDEOS
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.media.wav import read_wav
from speakervid_dag.models import segmentation
from speakervid_dag.models.campplus import CamPlusPlus
from speakervid_dag.models.fbank import HOP_HZ, log_mels
from speakervid_dag.models.lip_network import LipNetwork
from speakervid_dag.models.segmentation import SpeakerSegmentation
from speakervid_dag.models.vad import speech_probabilities
from speakervid_dag.stages.crops import kept_crops
from speakervid_dag.stages.sound import RATE_HZ

Samples = NDArray[np.float32]
MIN_FOREIGN_S = 4.0


@dataclass(frozen=True)
class Heard:
    """One video's evidence: voices, faces, and the rows of its tracks."""

    sound: VoiceEvidence
    faces: list[TalkingFace]
    tracks: pl.DataFrame

    @property
    def people(self) -> dict[str, str | None]:
        return dict(self.tracks.select("track_id", "person_id").iter_rows())


@dataclass(frozen=True)
class Ears:
    """The networks of voices, and the profile under which they listen."""

    profile: Profile
    segmentation: SpeakerSegmentation
    encoder: CamPlusPlus

    @classmethod
    def of(cls, profile: Profile) -> "Ears":
        return cls(profile, SpeakerSegmentation(), CamPlusPlus())

    def hear(self, samples: Samples) -> diarizing.Heard | None:
        """Return who is heard, as the stage does; None if nobody is."""
        settings = self.profile.diarization
        steady = samples - samples.mean(dtype=np.float64).astype(np.float32)
        clock = FrameClock(segmentation.FIRST_S, segmentation.STEP_S)
        told = self.segmentation.windows(steady, settings.local_speakers.step_s)
        windows = windows_of(told, segmentation.SETS, clock)
        if windows is None or not windows.talks.any():
            return None
        sound = diarizing.Sound(samples, RATE_HZ, speech_probabilities(samples))
        return diarizing.hear_windows(sound, windows, log_mels(steady), HOP_HZ, self.encoder, settings)

    def heard(self, samples: Samples, rows: Sequence[Row], tracks: pl.DataFrame) -> Heard:
        """Return the evidence of a video from its sound, in which somebody speaks, and its rows of active_speaker."""
        found = self.hear(samples)
        assert found is not None
        placed = [on_grid(row, FPS, found.voices.frames, self.profile.joint) for row in rows if row["status"] == "ok"]
        return Heard(found.voices, [face for face in placed if face is not None], tracks)


def sounds_of(lake_dir: Path) -> dict[str, Samples]:
    """Return the sound of each video of a lake by video_id."""
    videos = DeltaLake(str(lake_dir)).read(VIDEOS).to_dicts()
    return {v["video_id"]: read_wav(kept_sound(lake_dir, v["video_id"], v["sound_taken"]))[0] for v in videos}


def evidence_of(lake_dir: Path, ears: Ears) -> dict[str, Heard]:
    """Return the evidence of each video of a lake by the stem of its name."""
    lake, sounds = DeltaLake(str(lake_dir)), sounds_of(lake_dir)
    told, tracks = lake.read(ACTIVE_SPEAKER), lake.read(FACE_TRACKS)
    found = {}
    for video in lake.read(VIDEOS).to_dicts():
        own = [frame.filter(video_id=video["video_id"]) for frame in (told, tracks)]
        name = Path(video["source_name"]).stem
        found[name] = ears.heard(sounds[video["video_id"]], own[0].to_dicts(), own[1])
    return found


def foreign_sound(
    names: Sequence[str], lake_dir: Path, ears: Ears, talking: TalkingBackend | None, moved_by: int = 3
) -> Figures:
    """Put videos under each other's sound: how much of what is heard is bound to a face all the same?

    Only speakers who are heard for 4 s or more count. A short sound is repeated.

    Args:
        names: stems of the videos; each gets the sound of the one `moved_by` places behind.
        talking: the network that says who talks; None = the lip network.
    """
    lake, sounds, lips = DeltaLake(str(lake_dir)), sounds_of(lake_dir), LipNetwork.of(device="cpu")
    ids = {Path(v["source_name"]).stem: v["video_id"] for v in lake.read(VIDEOS).to_dicts()}
    tracks = lake.read(FACE_TRACKS)
    heard_s = bound_s = 0.0
    for number, name in enumerate(names):
        own = sounds[ids[name]]
        sound = np.resize(sounds[ids[names[(number + moved_by) % len(names)]]], len(own)).astype(np.float32)
        faces = tracks.filter(video_id=ids[name])
        rows = talking_rows(faces, sound, partial(kept_crops, lake_dir), lips, talking)
        found: dict[str, list[Row]] = {}
        for row in bindings_of(ears.heard(sound, rows, faces), ears.profile):
            found.setdefault(row["speaker_id"], []).append(row)
        for stretches in found.values():
            seconds = {kind: _seconds(stretches, kind) for kind in (None, "bound")}
            if seconds[None] >= MIN_FOREIGN_S:
                heard_s, bound_s = heard_s + seconds[None], bound_s + seconds["bound"]
    return {"heard_s": heard_s, "bound": bound_s / max(heard_s, 1)}


def _seconds(stretches: Sequence[Row], status: str | None) -> float:
    return sum(row["end_s"] - row["start_s"] for row in stretches if status in (None, row["status"]))


def turns_of(heard: Heard, profile: Profile, without: Collection[str] = ()) -> list[SpokenTurn]:
    """Return the turns of the joint inference without some tracks."""
    faces = [face for face in heard.faces if face.track_id not in without]
    return joint.turns_of(heard.sound, faces, heard.people, profile.joint)


def bindings_of(heard: Heard, profile: Profile, without: Collection[str] = ()) -> list[Row]:
    """Return the bindings without some tracks; none where no track is left."""
    faces = [face for face in heard.faces if face.track_id not in without]
    if not faces:
        return []
    turns = turns_of(heard, profile, without)
    rows = [{"video_id": "v", "turn_id": f"v-u{i:04d}", "speaker_id": str(t.speaker)} for i, t in enumerate(turns)]
    stretches = joint.turn_face_rows(rows, [t.stretches for t in turns], faces, profile.joint)
    told = TURN_FACES.frame([{"batch": "b"} | row for row in stretches])
    return bind_stretches(told, heard.tracks, ACTIVE_SPEAKER.empty(), profile.binding).to_dicts()


def evidence_figures(videos: Sequence[LabelledVideo], evidence: Mapping[str, Heard]) -> Figures:
    """Return what talking and synchrony together say of faces in frames with one sure visible speaker.

    Average precision over all labelled faces, and the share of frames with two or more faces found in which the
    speaker's has the greatest log odds.
    """
    candidates: list[tuple[bool, float | None]] = []
    right = choices = 0
    for video in videos:
        tracks = {track["track_id"]: track for track in video.tracks}
        for time_s, turn in sure_times(video.truth):
            if not any(start <= time_s < end for start, end in turn.get("visible") or ()):
                continue
            at, best = int(time_s * GRID_HZ), dict[str, float]()
            for face in evidence[video.truth["name"]].faces:
                is_seen = face.first <= at < face.last and not np.isnan(face.log_odds[at - face.first])
                if is_seen and (who := person_of(video.truth, tracks[face.track_id], time_s)):
                    best[who] = max(best.get(who, -np.inf), float(face.log_odds[at - face.first]))
            people = {f["person"] for f in video.truth["faces"] if f["start_s"] <= time_s < f["end_s"]}
            candidates += [(who == turn["speaker"], best.get(who)) for who in sorted(people)]
            if len(best) > 1 and turn["speaker"] in best:
                choices, right = choices + 1, right + (max(best, key=lambda p: best[p]) == turn["speaker"])
    return {"average_precision": average_precision(candidates), "choices": choices, "choice": right / max(choices, 1)}


def hidden_speakers(videos: Sequence[LabelledVideo], evidence: Mapping[str, Heard], profile: Profile) -> Figures:
    """Take each speaker's face away in turn: how often are they bound to somebody else, and are the others still bound?

    Only videos in which another face is left count.
    """
    frames = wrong = others = kept = 0
    for video in videos:
        heard = evidence[video.truth["name"]]
        usual = _bound(video, bindings_of(heard, profile))
        for who in sorted({turn["speaker"] for turn in video.truth["turns"]}):
            own = _tracks_of(video, heard, who)
            if not own or len(own) == len(heard.faces):
                continue
            bound = _bound(video, bindings_of(heard, profile, own))
            for time_s, turn in sure_times(video.truth):
                if not any(start <= time_s < end for start, end in turn.get("visible") or ()):
                    continue
                if turn["speaker"] == who:
                    frames, wrong = frames + 1, wrong + bool(bound[time_s] - {who})
                elif usual[time_s] == {turn["speaker"]}:
                    others, kept = others + 1, kept + (bound[time_s] == usual[time_s])
    return {
        "frames": frames,
        "bound_to_another": wrong / max(frames, 1),
        "others": others,
        "others_still_bound": kept / max(others, 1),
    }


def _bound(video: LabelledVideo, bindings: Sequence[Row]) -> dict[float, set[str | None]]:
    """Return the people who are bound at each sure moment."""
    tracks = {track["track_id"]: track for track in video.tracks}
    rows = [row for row in bindings if row["track_id"] in tracks]
    return {
        time_s: {
            person_of(video.truth, tracks[row["track_id"]], time_s)
            for row in rows
            if row["start_s"] <= time_s < row["end_s"]
        }
        - {""}
        for time_s, _ in sure_times(video.truth)
    }


def _tracks_of(video: LabelledVideo, heard: Heard, who: str) -> set[str]:
    """Return the tracks that mostly show a person."""
    names = {face.track_id for face in heard.faces}
    found = set()
    for track in video.tracks:
        if track["track_id"] in names:
            times = np.arange(track["start_s"] + 0.02, track["end_s"], 0.2)
            seen = [p for p in (person_of(video.truth, track, float(t)) for t in times) if p]
            if seen and max(sorted(set(seen)), key=seen.count) == who:
                found.add(track["track_id"])
    return found


def merged_ids(videos: Sequence[LabelledVideo], evidence: Mapping[str, Heard], profile: Profile) -> Figures:
    """Put pairs of videos end to end: the error rate with true face ids, and with those of the halves mixed up."""
    long = [v for v in videos if v.truth["duration_s"] > 7.5 and v.truth["turns"]]
    pairs = list(zip(long[::2], long[1::2], strict=False))
    rates = {}
    for name, is_mixed in (("true_ids", False), ("merged_ids", True)):
        recordings = [_joined(a, b, evidence, profile, is_mixed) for a, b in pairs]
        rates[name] = speech_errors(recordings, 0)["all"].rates()["all"]
    return {"pairs": len(pairs), **rates}


def _joined(
    first: LabelledVideo, second: LabelledVideo, evidence: Mapping[str, Heard], profile: Profile, is_mixed: bool
) -> Recording:
    a, b = evidence[first.truth["name"]], evidence[second.truth["name"]]
    shift, length = a.sound.frames, max(a.sound.activity.shape[1], b.sound.activity.shape[1])

    def wide(part: np.ndarray) -> np.ndarray:
        return np.pad(part, ((0, 0), (0, length - part.shape[1])))

    sound = VoiceEvidence(
        np.concatenate([a.sound.shares, b.sound.shares]),
        np.concatenate([a.sound.firsts, b.sound.firsts + shift]),
        np.concatenate([wide(a.sound.activity), wide(b.sound.activity)]),
        np.concatenate([wide(a.sound.alone), wide(b.sound.alone)]),
        np.concatenate([a.sound.looks, b.sound.looks]),
        np.concatenate([a.sound.embeddings, b.sound.embeddings]),
    )
    faces = [*a.faces, *(replace(face, first=face.first + shift) for face in b.faces)]
    ids = a.people | b.people
    if is_mixed:
        ids = {track: person and person.rpartition("-")[2] for track, person in ids.items()}
    turns = joint.turns_of(sound, faces, ids, profile.joint)
    at_s = shift / GRID_HZ
    labelled, unsure = [], []
    for half, video, start_s in (("1", first, 0.0), ("2", second, at_s)):
        for turn in video.truth["turns"]:
            labelled.append(Spoken(turn["start_s"] + start_s, turn["end_s"] + start_s, half + turn["speaker"]))
        for span in video.truth.get("unsure", ()):
            unsure.append({"start_s": span["start_s"] + start_s, "end_s": span["end_s"] + start_s})
    found = [Spoken(t.start / GRID_HZ, t.end / GRID_HZ, str(t.speaker)) for t in turns]
    whole = Timeline([Segment(0, at_s + second.truth["duration_s"])])
    name = f"{first.truth['name']} + {second.truth['name']}"
    return Recording(name, tuple(labelled), tuple(found), less(whole, spans_of(unsure)))
