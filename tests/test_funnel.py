"""`speakervid funnel` and its picture, over a small published lake."""

import json
from pathlib import Path
from xml.etree import ElementTree

import polars as pl
import pytest
from click.testing import CliRunner
from rows import write_lake
from small_lake import published_lake

from speakervid_dag.cli.app import cli
from speakervid_dag.config.settings import load_settings
from speakervid_dag.failures import UserError
from speakervid_dag.lake.snapshots import snapshots
from speakervid_dag.report.funnel import BAR_PX
from speakervid_dag.tiering import funnel

GATE = {"mode": "enforce", "verdict": "pass", "gate": "dark", "position": 1, "level": "pretrain", "profile": "laptop"}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two batches of one video and two clips; in the second one clip is rejected."""
    batches = [{"batch": b, "video_id": v} for b, v in (("b1", "v1"), ("b2", "v2"))]
    clips = [{**b, "clip_id": f"{b['video_id']}-{i}", "duration_s": 4.0} for b in batches for i in range(2)]
    gates = [{**c, **GATE} for c in clips]
    gates[3] |= {"verdict": "fail"}
    tiers = [{**c, "profile": "laptop", "tier": "sft"} for c in clips]
    tiers[3] |= {"tier": "rejected", "reasons": ["dark"]}
    root = tmp_path_factory.mktemp("lake")
    made = write_lake(
        str(root),
        {
            "videos": [{**b, "status": "ok", "duration_s": 60.0} for b in batches],
            "clips": clips,
            "clip_gates": gates,
            "tiers": tiers,
        },
    )
    snapshots.publish(made, "r", "laptop")
    return root


def test_batches_add_up_to_the_whole(lake: Path) -> None:
    settings = load_settings(lake=lake)
    whole = {r["step"]: r["kept"] for r in funnel.funnel_of(settings, "laptop").to_dicts()}
    parts = [{r["step"]: r["kept"] for r in funnel.funnel_of(settings, "laptop", b).to_dicts()} for b in ("b1", "b2")]
    assert whole == {step: parts[0][step] + parts[1][step] for step in parts[0]}
    assert [part["gate: dark"] for part in parts] == [2, 1]


def test_nothing_left_is_nothing_and_no_rest_of_rounding(tmp_path: Path) -> None:
    """Three clips of awkward lengths, all rejected: their sum less each of them is below nothing."""
    at = {"batch": "b1", "video_id": "v1"}
    clips = [{**at, "clip_id": f"c{i}", "duration_s": s} for i, s in enumerate((0.1, 0.2, 0.1))]
    gates = [{**c, **GATE, "gate": f"g{i}", "verdict": "fail" if i == j else "pass"}
             for i in range(3) for j, c in enumerate(clips)]  # fmt: skip
    tiers = [{**c, "profile": "laptop", "tier": "rejected", "reasons": [f"g{i}"]} for i, c in enumerate(clips)]
    made = write_lake(
        str(tmp_path),
        {"videos": [{**at, "status": "ok", "duration_s": 9.0}], "clips": clips, "clip_gates": gates, "tiers": tiers},
    )
    snapshots.publish(made, "r", "laptop")
    told = funnel.funnel_of(load_settings(lake=tmp_path), "laptop").filter(pl.col("section") == "pretrain")
    last = told.row(-1, named=True)
    assert (last["kept"], str(last["hours_kept"])) == (0, "0.0")


def test_the_command_prints_and_draws(lake: Path, tmp_path: Path) -> None:
    picture = tmp_path / "funnel.svg"
    asked = ["funnel", "--lake", str(lake), "--format", "json", "--batch", "b2", "--picture", str(picture)]
    done = CliRunner().invoke(cli, asked, catch_exceptions=False)
    steps = {row["step"]: row for row in json.loads(done.stdout)}
    assert (steps["gate: dark"]["count_in"], steps["gate: dark"]["rejected"]) == (2, 1)
    drawn = ElementTree.parse(picture).getroot()
    texts = [node.text for node in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert any(text and "laptop" in text and "b2" in text for text in texts)
    assert any(text and "TalkVid" in text for text in texts)
    assert "dark" in texts
    assert "8,743 h · 13.6% · 5,218,000 clips" in texts
    assert "1,244 h · 18.3%" in texts
    lengths = [float(node.attrib["width"]) for node in drawn.iter("{http://www.w3.org/2000/svg}rect")
               if node.attrib["class"] == "pretrain"]  # fmt: skip
    assert lengths[0] == pytest.approx(BAR_PX * 4 / 60, abs=0.1)  # 4 s of 60 s pass `dark`


def test_a_name_with_stored_decisions_needs_no_file(tmp_path: Path) -> None:
    settings = published_lake(tmp_path, "mine")
    by_name = funnel.funnel_of(settings, "mine")
    assert by_name.equals(funnel.funnel_of(settings, settings.profile))
    assert set(by_name["profile"]) == {"mine"}


def test_a_lake_without_clips_has_the_steps_before_them(tmp_path: Path) -> None:
    video = {"batch": "b1", "video_id": "v1", "status": "ok", "duration_s": 9.0}
    snapshots.publish(write_lake(str(tmp_path), {"videos": [video]}), "r", "laptop")
    picture = tmp_path / "funnel.svg"
    asked = ["funnel", "--lake", str(tmp_path), "--batch", "b1", "--format", "json", "--picture", str(picture)]
    done = CliRunner().invoke(cli, asked, catch_exceptions=False)
    kept = {row["step"]: row["kept"] for row in json.loads(done.stdout)}
    assert kept == {"videos": 1, "videos_with_clips": 0, "shots": 0, "face_tracks": 0, "clips": 0}
    assert picture.exists()


def test_what_is_not_there_is_told(lake: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'talkvid'.*\blaptop\b.*retier --profile talkvid"):
        funnel.funnel_of(load_settings(lake=lake), "talkvid")
    own = tmp_path / "own.yaml"
    own.write_text("inherits: laptop\n")
    with pytest.raises(UserError, match=f"'own'.*retier --profile {own}"):
        funnel.funnel_of(load_settings(lake=lake), str(own))
    with pytest.raises(UserError, match="'own'"):
        funnel.funnel_of(load_settings(lake=lake), "own")
    with pytest.raises(UserError, match=r"'b9'.*\bb1, b2\b"):
        funnel.funnel_of(load_settings(lake=lake), "laptop", "b9")
    done = CliRunner().invoke(cli, ["funnel", "--lake", str(lake), "--picture", str(tmp_path / "f.png")])
    assert isinstance(done.exception, UserError)
