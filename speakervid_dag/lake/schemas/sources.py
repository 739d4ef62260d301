"""What a source file is, and what of it is one take.

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

USABLE = ("ok", "degraded")  # status of videos that stages look at

VIDEOS = Table(
    "videos",
    "bronze",
    "a source file",
    ("video_id",),
    (
        BATCH,
        VIDEO,
        column("source_name", STRING, "file name as found; data, never a path"),
        column("source_uri", STRING, "where the file was when it was ingested"),
        column("sources", STRINGS, "every place these bytes were found"),
        column("sha256", STRING, "of the file's bytes", null=True),
        column("size_bytes", INT, "file size, bytes", null=True),
        column("container", STRING, "container format", null=True),
        column("video_codec", STRING, "codec of the picture", null=True),
        column("audio_codec", STRING, "codec of the sound", null=True),
        column("duration_s", FLOAT, "from the container's start to the last stream's end, s", null=True),
        column("width_px", INT, "display width (after rotation) of its longest stretch, px", null=True),
        column("height_px", INT, "display height (after rotation) of its longest stretch, px", null=True),
        column("fps", FLOAT, "pictures a second: of a steady pace, else on average, Hz", null=True),
        column("is_variable_frame_rate", BOOL, "frame intervals differ by more than 10 %", null=True),
        column("rotation_deg", INT, "clockwise rotation of the display matrix, deg", null=True),
        column(
            "geometries",
            INT,
            "stretches of one size, pixel aspect and orientation of the picture; null: not decoded",
            null=True,
        ),
        column("color_transfer", STRING, "transfer the stream names (smpte2084: PQ, arib-std-b67: HLG)", null=True),
        column("color_primaries", STRING, "primaries the stream names", null=True),
        column("bit_depth", INT, "of one colour of a pixel, bits", null=True),
        column("colours", STRING, "sdr | pq | hlg: what is shown as SDR of BT.709", null=True),
        column("video_start_s", FLOAT, "first picture on the container's clock, s", null=True),
        column("audio_start_s", FLOAT, "first sound on the container's clock, s", null=True),
        column("has_video", BOOL, "there is a moving picture", null=True),
        column("has_audio", BOOL, "there is a sound stream", null=True),
        column("bit_rate_bps", FLOAT, "of the whole file, bit/s", null=True),
        column("audio_sample_rate_hz", INT, "Hz", null=True),
        column("audio_channels", INT, "number of channels", null=True),
        column(
            "sound_tracks",
            SOUND_TRACKS,
            "every sound track, that of audio_codec first: header, level between 300 and 3400 Hz, seconds of speech "
            "(null: not measured, nothing had to be chosen), what became of it and of its channels: taken, silent, "
            "faint, inverted, no_speech, same_speech, other_speech (at the same time), other_language, extra, "
            "not_heard (beyond the budget), or why it cannot be decoded; null: not decoded",
            null=True,
        ),
        column(
            "sound_taken",
            SOUND_TAKEN,
            "channels that are used, with their weights in the mono mix; empty: none is usable; null: not decoded",
            null=True,
        ),
        column("year", INT, "of the date that the container gives", null=True),
        column("genre", STRING, "what the container calls its genre", null=True),
        column("look_hashes", HASHES, "pHash of the picture every 0.5 s, 64 bits; null: not decoded", null=True),
        column(
            "activity", SERIES, "change of the picture in each 0.2 s, deviations of luma; null: not decoded", null=True
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
        column("width_px", INT, "display width of its pictures, px", null=True),
        column("height_px", INT, "display height of its pictures, px", null=True),
        column("palette", SERIES, "share of pixels in 8x4x4 bins of hue, saturation, value; null: no look", null=True),
    ),
)

NEAR_DUPLICATES = Table(
    "near_duplicates",
    "silver",
    "a stretch of a source that shows what an earlier source shows",
    ("video_id", "duplicate_of", "start_s"),
    (
        BATCH,
        VIDEO,
        column("duplicate_of", STRING, "video_id of the earlier source, of this or an earlier batch"),
        *SPAN,
        column("offset_s", FLOAT, "time in the earlier source minus time in this one, s"),
        column("share", FLOAT, "the stretch's share of this source, 0-1"),
        column("distance", FLOAT, "mean Hamming distance of the looks, bits of 64"),
        column("agreement", FLOAT, "rank correlation of when the two pictures move (ratio)"),
    ),
)
