"""What a foreign voice looks like to a synchrony backend: its scores on deliberately mismatched sound of the same lake.

Belongs here: making the mismatches (other people's voices, large shifts of the own one), scoring them like real pairs,
the threshold and margin that follow, rows of `sync_calibration`. Does not belong here: backends, the decision
(bindings.py), reading sound.

A trial is one speaker and one person whose mouth talks; its score is the prominence of their pooled lag curve times the
square root of its length, as in bindings. Nobody knows which of the real pairs are right, so the mismatches alone set
the threshold: the bound under which the next mismatch stays with probability 1 - false_accept_rate (one-sided Student
prediction bound, mean + t * deviation * sqrt(1 + 1/n)): few trials ask for more. Real pairs only tell what it costs.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from speakervid_dag.config.sections import BindingSettings, CalibrationSettings, SyncSettings
from speakervid_dag.curation.active_speaker import ActiveSpeakerBackend, CropSource, Key, Row, Scene, pairs_of
from speakervid_dag.curation.binding_evidence import prominence
from speakervid_dag.curation.sync import synchrony_rows

Sound = npt.NDArray[np.float32]
Voice = tuple[str, str]
"""(video_id, speaker_id)."""


@dataclass(frozen=True)
class Trial:
    """One speaker against one person: share of the time the mouth talks, 0-1, and the score."""

    speaker_id: str
    person_id: str
    talking: float
    score: float


def foreign_voices(turns: pl.DataFrame, settings: CalibrationSettings) -> dict[Voice, list[Voice]]:
    """For each voice of a batch, a few voices of other videos that are surely other people's.

    A voice without an embedding is compared with nobody: it could be anybody's. The choice is spread evenly over the
    candidates, so that it is the same at every run.
    """
    centres: dict[Voice, npt.NDArray[np.float64]] = {}
    known = turns.filter(pl.col("embedding").is_not_null()).sort("video_id", "start_s")
    for (video, speaker), group in known.group_by(["video_id", "speaker_id"], maintain_order=True):
        centre = np.mean(np.array(group["embedding"].to_list(), np.float64), axis=0)
        centres[str(video), str(speaker)] = centre / max(float(np.linalg.norm(centre)), 1e-9)
    found = {}
    for voice, centre in centres.items():
        others = [v for v, c in centres.items() if v[0] != voice[0] and c @ centre < settings.max_voice_cosine]
        spread = np.linspace(0, len(others) - 1, min(len(others), settings.foreign_voices))
        found[voice] = [others[round(i)] for i in spread]
    return found


def speech_of(audio: Sound, turns: pl.DataFrame, rate_hz: int) -> Sound:
    """The sound of these turns, end to end."""
    spans = turns.sort("start_s").select("start_s", "end_s").iter_rows()
    parts = [audio[round(start * rate_hz) : round(end * rate_hz)] for start, end in spans]
    return np.concatenate([np.zeros(0, np.float32), *parts])


def mismatches(
    audio: Sound, turns: pl.DataFrame, foreign: Sequence[Sound], rate_hz: int, settings: CalibrationSettings
) -> Iterator[Sound]:
    """The sound of a video in which one speaker's turns say something else: the foreign speech, then own speech moved.

    Args:
        turns: rows of speech_turns of that speaker.
        foreign: other people's speech; repeated where it is too short.
    """
    own = speech_of(audio, turns, rate_hz)
    last_s = len(own) / rate_hz - settings.min_shift_s
    moves = np.arange(settings.min_shift_s, last_s + 1e-9, settings.shift_step_s)[: settings.max_shifts]
    for speech in (*foreign, *(np.roll(own, round(move * rate_hz)) for move in moves)):
        if len(speech) and len(own):
            yield _said(audio, turns, speech, rate_hz)


def _said(audio: Sound, turns: pl.DataFrame, speech: Sound, rate_hz: int) -> Sound:
    out, at = audio.copy(), 0
    for start_s, end_s in turns.sort("start_s").select("start_s", "end_s").iter_rows():
        part = out[round(start_s * rate_hz) : round(end_s * rate_hz)]
        part[:] = np.take(speech, np.arange(at, at + len(part)), mode="wrap")
        at += len(part)
    return out


def trials(
    turns: pl.DataFrame,
    tracks: pl.DataFrame,
    talking: Mapping[Key, float],
    audio: Sound,
    rate_hz: int,
    backend: ActiveSpeakerBackend,
    settings: SyncSettings,
    binding: BindingSettings,
    crops: CropSource = lambda _: None,
) -> list[Trial]:
    """The backend's scores of all speakers and talking people of these turns under this sound."""
    scene = Scene(pairs_of(turns, tracks, settings), audio, rate_hz, settings, crops)
    if not scene.pairs:
        return []
    people = {p.key: (p.speaker_id, p.person_id) for p in scene.pairs}
    return trials_of(synchrony_rows(scene, backend), people, talking, binding)


