"""The stage of clips' scores with and without the models that look at clips' own pictures."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from rows import BATCH, frame
from video_models import install_cotracker, write_cotracker, write_dover

from speakervid_dag.assets import backends, silver_scores
from speakervid_dag.assets.graph import recipes
from speakervid_dag.assets.resources import Lakehouse
from speakervid_dag.assets.silver_scores import clip_scores
from speakervid_dag.config.profiles import load_profile
from speakervid_dag.config.settings import load_settings
from speakervid_dag.curation.scores import dover as dover_views
from speakervid_dag.curation.scores.dover import fused, technical_z
from speakervid_dag.failures import PermanentFailure
from speakervid_dag.files import sha256_of
from speakervid_dag.lake.batches import Place, SourceFile
from speakervid_dag.lake.schemas import TABLES
from speakervid_dag.lake.sources import Sources
from speakervid_dag.media.budget import MediaBudget
from speakervid_dag.media.decode import read_frames
from speakervid_dag.media.encode import write_video
from speakervid_dag.media.probe import probe
from speakervid_dag.models.fetch import pull
from speakervid_dag.models.registry import WEIGHTS_ENV
from speakervid_dag.stages.stage import Stage

pytestmark = pytest.mark.heavy

READS = ("clips", "shots", "face_tracks", "frame_series", "poses", "transcripts", "speech_turns", "sync_scores")
LOOKED = ("video_quality", "dover_technical", "cotracker_ratio")
TIMES, SIZE = [i / 25 for i in range(150)], (320, 240)


@pytest.fixture(autouse=True)
def _bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No weights but what the test pulls, and no model of another test."""
    monkeypatch.setenv(WEIGHTS_ENV, str(tmp_path / "weights"))
    for model in (backends._dover, backends._cotracker, backends.speech_quality):
        model.cache_clear()
    yield
    for model in (backends._dover, backends._cotracker, backends.speech_quality):
        model.cache_clear()


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """6 s: grey that brightens by one each frame, with a cut to dark at 4 s."""
    path = tmp_path_factory.mktemp("media") / "v.mp4"
    shades = [100 + i if i < 100 else 20 for i in range(150)]
    write_video(
        path, ((t, np.full((*SIZE[::-1], 3), s, np.uint8)) for t, s in zip(TIMES, shades, strict=True)), 25, SIZE
    )
    return path


def scored(tmp_path: Path, video: Path, profile: str = "laptop") -> tuple[pl.DataFrame, Stage]:
    """Rows of two clips, 0.5-3.5 s and 2-6 s."""
    ids = {"video_id": f"v{sha256_of(video)[:16]}", "status": "ok", "duration_s": 6.0, "has_audio": False}
    box = {"x1": 0.0, "y1": 0.0, "x2": 1.0, "y2": 1.0, "shot_id": "s", "track_id": "t", "role": "listening"}
    spans = {"c1": (0.5, 3.5), "c2": (2.0, 6.0)}
    clips = [{"clip_id": c, "start_s": a, "end_s": b, **box} for c, (a, b) in spans.items()]
    series = {name: [1.0] * 150 for name in ("luma", "motion", "face_count")}
    rows: dict[str, Any] = {"clips": clips, "frame_series": [{"shot_id": "s", "frame_times_s": TIMES, **series}]}
    own = {"video_id": ids["video_id"]}
    inputs = {name: frame(TABLES[name], [row | own for row in rows.get(name, [])]) for name in READS}
    inputs["videos"] = frame(TABLES["videos"], [{"width_px": 320, "height_px": 240, "bit_rate_bps": 1e6, **ids}])
    settings = load_settings(lake=tmp_path / "lake")
    stage = Stage("clip_scores", BATCH, "r", 1, settings, load_profile(profile), inputs)
    stage.sources = Sources([SourceFile((Place(str(video)),), video.stat().st_size, sha256_of(video))])
    made = clip_scores.compute(stage)["clip_scores"]
    assert [(o["status"], o["detail"]) for o in stage.outcomes] == [("ok", None)]
    return made, stage


def got(made: pl.DataFrame, name: str) -> list[tuple[float | None, str]]:
    return list(made.select(name, f"{name}_status").iter_rows())


def with_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "given"
    folder.mkdir()
    write_dover(folder / "onnx_dover.onnx")
    write_cotracker(folder / "scaled_offline.pth", near=56.0)
    install_cotracker(tmp_path / "site", monkeypatch)
    pull(["dover", "cotracker3"], report=lambda _: None, accept_hash=True, from_folder=folder)


