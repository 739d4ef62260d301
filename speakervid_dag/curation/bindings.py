"""Whose face a turn is: evidence of a whole video, one assignment of speakers to people, and the right to abstain.

Belongs here: pooling `sync_scores` over a speaker's turns, the assignment, its margins, rows of `speaker_bindings`.
Does not belong here: measuring lips or sound (sync.py), cutting clips (clips.py).

Evidence of a speaker and a person is counted in deviations of what a foreign voice gives: synchrony over all their
common
time, plus how much more the person's mouth moves when this speaker talks than when others do. A speaker may stay
without
a face; that answer costs `min_evidence`. The margin of a speaker is the total of the best assignment minus the best
total in which this speaker has another answer, so it counts what every other speaker would have to give up.
"""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.optimize import linear_sum_assignment

from speakervid_dag.config.sections import BindingSettings
from speakervid_dag.lake.schemas import SPEAKER_BINDINGS

Row = dict[str, object]
_FORBIDDEN = -1e6


@dataclass(frozen=True)
class Evidence:
    """What one person's tracks say about one speaker.

    Attributes:
        seen_s: common time in which the mouth is seen, s.
        talking: mean talking score over it, 0-1.
        sync_s: the part of it in which synchrony could be measured, s.
        sync: how far the pooled lag curve stands out at its peak: mean of its lead over the median lag and over the
            best lag elsewhere, as correlation. A foreign voice has peaks too, but several of one height.
    """

    seen_s: float
    talking: float
    sync_s: float
    sync: float


@dataclass(frozen=True)
class Answer:
    """A speaker's face: person or None, the lead over the best other answer, and why it is None."""

    person_id: str | None
    margin: float | None
    reason: str | None


def bind_video(
    turns: pl.DataFrame, tracks: pl.DataFrame, scores: pl.DataFrame, settings: BindingSettings
) -> pl.DataFrame:
    """Bindings of every turn of one video.

    Args:
        turns, tracks, scores: rows of speech_turns, face_tracks and sync_scores of one video.

    Returns:
        Rows of speaker_bindings: one a track of the bound person that is seen in the turn, with the time it is seen;
        or one without a track over the whole turn.
    """
    if turns.is_empty():
        return SPEAKER_BINDINGS.empty()
    pairs = scores.join(tracks.select("track_id", "person_id"), on="track_id").join(
        turns.select("turn_id", "speaker_id"), on="turn_id"
    )
    evidence = pooled_evidence(pairs, settings)
    answers = assign(sorted(set(turns["speaker_id"].to_list())), evidence, _speech_s(turns), settings)
    by_turn: dict[str, list[Row]] = defaultdict(list)
    for row in pairs.sort("start_s", "track_id").to_dicts():
        by_turn[str(row["turn_id"])].append(row)
    rows: list[Row] = []
    for turn in turns.sort("start_s", "turn_id").to_dicts():
        rows += _turn_rows(turn, by_turn[turn["turn_id"]], answers, settings)
    return SPEAKER_BINDINGS.frame(rows)


def _speech_s(turns: pl.DataFrame) -> dict[str, float]:
    totals: dict[str, float] = defaultdict(float)
    for speaker, start, end in turns.select("speaker_id", "start_s", "end_s").iter_rows():
        totals[speaker] += end - start
    return totals


def pooled_evidence(pairs: pl.DataFrame, settings: BindingSettings) -> dict[tuple[str, str], Evidence]:
    """Evidence of every (speaker, person), from all their measured pairs weighted by common time.

    Args:
        pairs: rows of sync_scores with `speaker_id` and `person_id`.
    """
    found = {}
    measured = pairs.filter(pl.col("talking_score").is_not_null()).sort("start_s", "track_id")
    for (speaker, person), group in measured.group_by(["speaker_id", "person_id"], maintain_order=True):
        seconds = (group["end_s"] - group["start_s"]).to_numpy()
        talking = float(np.average(group["talking_score"].to_numpy(), weights=seconds))
        scored = group.filter(pl.col("lag_curve").is_not_null())
        sync_s = float((scored["end_s"] - scored["start_s"]).sum())
        sync = _prominence(scored, settings) if sync_s > 0 else 0.0
        found[str(speaker), str(person)] = Evidence(float(seconds.sum()), talking, sync_s, sync)
    return found


def _prominence(scored: pl.DataFrame, settings: BindingSettings) -> float:
    seconds = (scored["end_s"] - scored["start_s"]).to_numpy()
    curve = np.average(np.array(scored["lag_curve"].to_list(), np.float64), axis=0, weights=seconds)
    zero = len(curve) // 2
    peak = zero + round(float(np.average(scored["offset_frames"].to_numpy(), weights=seconds)))
    elsewhere = np.abs(np.arange(len(curve)) - peak) > settings.peak_frames
    return float(curve[peak] - (np.median(curve) + curve[elsewhere].max()) / 2)


