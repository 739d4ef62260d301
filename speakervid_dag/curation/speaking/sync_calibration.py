"""Calibration of a synchrony backend: its scores on deliberately mismatched sound, and the threshold from them.

Belongs here: making mismatches (other people's voices, large shifts of the own one), scoring them like real pairs, the
threshold from shipped mismatches and a lake's own, rows of `sync_calibration`. Does not belong here: backends, the
decision (bindings.py), reading sound.

A trial is one speaker and one person whose mouth talks. Its score is the prominence of their pooled lag curve times the
square root of its length, as in bindings. It is unknown which real pairs are correct, so the mismatches alone set the
threshold: the bound that the next mismatch stays below with probability 1 - false_accept_rate (one-sided Student
prediction bound, mean + t * deviation * sqrt(1 + 1/n)). Fewer trials give a higher bound. Real pairs only show what the
threshold costs.
"""

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from speakervid_dag.arrays import unit
from speakervid_dag.config.profiles import Profile
from speakervid_dag.config.sections import BindingSettings, CalibrationSettings, SyncSettings
from speakervid_dag.curation.speaking.active_speaker import ActiveSpeakerBackend, CropSource, Key, Row, Scene, pairs_of
from speakervid_dag.curation.speaking.binding_evidence import prominence
from speakervid_dag.curation.speaking.sync import synchrony_rows

POOLED_COLUMNS = ["batch", "backend", "basis", "mismatched_count", "mismatched_mean", "mismatched_deviation", "reason"]
Sound = npt.NDArray[np.float32]
Voice = tuple[str, str]
"""(video_id, speaker_id)."""


@dataclass(frozen=True)
class Trial:
    """One speaker tested against one person: share of the time the mouth talks, 0-1, and the score."""

    speaker_id: str
    person_id: str
    talking: float
    score: float


def foreign_voices(turns: pl.DataFrame, settings: CalibrationSettings) -> dict[Voice, list[Voice]]:
    """Return, for each voice of a batch, a few voices of other videos that surely belong to other people.

    A voice without an embedding is skipped: it could be anybody's. So is one of another network, because the two cannot
    be compared. The choice is spread evenly over the candidates, so it is the same in every run.
    """
    centres: dict[Voice, npt.NDArray[np.float64]] = {}
    known = turns.filter(pl.col("embedding").is_not_null()).sort("video_id", "start_s")
    for (video, speaker), group in known.group_by(["video_id", "speaker_id"], maintain_order=True):
        centre = np.mean(np.array(group["embedding"].to_list(), np.float64), axis=0)
        centres[str(video), str(speaker)] = unit(centre)
    found = {}
    for voice, centre in centres.items():
        alike = [(v, c) for v, c in centres.items() if v[0] != voice[0] and len(c) == len(centre)]
        others = [v for v, c in alike if c @ centre < settings.max_voice_cosine[len(centre)]]
        spread = np.linspace(0, len(others) - 1, min(len(others), settings.foreign_voices))
        found[voice] = [others[round(i)] for i in spread]
    return found


def speech_of(audio: Sound, turns: pl.DataFrame, rate_hz: int) -> Sound:
    """Return the sound of these turns, joined end to end."""
    spans = turns.sort("start_s").select("start_s", "end_s").iter_rows()
    parts = [audio[round(start * rate_hz) : round(end * rate_hz)] for start, end in spans]
    return np.concatenate([np.zeros(0, np.float32), *parts])


def mismatches(
    audio: Sound, turns: pl.DataFrame, foreign: Sequence[Sound], rate_hz: int, settings: CalibrationSettings
) -> Iterator[Sound]:
    """Yield the video's sound with one speaker's turns replaced: by each foreign speech, then by own speech shifted.

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
    """Return the backend's scores of all speakers and talking people of these turns under this sound."""
    scene = Scene(pairs_of(turns, tracks, settings), audio, rate_hz, settings, crops)
    if not scene.pairs:
        return []
    people = {p.key: (p.speaker_id, p.person_id) for p in scene.pairs}
    return trials_of(synchrony_rows(scene, backend), people, talking, binding)


def trials_of(
    rows: Sequence[Row], people: Mapping[Key, tuple[str, str]], talking: Mapping[Key, float], binding: BindingSettings
) -> list[Trial]:
    """Return trials from scored rows of one video; `people`: pair → (speaker, person)."""
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
    """Return each speaker's trial with the best person: mostly correct ones, with voice-overs among them."""
    best: dict[str, Trial] = {}
    for trial in found:
        if trial.speaker_id not in best or trial.score > best[trial.speaker_id].score:
            best[trial.speaker_id] = trial
    return list(best.values())


@dataclass(frozen=True)
class Mismatches:
    """Summary of mismatch scores: count, mean, and sample standard deviation (0 for fewer than two)."""

    count: int
    mean: float
    deviation: float


def measured(scores: Sequence[float]) -> Mismatches:
    """Return count, mean and deviation of these scores."""
    values = np.array(scores, np.float64)
    deviation = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return Mismatches(len(values), float(values.mean()) if len(values) else 0.0, deviation)


def pooled(parts: Iterable[Mismatches]) -> Mismatches:
    """Return the same figures as `measured` over the scores of all parts together."""
    known = [part for part in parts if part.count]
    count = sum(part.count for part in known)
    if not count:
        return Mismatches(0, 0.0, 0.0)
    mean = sum(part.count * part.mean for part in known) / count
    squares = sum((p.count - 1) * p.deviation**2 + p.count * (p.mean - mean) ** 2 for p in known)
    return Mismatches(count, mean, math.sqrt(squares / (count - 1)) if count > 1 else 0.0)


