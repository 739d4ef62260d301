"""`speakervid explain`: every kind of id, each gate's value against its threshold, and why something is not there."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner
from mini_lake import V1, V2, mini_lake
from rows import BATCH, PROFILE
from small_lake import published_lake

from speakervid_dag.cli.app import cli
from speakervid_dag.config.settings import Settings
from speakervid_dag.failures import UserError
from speakervid_dag.lake.batches import BatchBook, Place, SourceFile
from speakervid_dag.tiering.explain import Section, explain

pytestmark = pytest.mark.heavy

TALKS, ANSWERS, LISTENS = f"{V1}-c0p00", f"{V1}-c1p01", f"{V1}-c1p00"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return published_lake(tmp_path_factory.mktemp("lake"))


def told(settings: Settings, wanted: str, profile: str | None = None) -> dict[str, list[dict[str, Any]]]:
    """The rows of each section, by the first word of its title."""
    sections: list[Section] = explain(settings, wanted, profile or settings.profile)
    answer = {first_word(s.title): s.rows.to_dicts() for s in sections}
    assert len(answer) == len(sections)
    return answer


def first_word(title: str) -> str:
    return title.replace(",", " ").split()[0]


@pytest.mark.parametrize(
    ("wanted", "kind", "clips"),
    [
        (V1, "video", 4), (f"{V1}-s0000", "shot", 4), (f"{V1}-s0000-t00", "track", 2), (f"{V1}-p01", "person", 2),
        (f"{V1}-u0000", "turn", 2), (TALKS, "clip", 1), (f"{TALKS}>{ANSWERS}", "pair", 2),
        (f"{LISTENS}<{V1}-u0001", "listening", 1), (f"{V1}-m0000", "session", 2),
    ],
)  # fmt: skip
def test_every_kind_of_id_is_known(settings: Settings, wanted: str, kind: str, clips: int) -> None:
    answer = told(settings, wanted)
    assert next(iter(answer)) == kind
    assert len(answer["Tiers"]) == clips
    assert answer["Stages"]
    assert answer["Speech"]
    assert answer["Face"], "with their shots and people"


def test_a_clip_tells_its_whole_story(settings: Settings) -> None:
    answer = told(settings, TALKS)
    assert [(g["gate"], g["value"], g["rule"], g["verdict"]) for g in answer["Gates"]] == [
        ("luminance", 1.0, ">= 0.5", "pass"), ("snr", 1.0, ">= 0.5", "pass"),
    ]  # fmt: skip
    (turn,) = answer["Speech"]
    assert (turn["turn_id"], turn["binding"], turn["margin"], turn["person_id"]) == (
        f"{V1}-u0000", "bound", 2.0, f"{V1}-p00",
    )  # fmt: skip
    assert {e["sync_conf"] for e in answer["Lip-sync"]} == {5.0}
    assert answer["Time"][0]["reason"] == "too_short"
    branches = {(b["branch"], b["is_in"]): b["what"] for b in answer["Branches"]}
    assert branches["single", True] == TALKS
    assert all(word in branches["dialogue", True] for word in ("initiator", f"{TALKS}>{ANSWERS}"))
    assert all(word in branches["dialogue", False] for word in ("responder", "nobody"))
    assert "talking" in branches["listening", False]
    assert "30 s" in branches["multi_turn_contextual", False]


def test_a_profile_that_was_never_applied_is_applied_on_the_fly(settings: Settings, tmp_path: Path) -> None:
    own = tmp_path / "strict.yaml"
    own.write_text("inherits: talkvid\nbranches: {dialogue_max_gap_s: 0.25}\n")
    answer = told(settings, TALKS, str(own))
    (tier,) = answer["Tiers"]
    assert (tier["profile"], tier["tier"]) == ("strict", "pretrain")
    assert tier["reasons"][:2] == ["duration", "video_quality:weights_missing"]
    gates = {g["gate"]: g for g in answer["Gates"]}
    assert (gates["duration"]["value"], gates["duration"]["rule"], gates["duration"]["verdict"]) == (
        4.0,
        ">= 5",
        "fail",
    )
    assert (gates["motion"]["rule"], gates["motion"]["reason"]) == ("in [0.85, 0.999]", "weights_missing")
    absent = [b["what"] for b in answer["Branches"] if b["branch"] == "dialogue"]
    (why,) = [what for what in absent if "initiator" in what]
    assert all(word in why for word in ("0.5 s", f"{V1}-u0001", "0.25"))


def test_a_name_with_stored_decisions_needs_no_file(settings: Settings) -> None:
    answer, whole = told(settings, TALKS, PROFILE), told(settings, TALKS)
    assert answer["Gates"] == whole["Gates"]
    assert answer["Branches"] == [b for b in whole["Branches"] if b["is_in"]] != []
    with pytest.raises(UserError, match="'nosuch'"):
        explain(settings, TALKS, "nosuch")


def test_the_command_gives_json_and_an_unknown_id_names_the_nearest(settings: Settings) -> None:
    asked = ["explain", "--lake", str(settings.lake_dir), "--profile", settings.profile]
    done = CliRunner().invoke(cli, [*asked, f"{V1}-u0000", "--format", "json"], catch_exceptions=False)
    sections = [part["section"] for part in json.loads(done.stdout)]
    assert sections[0] == f"turn {V1}-u0000"
    assert "Time" in map(first_word, sections)
    shown = CliRunner().invoke(cli, [*asked, "a.mp4"], catch_exceptions=False)
    assert shown.exit_code == 0
    with pytest.raises(UserError, match=rf"'{TALKS}x'.*\b{TALKS}\b"):
        explain(settings, f"{TALKS}x", "laptop")


def test_a_name_that_is_no_utf8_is_not_there_rather_than_a_fault(settings: Settings) -> None:
    with pytest.raises(UserError, match=r"'bad\\xff\\xfename\.mp4'"):
        told(settings, os.fsdecode(b"bad\xff\xfename.mp4"))


def test_a_path_whose_content_is_not_in_the_lake_is_told_as_such(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"of no video")
    with pytest.raises(UserError, match=f"{tmp_path / 'a.mp4'}.*speakervid run"):
        told(settings, str(tmp_path / "a.mp4"))
    (tmp_path / "a.mp4").write_bytes(b"one")
    assert {"what": "video_id", "value": V1} in told(settings, str(tmp_path / "a.mp4"))["video"]


def test_a_further_copy_is_known_by_its_name_and_its_place(tmp_path: Path) -> None:
    lake = published_lake(tmp_path / "lake")
    places = tuple(Place(str(tmp_path / name)) for name in ("first.mp4", "copy.mp4"))
    BatchBook(lake.lake_dir).write(BATCH, [SourceFile(places, 3, hashlib.sha256(b"one").hexdigest())])
    for wanted in ("copy.mp4", str(tmp_path / "gone" / ".." / "copy.mp4")):
        assert {"what": "video_id", "value": V1} in told(lake, wanted)["video"]


def test_of_a_name_the_video_that_was_taken_in_comes_first(tmp_path: Path) -> None:
    videos = mini_lake()["videos"]
    is_first = pl.col("video_id") == V1
    videos = videos.with_columns(status=pl.when(is_first).then(pl.lit("rejected")).otherwise("status"))
    answer = told(published_lake(tmp_path, videos=videos), "a.mp4")
    assert {"what": "video_id", "value": V2} in answer["video"]
    (other,) = answer["Others"]
    assert (other["id"], other["status"]) == (V1, "rejected")


def test_where_no_clips_were_cut_the_stage_that_gave_none_is_told(tmp_path: Path) -> None:
    lake = mini_lake()
    reason = {"speech_turns": "no_audio_stream", "clips": "upstream_speech_turns"}
    is_lost = (pl.col("video_id") == V1) & pl.col("stage").is_in(reason.keys())
    outcomes = lake["stage_outcomes"].with_columns(
        status=pl.when(is_lost).then(pl.lit("not_evaluated")).otherwise("status"),
        reason=pl.when(is_lost).then(pl.col("stage").replace(reason)).otherwise("reason"),
    )
    bare = {name: lake[name].filter(pl.col("video_id") != V1) for name in ("clips", "dropped_spans", "speech_turns")}
    settings = published_lake(tmp_path, stage_outcomes=outcomes, **bare)
    lost = told(settings, V1)["Time"]
    assert {(row["track_id"], row["reason"]) for row in lost} == {
        (f"{V1}-s0000-t0{i}", "speech_turns: no_audio_stream") for i in (0, 1)
    }
    assert "speech_turns: no_audio_stream" not in {r["reason"] for r in told(settings, V2)["Time"]}


def test_the_stretches_of_a_turn_are_told_one_by_one(tmp_path: Path) -> None:
    bindings = mini_lake()["speaker_bindings"]
    is_first = pl.col("turn_id") == f"{V1}-u0000"
    (turn,) = bindings.filter(is_first).to_dicts()
    unsure = {"track_id": None, "person_id": None, "status": "ambiguous", "reason": "lips_still", "margin": None}
    parts = [turn | {"end_s": 3.0}, turn | unsure | {"start_s": 3.0, "end_s": 4.0}, turn | {"start_s": 4.0}]
    changed = pl.concat([bindings.filter(~is_first), pl.DataFrame(parts, schema=bindings.schema)])
    settings = published_lake(tmp_path, speaker_bindings=changed)
    rows = told(settings, f"{V1}-u0000")["Speech"]
    assert [(r["start_s"], r["end_s"], r["binding"]) for r in rows] == [
        (1.0, 3.0, "bound"), (3.0, 4.0, "ambiguous"), (4.0, 5.0, "bound"),
    ]  # fmt: skip
    assert [r["words"] is not None for r in rows] == [True, False, False]
