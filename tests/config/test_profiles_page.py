"""docs/profiles.md and what `speakervid profiles` tells: every gate of every profile, and where it was said."""

from pathlib import Path

import pytest

from speakervid_dag.config import profile_views
from speakervid_dag.config.profiles import load_profile, profile_names
from speakervid_dag.config.sections import Gate
from speakervid_dag.lake.schemas.measures import MEASURES

PAGE = (Path(__file__).parents[2] / "docs" / "profiles.md").read_text("utf-8")


@pytest.mark.parametrize("name", profile_names())
def test_every_gate_is_on_the_page_with_its_rule_and_source(name: str) -> None:
    section = PAGE.partition(f"### `{name}`")[2].partition("\n### ")[0]
    for gate_name, gate in load_profile(name).gates.items():
        (line,) = [row for row in section.splitlines() if row.startswith(f"| `{gate_name}` |")]
        assert f"| {gate.rule} | {gate.unit} | {gate.level} | {gate.mode} |" in line
        assert gate.source in line


def test_every_key_of_a_gate_is_explained() -> None:
    table = PAGE.partition("## A gate")[2].partition("\n## ")[0]
    assert [key for key in Gate.model_fields if f"`{key}`" not in table] == []


def test_a_gate_says_which_file_stated_and_which_changed_it(tmp_path: Path) -> None:
    house, mine = tmp_path / "house.yaml", tmp_path / "mine.yaml"
    house.write_text("inherits: laptop\ngates:\n  face_size:\n    threshold: 64\n  frozen: null\n")
    mine.write_text("inherits: house.yaml\ngates:\n\n  face_size: {mode: off, threshold: 72}\n")
    rows = {row["gate"]: row for row in profile_views.gate_rows(str(mine))}
    origin = rows["face_size"]["from"].split("; ")
    assert origin[0].startswith("laptop:")
    assert origin[1:] == [f"threshold by {tmp_path / 'house.yaml'}:3", f"mode, threshold by {mine}:4"]
    assert (rows["face_size"]["rule"], rows["face_size"]["mode"]) == (">= 72", "off")
    assert rows["dark_run"]["from"].startswith("base:")
    assert profile_views.removed_gates(str(mine)) == {"frozen": f"{tmp_path / 'house.yaml'}:5"}


def test_a_summary_counts_modes_and_tells_further_weights() -> None:
    rows = {row["profile"]: row for row in profile_views.summaries()}
    assert list(rows) == profile_names()
    modes = [gate.mode for gate in load_profile("laptop").gates.values()]
    assert (rows["laptop"]["enforce"], rows["laptop"]["score_only"]) == (
        modes.count("enforce"),
        modes.count("score_only"),
    )
    needed = {name: row["needs_weights"] for name, row in rows.items()}
    assert needed == {"laptop": "", "speakervid-5m": "dover", "talkvid": "cotracker3, dover"}


def test_the_pages_examples_are_profiles(tmp_path: Path) -> None:
    examples = [part.partition("```")[0] for part in PAGE.split("```yaml\n")[1:]]
    for number, body in enumerate(examples):
        path = tmp_path / f"mine{number}.yaml"
        path.write_text(body)
        assert load_profile(str(path)).gates
    assert len(examples) == 2


def test_talkvid_can_be_asked_without_further_weights(tmp_path: Path) -> None:
    (body,) = [part.partition("```")[0] for part in PAGE.split("```yaml\n")[1:] if "inherits: talkvid" in part]
    (tmp_path / "mine.yaml").write_text(body)
    gates = load_profile(str(tmp_path / "mine.yaml")).gates

    assert not [g for g in gates.values() if MEASURES[g.measure].weights]
    assert gates["motion"].rule == load_profile("talkvid").gates["motion"].rule
