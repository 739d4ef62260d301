"""The scores of a clip: picture, face, words, sound, synchrony. One video at a time.

Belongs here: reducing words, sound and synchrony to one number per clip, and the row of all scores. Does not belong
here: scores of picture and face (picture.py), thresholds (gates of a profile), models (they are passed in), decoding.

Every score is (value, "ok") or (None, reason): never NaN, and never 0 for something that was not measured.
Reasons: role_listening (the clip's person does not speak), no_words, no_audio, audio_too_short, too_little_speech,
digital_silence, no_sync_score, weights_missing, no_expected_language, weights_of_one_language, off (in the profile),
those of the other modules of scores/, and those of upstream stages.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from speakervid_dag.config.sections import ScoreSettings
from speakervid_dag.curation.clock import PartClock
from speakervid_dag.curation.intervals import Interval, intersect, overlap_s, total_s
from speakervid_dag.curation.scores import camera as camera_measures
from speakervid_dag.curation.scores import dover as dover_views
from speakervid_dag.curation.scores import head as head_scores
from speakervid_dag.curation.scores import person as person_measures
from speakervid_dag.curation.scores import picture as picture_measures
from speakervid_dag.curation.scores import points as point_tracks
from speakervid_dag.curation.scores import sound as audio_measures
from speakervid_dag.curation.scores import splice as splice_measures
from speakervid_dag.curation.scores.measurement import Measurement
from speakervid_dag.failures import UserError
from speakervid_dag.lake.schemas import CLIP_SCORES

Row = Mapping[str, Any]
Floats = NDArray[np.float32]

DNSMOS = ("sig", "bak", "ovrl", "p808")
LOOKED = (*dover_views.NAMES, point_tracks.NAME)
WORDS = (
    "asr_confidence",
    "no_speech_prob",
    "compression_ratio",
    "language_probability",
    "language_match",
    "words_per_s",
)
SPEECH = (
    *WORDS,
    "speech_share",
    "silence_share",
    *(f"dnsmos_{n}" for n in DNSMOS),
    "snr_db",
    "clipping_share",
    "sync_conf",
)


class Quality(Protocol):
    """DNSMOS scores of a clip, MOS 1-5."""

    @property
    def sig(self) -> float: ...
    @property
    def bak(self) -> float: ...
    @property
    def ovrl(self) -> float: ...
    @property
    def p808(self) -> float: ...


@dataclass(frozen=True)
class Sound:
    """Mono sound of the whole video; sample 0 is the container's start. None without sound, for `reason`."""

    samples: Floats | None
    rate_hz: int
    reason: str = "no_audio"

    def cut(self, span: Interval) -> Floats:
        """Return the samples of the span, limited to full scale; empty if there are none."""
        if self.samples is None:
            return np.zeros(0, np.float32)
        first, last = (max(0, round(t * self.rate_hz)) for t in span)
        return np.clip(self.samples[first:last], -1.0, 1.0)


@dataclass(frozen=True)
class Pictures:
    """Visual input of a video.

    Attributes:
        shots: by shot, the video's row with the size of the shot's own pictures.
        series, tracks, poses: rows of frame_series by shot, of face_tracks and poses by track.
        no_series: the reason for shots without a row of frame_series.
        left_out: parts of SamplingSettings that the picture pass skipped.
    """

    video: Row
    shots: Mapping[str, Row]
    series: Mapping[str, Row]
    tracks: Mapping[str, Row]
    poses: Mapping[str, Row]
    no_series: str
    left_out: Collection[str]


@dataclass(frozen=True)
class Speech:
    """Audible input of a video: rows of transcripts, speech_turns and sync_scores; `missing`: stage → reason."""

    segments: Sequence[Row]
    turns: Sequence[Row]
    syncs: Sequence[Row]
    sound: Sound
    missing: Mapping[str, str]


