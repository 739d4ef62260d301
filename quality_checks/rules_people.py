"""Rules for the tables about faces and about which voice belongs to whom: face_tracks to people.

Belongs here: rules that only a person knows, with the source of each bound. Does not belong here: rules that the schema
implies (derived.py).
"""

import polars as pl

from speakervid_dag.quality_checks.rules import (
    ROUNDING_S,
    SLACK_S,
    Parents,
    TableRules,
    all_present,
    between,
    child_link,
    exists,
    holds,
    interval_rules,
    nothing_missing,
    sane_interval,
    unit_length,
    video_link,
    video_usable,
)
from speakervid_dag.quality_checks.rules_media import times_ordered

SERIES = (
    "boxes",
    "yaw_deg",
    "pitch_deg",
    "roll_deg",
    "mouth_opening",
    "lip_shape",
    "face_sharpness",
    "region_luma",
    "region_motion",
    "mesh_score",
)

_VIDEO = video_link()
_SHOT = child_link("shot", "shots", "shot_id", "start_s", "end_s")
_TURN = child_link("turn", "speech_turns", "turn_id", "start_s", "end_s", "speaker_id")
_TRACK = child_link("track", "face_tracks", "track_id", "start_s", "end_s", "person_id", "shot_id")
_found = pl.col("video__found")


def _boxes(condition: pl.Expr) -> pl.Expr:
    return pl.col("boxes").list.eval(condition).list.all()


def _corner(index: int) -> pl.Expr:
    return pl.element().list.get(index, null_on_oob=True)


_boxes_inside = _boxes(
    (pl.element().list.len() == 4)
    & (pl.element().list.min() >= -1e-5)
    & (pl.element().list.max() <= 1 + 1e-5)
    & _corner(0).is_finite()
)
_boxes_ordered = _boxes((_corner(0) < _corner(2)) & (_corner(1) < _corner(3)))


def _numbers() -> pl.Expr:
    """Return the condition that no series has a NaN or an infinity; a frame without a measurement is null."""
    flat = [n for n in SERIES if n not in ("boxes", "lip_shape")]
    return pl.all_horizontal(pl.col(n).list.eval(pl.element().is_finite()).list.all() for n in flat)


def _stray_copies(frame: pl.DataFrame, _: Parents, __: pl.DataFrame) -> pl.DataFrame:
    """List copies whose original is not a track of the same shot and person, or is itself a copy."""
    originals = frame.filter(pl.col("copy_of").is_null()).select("shot_id", "person_id", copy_of="track_id")
    copies = frame.filter(pl.col("copy_of").is_not_null())
    return copies.join(originals, on=["shot_id", "person_id", "copy_of"], how="anti").select("batch", item="track_id")


FACE_TRACKS = TableRules(
    links=(_VIDEO, _SHOT),
    rules=(
        exists(_VIDEO),
        video_usable(),
        exists(_SHOT, after=_found),
        *interval_rules(inside="shot"),
        holds("times_ordered", times_ordered(), "frame_times_s rises"),
        holds(
            "times_inside_interval",
            (pl.col("frame_times_s").list.min() >= pl.col("start_s") - ROUNDING_S)
            & (pl.col("frame_times_s").list.max() <= pl.col("end_s") + ROUNDING_S),
            "every tracked frame lies within the track",
            ("start_s", "end_s"),
            after=sane_interval() & times_ordered(),
        ),
        holds(
            "series_of_equal_length",
            pl.all_horizontal(pl.col(n).list.len() == pl.col("frame_times_s").list.len() for n in SERIES),
            "each series has one value a tracked frame",
        ),
        holds("boxes_inside_picture", _boxes_inside, "every box has 4 corners within 0-1"),
        holds("boxes_corners_ordered", _boxes_ordered, "x1 < x2 and y1 < y2 in every box", after=_boxes_inside),
        holds("series_finite", _numbers(), "no NaN in a series"),
        between("detection_score", 0, 1),
        between("liveness", 0, None),
        unit_length("embedding"),
        nothing_missing("copies_name_an_original", "a copy is of a track of its shot and person", _stray_copies),
    ),
)

_LOOKS = ("face_repeat", "body", "left_hand", "right_hand", "left_hand_sharpness", "right_hand_sharpness", "emotion")
_SEARCHED = {"body": "body", "left_hand": "hands", "right_hand": "hands", "emotion": "emotion"}
_LOOK_LENGTHS = {"body": 99, "left_hand": 42, "right_hand": 42, "emotion": 7}

