"""Rules for the tables that describe files, shots and sound: videos to transcripts.

Belongs here: rules that only a person knows, with the source of each bound. Does not belong here: rules that the schema
implies (derived.py).
"""

import polars as pl

from speakervid_dag.quality_checks.rules import (
    ROUNDING_S,
    SLACK_S,
    Parents,
    TableRules,
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

RATE_TOLERANCE = 0.1  # containers round their bit rate, and some count only the streams
SILENT_VIDEO_S = 30.0  # a video with sound of this length but without speech gets a warning

SAMPLED = {
    "camera": ("camera_x", "camera_y", "camera_zoom", "point_survival"),
    "texture": ("blur_effect", "noise_sigma", "blockiness", "border_share"),
    "text": ("text_share",),
}

_VIDEO = video_link("has_audio")
_SHOT = child_link("shot", "shots", "shot_id", "start_s", "end_s")
_TURN = child_link("turn", "speech_turns", "turn_id", "start_s", "end_s", "speaker_id")
_OUTCOME = child_link("outcome", "stage_outcomes", "video_id", "status", "reason")
_found = pl.col("video__found")
_healthy = pl.col("status") != "rejected"


def _not_in_frame(frame: pl.DataFrame, parents: Parents, _: pl.DataFrame) -> pl.DataFrame:
    return parents["manifest"].join(frame, on=["batch", "video_id"], how="anti").select("batch", item="video_id")


def _not_in_manifest(frame: pl.DataFrame, parents: Parents, _: pl.DataFrame) -> pl.DataFrame:
    return frame.join(parents["manifest"], on=["batch", "video_id"], how="anti").select("batch", item="video_id")


def _in_other_batches(frame: pl.DataFrame, parents: Parents, _: pl.DataFrame) -> pl.DataFrame:
    elsewhere = parents["other_batches"].select("video_id", also_in="batch")
    return frame.join(elsewhere, on="video_id").select(
        "batch", item=pl.format("{} (in {}, too)", "video_id", "also_in")
    )


def _usable_without_shots(frame: pl.DataFrame, parents: Parents, _: pl.DataFrame) -> pl.DataFrame:
    usable = parents["videos"].filter(pl.col("status") != "rejected")
    failed = parents["stage_outcomes"].filter(pl.col("status") != "ok")
    expected = usable.join(failed, on=["batch", "video_id"], how="anti")
    return expected.join(frame, on=["batch", "video_id"], how="anti").select("batch", item="video_id")


def _long_without_speech(frame: pl.DataFrame, parents: Parents, _: pl.DataFrame) -> pl.DataFrame:
    videos = parents["videos"].filter(pl.col("has_audio") & (pl.col("duration_s") >= SILENT_VIDEO_S))
    judged = parents["stage_outcomes"].filter(pl.col("status") == "ok")
    quiet = videos.join(judged, on=["batch", "video_id"], how="semi").join(frame, on=["batch", "video_id"], how="anti")
    return quiet.select("batch", item="video_id")


def _shots_without_series(frame: pl.DataFrame, parents: Parents, _: pl.DataFrame) -> pl.DataFrame:
    judged = parents["stage_outcomes"].filter(pl.col("status") == "ok")
    shots = parents["shots"].join(judged, on=["batch", "video_id"], how="semi")
    return shots.join(frame, on=["batch", "shot_id"], how="anti").select("batch", item="shot_id")


def _words_ordered() -> pl.Expr:
    word = pl.element().struct
    return (
        pl.col("words")
        .list.eval((word.field("start_s") <= word.field("end_s")) & word.field("probability").is_between(0, 1))
        .list.all()
    )


def times_ordered() -> pl.Expr:
    """Return the condition that frame_times_s is finite and strictly rising."""
    times = pl.col("frame_times_s")
    rising = times.list.diff(null_behavior="drop").list.eval(pl.element() > 0).list.all()
    return rising & times.list.eval(pl.element().is_finite()).list.all()


VIDEOS = TableRules(
    rules=(
        between("size_bytes", 0, None, "a file has a size"),
        between("fps", 0.1, 1000, "frames a second are plausible", severity="warning"),
        between("width_px", 1, 65536),
        between("height_px", 1, 65536),
        between("bit_depth", 1, 32),
        between("geometries", 0, None),
        holds(
            "duration_plausible",
            pl.col("duration_s") > 0,
            "a usable file lasts some time",
            ("duration_s",),
            after=_healthy,
        ),
        holds(
            "duration_known",
            pl.col("duration_s").is_not_null(),
            "a usable file has a known duration",
            ("duration_s", "status"),
            after=_healthy & pl.col("duration_s__raw").is_null(),
        ),
        holds(
            "rotation_right_angled",
            pl.col("rotation_deg") % 90 == 0,
            "a display matrix turns by right angles",
            ("rotation_deg",),
        ),
        holds(
            "bit_rate_agrees_with_duration",
            (pl.col("bit_rate_bps") * pl.col("duration_s") / (8 * pl.col("size_bytes")) - 1).abs() <= RATE_TOLERANCE,
            "bit_rate_bps × duration_s is the file's size",
            ("bit_rate_bps", "duration_s", "size_bytes"),
            after=_healthy & (pl.col("duration_s") > 0) & (pl.col("size_bytes") > 0),
            severity="warning",
        ),
        holds(
            "streams_start_inside",
            pl.min_horizontal("video_start_s", "audio_start_s").is_between(-ROUNDING_S, SLACK_S),
            "the clock starts with the first stream",
            ("video_start_s", "audio_start_s"),
            after=_healthy,
            severity="warning",
        ),
        holds(
            "sound_adds_no_power",
            pl.col("sound_taken").list.eval(pl.element().struct.field("weight").pow(2)).list.sum() <= 1 + 1e-6,
            "the squares of the weights of the sound's mix add up to 1 at most",
            ("sound_taken",),
        ),
        holds(
            "id_from_content",
            pl.col("video_id") == pl.lit("v") + pl.col("sha256").str.slice(0, 16),
            "video_id is 'v' and the first 16 hex digits of the content's SHA-256",
            ("video_id", "sha256"),
        ),
        nothing_missing("no_batch_rows_missing", "every file of the batch's manifest has a row", _not_in_frame),
        nothing_missing("no_foreign_rows", "every row is a file of the batch's manifest", _not_in_manifest),
        nothing_missing("in_no_other_batch", "a video is in one batch only", _in_other_batches),
    ),
    reads=("manifest", "other_batches"),
)

STAGE_OUTCOMES = TableRules(
    links=(video_link(),),
    rules=(
        exists(video_link()),
        between("row_count", 0, None),
        between("elapsed_s", 0, None),
        holds(
            "parts_within_whole",
            pl.col("media_s") + pl.col("model_s") <= 1.05 * pl.col("elapsed_s") + 0.01,
            "decoding and model time are parts of the wall time",
            ("media_s", "model_s", "elapsed_s"),
            severity="warning",
        ),
    ),
)

SHOTS = TableRules(
    links=(_VIDEO,),
    rules=(
        exists(_VIDEO),
        video_usable(),
        *interval_rules(),
        between("shot_index", 0, None),
        holds(
            "shots_do_not_overlap",
            pl.col("start_s") >= pl.col("end_s").shift(1).over("video_id", order_by="start_s") - ROUNDING_S,
            "shots of a video follow one another",
            ("start_s", "end_s"),
            # a repeated row overlaps itself; the key rule reports it
            after=sane_interval() & (pl.len().over("shot_id") == 1),
        ),
        nothing_missing("every_video_has_shots", "a video that was decoded has shots", _usable_without_shots),
    ),
    reads=("stage_outcomes",),
)

NEAR_DUPLICATES = TableRules(
    links=(_VIDEO,),
    rules=(
        exists(_VIDEO),
        video_usable(),
        *interval_rules(),
        between("share", 0, 1.01),
        between("distance", 0, 64, "bits of 64"),
        between("agreement", -1.001, 1.001, "a correlation"),
        holds(
            "not_of_itself",
            pl.col("duplicate_of") != pl.col("video_id"),
            "no source is its own duplicate",
            ("duplicate_of",),
        ),
    ),
)

SPEECH_TURNS = TableRules(
    links=(_VIDEO, _OUTCOME),
    rules=(
        exists(_VIDEO),
        video_usable(),
        *interval_rules(),
        holds(
            "turns_have_sound",
            pl.col("video__has_audio").fill_null(False) & (pl.col("outcome__status").fill_null("ok") == "ok"),
            "nobody speaks in a video without sound, or whose sound was found silent or unreadable",
            ("video__has_audio", "outcome__status", "outcome__reason"),
            after=_found,
        ),
        holds(
            "backchannel_has_a_floor",
            ~pl.col("is_backchannel") | (pl.col("speaker_id").n_unique().over("video_id") > 1),
            "somebody else talks in a video with a backchannel",
            ("video_id", "speaker_id", "is_backchannel"),
        ),
        between("speaker_margin", -2, 2, "a difference of cosines"),
        unit_length("embedding"),
        nothing_missing(
            "sound_has_speech",
            f"a video of {SILENT_VIDEO_S:.0f} s with sound has somebody speaking (else its sound may be silence)",
            _long_without_speech,
            severity="warning",
        ),
    ),
    reads=("stage_outcomes",),
)

TRANSCRIPTS = TableRules(
    links=(_VIDEO, _TURN),
    rules=(
        exists(_VIDEO),
        video_usable(),
        exists(_TURN, after=_found),
        *interval_rules(
            inside="turn", slack_s=0.6
        ),  # a word may lie up to the profile's max_word_distance_s outside its turn
        holds(
            "speaker_of_turn",
            pl.col("speaker_id") == pl.col("turn__speaker_id"),
            "the speaker is that of the turn",
            ("speaker_id", "turn__speaker_id"),
        ),
        between("language_probability", 0, 1),
        between("no_speech_prob", 0, 1),
        between("avg_logprob", None, 0.01, "a log-probability"),
        between("compression_ratio", 0, None),
        holds("words_ordered", _words_ordered(), "each word ends after it starts and has a probability in 0-1"),
    ),
)

FRAME_SERIES = TableRules(
    links=(_VIDEO, _SHOT),
    rules=(
        exists(_VIDEO),
        video_usable(),
        exists(_SHOT, after=_found),
        holds("times_ordered", times_ordered(), "frame_times_s rises"),
        holds(
            "times_inside_shot",
            (pl.col("frame_times_s").list.min() >= pl.col("shot__start_s") - SLACK_S)
            & (pl.col("frame_times_s").list.max() <= pl.col("shot__end_s") + SLACK_S),
            "every frame lies within the shot",
            ("shot__start_s", "shot__end_s"),
            after=times_ordered(),
        ),
        holds(
            "series_of_equal_length",
            pl.all_horizontal(
                pl.col(n).list.len() == pl.col("frame_times_s").list.len() for n in ("luma", "motion", "face_count")
            ),
            "one measurement a frame",
        ),
        holds(
            "luma_in_range",
            (pl.col("luma").list.min() >= 0) & (pl.col("luma").list.max() <= 255),
            "luma lies in 0-255",
        ),
        *(
            holds(
                f"{part}_of_equal_length",
                pl.all_horizontal(pl.col(n).list.len() == pl.col(f"{part}_times_s").list.len() for n in names),
                "one measurement a look",
            )
            for part, names in SAMPLED.items()
        ),
        nothing_missing("every_shot_has_a_series", "each shot of a decoded video has a series", _shots_without_series),
    ),
    reads=("shots", "stage_outcomes"),
)