def score_clips(
    clips: pl.DataFrame,
    videos: pl.DataFrame,
    face_tracks: pl.DataFrame,
    frame_series: pl.DataFrame,
    poses: pl.DataFrame,
    transcripts: pl.DataFrame,
    speech_turns: pl.DataFrame,
    sync_scores: pl.DataFrame,
    audio: Floats | None,
    rate_hz: int,
    settings: ScoreSettings,
    dnsmos: Callable[[Sequence[Floats]], Sequence[Quality]] | None,
    missing: Mapping[str, str] | None = None,
    *,
    shots: pl.DataFrame | None = None,
    looked: Mapping[str, Mapping[str, Measurement]] | None = None,
    sampling_disabled: Collection[str] = (),
    clock: PartClock | None = None,
) -> pl.DataFrame:
    """Return rows of clip_scores for the clips of one video, in their order.

    Args:
        clips, face_tracks … sync_scores: that video's rows of the tables.
        videos: its one row.
        audio: (n,) float32, -1 to 1, mono, sample 0 at the container's start; None without sound.
        dnsmos: scores clips of 16 kHz sound, one answer each; None if its weights are missing.
        missing: stage → reason, for upstream stages without a result for this video (including `audio` and `dnsmos`);
            scores that depend on a stage take its reason as their status.
        shots: its rows, with the size of their pictures; None: all have the video's size.
        looked: by clip_id, the scores that models took from the clip's own pictures (looks.py); None: `off`.
        sampling_disabled: parts of SamplingSettings that the picture pass skipped.
        clock: records the seconds spent per group of scores.

    Raises:
        UserError: `settings.disabled` contains a name that is not a score.
    """
    clock = clock or PartClock()
    check_disabled(settings)
    gone = dict(missing or {})
    video = videos.row(0, named=True)
    pictures = Pictures(
        video,
        {} if shots is None else {s["shot_id"]: _sized(video, s) for s in shots.to_dicts()},
        {s["shot_id"]: s for s in frame_series.to_dicts()},
        {t["track_id"]: t for t in face_tracks.to_dicts()},
        {p["track_id"]: p for p in poses.to_dicts()},
        gone.get("frame_series", "too_few_frames"),
        sampling_disabled,
    )
    sound = Sound(audio, rate_hz, gone.get("audio", "no_audio"))
    speech = Speech(transcripts.to_dicts(), speech_turns.to_dicts(), sync_scores.to_dicts(), sound, gone)
    rows = clips.to_dicts()
    with clock.timed("dnsmos"):
        qualities = _qualities(rows, speech.turns, sound, settings, dnsmos, gone)
    scored = []
    for clip in rows:
        found: dict[str, Measurement] = {"clarity": picture_measures.clarity(video)}
        found |= dict.fromkeys(LOOKED, (None, "off")) if looked is None else looked[clip["clip_id"]]
        found |= _seen(clip, pictures, settings, clock)
        if clip["role"] == "talking":
            found |= _heard(clip, speech, settings, clock) | qualities[clip["clip_id"]]
        else:
            found |= dict.fromkeys(SPEECH, (None, "role_listening"))
        found |= dict.fromkeys(settings.disabled, (None, "off"))
        scored.append(_row(clip, found))
    return CLIP_SCORES.frame(scored)


def _seen(clip: Row, pictures: Pictures, settings: ScoreSettings, clock: PartClock) -> dict[str, Measurement]:
    """Return the visual scores of a clip: picture, head, body."""
    span = (clip["start_s"], clip["end_s"])
    shot = pictures.series.get(clip["shot_id"])
    track, pose = (rows.get(clip["track_id"]) for rows in (pictures.tracks, pictures.poses))
    sized = pictures.shots.get(clip["shot_id"], pictures.video)
    found: dict[str, Measurement] = {}
    with clock.timed("picture_scores"):
        found["face_count_consistency"] = picture_measures.face_count(shot, span, settings, pictures.no_series)
        found |= picture_measures.region_measures(track, span, settings)
        found |= camera_measures.picture_scores(shot, span, settings, pictures.left_out, pictures.no_series)
    with clock.timed("head_scores"):
        picture = picture_measures.picture_box(shot)
        found |= picture_measures.face_measures(track, span, sized, settings, picture)
        found["splice_jump"] = splice_measures.splice_jump(track, shot, span, settings)
        found |= head_scores.head_scores(track, shot, span, sized, settings)
    with clock.timed("person_scores"):
        found |= person_measures.person_scores(pose, track, shot, span, sized, settings)
    return found


