"""Every planted defect turns its expectation red, and no other."""

from collections.abc import Callable

import polars as pl
import pytest
from mini_lake import V1, V2, frame, judge, mini_lake, outcomes
from rows import BATCH

from speakervid_dag.lake.schemas import TABLES
from speakervid_dag.quality_checks import audit as auditing

pytestmark = pytest.mark.heavy

Frames = dict[str, pl.DataFrame]
Defect = Callable[[Frames], None]
C = pl.col
SERIES: dict[str, object] = {"log_odds": 0.0, "sync_margins": 0.0, "is_readable": True}


@pytest.fixture
def frames() -> Frames:
    return mini_lake()


@pytest.mark.parametrize("name", [n for n, t in TABLES.items() if t.layer != "system"])
def test_a_sound_batch_passes(frames: Frames, name: str) -> None:
    assert frames[name].height > 0
    report = judge(name, frames)
    assert [(f.expectation, f.observed) for f in report.findings] == []


def change(name: str, where: pl.Expr, **values: object) -> Defect:
    """Sets columns of the rows for which `where` holds; an expression is computed."""

    def plant(frames: Frames) -> None:
        table = TABLES[name]
        exprs = {
            column: pl.when(where)
            .then(v if isinstance(v, pl.Expr) else pl.lit(v, dtype=table.schema[column]))
            .otherwise(C(column))
            for column, v in values.items()
        }
        frames[name] = frames[name].with_columns(**exprs).cast(dict(table.schema))

    return plant


def drop(name: str, where: pl.Expr) -> Defect:
    return lambda frames: frames.update({name: frames[name].filter(~where)})


def repeat_first(name: str) -> Defect:
    return lambda frames: frames.update({name: pl.concat([frames[name], frames[name].head(1)])})


def silence(frames: Frames) -> None:
    """The stage found digital silence, and yet there are turns."""
    told = [
        {"video_id": V1, "row_count": 2, "status": "not_evaluated", "reason": "silent_audio"},
        {"video_id": V2, "row_count": 2},
    ]
    frames["stage_outcomes"] = outcomes("speech_turns", told)


def drifted(frames: Frames) -> None:
    clips = [f"{V1}-c{i}" for i in range(40)]
    frames["tiers"] = frame("tiers", [{"clip_id": c, "video_id": V1, "tier": "sft"} for c in clips])
    frames["clips"] = frame("clips", [{"clip_id": c, "video_id": V1} for c in clips])
    before = [{"clip_id": c, "tier": "pretrain" if i % 2 else "sft", "batch": "b0000"} for i, c in enumerate(clips)]
    frames["earlier_tiers"] = frame("tiers", before)


def in_two_batches(frames: Frames) -> None:
    frames["other_batches"] = pl.DataFrame({"batch": ["b0000"], "video_id": [V1]})


def in_the_next_shot(frames: Frames) -> None:
    """The clip lies in its video and within its track, which runs on over the cut."""
    change("face_tracks", C("track_id") == f"{V1}-s0000-t00", end_s=20.0)(frames)
    change("clips", first_clip, start_s=12.0, end_s=16.0)(frames)


first_clip = C("clip_id") == f"{V1}-c0p00"
intake = C("stage") == "intake"
first_turn = C("turn_id") == f"{V1}-u0000"
milliseconds = {"start_s": C("start_s") * 1000, "end_s": C("end_s") * 1000}
nan = float("nan")

