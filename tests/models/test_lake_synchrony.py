"""The lake's own synchrony model on made-up people: it learns, is judged on others, comes back by its hash."""

from pathlib import Path

import numpy as np
import pytest

from speakervid_dag.config.profiles import load_profile
from speakervid_dag.curation.speaking import synchrony_training as training
from speakervid_dag.curation.speaking.sync_regression import LipSeries
from speakervid_dag.curation.speaking.synchrony_training import Stretch
from speakervid_dag.failures import WeightsUnusable
from speakervid_dag.models import lake_synchrony
from speakervid_dag.models.lake_synchrony import LakeSynchrony

pytestmark = pytest.mark.heavy

PROFILE = load_profile("laptop")
LAG = PROFILE.sync.max_lag_frames


def stretch(person: str, seed: int, cells: int = 150) -> Stretch:
    """Lips whose height follows what is heard, with noise."""
    rng = np.random.default_rng(seed)
    loud = np.convolve(rng.normal(0, 1, cells + 2 * LAG + 4), np.ones(5) / 5, mode="valid")
    sound = np.outer(loud, rng.uniform(0.5, 1.0, 8)) + rng.normal(0, 0.3, (cells + 2 * LAG, 8))
    angle = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    height = 0.1 + 0.05 * loud[LAG : LAG + cells, None]
    points = np.stack([np.tile(0.4 * np.cos(angle), (cells, 1)), 1.1 + height * np.sin(angle)], axis=-1)
    shape = (points + rng.normal(0, 0.003, points.shape)).reshape(cells, 40)
    speed = np.abs(np.gradient(height[:, 0])) * 25
    series = LipSeries(0, shape, speed, np.ones(cells, bool))
    return Stretch(person, training.lip_inputs(series, PROFILE.sync), series, sound.astype(np.float32))


PEOPLE = [stretch(f"p{i}", 10 * i + k) for i in range(8) for k in range(2)]


def test_nobody_is_on_both_sides_and_one_person_is_not_the_whole_judgement() -> None:
    learnt, held = training.split(PEOPLE, 0.25)
    assert {s.person for s in learnt} & {s.person for s in held} == set()
    assert {s.person for s in learnt} | {s.person for s in held} == {f"p{i}" for i in range(8)}
    assert len({s.person for s in held}) == 2
    assert {s.person for s in training.split(PEOPLE[::-1], 0.25)[1]} == {s.person for s in held}  # whatever the order
    much = [stretch("loud", 99, 3000), *PEOPLE]
    assert "loud" not in {s.person for s in training.split(much, 0.25)[1]}


def test_it_learns_what_holds_for_people_it_never_saw(tmp_path: Path) -> None:
    learnt, held = training.split(PEOPLE, 0.25)
    settings = PROFILE.training.model_copy(update={"steps": 60, "batch": 16, "dropout": 0.0})
    pieces = training.windows(held, 50, PROFILE.sync)
    before = training.figures(LakeSynchrony(lake_synchrony.network(8, 0.0).eval()).scorer(), pieces, 5)
    model = LakeSynchrony(lake_synchrony.train(learnt, PROFILE.sync, settings))
    after = training.figures(model.scorer(), pieces, 5)
    assert before is not None
    assert after is not None
    assert after.count == len(pieces)
    assert after.auc > max(0.8, before.auc)
    assert after.lag_accuracy > 0.8
    data = lake_synchrony.packed(model._net)
    assert data == lake_synchrony.packed(lake_synchrony.train(learnt, PROFILE.sync, settings))  # the same every time


def test_a_file_that_is_not_the_judged_one_is_refused(tmp_path: Path) -> None:
    import hashlib

    data = lake_synchrony.packed(lake_synchrony.network(8, 0.0))
    (tmp_path / "m.safetensors").write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    again = LakeSynchrony.load(tmp_path / "m.safetensors", digest)
    assert lake_synchrony.packed(again._net) == data
    with pytest.raises(WeightsUnusable, match="speakervid train"):
        LakeSynchrony.load(tmp_path / "m.safetensors", "0" * 64)


def test_the_default_is_judged_by_the_same_windows() -> None:
    pieces = training.windows(PEOPLE, 100, PROFILE.sync)
    found = training.figures(training.default_scorer(PROFILE.sync), pieces, 5)
    assert found is not None
    assert found.auc > 0.8
    assert training.figures(training.default_scorer(PROFILE.sync), pieces[:1], 5) is None  # nobody else to swap with
