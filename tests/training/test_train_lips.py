"""The whole training on a few real clips, with very few steps: it ends, and its file answers."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from speakervid_dag.models.lip_network import LipNetwork, load
from speakervid_dag.training.recipe import Recipe, train_lip_network

pytestmark = [pytest.mark.weights, pytest.mark.shared, pytest.mark.slow]

FEW = Recipe(offset_steps=1, offset_rounds=1, lips_steps=1, synchrony_steps=1, talking_steps=1)


def test_a_folder_becomes_weights_and_a_card(shared: Path, weights: None, tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    for number, path in enumerate(sorted((shared / "media/talking").glob("lipquiz_*.mp4"))[:12]):
        person = folder / f"person{number % 6}"
        person.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, person)
    lines: list[str] = []
    done = train_lip_network(
        folder,
        tmp_path / "out",
        tmp_path / "cache",
        shared / "models/light_asd_pretrain_AVA_CVPR.model",
        FEW,
        lines.append,
        held_out_people=2,
    )
    card = json.loads(done.card.read_text())
    assert len(card["clips"]) == 8
    assert len(card["held_out_clips"]) == 4
    assert not card["is_commercial_ok"]
    assert str(tmp_path) not in done.card.read_text()
    network = LipNetwork(load(done.weights), "cpu")
    sound = network.sound(np.zeros(16000, np.float32), 25)
    pictures = [np.zeros((25, side, side), np.uint8) for side in (72, 64)]
    lips, state = np.zeros((25, 40), np.float32), np.ones((25, 3), np.float32)
    mouth = network.mouth(pictures[0], pictures[1], lips, state, np.ones(25, bool))
    assert network.talking(mouth, sound, 0).shape == (25,)
