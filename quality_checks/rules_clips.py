"""Rules for clips, for time that became no clip, and for clips' scores.

Belongs here: rules that only a person knows, with the source of each bound. Does not belong here: rules that the schema
implies (derived.py).
"""

import polars as pl

from speakervid_dag.lake.schemas import CLIP_SCORES as SCORES_TABLE
from speakervid_dag.lake.schemas import Table
from speakervid_dag.lake.schemas.measures import MEASURES, scores
from speakervid_dag.quality_checks.rules import (
    ROUNDING_S,
    Parents,
    Rule,
    TableRules,
    all_present,
    between,
    child_link,
    exists,
    holds,
    interval_rules,
    nothing_missing,
    parameter,
    sane_interval,
    video_link,
    video_usable,
)

UNACCOUNTED_S = 0.01  # track time allowed to be neither clip nor dropped span, for the rounding of many pieces

_VIDEO = video_link()
_SHOT = child_link("shot", "shots", "shot_id", "start_s", "end_s")
_TRACK = child_link("track", "face_tracks", "track_id", "start_s", "end_s", "person_id", "shot_id")
_CLIP = child_link("clip", "clips", "clip_id", "role")
_found = pl.col("video__found")


def box_rules() -> tuple[Rule, Rule]:
    """Require that the box x1 … y2 lies inside the picture and that its corners are ordered."""
    corners = ("x1", "y1", "x2", "y2")
    inside = pl.all_horizontal(pl.col(c).is_between(-1e-6, 1 + 1e-6) for c in corners)
    ordered = (pl.col("x1") < pl.col("x2")) & (pl.col("y1") < pl.col("y2"))
    return (
        holds("box_inside_picture", inside, "the box lies within 0-1", corners),
        holds("box_corners_ordered", ordered, "x1 < x2 and y1 < y2", corners, after=inside),
    )


def _time_unaccounted(frame: pl.DataFrame, parents: Parents, _: pl.DataFrame) -> pl.DataFrame:
    """List tracks whose seen time is not the union of their clips and dropped spans."""
    judged = parents["stage_outcomes"].filter(pl.col("status") == "ok")
    tracks = parents["face_tracks"].join(judged, on=["batch", "video_id"], how="semi")
    shots = parents["shots"].select("shot_id", shot_start_s="start_s", shot_end_s="end_s").unique("shot_id")
    seen = tracks.join(shots, on="shot_id").select(
        "batch",
        "track_id",
        seen_s=pl.min_horizontal("end_s", "shot_end_s") - pl.max_horizontal("start_s", "shot_start_s"),
    )
    spans = pl.concat([f.select("track_id", "start_s", "end_s") for f in (parents["clips"], frame)]).sort("start_s")
    reached = pl.col("end_s").cum_max().shift(1).over("track_id")
    fresh = (pl.col("end_s") - pl.max_horizontal("start_s", reached)).clip(lower_bound=0)
    told = spans.with_columns(fresh_s=fresh).group_by("track_id").agg(pl.col("fresh_s").sum())
    both = seen.join(told, on="track_id", how="left").with_columns(pl.col("fresh_s").fill_null(0))
    wrong = both.filter((pl.col("seen_s") > 0) & ((pl.col("seen_s") - pl.col("fresh_s")).abs() > UNACCOUNTED_S))
    item = pl.format("{} ({} s of {} s)", "track_id", pl.col("fresh_s").round(3), pl.col("seen_s").round(3))
    return wrong.select("batch", item=item)


CLIPS = TableRules(
    links=(_VIDEO, _SHOT, _TRACK),
    rules=(
        exists(_VIDEO),
        video_usable(),
        exists(_SHOT, after=_found),
        exists(_TRACK, after=_found),
        *interval_rules(inside="shot"),
        holds(
            "interval_inside_track",
            (pl.col("start_s") >= pl.col("track__start_s") - ROUNDING_S)
            & (pl.col("end_s") <= pl.col("track__end_s") + ROUNDING_S),
            "the person is in view for the whole clip",
            ("start_s", "end_s", "track__start_s", "track__end_s"),
            after=sane_interval(),
        ),
        holds(
            "duration_agrees_with_interval",
            (pl.col("duration_s") - (pl.col("end_s") - pl.col("start_s"))).abs() <= ROUNDING_S,
            "duration_s is end_s - start_s",
            ("duration_s", "start_s", "end_s"),
            after=sane_interval(),
        ),
        between(
            "clip_length_s",
            parameter("clip_min_s"),
            parameter("clip_max_s"),
            "a clip is as long as the profile allows (DESIGN: 3-14 s)",
            view=(pl.col("end_s") - pl.col("start_s")).round(6),
            after=sane_interval(),
            evidence=("start_s", "end_s"),
        ),
        *box_rules(),
        holds(
            "person_of_track",
            pl.col("person_id") == pl.col("track__person_id"),
            "the person is that of the track",
            ("person_id", "track__person_id"),
        ),
        holds("turns_named", pl.col("turn_ids").list.len() > 0, "a clip names the turns inside it"),
    ),
)

DROPPED_SPANS = TableRules(
    links=(_VIDEO, _TRACK),
    rules=(
        exists(_VIDEO),
        video_usable(),
        exists(_TRACK, after=_found),
        *interval_rules(inside="track"),
        nothing_missing(
            "track_time_conserved",
            "a track's time = its clips + its dropped spans (in = kept + rejected)",
            _time_unaccounted,
        ),
    ),
    reads=("face_tracks", "shots", "clips", "stage_outcomes"),
)

# rounding allowed above the end of a scale
_SLACK = {"speech_share": ROUNDING_S}


def _scales(table: Table) -> tuple[Rule, ...]:
    """Require scores within their scale. Scales without a lower end are log-probabilities; transcripts audit those."""
    bounds = {name: MEASURES[name].scale for name in scores() if name in table.schema}
    return tuple(
        between(name, low, None if high is None else high + _SLACK.get(name, 0))
        for name, (low, high) in bounds.items()
        if low is not None
    )


CLIP_SCORES = TableRules(
    links=(_VIDEO, _CLIP),
    rules=(
        exists(_VIDEO),
        video_usable(),
        exists(_CLIP, after=_found),
        *_scales(SCORES_TABLE),
        all_present("clips", "clip_id", judged_only=False),
    ),
    reads=("stage_outcomes",),
)
