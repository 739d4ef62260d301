"""`speakervid diff`: what moved between snapshots and between profiles, and which gate did it."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner
from mini_lake import mini_lake
from rows import PROFILE
from small_lake import published_lake

from speakervid_dag.cli.app import cli
from speakervid_dag.config.settings import Settings
from speakervid_dag.failures import UserError
from speakervid_dag.lake.schemas import TABLES
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.tiering.diff import Difference, Side, diff

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Snapshot 1: all clips are sft. Snapshot 2: the first fails luminance by a new threshold, the last is gone."""
    root = tmp_path_factory.mktemp("lake")
    published_lake(root)
    made = mini_lake()
    first, last = made["clips"]["clip_id"].sort()[0], made["clips"]["clip_id"].sort()[-1]
    fails = (pl.col("clip_id") == first) & (pl.col("gate") == "luminance")
    gates = made["clip_gates"].with_columns(
        verdict=pl.when(fails).then(pl.lit("fail")).otherwise("verdict"),
        threshold=pl.when(pl.col("gate") == "luminance").then(2.0).otherwise("threshold"),
    )
    tiers = made["tiers"].with_columns(
        tier=pl.when(pl.col("clip_id") == first).then(pl.lit("pretrain")).otherwise("tier")
    )
    kept = pl.col("clip_id") != last
    changed = {"clip_gates": gates.filter(kept), "tiers": tiers.filter(kept), "clips": made["clips"].filter(kept)}
    return published_lake(root, **changed)


def compared(settings: Settings, *sides: Side) -> tuple[Difference, list[tuple[Any, ...]]]:
    found = diff(settings, *sides)
    return found, found.causes.select("tier_before", "tier_after", "gate", "why", "clips", "only_clips").rows()


def test_snapshots_are_compared(settings: Settings) -> None:
    mine = settings.profile
    found, causes = compared(settings, Side("1", mine), Side("2", mine))
    gone, lowered = causes
    assert (*gone[:3], *gone[4:]) == ("sft", "absent", None, 1, 1)
    assert "gone" in gone[3]
    assert lowered == ("sft", "pretrain", "luminance", "threshold", 1, 1)
    tiers = {r["tier"]: r for r in found.tiers.to_dicts()}
    count = mini_lake()["clips"].height
    assert [tiers["sft"][f"clips_{n}"] for n in ("before", "left", "entered", "after")] == [count, 2, 0, count - 2]
    assert tiers["pretrain"]["clips_entered"] == 1
    assert tiers["sft"]["hours_left"] == pytest.approx(8 / 3600, abs=1e-6)
    told = found.clips.filter(tier_after="pretrain")["by"].to_list()
    ((cause,),) = told
    assert all(word in cause for word in ("luminance", "1.0", "0.5 → 2.0", "threshold"))
    lost = mini_lake()["clips"].sort("clip_id").tail(1)
    before = mini_lake()["clips"].filter(pl.col("video_id") == lost["video_id"][0]).height
    assert found.losses.rows() == [(lost["batch"][0], lost["video_id"][0], "clips", before, before - 1)]


def test_the_other_way_round_is_the_mirror_image(settings: Settings) -> None:
    mine = settings.profile
    _, causes = compared(settings, Side("2", mine), Side("1", mine))
    new, raised = causes
    assert (*new[:3], *new[4:]) == ("absent", "sft", None, 1, 1)
    assert "new" in new[3]
    assert raised == ("pretrain", "sft", "luminance", "threshold", 1, 1)


def test_a_state_does_not_differ_from_itself(settings: Settings) -> None:
    mine = settings.profile
    found, causes = compared(settings, Side("2", mine), Side("2", mine))
    assert causes == []
    assert found.clips.is_empty()
    assert found.tiers["clips_before"].to_list() == found.tiers["clips_after"].to_list()


def test_profiles_are_compared_and_nothing_is_written(settings: Settings, tmp_path: Path) -> None:
    own = tmp_path / "long.yaml"
    rule = (
        "{measure: duration_s, keep: '>', threshold: 4, unit: s, level: pretrain, not_evaluated: fail, source: a test}"
    )
    own.write_text(f"inherits: talkvid\ngates:\n  long: {rule}\n")
    before = DeltaLake(str(settings.lake_dir)).version(TABLES["tiers"])
    lenient = tmp_path / "lenient.yaml"
    lenient.write_text("inherits: long.yaml\ngates:\n  long: {threshold: 3.9}\n")
    found, causes = compared(settings, Side("1", str(own)), Side("1", str(lenient)))
    assert DeltaLake(str(settings.lake_dir)).version(TABLES["tiers"]) == before
    assert {(c[0], c[2], c[3]) for c in causes} == {("rejected", "long", "threshold")}
    assert found.clips.height == mini_lake()["clips"].filter(duration_s=4.0).height > 0


def test_a_preview_decides_anew(settings: Settings) -> None:
    """The profile `test` was applied with gates of its own; its file says what laptop says."""
    mine = settings.profile
    found, causes = compared(settings, Side("2", mine), Side("2", mine, is_preview=True))
    assert {why for _, _, _, why, _, _ in causes} <= {"gate added", "gate removed"}
    assert found.clips.height > 0


def test_a_name_with_stored_decisions_needs_no_file(settings: Settings) -> None:
    _, causes = compared(settings, Side("1", PROFILE), Side("2", PROFILE))
    assert causes == compared(settings, Side("1", settings.profile), Side("2", settings.profile))[1]
    with pytest.raises(UserError, match="preview"):
        diff(settings, Side("2", PROFILE), Side("2", PROFILE, is_preview=True))
    with pytest.raises(UserError, match="'nosuch'"):
        diff(settings, Side("1", "nosuch"), Side("2", "nosuch"))


def test_the_command_gives_its_sections(settings: Settings) -> None:
    asked = ["diff", "1", "2", "--lake", str(settings.lake_dir), "--profile", settings.profile]
    done = CliRunner().invoke(cli, [*asked, "--format", "json"], catch_exceptions=False)
    parts = {part["section"]: part["rows"] for part in json.loads(done.stdout)}
    assert [len(parts[name]) for name in ("tiers", "causes", "clips")] == [3, 2, 2]
    shown = CliRunner().invoke(cli, [*asked, "--list"], catch_exceptions=False)
    assert f"1, {PROFILE} → 2, {PROFILE}" in shown.stdout
