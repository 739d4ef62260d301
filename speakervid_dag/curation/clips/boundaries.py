"""Cutting tracks and turns into clips of one person in one shot.

Belongs here: which spans become talking and listening clips, and why the rest of a track does not. Does not belong
here: binding speakers to faces (speaking/bindings.py), scoring clips, gates.

A contribution is a run of one speaker's turns with short pauses in which nobody else speaks. A talking clip is a
contribution of the person in view, a listening clip a contribution of somebody else. Both are split into pieces of at
most `max_s`, at pauses if there are any.
"""

import hashlib
import itertools
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import polars as pl

from speakervid_dag.config.sections import ClipSettings
from speakervid_dag.curation import intervals
from speakervid_dag.curation.faces.people import main_speaker
from speakervid_dag.curation.intervals import Interval
from speakervid_dag.lake.schemas import CLIPS, DROPPED_SPANS

Row = dict[str, object]
UNSURE = ("ambiguous", "not_evaluated")  # status of a binding whose speaker is not known
SHORTEST_S = 1e-6  # of a dropped span


@dataclass(frozen=True)
class BoundTurn:
    """A speech turn with its bindings.

    Attributes:
        span: its time.
        unsure: the time in which its speaker is not known.
        margin: the least of its bindings.
        seen: the bound tracks, with the time each is seen.
        people: the people of these.
    """

    turn_id: str
    speaker_id: str
    span: Interval
    unsure: tuple[Interval, ...]
    margin: float | None
    seen: dict[str, list[Interval]]
    people: frozenset[str]


@dataclass(frozen=True)
class ShownTrack:
    """A face track limited to its shot; `span` is the overlap of both."""

    row: Row
    span: Interval
    speaker_id: str | None

    @property
    def track_id(self) -> str:
        return str(self.row["track_id"])


@dataclass
class TrackTime:
    """Outcome of one track's time: its clips, and dropped spans with role and reason."""

    clips: list[Row] = field(default_factory=list)
    dropped: list[tuple[Interval, str, str]] = field(default_factory=list)