POSES = TableRules(
    links=(_VIDEO, _TRACK),
    rules=(
        exists(_VIDEO),
        video_usable(),
        exists(_TRACK, after=_found),
        holds(
            "looks_of_equal_number",
            pl.all_horizontal(pl.col(n).list.len() == pl.col("sample_times_s").list.len() for n in _LOOKS),
            "each series has one entry a look",
        ),
        holds(
            "points_whole_or_absent",
            pl.all_horizontal(
                pl.col(n).list.eval(pl.element().list.len().is_in([0, size])).list.all()
                for n, size in _LOOK_LENGTHS.items()
            ),
            "a skeleton has 33 points, a hand 21, an expression 7 probabilities, or none at all",
        ),
        holds(
            "nothing_found_unless_searched",
            pl.all_horizontal(
                (pl.col(f"{part}_status") == "ok") | (pl.col(name).list.eval(pl.element().list.len()).list.sum() == 0)
                for name, part in _SEARCHED.items()
            ),
            "what was not searched for has no points",
            ("body_status", "hands_status", "emotion_status"),
        ),
        all_present("face_tracks", "track_id"),
    ),
    reads=("face_tracks", "stage_outcomes"),
)

ACTIVE_SPEAKER = TableRules(
    links=(_VIDEO, _TRACK),
    rules=(
        exists(_VIDEO),
        video_usable(),
        exists(_TRACK, after=_found),
        *interval_rules(inside="track"),
        holds(
            "values_exactly_when_ok",
            (pl.col("log_odds").list.drop_nulls().list.len() > 0) == (pl.col("status") == "ok"),
            "a track that no network looked at has no values",
            ("status", "reason"),
        ),
        holds(
            "series_are_alike",
            (pl.col("sync_margins").list.len() == pl.col("log_odds").list.len())
            & (pl.col("is_readable").list.len() == pl.col("log_odds").list.len()),
            "margins and readability are told for the same frames as log odds",
        ),
        holds(
            "a_value_each_frame",
            (pl.col("status") != "ok")
            | ((pl.col("log_odds").list.len() - 25 * (pl.col("end_s") - pl.col("start_s"))).abs() <= 1.001),
            "25 values a second",
            ("start_s", "end_s"),
            after=sane_interval(),
        ),
    ),
)

TURN_FACES = TableRules(
    links=(_VIDEO, _TRACK, _TURN),
    rules=(
        exists(_VIDEO),
        video_usable(),
        exists(_TRACK, after=_found),
        exists(_TURN, after=_found),
        *interval_rules(inside="turn"),
        between("probability", 0, 1),
        between("seen_share", 0, 1),
        between("readable_share", 0, 1),
        holds(
            "speaker_of_stretch",
            pl.col("speaker_id") == pl.col("turn__speaker_id"),
            "the speaker is that of the turn",
            ("speaker_id", "turn__speaker_id"),
        ),
        holds(
            "talking_exactly_with_track",
            pl.col("track_id").is_not_null() == pl.col("talking").is_not_null(),
            "only a face in view talks",
            ("track_id", "talking"),
        ),
    ),
)

SYNC_SCORES = TableRules(
    links=(_VIDEO, _TRACK, _TURN),
    rules=(
        exists(_VIDEO),
        video_usable(),
        exists(_TRACK, after=_found),
        exists(_TURN, after=_found),
        *interval_rules(inside="turn"),
        between("offset_frames", -16, 16, "the search window is ±15 frames around the network's own delay"),
        between("talking_score", 0, 1),
        between("sync_dist", 0, None, "a distance"),
        holds(
            "score_exactly_when_ok",
            pl.col("sync_conf__raw").is_not_null() == (pl.col("status") == "ok"),
            "a crashed or impossible measurement never reads as a score",
            ("sync_conf", "status", "reason"),
        ),
    ),
)

SPEAKER_BINDINGS = TableRules(
    links=(_VIDEO, _TRACK, _TURN),
    rules=(
        exists(_VIDEO),
        video_usable(),
        exists(_TRACK, after=_found),
        exists(_TURN, after=_found),
        *interval_rules(inside="turn"),
        holds(
            "track_exactly_when_bound",
            pl.col("track_id").is_not_null() == (pl.col("status") == "bound"),
            "a turn names a track exactly when it is bound",
            ("track_id", "status"),
        ),
        holds(
            "person_of_track",
            pl.col("person_id") == pl.col("track__person_id"),
            "the person is that of the track",
            ("person_id", "track__person_id"),
        ),
        all_present("speech_turns", "turn_id"),
    ),
    reads=("stage_outcomes",),
)

PEOPLE = TableRules(
    links=(_VIDEO,),
    rules=(
        exists(_VIDEO),
        video_usable(),
        between("identity_similarity", -1.001, 1.001, "a cosine"),
        between("track_count", 1, None, "a person was seen in a track"),
        between("visible_s", 0, None),
        between("speaking_s", 0, None),
        holds(
            "seen_within_video",
            pl.col("visible_s") <= pl.col("track_count") * (pl.col("video__duration_s") + SLACK_S),
            "nobody is in view for longer than the video lasts",
            ("visible_s", "video__duration_s"),
        ),
        unit_length("face_embedding"),
        unit_length("voice_embedding"),
        all_present("face_tracks", "person_id"),
    ),
    reads=("face_tracks", "stage_outcomes"),
)
