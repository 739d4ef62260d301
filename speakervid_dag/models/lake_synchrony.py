"""Small synchrony network trained on the lake itself, and the backend that uses it.

Belongs here: network, training, file, backend. Does not belong here: training and test data
(curation/speaking/synchrony_training.py), the choice of backend (assets/backends.py).

Two towers of temporal convolutions (0.36 s) give a 24-d unit vector for each 25 Hz cell of lips and of sound; the mean
cosine over a stretch is its agreement at a lag. Training (InfoNCE): among all lags of the own sound and the sound of
other stretches, choose lag 0 of the own.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from speakervid_dag.config.sections import SyncSettings, TrainingSettings
from speakervid_dag.curation.speaking.active_speaker import BackendAnswer, Curve, Key, Scene
from speakervid_dag.curation.speaking.lip_backends import lips_problem
from speakervid_dag.curation.speaking.sync_regression import Array
from speakervid_dag.curation.speaking.synchrony_training import Floats, Scorer, Stretch, lip_inputs, sound_inputs
from speakervid_dag.failures import WeightsUnusable
from speakervid_dag.models.registry import file_hash

if TYPE_CHECKING:
    import torch

LIPS, HIDDEN, DIMENSIONS, KERNEL = 83, 48, 24, 5


def network(bands: int, dropout: float) -> "torch.nn.ModuleDict":
    """Return the two towers, with random weights."""
    from torch import nn

    def tower(inputs: int) -> nn.Sequential:
        first = nn.Conv1d(inputs, HIDDEN, KERNEL, padding=KERNEL // 2)
        second = nn.Conv1d(HIDDEN, HIDDEN, KERNEL, padding=KERNEL // 2)
        end = nn.Conv1d(HIDDEN, DIMENSIONS, 1)
        return nn.Sequential(nn.Dropout(dropout), first, nn.GELU(), nn.Dropout(dropout), second, nn.GELU(), end)

    return nn.ModuleDict({"lips": tower(LIPS), "sound": tower(bands)})


def _embed(tower: "torch.nn.Module", rows: "torch.Tensor") -> "torch.Tensor":
    """Return the embedding of (n, t, features): (n, 24, t), each cell of unit length."""
    from torch.nn import functional

    return functional.normalize(tower(rows.transpose(1, 2)), dim=1)


def train(stretches: Sequence[Stretch], sync: SyncSettings, settings: TrainingSettings) -> "torch.nn.ModuleDict":
    """Return a network trained on these stretches, the same in every run.

    At least one stretch must be `window_cells` long.
    """
    import torch
    from torch.nn import functional

    cells, lags = settings.window_cells, 2 * sync.max_lag_frames + 1
    usable = [s for s in stretches if len(s.lips) >= cells]
    weights = np.array([len(s.lips) for s in usable], np.float64)
    rng = np.random.default_rng(settings.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        net = network(usable[0].sound.shape[1], settings.dropout).train()
        optimiser = torch.optim.AdamW(net.parameters(), settings.learning_rate, weight_decay=settings.weight_decay)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, settings.steps)
        for _ in range(settings.steps):
            lips, sound = _batch(usable, weights, cells, lags, rng, settings.batch)
            v = _embed(net["lips"], lips + settings.noise * torch.randn_like(lips))
            a = _embed(net["sound"], sound)
            own = torch.stack([(v * a[:, :, k : k + cells]).sum(1).mean(1) for k in range(lags)], dim=1)
            foreign = torch.einsum("ict,jct->ij", v, a[:, :, lags // 2 : lags // 2 + cells]) / cells
            foreign = foreign.masked_fill(torch.eye(len(v), dtype=torch.bool), -torch.inf)
            logits = torch.cat([own, foreign], dim=1) / settings.temperature
            loss = functional.cross_entropy(logits, torch.full((len(v),), lags // 2))
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
    return net.eval()


def _batch(
    stretches: Sequence[Stretch], weights: Array, cells: int, lags: int, rng: np.random.Generator, count: int
) -> tuple["torch.Tensor", "torch.Tensor"]:
    import torch

    lips, sound = [], []
    for i in rng.choice(len(stretches), count, p=weights / weights.sum()):
        at = int(rng.integers(0, len(stretches[i].lips) - cells + 1))
        lips.append(stretches[i].lips[at : at + cells])
        sound.append(stretches[i].sound[at : at + cells + lags - 1])
    return torch.from_numpy(np.stack(lips)), torch.from_numpy(np.stack(sound))


def packed(net: "torch.nn.ModuleDict") -> bytes:
    """Return the network as the bytes of a safetensors file."""
    from safetensors.torch import save

    return save({k: v.contiguous() for k, v in net.state_dict().items()})


def refuse_other(path: Path, sha256: str) -> None:
    """Raise WeightsUnusable if the file is missing or is not the one that was evaluated."""
    if not path.is_file() or file_hash(path) != sha256:
        raise WeightsUnusable(
            f"the trained model {path} is gone or is not the file of trained_models: run `speakervid train` again"
        )


class LakeSynchrony:
    """Backend for `synchrony` with a network trained on the lake."""

    name = "lake_model"
    question: Literal["synchrony"] = "synchrony"

    def __init__(self, net: "torch.nn.ModuleDict") -> None:
        self._net = net

    @classmethod
    def load(cls, path: Path, sha256: str) -> "LakeSynchrony":
        """Return the backend with the network of a file with this hash. Raise WeightsUnusable."""
        from safetensors.torch import load_file

        refuse_other(path, sha256)
        state = load_file(path)
        net = network(state["sound.1.weight"].shape[1], 0.0)
        net.load_state_dict(state)
        return cls(net.eval())

    def scorer(self) -> Scorer:
        """Return a scorer for figures on held-out windows."""

        def score(window: Stretch, heard: Stretch) -> Array:
            v, a = self._rows("lips", window.lips), self._rows("sound", heard.sound)
            lags = range(len(a) - len(v) + 1)
            return np.array([float((v * a[k : k + len(v)]).sum(axis=1).mean()) for k in lags], np.float64)

        return score

    def _rows(self, tower: str, inputs: Floats) -> Floats:
        """Return embeddings (t, 24) of (t, features)."""
        import torch

        with torch.inference_mode():
            found = _embed(self._net[tower], torch.from_numpy(inputs)[None])[0].T.numpy()
        return np.asarray(found, np.float32)

    def measure(self, scene: Scene) -> Mapping[Key, BackendAnswer]:
        """Return the mean cosine per lag of each pair, and of all pairs of its speaker and person."""
        lips = scene.lips()
        seen = {name: self._rows("lips", lip_inputs(s, scene.settings)) for name, s in lips.items() if len(s.speed)}
        heard = self._rows("sound", sound_inputs(scene.audio, scene.rate_hz, scene.settings))
        found: dict[Key, BackendAnswer] = {}
        groups: dict[tuple[str, str], list[tuple[Key, Array, int]]] = defaultdict(list)
        for pair in scene.pairs:
            series = lips[pair.track_id]
            problem = lips_problem(scene, pair, series)
            found[pair.key] = BackendAnswer(reason=problem or "too_short")
            cells = np.arange(*pair.cells(scene.settings)) if problem is None else np.zeros(0, np.int64)
            inside = (cells >= series.first) & (cells < series.first + len(series.is_seen))
            cells = cells[inside][series.is_seen[cells[inside] - series.first]]
            if len(cells):
                curve = _curve(seen[pair.track_id][cells - series.first], heard, cells, scene.settings.max_lag_frames)
                groups[pair.person_id, pair.speaker_id].append((pair.key, curve, len(cells)))
        for members in groups.values():
            total = sum(count for _, _, count in members)
            if total >= scene.settings.min_evidence_s * scene.settings.grid_hz:
                pooled = sum((curve * count for _, curve, count in members), np.zeros(1)) / total
                found |= {key: BackendAnswer(curve=Curve(curve, pooled, count)) for key, curve, count in members}
        return found


def _curve(seen: Floats, heard: Floats, cells: "np.ndarray[tuple[int], np.dtype[np.int64]]", max_lag: int) -> Array:
    """Return the mean cosine at lags -max_lag … +max_lag; cells outside the sound count as 0."""
    padded = np.pad(heard, ((max_lag, max_lag + max(0, int(cells.max()) + 1 - len(heard))), (0, 0)))
    return np.array([(seen * padded[cells + lag]).sum(axis=1).mean() for lag in range(2 * max_lag + 1)], np.float64)