def code_version(profile: str = "laptop") -> str:
    return recipes()["clip_scores"].code_version(Lakehouse(profile_name=profile))


def test_without_weights_nothing_is_decoded_and_the_reason_stands_there(
    tmp_path: Path, video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_decode(*_: Any, **__: Any) -> Any:
        raise AssertionError("the file was decoded")

    monkeypatch.setattr(silver_scores.decoding, "read_frames", no_decode)
    for profile in ("laptop", "speakervid-5m", "talkvid"):
        made, stage = scored(tmp_path / profile, video, profile)
        for name in LOOKED:
            assert got(made, name) == [(None, "weights_missing")] * 2
        assert not {"dover", "cotracker", "clip_frames"} & {c["part"] for c in stage.outcomes[0]["costs"]}


def test_with_weights_every_clip_has_the_scores_of_its_own_frames(
    tmp_path: Path, video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, _ = scored(tmp_path / "before", video)
    assert got(before, "video_quality") == [(None, "weights_missing")] * 2
    with_models(tmp_path, monkeypatch)  # and the process that has said so needs no new start
    made, stage = scored(tmp_path, video)
    with read_frames(video, probe(video, MediaBudget()), MediaBudget()) as reader:
        decoded = [f.image.mean(axis=(0, 1))[::-1] for f in reader]  # RGB of what the coder left of the grey
    normal = ((np.array(decoded) - dover_views.MEAN) / dover_views.DEVIATION).mean(axis=1)
    for row, (first, count) in enumerate(((13, 75), (50, 100))):
        inside = normal[first : first + count]
        technical = float(inside[dover_views.technical_frames(count, 4)].mean())
        aesthetic = float(inside[dover_views.aesthetic_frames(count)].mean())
        expected = {"video_quality": fused(technical, aesthetic), "dover_technical": technical_z(technical)}
        for name, value in expected.items():
            assert got(made, name)[row] == (pytest.approx(value, abs=0.1), "ok")  # one frame off would be 0.2
    # of 0.7-3.3 s the last of six pictures is 62 brighter than the first; of 2.2-5.8 s the last four of eight are dark
    assert got(made, "cotracker_ratio") == [(pytest.approx(5 / 6), "ok"), (0.5, "ok")]
    costs = {c["part"]: c["elapsed_s"] for c in stage.outcomes[0]["costs"]}
    assert min(costs[part] for part in ("dover", "cotracker", "clip_frames")) > 0
    assert not any(v is not None and math.isnan(v) for name in LOOKED for v, _ in got(made, name))


def test_a_file_that_cannot_be_decoded_again_costs_these_scores_only(
    tmp_path: Path, video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise PermanentFailure("decoder_crashed")

    with_models(tmp_path, monkeypatch)
    monkeypatch.setattr(silver_scores.decoding, "read_frames", broken)
    made, _ = scored(tmp_path, video)
    assert {got(made, name)[0] for name in LOOKED} == {(None, "decoder_crashed")}
    assert got(made, "clarity")[0][1] == "ok"


def test_weights_without_the_package_say_so(tmp_path: Path, video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_models(tmp_path, monkeypatch)
    monkeypatch.setattr("speakervid_dag.models.cotracker.PACKAGE", "cotracker_that_is_not_here")
    made, _ = scored(tmp_path, video)
    assert got(made, "cotracker_ratio")[0] == (None, "package_missing")
    assert got(made, "video_quality")[0][1] == "ok"


def test_what_makes_scores_stale_is_weights_and_package_and_no_packaged_profile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = {code_version(name) for name in ("laptop", "speakervid-5m", "talkvid")}
    with_models(tmp_path, monkeypatch)
    there = {code_version(name) for name in ("laptop", "speakervid-5m", "talkvid")}
    monkeypatch.setattr("speakervid_dag.models.cotracker.PACKAGE", "cotracker_that_is_not_here")
    assert len(bare) == len(there) == 1
    assert len(bare | there | {code_version()}) == 3
    own = tmp_path / "mine.yaml"
    own.write_text("inherits: laptop\nscores: {video_quality: 'off', point_tracks: 'off'}\n")
    made = backends.clip_look_weights(load_profile(str(own)).scores)
    assert made == []
    assert set(backends.clip_looks(load_profile(str(own)).scores, 1).values()) == {"off"}