DEFECTS: list[tuple[str, str, Defect, str]] = [
    ("duplicate key", "clips", repeat_first("clips"), "key_unique"),
    ("duplicate shot", "shots", repeat_first("shots"), "key_unique"),
    ("duplicate compound key", "speaker_bindings", repeat_first("speaker_bindings"), "key_unique"),
    ("one video in two batches", "videos", in_two_batches, "in_no_other_batch"),
    ("orphan: no such track", "clips", change("clips", first_clip, track_id="nowhere"), "track_exists"),
    (
        "own duplicate",
        "near_duplicates",
        change("near_duplicates", C("video_id") == V2, duplicate_of=C("video_id")),
        "not_of_itself",
    ),
    ("orphan: no such shot", "clips", change("clips", first_clip, shot_id="nowhere"), "shot_exists"),
    ("orphan: no such video", "speech_turns", drop("videos", C("video_id") == V2), "video_exists"),
    ("orphan: score without clip", "clip_scores", drop("clips", first_clip), "clip_exists"),
    ("NaN score", "clip_scores", change("clip_scores", first_clip, snr_db=nan), "snr_db_finite"),
    (
        "NaN score of a closed scale",
        "clip_scores",
        change("clip_scores", first_clip, luminance=nan),
        "luminance_finite",
    ),
    ("NaN in a required column", "clips", change("clips", first_clip, x1=nan), "x1_not_null"),
    ("NaN in a series", "face_tracks", change("face_tracks", C("video_id") == V1, yaw_deg=[nan] * 20), "series_finite"),
    ("milliseconds in a clip", "clips", change("clips", first_clip, **milliseconds), "interval_inside_video"),
    (
        "milliseconds in a turn",
        "speech_turns",
        change("speech_turns", first_turn, **milliseconds),
        "interval_inside_video",
    ),
    (
        "milliseconds in a shot",
        "shots",
        change("shots", C("shot_id") == f"{V1}-s0001", **milliseconds),
        "interval_inside_video",
    ),
    (
        "interval reversed",
        "speech_turns",
        change("speech_turns", first_turn, start_s=5.0, end_s=1.0),
        "interval_ordered",
    ),
    ("interval outside its shot", "clips", in_the_next_shot, "interval_inside_shot"),
    (
        "interval outside its track",
        "clips",
        change("face_tracks", C("track_id") == f"{V1}-s0000-t00", start_s=2.0),
        "interval_inside_track",
    ),
    (
        "interval outside its turn",
        "transcripts",
        change("transcripts", first_turn, start_s=12.0, end_s=13.0),
        "interval_inside_turn",
    ),
    (
        "interval outside its clip",
        "branch_listening",
        change("branch_listening", C("video_id") == V1, start_s=5.0, duration_s=4.5),
        "interval_inside_clip",
    ),
    ("empty interval", "speech_turns", change("speech_turns", first_turn, end_s=1.0), "interval_ordered"),
    ("swapped corners", "clips", change("clips", first_clip, x1=0.4, x2=0.1), "box_corners_ordered"),
    ("box in pixels", "clips", change("clips", first_clip, x2=256.0, y2=180.0), "box_inside_picture"),
    (
        "swapped corners in a track",
        "face_tracks",
        change("face_tracks", C("video_id") == V1, boxes=[[0.4, 0.1, 0.1, 0.5]] * 20),
        "boxes_corners_ordered",
    ),
    (
        "copy of another person's track",
        "face_tracks",
        change("face_tracks", C("track_id") == f"{V1}-s0000-t00", copy_of=f"{V1}-s0000-t01"),
        "copies_name_an_original",
    ),
    ("clip too short", "clips", change("clips", first_clip, end_s=2.0, duration_s=1.0), "clip_length_s_in_range"),
    ("duration of another clip", "clips", change("clips", first_clip, duration_s=7.0), "duration_agrees_with_interval"),
    (
        "duration of another interval",
        "branch_listening",
        change("branch_listening", C("video_id") == V1, duration_s=7.0),
        "duration_agrees_with_interval",
    ),
    ("missing batch row", "videos", drop("videos", C("video_id") == V2), "no_batch_rows_missing"),
    ("missing clip", "clips", drop("clips", first_clip), "no_rows_lost"),
    ("missing outcome", "clips", drop("stage_outcomes", C("video_id") == V2), "every_video_has_an_outcome"),
    ("outcome told twice", "stage_outcomes", repeat_first("stage_outcomes"), "key_unique"),
    ("outcome of no video", "stage_outcomes", drop("videos", C("video_id") == V2), "video_exists"),
    ("outcome without reason", "stage_outcomes", change("stage_outcomes", intake, status="skipped"), "reason_given"),
    ("rows below none", "stage_outcomes", change("stage_outcomes", intake, row_count=-1), "row_count_in_range"),
    ("part above the whole", "stage_outcomes", change("stage_outcomes", intake, media_s=9.0), "parts_within_whole"),
    ("missing time of a track", "dropped_spans", drop("dropped_spans", C("start_s") == 9.5), "track_time_conserved"),
    ("missing gate", "clip_gates", drop("clip_gates", first_clip & (C("gate") == "snr")), "every_clip_has_every_gate"),
    ("clip not judged", "clip_gates", drop("clip_gates", first_clip), "every_clip_is_judged"),
    ("missing tier", "tiers", drop("tiers", first_clip), "every_clip_has_a_tier"),
    ("silent audio", "speech_turns", silence, "turns_have_sound"),
    (
        "a backchannel to nobody",
        "speech_turns",
        change("speech_turns", pl.lit(True), speaker_id="A", is_backchannel=True),
        "backchannel_has_a_floor",
    ),
    (
        "speech without sound",
        "speech_turns",
        change("videos", C("video_id") == V1, has_audio=False),
        "turns_have_sound",
    ),
    (
        "embedding not of unit length",
        "speech_turns",
        change("speech_turns", first_turn, embedding=[2.0, 0.0]),
        "embedding_unit_length",
    ),
    (
        "series of another length",
        "face_tracks",
        change("face_tracks", C("video_id") == V1, mesh_score=[0.5] * 19),
        "series_of_equal_length",
    ),
    ("unknown status", "tiers", change("tiers", first_clip, tier="gold", reasons=["x"]), "tier_known"),
    (
        "score without ok",
        "clip_scores",
        change("clip_scores", first_clip, snr_db_status="no_speech"),
        "snr_db_agrees_with_status",
    ),
    (
        "crash read as a score",
        "sync_scores",
        change("sync_scores", first_turn, status="not_evaluated", reason="crash"),
        "score_exactly_when_ok",
    ),
    (
        "values of a track that was not looked at",
        "active_speaker",
        change("active_speaker", C("video_id") == V1, status="not_evaluated", reason="weights_missing"),
        "values_exactly_when_ok",
    ),
    (
        "half of the values of a track",
        "active_speaker",
        change("active_speaker", C("video_id") == V1, **{name: [value] * 125 for name, value in SERIES.items()}),
        "a_value_each_frame",
    ),
    (
        "margins of other frames than the log odds",
        "active_speaker",
        change("active_speaker", C("video_id") == V1, sync_margins=[0.0] * 125),
        "series_are_alike",
    ),
    (
        "a body that was not searched for",
        "poses",
        change("poses", C("video_id") == V1, body_status="off"),
        "nothing_found_unless_searched",
    ),
    (
        "a stretch of another speaker",
        "turn_faces",
        change("turn_faces", first_turn, speaker_id="Z"),
        "speaker_of_stretch",
    ),
    (
        "a mouth that is not in view talks",
        "turn_faces",
        change("turn_faces", first_turn, track_id=None),
        "talking_exactly_with_track",
    ),
    (
        "pair within one person",
        "branch_dialogue",
        change("branch_dialogue", C("video_id") == V1, responder_person_id=f"{V1}-p00"),
        "pair_of_two_people",
    ),
    (
        "listening to oneself",
        "branch_listening",
        change("branch_listening", C("video_id") == V1, speaker_person_id=f"{V1}-p00"),
        "pair_of_two_people",
    ),
    ("share drifted", "tiers", drifted, "sft_share_drift pretrain_share_drift"),
    (
        "bit rate of another file",
        "videos",
        change("videos", C("video_id") == V1, bit_rate_bps=80_000.0),
        "bit_rate_agrees_with_duration",
    ),
]