def threshold_of(wrong: Mismatches, settings: CalibrationSettings) -> float | None:
    """Return the score that binds: Student's one-sided prediction bound for the next mismatch.

    None where there are fewer mismatches than `min_count`, or where the bound is not above 0.
    """
    from scipy.stats import t

    if wrong.count < settings.min_count:
        return None
    quantile = float(t.ppf(1 - settings.false_accept_rate, wrong.count - 1))
    bound = wrong.mean + quantile * wrong.deviation * math.sqrt(1 + 1 / wrong.count)
    return bound if bound > 0 else None


def shipped(backend: str, basis: str, settings: CalibrationSettings) -> Mismatches:
    """Return the mismatches shipped with the profile; none for scores of another backend, settings or weights."""
    found = settings.shipped.get(backend)
    if found is None or found.basis != basis:
        return Mismatches(0, 0.0, 0.0)
    return Mismatches(found.count, found.mean, found.deviation)


def threshold_in_force(prior: Mismatches, lake: Iterable[Mismatches], settings: CalibrationSettings) -> float | None:
    """Return the threshold for every batch of a lake, from the shipped mismatches and the lake's own, pooled.

    It moves in steps from the shipped one, so that a label does not depend on which other videos are in the lake: only
    enough mismatches that clearly differ change the threshold. None where nothing is known.
    """
    start, found = threshold_of(prior, settings), threshold_of(pooled([prior, *lake]), settings)
    if found is None:
        return start
    anchor = 1.0 if start is None else start
    steps = round(math.log(found / anchor) / math.log1p(settings.threshold_step))
    return anchor * (1 + settings.threshold_step) ** steps


def threshold_for(own: pl.DataFrame, lake: pl.DataFrame, settings: CalibrationSettings) -> float | None:
    """Return the threshold in force for a batch; None where its scores could not be calibrated (no weights).

    Args:
        own: the batch's rows of sync_calibration; lake: those of all batches (POOLED_COLUMNS).
    """
    rows = own.to_dicts()
    if not rows or rows[0]["reason"] == "weights_missing":
        return None
    backend, basis = rows[0]["backend"], rows[0]["basis"]
    alike = lake.filter(
        (pl.col("backend") == backend) & (pl.col("basis") == basis) & pl.col("mismatched_mean").is_not_null()
    )
    counted = alike.sort("batch").select("mismatched_count", "mismatched_mean", "mismatched_deviation")
    known = [Mismatches(*row) for row in counted.iter_rows()]
    return threshold_in_force(shipped(backend, basis, settings), known, settings)


def basis_of(profile: Profile, talking: str, weights: Iterable[str]) -> str:
    """Return 16 hex digits that identify everything a score depends on: scores of one basis may be pooled.

    Args:
        talking: the backend that says which mouths talk.
        weights: hashes of the synchrony backend's weights.
    """
    backends = f"{talking} {profile.active_speaker.synchrony}"
    parts = [profile.sync.model_dump_json(), backends, *sorted(weights)]
    parts += [f"{profile.binding.peak_frames} {profile.binding.min_talking}"]
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]


def calibrate(matched: Sequence[float], mismatched: Sequence[float], settings: CalibrationSettings) -> Row:
    """Return the columns of sync_calibration that follow from the scores of one batch.

    Args:
        matched: scores of the batch's real pairs; mismatched: scores of its mismatches.
    """
    wrong, right, own = np.array(mismatched, np.float64), np.array(matched, np.float64), measured(mismatched)
    row: Row = {"matched_count": len(right), "mismatched_count": own.count, "mismatched_mean": own.mean}
    row |= {"mismatched_deviation": own.deviation}
    row |= {"matched_scores": list(matched), "mismatched_scores": list(mismatched)}
    row |= {"false_accept_rate": settings.false_accept_rate, "curve": _curve(right, wrong)}
    row |= {"auc": float((right[:, None] > wrong[None, :]).mean()) if len(right) and len(wrong) else None}
    row |= {"threshold": threshold_of(own, settings)}
    if own.count:
        return row | {"status": "ok", "reason": None, "detail": None}
    return row | {"status": "not_evaluated", "reason": "no_mismatches", "detail": "nobody talks in view long enough"}


def _curve(right: npt.NDArray[np.float64], wrong: npt.NDArray[np.float64]) -> list[dict[str, float | None]]:
    """Return the shares of mismatches and of real pairs that reach each of 25 thresholds, least to greatest score."""
    both = np.concatenate([right, wrong])
    if not len(both):
        return []
    shares = [[float((s >= at).mean()) if len(s) else None for s in (wrong, right)] for at in _steps(both)]
    names = ("threshold", "mismatched_share", "matched_share")
    return [dict(zip(names, (float(at), *two), strict=True)) for at, two in zip(_steps(both), shares, strict=True)]


def _steps(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.linspace(scores.min(), scores.max(), 25)


def calibrated(settings: BindingSettings, threshold: float | None) -> BindingSettings:
    """Return binding settings with synchrony scaled by this threshold; without a threshold it cannot bind alone.

    Synchrony at the threshold is just enough to bind; the profile's other evidence keeps its weight relative to it.
    """
    if threshold is None:
        return settings.model_copy(update={"max_synchrony": settings.uncalibrated_synchrony})
    unit = threshold / (settings.min_evidence + settings.min_margin)
    return settings.model_copy(update={"foreign_deviation": unit})
