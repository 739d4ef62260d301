"""Binding of turns to faces: evidence of a whole video, one assignment of speakers to people, and abstention.

Belongs here: the assignment, its margins, the answer of each turn, rows of `speaker_bindings`. Does not belong here:
pooling and weighing evidence (binding_evidence.py), cuts that follow the voice (co_visibility.py), clips
(clips/boundaries.py).

Evidence is measured in standard deviations of a foreign voice's scores. A speaker may stay without a face; that answer
is worth `min_evidence`. A speaker's margin is the total of the best assignment minus the best total in which this
speaker has another answer, so it includes what every other speaker would have to give up.

A second pass may complete a conversation in one picture. A bound face falls silent while another voice speaks, and a
free face beside it talks instead: then that face needs less evidence (`min_partner_evidence`) to be the other voice.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from speakervid_dag.config.sections import BindingSettings
from speakervid_dag.curation.speaking.binding_evidence import Evidence, Key, Row, pooled_evidence, prominence, strength
from speakervid_dag.curation.speaking.co_visibility import co_visibility
from speakervid_dag.lake.schemas import SPEAKER_BINDINGS

_FORBIDDEN = -1e6


@dataclass(frozen=True)
class Answer:
    """A speaker's face: person or None, the lead over the best other answer, why it is None, and the figures for that.

    `least_talking` is the talking score that a mouth needs in a turn to be the speaker's, lower when cuts follow the
    voice. `support` is the evidence of those cuts.
    """

    person_id: str | None
    margin: float | None
    reason: str | None
    detail: str | None = None
    least_talking: float = 0.0
    support: float = 0.0


def bind_video(
    shots: pl.DataFrame, turns: pl.DataFrame, tracks: pl.DataFrame, scores: pl.DataFrame, settings: BindingSettings
) -> pl.DataFrame:
    """Return the bindings of every turn of one video.

    Args:
        shots, turns, tracks, scores: rows of shots, speech_turns, face_tracks and sync_scores of one video.

    Returns:
        Rows of speaker_bindings: one per track of the bound person seen in the turn, with the time it is seen; or one
        without a track over the whole turn.
    """
    if turns.is_empty():
        return SPEAKER_BINDINGS.empty()
    pairs = scores.join(tracks.select("track_id", "person_id"), on="track_id").join(
        turns.select("turn_id", "speaker_id"), on="turn_id"
    )
    evidence = pooled_evidence(pairs, co_visibility(shots, tracks, turns, settings), settings)
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


def assign(
    speakers: list[str], evidence: Mapping[Key, Evidence], speech_s: Mapping[str, float], settings: BindingSettings
) -> dict[str, Answer]:
    """Assign at most one person per speaker and one speaker per person, with the greatest total evidence."""
    answers = _assigned(speakers, evidence, speech_s, settings.min_evidence, settings)
    open_speakers = [s for s in speakers if answers[s].person_id is None]
    partners = {(s, p): e for s in open_speakers for p, e in _partners(s, answers, evidence, speech_s, settings)}
    if partners:
        found = _assigned(open_speakers, evidence, speech_s, settings.min_partner_evidence, settings, partners)
        answers |= {s: a for s, a in found.items() if a.person_id}
    return answers


def _assigned(
    speakers: list[str],
    evidence: Mapping[Key, Evidence],
    speech_s: Mapping[str, float],
    nobody: float,
    settings: BindingSettings,
    candidates: Mapping[Key, Evidence] | None = None,
) -> dict[str, Answer]:
    """Return the best assignment among the candidates (default: all evidence); `nobody` is the value of no face."""
    allowed = evidence if candidates is None else candidates
    people = sorted({person for _, person in allowed})
    gain = np.full((len(speakers), len(people) + len(speakers)), _FORBIDDEN)
    for i, speaker in enumerate(speakers):
        gain[i, len(people) + i] = nobody
        for j, person in enumerate(people):
            item = allowed.get((speaker, person))
            if item and item.talking >= least_talking(item, settings):
                gain[i, j] = strength(speaker, person, evidence, speech_s, settings, candidates is not None)
    total, chosen = _best(gain)
    answers = {}
    for i, speaker in enumerate(speakers):
        other = gain.copy()
        other[i, chosen[i]] = _FORBIDDEN
        margin = total - _best(other)[0]
        face = people[chosen[i]] if chosen[i] < len(people) else None
        best = float(gain[i, : len(people)].max(initial=_FORBIDDEN))
        answers[speaker] = _answer(face, margin, best, evidence.get((speaker, str(face))), settings)
    return answers


def _partners(
    speaker: str,
    answers: Mapping[str, Answer],
    evidence: Mapping[Key, Evidence],
    speech_s: Mapping[str, float],
    settings: BindingSettings,
) -> list[tuple[str, Evidence]]:
    """Return free people who talk beside a bound person while that person is silent for this speaker."""
    half_s = speech_s[speaker] / 2
    beside = {p: e for (s, p), e in evidence.items() if s == speaker and e.beside_s >= half_s}
    taken = {a.person_id: name for name, a in answers.items() if a.person_id}
    has_silent_partner = any(
        evidence[taken[p], p].talking - e.talking >= settings.min_lead for p, e in beside.items() if p in taken
    )
    free = [(p, e) for p, e in beside.items() if p not in taken and e.lead >= settings.min_lead]
    return free if has_silent_partner else []


def least_talking(item: Evidence, settings: BindingSettings) -> float:
    """Return the talking score below which a mouth does not speak: lower where cuts follow this voice."""
    is_followed = item.co_visible * settings.co_visible_weight >= settings.min_margin
    return settings.still_talking if is_followed else settings.min_talking


def _best(gain: np.ndarray) -> tuple[float, list[int]]:  # type: ignore[type-arg]
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(gain, maximize=True)
    return float(gain[rows, columns].sum()), [int(c) for c in columns]


def _answer(person: str | None, margin: float, best: float, item: Evidence | None, settings: BindingSettings) -> Answer:
    # without any candidate every other answer is forbidden, and the margin has no meaning
    known = margin if margin < -_FORBIDDEN / 2 else None
    if person is None or item is None:
        asked = settings.min_evidence + settings.min_margin
        told = (
            "no mouth moves enough" if best <= _FORBIDDEN / 2 else f"evidence {best:.1f} of the {asked:.1f} that bind"
        )
        return Answer(None, known, "weak_evidence", told)
    if margin < settings.min_margin:
        told = f"evidence {best:.1f}, a lead of {margin:.1f} over the next answer; {settings.min_margin:.1f} is asked"
        return Answer(None, known, "small_margin", told)
    support = settings.co_visible_weight * item.co_visible
    return Answer(person, known, None, None, least_talking(item, settings), support)


def threshold_of(settings: BindingSettings) -> float | None:
    """Return the synchrony that binds without other evidence, a score as in `sync_calibration`; None if none does."""
    asked = settings.min_evidence + settings.min_margin
    is_enough = settings.max_synchrony is None or settings.max_synchrony >= asked
    return settings.foreign_deviation * asked if is_enough else None


def _turn_rows(turn: Row, pairs: list[Row], answers: dict[str, Answer], settings: BindingSettings) -> list[Row]:
    answer = answers[str(turn["speaker_id"])]
    base = {name: turn[name] for name in ("batch", "video_id", "turn_id", "speaker_id")}
    own = [p for p in pairs if p["person_id"] == answer.person_id and _talks(p, answer.least_talking)]
    status, reason = _turn_status(turn, pairs, own, answers, settings)
    rest: Row = {"probability": None, "threshold": threshold_of(settings), "status": status, "reason": reason}
    if status == "bound":
        keys = ("track_id", "person_id", "start_s", "end_s")
        return [base | {k: p[k] for k in keys} | rest | {"margin": answer.margin, "detail": None} for p in own]
    margin = answer.margin if status == "ambiguous" else None
    empty = {"track_id": None, "person_id": None, "start_s": turn["start_s"], "end_s": turn["end_s"], "margin": margin}
    return [base | empty | rest | {"detail": _figures(reason, answer, pairs, settings)}]


def _figures(reason: str | None, answer: Answer, pairs: list[Row], settings: BindingSettings) -> str | None:
    """Return the figures behind an abstention; None where the reason is enough."""
    if reason is not None and reason == answer.reason:
        return answer.detail
    shown = [float(str(p["talking_score"])) for p in pairs if p["talking_score"] is not None]
    if reason == "lips_still" and shown:
        return f"talking {max(shown):.2f} at most; a mouth talks from {settings.min_talking:.2f} on"
    return None


def _turn_status(
    turn: Row, pairs: list[Row], own: list[Row], answers: dict[str, Answer], settings: BindingSettings
) -> tuple[str, str | None]:
    """Return status and reason of one turn, given its speaker's answer and the faces in view."""
    if not pairs:
        return "off_screen", "no_face_seen"
    measured = [p for p in pairs if p["talking_score"] is not None]
    if not measured:
        return "not_evaluated", str(pairs[0]["reason"] or "talking_not_measured")
    answer = answers[str(turn["speaker_id"])]
    taken = {a.person_id for name, a in answers.items() if name != turn["speaker_id"]}
    rivals = [p for p in measured if p["person_id"] != answer.person_id and _talks(p, settings.min_talking)]
    if own:
        # the speaker label of a single turn can be wrong: another talking face that fits this turn clearly better
        # shows that
        best = max(_fit(p, settings) for p in own) + max(settings.min_margin, answer.support)
        return ("ambiguous", "turn_disagrees") if any(_fit(p, settings) > best for p in rivals) else ("bound", None)
    if len(measured) < len(pairs):
        return "ambiguous", "mouth_not_visible"
    free = [p for p in measured if p["person_id"] not in taken]
    # a face with another voice does not speak here, nor does a still mouth; the bar for "still" is stricter unless the
    # voice is known to have another face
    still = settings.min_talking if answer.person_id else settings.still_talking
    if any(_talks(p, still) for p in free):
        return "ambiguous", answer.reason or "lips_still"
    return "off_screen", "other_voice" if rivals else "lips_still"


def _talks(pair: Row, least: float) -> bool:
    value = pair["talking_score"]
    return isinstance(value, float) and value >= least


def _fit(pair: Row, settings: BindingSettings) -> float:
    """Return the synchrony of one pair in deviations of a foreign voice; 0 where unknown."""
    if pair["lag_curve"] is None:
        return 0.0
    seconds = float(str(pair["end_s"])) - float(str(pair["start_s"]))
    return prominence(pl.DataFrame([pair]), settings) * float(np.sqrt(seconds)) / settings.foreign_deviation