def trials_of(
    rows: Sequence[Row], people: Mapping[Key, tuple[str, str]], talking: Mapping[Key, float], binding: BindingSettings
) -> list[Trial]:
    """Trials from scored rows of one video; `people`: pair → (speaker, person)."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        key = str(row["track_id"]), str(row["turn_id"])
        if row["lag_curve"] is not None and key in talking:
            groups.setdefault(people[key], []).append(row)
    found = []
    for (speaker, person), members in groups.items():
        frame = pl.DataFrame([{k: m[k] for k in ("start_s", "end_s", "offset_frames", "lag_curve")} for m in members])
        seconds = (frame["end_s"] - frame["start_s"]).to_numpy()
        shares = [talking[str(m["track_id"]), str(m["turn_id"])] for m in members]
        share = float(np.average(shares, weights=seconds))
        if share >= binding.min_talking:
            score = prominence(frame, binding) * float(np.sqrt(seconds.sum()))
            found.append(Trial(speaker, person, share, score))
    return found


def best_trials(found: Sequence[Trial]) -> list[Trial]:
    """Each speaker's best person: most of them are right, voice-overs are among them."""
    best: dict[str, Trial] = {}
    for trial in found:
        if trial.speaker_id not in best or trial.score > best[trial.speaker_id].score:
            best[trial.speaker_id] = trial
    return list(best.values())


def calibrate(
    matched: Sequence[float],
    mismatched: Sequence[float],
    earlier: Mapping[str, Sequence[float]],
    settings: CalibrationSettings,
    binding: BindingSettings,
) -> Row:
    """The columns of sync_calibration that follow from the scores.

    Args:
        matched: of the batch's real pairs; mismatched: of its mismatches; earlier: mismatches of earlier batches by
            batch, the nearest first.
    """
    pool, pooled = list(mismatched), []
    for batch, scores in earlier.items():
        if scores and len(pool) < settings.max_pool:
            pool += scores
            pooled.append(batch)
    wrong = np.array(pool[: settings.max_pool], np.float64)
    right = np.array(matched, np.float64)
    row: Row = {"matched_count": len(right), "mismatched_count": len(mismatched), "pooled_count": len(wrong)}
    row |= {"pooled_batches": pooled}
    row |= {"matched_scores": list(matched), "mismatched_scores": list(mismatched)}
    row |= {"false_accept_rate": settings.false_accept_rate, "curve": _curve(right, wrong)}
    row |= {"auc": float((right[:, None] > wrong[None, :]).mean()) if len(right) and len(wrong) else None}
    threshold = _bound(wrong, settings) if len(wrong) >= settings.min_count else 0.0
    if threshold <= 0:
        reason = "too_few_mismatches" if len(wrong) < settings.min_count else "mismatches_without_spread"
        empty = dict.fromkeys(("threshold", "margin", "foreign_deviation"))
        return row | empty | {"status": "not_evaluated", "reason": reason, "detail": None}
    # the threshold is where all evidence together binds; the profile's other evidence keeps its weight against it
    unit = threshold / (binding.min_evidence + binding.min_margin)
    figures = {"threshold": threshold, "margin": unit * binding.min_margin, "foreign_deviation": unit}
    return row | figures | {"status": "ok", "reason": None, "detail": None}


def _bound(wrong: npt.NDArray[np.float64], settings: CalibrationSettings) -> float:
    """Student's one-sided prediction bound of the next mismatch."""
    from scipy.stats import t

    count = len(wrong)
    quantile = float(t.ppf(1 - settings.false_accept_rate, count - 1))
    return float(wrong.mean() + quantile * wrong.std(ddof=1) * np.sqrt(1 + 1 / count))


def _curve(right: npt.NDArray[np.float64], wrong: npt.NDArray[np.float64]) -> list[dict[str, float | None]]:
    """At thresholds from the least to the greatest score: share of mismatches and of real pairs that reach them."""
    both = np.concatenate([right, wrong])
    if not len(both):
        return []
    shares = [[float((s >= at).mean()) if len(s) else None for s in (wrong, right)] for at in _steps(both)]
    names = ("threshold", "mismatched_share", "matched_share")
    return [dict(zip(names, (float(at), *two), strict=True)) for at, two in zip(_steps(both), shares, strict=True)]


def _steps(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.linspace(scores.min(), scores.max(), 25)


def calibrated(settings: BindingSettings, row: Row | None) -> BindingSettings:
    """Binding settings in which synchrony is counted as this calibration says; without one it cannot bind alone."""
    if row is None or row["status"] != "ok":
        return settings.model_copy(update={"max_synchrony": settings.uncalibrated_synchrony})
    return settings.model_copy(update={"foreign_deviation": row["foreign_deviation"]})
