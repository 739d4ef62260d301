"""Source files, their shots, and near-duplicates between them.

Belongs here: tables made from the file alone. Does not belong here: who and what is in it (labels.py).
"""

from speakervid_dag.lake.schemas.columns import (
    BATCH,
    BOOL,
    FLOAT,
    HASHES,
    INT,
    SERIES,
    SOUND_TAKEN,
    SOUND_TRACKS,
    SPAN,
    STRING,
    STRINGS,
    VIDEO,
    Table,
    column,
    status,
)

USABLE = ("ok", "degraded")  # statuses of the videos that stages process

VIDEOS = Table(
    "videos",
    "bronze",
    "a source file",
    ("video_id",),
    (
        BATCH,
        VIDEO,
        column("source_name", STRING, "file name as found; never used as a path"),
        column("source_uri", STRING, "path of the file when it was ingested"),
        column("sources", STRINGS, "every path at which a file with this content was found"),
        column("sha256", STRING, "SHA-256 of the file's content", null=True),
        column("size_bytes", INT, "file size, bytes", null=True),
        column("container", STRING, "container format", null=True),
        column("video_codec", STRING, "codec of the video stream", null=True),
        column("audio_codec", STRING, "codec of the first audio track", null=True),
        column("duration_s", FLOAT, "from the container's start to the end of the last stream, s", null=True),
        column("width_px", INT, "display width (after rotation) of the longest stretch of one size, px", null=True),
        column("height_px", INT, "display height (after rotation) of the longest stretch of one size, px", null=True),
        column("fps", FLOAT, "frame rate, the mean if it varies, Hz", null=True),
        column("is_variable_frame_rate", BOOL, "frame intervals differ by more than 10 %", null=True),
        column("rotation_deg", INT, "clockwise rotation of the display matrix, deg", null=True),
        column(
            "geometries",
            INT,
            "number of stretches with one picture size, pixel aspect and orientation; null: not decoded",
            null=True,
        ),
        column("color_transfer", STRING, "transfer stated in the stream (smpte2084: PQ, arib-std-b67: HLG)", null=True),
        column("color_primaries", STRING, "primaries stated in the stream", null=True),
        column("bit_depth", INT, "bits per colour component", null=True),
        column("colours", STRING, "source colours, converted to SDR of BT.709: sdr | pq | hlg", null=True),
        column("video_start_s", FLOAT, "time of the first frame on the container's clock, s", null=True),
        column("audio_start_s", FLOAT, "start of the sound on the container's clock, s", null=True),
        column("has_video", BOOL, "the file has moving pictures", null=True),
        column("has_audio", BOOL, "the file has an audio stream", null=True),
        column("bit_rate_bps", FLOAT, "bit rate of the whole file, bit/s", null=True),
        column("audio_sample_rate_hz", INT, "sample rate of the sound, Hz", null=True),
        column("audio_channels", INT, "number of channels", null=True),
        column(
            "sound_tracks",
            SOUND_TRACKS,
            "every audio track, that of audio_codec first: header, level between 300 and 3400 Hz, seconds of speech "
            "(null: not measured, since there was no choice), and the finding about the track and its channels: taken, "
            "silent, faint, inverted, no_speech, same_speech, other_speech (at the same time), other_language, extra, "
            "not_heard (beyond the budget), or why it cannot be decoded; null: not decoded",
            null=True,
        ),
        column(
            "sound_taken",
            SOUND_TAKEN,
            "channels that are used, with their weights in the mono mix; empty: none is usable; null: not decoded",
            null=True,
        ),
        column("year", INT, "year of the date in the container", null=True),
        column("genre", STRING, "genre stated in the container", null=True),
        column("look_hashes", HASHES, "pHash of a frame every 0.5 s, 64 bits; null: not decoded", null=True),
        column(
            "activity",
            SERIES,
            "picture change per 0.2 s, in standard deviations of luma; null: not decoded",
            null=True,
        ),
        *status("ok", "degraded", "rejected"),
    ),
)

SHOTS = Table(
    "shots",
    "silver",
    "a continuous take",
    ("shot_id",),
    (
        BATCH,
        VIDEO,
        column("shot_id", STRING, "video_id-sNNNN"),
        column("shot_index", INT, "0-based order"),
        *SPAN,
        column("width_px", INT, "display width of its frames, px", null=True),
        column("height_px", INT, "display height of its frames, px", null=True),
        column(
            "palette", SERIES, "share of pixels in 8x4x4 bins of hue, saturation, value; null: not sampled", null=True
        ),
    ),
)

NEAR_DUPLICATES = Table(
    "near_duplicates",
    "silver",
    "a stretch of a source that repeats an earlier source",
    ("video_id", "duplicate_of", "start_s"),
    (
        BATCH,
        VIDEO,
        column("duplicate_of", STRING, "video_id of the earlier source, in this or an earlier batch"),
        *SPAN,
        column("offset_s", FLOAT, "time in the earlier source minus time in this one, s"),
        column("share", FLOAT, "share of this source that the stretch covers, 0-1"),
        column("distance", FLOAT, "mean Hamming distance of the perceptual hashes, bits of 64"),
        column("agreement", FLOAT, "rank correlation of the two sources' picture change over time (ratio)"),
    ),
)