@pytest.mark.parametrize(("name", "plant", "expected"), [d[1:] for d in DEFECTS], ids=[d[0] for d in DEFECTS])
def test_a_planted_defect_turns_its_expectation_red(frames: Frames, name: str, plant: Defect, expected: str) -> None:
    plant(frames)
    report = judge(name, frames)
    assert {f.expectation for f in report.findings} == set(expected.split()), report.findings
    warns = all(f.severity == "warning" for f in report.findings)
    assert report.passed is warns


def test_a_finding_names_the_rows_and_what_was_seen(frames: Frames) -> None:
    change("clip_scores", first_clip, snr_db=nan)(frames)
    (finding,) = judge("clip_scores", frames).findings
    assert [(r.batch, r.key, r.observed) for r in finding.failing] == [(BATCH, f"{V1}-c0p00", "snr_db = nan")]
    drop("tiers", first_clip)(frames)
    (finding,) = judge("tiers", frames).findings
    assert [(r.key, r.observed) for r in finding.failing] == [(None, f"1: {V1}-c0p00")]


def test_an_exception_inside_an_expectation_is_red_and_not_a_pass(
    frames: Frames, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = [
        {**e, "kwargs": {"column": "nowhere", "value_set": [True]}, "severity": "warning"}
        if e["meta"]["name"] == "turns_named"
        else e
        for e in auditing.load_suite("clips")
    ]
    monkeypatch.setattr(auditing, "load_suite", lambda _: tuple(broken))
    report = judge("clips", frames)
    (finding,) = report.findings
    assert (finding.expectation, finding.severity, finding.is_not_evaluated) == ("turns_named", "critical", True)
    assert "nowhere" in finding.observed
    assert not report.passed


def test_a_wrong_dtype_is_red_and_names_the_column(frames: Frames) -> None:
    frames["shots"] = frames["shots"].with_columns(C("shot_index").cast(pl.Int32))
    (finding,) = judge("shots", frames).findings
    assert finding.expectation == "schema"
    assert all(word in finding.observed for word in ("shot_index", "Int32", "Int64"))


def test_missing_columns_are_red(frames: Frames) -> None:
    frames["shots"] = frames["shots"].drop("end_s")
    assert [f.expectation for f in judge("shots", frames).findings] == ["schema"]


def test_no_outcomes_are_legal(frames: Frames) -> None:
    frames["stage_outcomes"] = frames["stage_outcomes"].clear()
    assert judge("stage_outcomes", frames).findings == ()


def test_an_empty_table_is_legal_when_nothing_is_missing(frames: Frames) -> None:
    frames["transcripts"] = frames["transcripts"].clear()
    frames["stage_outcomes"] = outcomes("transcripts", [{"video_id": v} for v in (V1, V2)])
    assert judge("transcripts", frames).findings == ()
    frames["tiers"] = frames["tiers"].clear()
    assert {f.expectation for f in judge("tiers", frames).findings} == {"every_clip_has_a_tier"}


@pytest.mark.parametrize("status", ["off", "weights_missing"])
def test_people_that_were_not_searched_for_are_legal(frames: Frames, status: str) -> None:
    """A profile switches them off in `sampling.disabled`; before, every batch was refused then."""
    empty: list[list[int]] = [[]]
    told = dict.fromkeys(("body", "left_hand", "right_hand", "emotion"), empty)
    columns = {name: pl.Series([value] * 4, dtype=TABLES["poses"].schema[name]) for name, value in told.items()}
    states = {f"{part}_status": pl.lit(status) for part in ("body", "hands", "emotion")}
    frames["poses"] = frames["poses"].with_columns(**columns, **states)
    assert judge("poses", frames).findings == ()