def _heard(clip: Row, speech: Speech, settings: ScoreSettings, clock: PartClock) -> dict[str, Measurement]:
    """Return the speech scores of a talking clip: words, sound, synchrony with the lips."""
    with clock.timed("words"):
        found = _words(clip, speech.segments, speech.missing.get("transcripts"), settings)
    with clock.timed("sound"):
        found |= _voice(clip, speech.turns, speech.sound, settings)
    return found | {"sync_conf": _sync(clip, speech.syncs, speech.missing.get("sync_scores"))}


def _sized(video: Row, shot: Row) -> Row:
    """Return the video's row with the size of the shot's pictures; older lakes have only the video's size."""
    return {**video, **{side: shot[side] or video[side] for side in ("width_px", "height_px")}}


def check_disabled(settings: ScoreSettings) -> None:
    """Raise UserError if a disabled score is not a column of clip_scores."""
    unknown = [name for name in settings.disabled if f"{name}_status" not in CLIP_SCORES.schema]
    if unknown:
        raise UserError(f"scores.disabled names no score: {', '.join(unknown)}")


def _words(clip: Row, segments: Sequence[Row], missing: str | None, settings: ScoreSettings) -> dict[str, Measurement]:
    """Return confidence and rate of the clip's own words: segments of its turns, weighted by time inside the clip."""
    if missing is not None:
        return dict.fromkeys(WORDS, (None, missing))
    span = (clip["start_s"], clip["end_s"])
    own = [s for s in segments if s["turn_id"] in clip["turn_ids"] and s["text"].strip()]
    timed = [(s, overlap_s((s["start_s"], s["end_s"]), span)) for s in own]
    heard = [(s, seconds) for s, seconds in timed if seconds > 0]
    words = [w for s, _ in heard for w in s["words"] if span[0] <= w["start_s"] < span[1]]
    rate = (len(words) / (span[1] - span[0]), "ok")
    if not heard:
        return {**dict.fromkeys(WORDS, (None, "no_words")), "words_per_s": rate}
    weights = [seconds for _, seconds in heard]

    def weighted(name: str) -> Measurement:
        return float(np.average([s[name] for s, _ in heard], weights=weights)), "ok"

    known = all(s["language_probability"] is not None for s, _ in heard)
    match: Measurement = (None, "no_expected_language")
    if settings.languages:
        expected = [float(s["language"] in settings.languages) for s, _ in heard]
        match = float(np.average(expected, weights=weights)), "ok"

    return {
        "asr_confidence": weighted("avg_logprob"),
        "no_speech_prob": weighted("no_speech_prob"),
        "compression_ratio": (float(max(s["compression_ratio"] for s, _ in heard)), "ok"),
        "language_probability": weighted("language_probability") if known else (None, "weights_of_one_language"),
        "language_match": match,
        "words_per_s": rate,
    }


