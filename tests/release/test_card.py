"""The dataset card names the networks that made rows of the release, and no others."""

from pathlib import Path

import pytest
from mini_lake import mini_lake

from speakervid_dag.lake.schemas import TABLES
from speakervid_dag.lake.snapshots import snapshots
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.lake.storage.slices import Slice
from speakervid_dag.release import card

VAD = "silero-vad@4cbf=4cbf"
COTRACKER = "cotracker3=c3c3"


def named(folder: Path, recorded: dict[str, str]) -> list[tuple[str, str, str, str]]:
    """Name, hash, licence and tables of the card's models, for a lake whose commits recorded these weights."""
    lake, frames = DeltaLake(str(folder)), mini_lake()
    for name, weights in recorded.items():
        parts = [(Slice(part), 1) for part in frames[name].select(TABLES[name].partition_by).unique().to_dicts()]
        lake.replace(TABLES[name], frames[name], parts, {"run_id": "made", "weights": weights})
    made = snapshots.publish(lake, "made", "laptop")
    return [(m["name"], m["sha256"], m["licence"], m["tables"]) for m in card.models(lake, made)]


def test_a_network_outside_the_registry_has_its_name_and_licence(tmp_path: Path) -> None:
    found = named(tmp_path, {"speech_turns": f"{VAD},resemblyzer=39ab", "transcripts": VAD})
    assert found == [
        ("resemblyzer", "39ab", "Apache-2.0", "speech_turns"),
        ("silero-vad", "4cbf", "MIT", "speech_turns, transcripts"),
    ]


@pytest.mark.parametrize(
    ("recorded", "names"),
    [
        ("dnsmos=d1,dover=missing,cotracker3=missing,cotracker@missing=missing", ["dnsmos"]),
        (f"dnsmos=d1,{COTRACKER},cotracker@missing=missing", ["dnsmos"]),
        ("dover=d0,cotracker3=missing,cotracker@3.0=3.0", ["dover"]),
        (f"dover=d0,{COTRACKER},cotracker@3.0=3.0", ["cotracker3", "dover"]),
        ("", []),
    ],
)
def test_a_network_that_was_not_there_made_nothing(tmp_path: Path, recorded: str, names: list[str]) -> None:
    assert [name for name, *_ in named(tmp_path, {"clip_scores": recorded})] == names


def test_each_network_on_the_card_says_what_it_is() -> None:
    whats = {name: card._described(name) for name in ("dover", "silero-vad", "face_pack", "later")}
    assert whats["silero-vad"] == ("speech detection (Silero VAD v6)", "MIT")
    assert "pull" not in whats["dover"][0]
    assert whats["later"] == ("", "not stated")