def assign(
    speakers: list[str],
    evidence: dict[tuple[str, str], Evidence],
    speech_s: dict[str, float],
    settings: BindingSettings,
) -> dict[str, Answer]:
    """One person at most a speaker and one speaker at most a person, with the greatest total evidence."""
    people = sorted({person for _, person in evidence})
    gain = np.full((len(speakers), len(people) + len(speakers)), _FORBIDDEN)
    for i, speaker in enumerate(speakers):
        gain[i, len(people) + i] = settings.min_evidence  # the answer "nobody"
        for j, person in enumerate(people):
            item = evidence.get((speaker, person))
            if item and item.talking >= settings.min_talking:
                gain[i, j] = _strength(speaker, person, evidence, speech_s, settings)
    total, chosen = _best(gain)
    answers = {}
    for i, speaker in enumerate(speakers):
        other = gain.copy()
        other[i, chosen[i]] = _FORBIDDEN
        margin = total - _best(other)[0]
        face = people[chosen[i]] if chosen[i] < len(people) else None
        answers[speaker] = _answer(face, margin, settings)
    return answers


def _strength(
    speaker: str,
    person: str,
    evidence: dict[tuple[str, str], Evidence],
    speech_s: dict[str, float],
    settings: BindingSettings,
) -> float:
    """Synchrony in deviations of a foreign voice, plus the talking contrast."""
    item = evidence[speaker, person]
    synchrony = item.sync * np.sqrt(item.sync_s) / settings.foreign_deviation
    return float(synchrony) + settings.talking_weight * _contrast(speaker, person, evidence, speech_s)


def _contrast(
    speaker: str, person: str, evidence: dict[tuple[str, str], Evidence], speech_s: dict[str, float]
) -> float:
    """Share of this speaker's speech that shows the person talking, minus that of the others', -1 to 1; 0 if alone."""

    def shown(names: list[str]) -> float:
        seen = [evidence[n, person] for n in names if (n, person) in evidence]
        return sum(e.seen_s * e.talking for e in seen) / max(sum(speech_s[n] for n in names), 1e-9)

    others = [name for name in speech_s if name != speaker]
    return shown([speaker]) - shown(others) if others else 0.0


def _best(gain: np.ndarray) -> tuple[float, list[int]]:  # type: ignore[type-arg]
    rows, columns = linear_sum_assignment(gain, maximize=True)
    return float(gain[rows, columns].sum()), [int(c) for c in columns]


def _answer(person: str | None, margin: float, settings: BindingSettings) -> Answer:
    # with no candidate at all every other answer is forbidden, and the margin has no meaning
    known = margin if margin < -_FORBIDDEN / 2 else None
    if person is None:
        return Answer(None, known, "weak_evidence")
    return Answer(person, known, None) if margin >= settings.min_margin else Answer(None, known, "small_margin")


def _turn_rows(turn: Row, pairs: list[Row], answers: dict[str, Answer], settings: BindingSettings) -> list[Row]:
    answer = answers[str(turn["speaker_id"])]
    base = {name: turn[name] for name in ("batch", "video_id", "turn_id", "speaker_id")}
    own = [p for p in pairs if p["person_id"] == answer.person_id and _talks(p, settings)]
    status, reason = _turn_status(turn, pairs, own, answers, settings)
    if status == "bound":
        keys = ("track_id", "person_id", "start_s", "end_s")
        rest: Row = {"margin": answer.margin, "status": status, "reason": None, "detail": None}
        return [base | {k: p[k] for k in keys} | rest for p in own]
    margin = answer.margin if status == "ambiguous" else None
    empty = {"track_id": None, "person_id": None, "start_s": turn["start_s"], "end_s": turn["end_s"], "margin": margin}
    return [base | empty | {"status": status, "reason": reason, "detail": None}]


def _turn_status(
    turn: Row, pairs: list[Row], own: list[Row], answers: dict[str, Answer], settings: BindingSettings
) -> tuple[str, str | None]:
    """Status and reason of one turn, given its speaker's answer and the faces in view."""
    if not pairs:
        return "off_screen", "no_face_seen"
    measured = [p for p in pairs if p["talking_score"] is not None]
    if not measured:
        return "not_evaluated", str(pairs[0]["reason"])
    answer = answers[str(turn["speaker_id"])]
    taken = {a.person_id for name, a in answers.items() if name != turn["speaker_id"]}
    rivals = [p for p in measured if p["person_id"] != answer.person_id and _talks(p, settings)]
    if own:
        # the speaker's label of a single turn can be wrong: another talking face that fits this very turn better
        # says so
        best = max(_conf(p) for p in own)
        return ("ambiguous", "turn_disagrees") if any(_conf(p) > best for p in rivals) else ("bound", None)
    if len(measured) < len(pairs):
        return "ambiguous", "mouth_not_visible"
    if all(p["person_id"] in taken for p in rivals):
        # a still mouth, or a face that has another voice, does not speak here
        return "off_screen", "lips_still" if not rivals else "other_voice"
    return "ambiguous", answer.reason or "lips_still"


def _talks(pair: Row, settings: BindingSettings) -> bool:
    value = pair["talking_score"]
    return isinstance(value, float) and value >= settings.min_talking


def _conf(pair: Row) -> float:
    value = pair["sync_conf"]
    return float(value) if isinstance(value, float) else -np.inf