def _voice(clip: Row, turns: Sequence[Row], sound: Sound, settings: ScoreSettings) -> dict[str, Measurement]:
    """Return the share of own speech, SNR against the clip's pauses (nobody's speech is noise), and clipping."""
    span = (clip["start_s"], clip["end_s"])
    own_s = total_s(_own_speech(clip, turns))
    share: Measurement = (own_s / (span[1] - span[0]), "ok")
    anybody = [(t["start_s"] - span[0], t["end_s"] - span[0]) for t in turns]
    silence = audio_measures.silence_share(span[1] - span[0], anybody)
    if sound.samples is None:
        return {
            "speech_share": share,
            "silence_share": silence,
            **dict.fromkeys(("snr_db", "clipping_share"), (None, sound.reason)),
        }
    samples = sound.cut(span)
    speech = [
        (start - span[0], end - span[0])
        for start, end in intersect([(t["start_s"], t["end_s"]) for t in turns], [span])
    ]
    snr: Measurement = (None, "too_little_speech")
    if own_s >= settings.min_speech_s:
        snr = audio_measures.snr_db(samples, sound.rate_hz, speech)
    return {
        "speech_share": share,
        "silence_share": silence,
        "snr_db": snr,
        "clipping_share": audio_measures.clipping_share(samples),
    }


def _sync(clip: Row, scores: Sequence[Row], missing: str | None) -> Measurement:
    """Return the mean Sync-C of the clip's track over the clip's turns."""
    if missing is not None:
        return None, missing
    own = [s for s in scores if s["track_id"] == clip["track_id"] and s["turn_id"] in clip["turn_ids"]]
    values = [float(s["sync_conf"]) for s in own if s["sync_conf"] is not None and np.isfinite(s["sync_conf"])]
    if values:
        return float(np.mean(values)), "ok"
    return None, next((str(s["reason"]) for s in own if s["reason"]), "no_sync_score")


def _qualities(
    clips: Sequence[Row],
    turns: Sequence[Row],
    sound: Sound,
    settings: ScoreSettings,
    dnsmos: Callable[[Sequence[Floats]], Sequence[Quality]] | None,
    gone: Mapping[str, str],
) -> dict[str, dict[str, Measurement]]:
    """Return DNSMOS, or the reason for its absence, of every talking clip by clip_id, with one call of the model."""
    reasons: dict[str, str] = {}
    pieces: dict[str, Floats] = {}
    for clip in clips:
        if clip["role"] != "talking":
            continue
        if set(settings.disabled) >= {f"dnsmos_{n}" for n in DNSMOS}:
            reasons[clip["clip_id"]] = "off"
            continue
        samples = sound.cut((clip["start_s"], clip["end_s"]))
        if sound.samples is None:
            reasons[clip["clip_id"]] = sound.reason
        elif dnsmos is None:
            reasons[clip["clip_id"]] = gone.get("dnsmos", "weights_missing")
        elif len(samples) < settings.min_speech_s * sound.rate_hz:
            reasons[clip["clip_id"]] = "audio_too_short"  # the model would repeat the sound to fill 9 s
        elif total_s(_own_speech(clip, turns)) < settings.min_speech_s:
            reasons[clip["clip_id"]] = "too_little_speech"
        elif audio_measures.is_silent(samples):
            reasons[clip["clip_id"]] = "digital_silence"
        else:
            pieces[clip["clip_id"]] = samples
    out: dict[str, dict[str, Measurement]] = {
        clip_id: {f"dnsmos_{n}": (None, reason) for n in DNSMOS} for clip_id, reason in reasons.items()
    }
    if pieces and dnsmos is not None:
        for clip_id, quality in zip(pieces, dnsmos(list(pieces.values())), strict=True):
            out[clip_id] = {f"dnsmos_{n}": (float(getattr(quality, n)), "ok") for n in DNSMOS}
    return out


def _own_speech(clip: Row, turns: Sequence[Row]) -> list[Interval]:
    own = [(t["start_s"], t["end_s"]) for t in turns if t["turn_id"] in clip["turn_ids"]]
    return intersect(own, [(clip["start_s"], clip["end_s"])])


def _row(clip: Row, found: Mapping[str, Measurement]) -> dict[str, object]:
    row: dict[str, object] = {name: clip[name] for name in ("batch", "video_id", "clip_id")}
    for name, (value, status) in found.items():
        row[name], row[f"{name}_status"] = value, status
    return row