def make_clips(
    shots: pl.DataFrame,
    tracks: pl.DataFrame,
    turns: pl.DataFrame,
    bindings: pl.DataFrame,
    scores: pl.DataFrame,
    settings: ClipSettings,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the clips of one video, and the time outside them with the reasons.

    Args:
        shots, tracks, turns, bindings, scores: rows of shots, face_tracks, speech_turns, speaker_bindings and
            sync_scores of one video.

    Returns:
        Rows of clips, ordered by start and track; rows of dropped_spans: every track's time outside its clips.
    """
    heard = _turns(turns, bindings)
    talkers = _talkers(scores, bindings, settings)
    clips: list[Row] = []
    dropped: list[Row] = []
    for track in _tracks(shots, tracks, bindings):
        cut = _cut_track(track, _near(heard, track.span, settings), talkers, settings)
        clips += cut.clips
        dropped += _dropped_rows(track, cut)
    clips.sort(key=lambda c: (c["start_s"], c["track_id"], c["role"]))
    return CLIPS.frame(clips), DROPPED_SPANS.frame(dropped)


def _turns(turns: pl.DataFrame, bindings: pl.DataFrame) -> list[BoundTurn]:
    answers: dict[str, list[Row]] = defaultdict(list)
    for row in bindings.to_dicts():
        answers[row["turn_id"]].append(row)
    found = []
    for turn in turns.sort("start_s", "turn_id").to_dicts():
        rows = answers[turn["turn_id"]]
        bound = [r for r in rows if r["track_id"] is not None]
        margins = [float(str(r["margin"])) for r in bound if r["margin"] is not None]
        seen: dict[str, list[Interval]] = defaultdict(list)
        for row in bound:
            seen[str(row["track_id"])].append(_span(row))
        span = turn["start_s"], turn["end_s"]
        found.append(
            BoundTurn(
                turn["turn_id"],
                turn["speaker_id"],
                span,
                tuple(_span(r) for r in rows if r["status"] in UNSURE) if rows else (span,),
                min(margins) if margins else None,
                dict(seen),
                frozenset(str(r["person_id"]) for r in bound),
            )
        )
    return found


def _talkers(scores: pl.DataFrame, bindings: pl.DataFrame, settings: ClipSettings) -> set[tuple[str, str]]:
    """Return (track, turn) for mouths that talk during a turn, whoever it is bound to; they are no listeners.

    If another face is the speaker, moving lips may be a laugh, so they count only when in sync with the sound. If no
    face is the speaker, movement is enough: the voice is dubbed, or the binding missed it.
    """
    unseen = (
        bindings.group_by("turn_id").agg(pl.col("track_id").is_null().all()).filter("track_id")["turn_id"].to_list()
    )
    in_step = pl.col("sync_conf") >= settings.min_step_conf
    moving = scores.filter(
        pl.col("talking_score") >= settings.max_listener_talking, pl.col("turn_id").is_in(unseen) | in_step
    )
    return set(moving.select("track_id", "turn_id").iter_rows())


def _tracks(shots: pl.DataFrame, tracks: pl.DataFrame, bindings: pl.DataFrame) -> list[ShownTrack]:
    inside = {str(s["shot_id"]): _span(s) for s in shots.to_dicts()}
    spoken: dict[str, list[Row]] = defaultdict(list)
    for row in bindings.filter(pl.col("status") == "bound").to_dicts():
        spoken[row["person_id"]].append(row)
    found = []
    for row in tracks.sort("start_s", "track_id").to_dicts():
        span = intervals.intersect([_span(row)], [inside[str(row["shot_id"])]])
        if span:
            found.append(ShownTrack(row, span[0], main_speaker(spoken[str(row["person_id"])])))
    return found


def _near(turns: list[BoundTurn], span: Interval, settings: ClipSettings) -> list[BoundTurn]:
    """Return the turns that can affect a track: those in its time, or close enough to touch a pause or a pad."""
    reach = settings.join_pause_s + settings.pad_s
    return [t for t in turns if t.span[0] < span[1] + reach and t.span[1] > span[0] - reach]


def _span(row: Row) -> Interval:
    return float(str(row["start_s"])), float(str(row["end_s"]))


def _cut_track(
    track: ShownTrack, turns: list[BoundTurn], talkers: set[tuple[str, str]], settings: ClipSettings
) -> TrackTime:
    """Cut one track into clips; none for a copy or a face that is not alive. `talkers`: see _talkers."""
    cut = TrackTime()
    if track.row["copy_of"] is not None:
        cut.dropped.append((track.span, "unknown", "copy_of_a_face"))
        return cut
    if track.row["person_id"] is None:  # a picture of a face neither talks nor listens
        cut.dropped.append((track.span, "unknown", "not_alive"))
        return cut
    own = [t for t in turns if track.track_id in t.seen]
    own_ids = {t.turn_id for t in own}
    for run in _contributions(own, turns, settings):
        bound = intervals.intersect([span for t in run for span in t.seen[track.track_id]], [track.span])
        others = [t.span for t in turns if t.turn_id not in own_ids]
        for part in intervals.merge(bound, settings.join_pause_s):  # a turn may have a stretch without this face
            spans = intervals.intersect(bound, [part])
            _add(cut, track, "talking", run, spans, _padded(spans, track.span, others, settings), settings)
    person = str(track.row["person_id"])
    # a possible speaker is not a listener; someone with a known other voice is not a possible speaker
    unsure = [span for t in turns if track.speaker_id in (None, t.speaker_id) for span in t.unsure]
    mine = [t.span for t in turns if person in t.people]
    foreign = [t for t in turns if person not in t.people]
    talks = [t.span for t in foreign if (track.track_id, t.turn_id) in talkers]
    for run in _contributions(foreign, turns, settings):
        # speakers can overlap: time used for one contribution is not cut again for the next
        free = intervals.subtract([track.span], [*unsure, *mine, *talks, *map(_span, cut.clips)])
        for part in intervals.intersect([(run[0].span[0], run[-1].span[1])], free):
            inside = [t for t in run if intervals.overlap_s(t.span, part) > 0]
            spans = intervals.intersect([t.span for t in inside], [part])
            if spans:
                _add(cut, track, "listening", inside, spans, (spans[0][0], spans[-1][1]), settings)
    cut.dropped += [(s, "unknown", "ambiguous_speaker") for s in intervals.intersect(unsure, [track.span])]
    cut.dropped += [(s, "unknown", "talks_itself") for s in intervals.intersect(talks, [track.span])]
    return cut


def _contributions(chosen: list[BoundTurn], turns: list[BoundTurn], settings: ClipSettings) -> list[list[BoundTurn]]:
    """Return runs of the chosen turns of one speaker, at most `join_pause_s` apart, with no other speaker between."""
    runs: list[list[BoundTurn]] = []
    for turn in chosen:
        last = next((r for r in reversed(runs) if r[-1].speaker_id == turn.speaker_id), None)
        if last is None or not _continues(last[-1], turn, turns, settings):
            runs.append([turn])
        else:
            last.append(turn)
    return runs


def _continues(before: BoundTurn, after: BoundTurn, turns: list[BoundTurn], settings: ClipSettings) -> bool:
    pause = (before.span[1], after.span[0])
    between = (t.span for t in turns if t.speaker_id != before.speaker_id)
    return pause[1] - pause[0] <= settings.join_pause_s and not intervals.intersect([pause], between)


def _padded(spans: list[Interval], limit: Interval, others: Iterable[Interval], settings: ClipSettings) -> Interval:
    """Return the hull of the spans, padded by up to `pad_s`, inside the limit and free of other speakers' turns."""
    if not spans:
        return (0.0, 0.0)
    hull = spans[0][0], spans[-1][1]
    wide = max(limit[0], hull[0] - settings.pad_s), min(limit[1], hull[1] + settings.pad_s)
    ends = [end for _, end in others if wide[0] < end <= hull[0]]
    starts = [start for start, _ in others if hull[1] <= start < wide[1]]
    return max([wide[0], *ends]), min([wide[1], *starts])


def _add(
    cut: TrackTime,
    track: ShownTrack,
    role: str,
    run: list[BoundTurn],
    spans: list[Interval],
    whole: Interval,
    settings: ClipSettings,
) -> None:
    """Add the clips of one contribution, or the reason why there is none, to `cut`."""
    if whole[1] - whole[0] < settings.min_s:
        if whole[1] > whole[0]:
            cut.dropped.append((whole, role, "too_short"))
        return
    pauses = [(a[1] + b[0]) / 2 for a, b in itertools.pairwise(spans)]
    for piece in intervals.split_long(whole, settings.max_s, pauses):
        if piece[1] - piece[0] < settings.min_s:
            cut.dropped.append((piece, role, "too_short"))
            continue
        inside = [t for t in run if intervals.overlap_s(t.span, piece) > 0]
        cut.clips.append(_clip(track, role, piece, inside, settings))


def _clip(track: ShownTrack, role: str, span: Interval, turns: list[BoundTurn], settings: ClipSettings) -> Row:
    margins = [t.margin for t in turns if t.margin is not None]
    row = {name: track.row[name] for name in ("batch", "video_id", "shot_id", "track_id", "person_id")}
    return row | {
        "clip_id": clip_id(str(track.row["video_id"]), track.track_id, role, span),
        "speaker_id": track.speaker_id,
        "role": role,
        "start_s": span[0],
        "end_s": span[1],
        "duration_s": span[1] - span[0],
        **_box(track.row, span, settings),
        "turn_ids": [t.turn_id for t in turns],
        "sync_margin": min(margins) if margins else None,
    }


def clip_id(video_id: str, track_id: str, role: str, span: Interval) -> str:
    """Return `video_id-c` + 8 hex digits of the SHA-256 of track, role, start and end in ms."""
    key = f"{track_id}|{role}|{round(span[0] * 1000)}|{round(span[1] * 1000)}"
    return f"{video_id}-c{hashlib.sha256(key.encode()).hexdigest()[:8]}"


def _box(track: Row, span: Interval, settings: ClipSettings) -> dict[str, float]:
    """Return the union of the face boxes in the span (as in SpeakerVid-5M), with a margin, inside the picture."""
    times: list[float] = track["frame_times_s"]  # type: ignore[assignment]
    boxes: list[list[float]] = track["boxes"]  # type: ignore[assignment]
    inside = [b for t, b in zip(times, boxes, strict=True) if span[0] <= t < span[1]] or boxes
    x1, y1 = (min(b[i] for b in inside) for i in (0, 1))
    x2, y2 = (max(b[i] for b in inside) for i in (2, 3))
    dx, dy = settings.box_margin * (x2 - x1), settings.box_margin * (y2 - y1)
    return {"x1": max(0.0, x1 - dx), "y1": max(0.0, y1 - dy), "x2": min(1.0, x2 + dx), "y2": min(1.0, y2 + dy)}


def _dropped_rows(track: ShownTrack, cut: TrackTime) -> list[Row]:
    """Return rows for the track's time outside its clips, without overlap: spans with a reason first, then the rest.

    Spans shorter than a microsecond are rounding errors and no time.
    """
    done = [_span(c) for c in cut.clips]
    rows: list[Row] = []
    for span, role, reason in [*cut.dropped, (track.span, "unknown", "no_usable_speech")]:
        for start, end in intervals.subtract([span], done):
            if end - start < SHORTEST_S:
                continue
            row = {name: track.row[name] for name in ("batch", "video_id", "track_id")}
            rows.append(row | {"role": role, "start_s": start, "end_s": end, "reason": reason})
        done.append(span)
    return sorted(rows, key=lambda r: float(str(r["start_s"])))
