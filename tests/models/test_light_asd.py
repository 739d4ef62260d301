"""Light-ASD: shapes and loading with random weights; with the published ones, a talking face against a still one."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from scenes import grey_crops

from speakervid_dag.curation.faces.crops import FACE, FaceCrops
from speakervid_dag.curation.speaking.light_asd import LightASDBackend, grey
from speakervid_dag.models import light_asd
from speakervid_dag.models.light_asd import FoldedNetwork, LightASD


@pytest.fixture(scope="module")
def random_net(tmp_path_factory: pytest.TempPathFactory) -> LightASD:
    path = tmp_path_factory.mktemp("weights") / "random.model"
    torch.manual_seed(0)
    torch.save(light_asd.network().state_dict(), path)
    return LightASD(path, device="cpu")


def test_a_million_parameters() -> None:
    net = light_asd.network()
    assert sum(p.numel() for p in net.parameters()) == 1_021_636  # the published files


def test_two_dimensional_convolutions_give_what_the_published_layers_give() -> None:
    torch.manual_seed(0)
    net = light_asd.network()
    for name, buffer in net.named_buffers():  # batch normalisations that do something
        if name.endswith("running_mean"):
            buffer.normal_(0, 0.1)
        elif name.endswith("running_var"):
            buffer.uniform_(0.5, 2.0)
    faces, cepstra = 255 * torch.rand(11, 112, 112), torch.randn(44, 13)
    with torch.inference_mode():
        own = FoldedNetwork(net)
        folded = own.logits(own.picture_features(faces), own.sound_features(cepstra))
        told = published(net, faces[None], cepstra[None])[0]
    assert folded.shape == (11, 2)
    torch.testing.assert_close(folded, told, atol=1e-5, rtol=1e-4)


def published(net: torch.nn.ModuleDict, faces: torch.Tensor, cepstra: torch.Tensor) -> torch.Tensor:
    """Logits (n, t, 2) by the layers as they are named and shaped in the published files (Liao et al. 2023)."""
    model = net["model"]

    def step(layers: torch.nn.ModuleDict, name: str, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(layers[f"bn_{name}"](layers[name](x)))

    def block(layers: torch.nn.ModuleDict, first: str, x: torch.Tensor) -> torch.Tensor:
        halves = [step(layers, f"t_{k}", step(layers, f"{first}_{k}", x)) for k in (3, 5)]
        return step(layers, "last", halves[0] + halves[1])

    x = ((faces / 255 - 0.4161) / 0.1688).unsqueeze(1)
    y = cepstra.unsqueeze(1).transpose(2, 3)
    for number in (1, 2, 3):
        x = block(model["visualEncoder"][f"block{number}"], "s", x)
        y = block(model["audioEncoder"][f"block{number}"], "m", y)
        if number < 3:
            x = torch.nn.functional.max_pool3d(x, (1, 3, 3), (1, 2, 2), (0, 1, 1))
            y = torch.nn.functional.max_pool2d(y, (1, 3), (1, 2), (0, 1))
    both = x.amax(dim=(3, 4)).transpose(1, 2) + y.mean(dim=2).transpose(1, 2)
    gelu = torch.nn.functional.gelu
    back = model["GRU"]["gru_backward"](torch.flip(gelu(model["GRU"]["gru_forward"](both)[0]), (1,)))[0]
    logits: torch.Tensor = net["lossAV"]["FC"](gelu(torch.flip(back, (1,))))
    return logits


def test_a_file_of_another_network_is_refused(tmp_path: Path) -> None:
    torch.save({"model.GRU.gru_forward.weight_ih_l0": torch.zeros(384, 128)}, tmp_path / "other.model")
    with pytest.raises(RuntimeError, match="Missing key"):
        LightASD(tmp_path / "other.model", device="cpu")


def test_one_score_a_picture_and_short_sound_is_silence(random_net: LightASD) -> None:
    faces = np.random.default_rng(0).integers(0, 255, (9, 112, 112)).astype(np.uint8)
    short = random_net.scores(faces, np.zeros(10, np.float32))
    assert short.shape == (9,)
    np.testing.assert_allclose(short, random_net.scores(faces, np.zeros(16000, np.float32)), atol=1e-5)


def test_a_track_has_a_value_for_each_frame(random_net: LightASD) -> None:
    found = LightASDBackend(random_net).log_odds(grey_crops(50), np.zeros(50 * 640, np.float32), 0, 50)
    assert found.shape == (50,)
    assert np.isfinite(found).all()


@pytest.fixture(scope="module")
def clip(shared: Path, need: Callable[..., None]) -> tuple[list[FaceCrops], np.ndarray]:
    """A man speaks, a second one listens: face pictures and sound of the first seconds."""
    need("centerface", "face_mesh", "dlib_face")
    return crops_of_clip(shared / "media/panda_pressconf_listener.mp4", 3.0)


@pytest.mark.shared
@pytest.mark.weights
def test_a_talking_face_scores_above_a_still_one(shared: Path, clip: tuple[list[FaceCrops], np.ndarray]) -> None:
    """Log odds, measured 2026-11-28: the talker of the press conference 2.3, frozen -6.4; the listener -5.7."""
    net = LightASD(shared / "models/light_asd_pretrain_AVA_CVPR.model", device="cpu")
    crops, audio = clip
    scores = []
    for kept in crops:
        faces, near = kept.at(np.arange(0.2, 2.8, 0.04), 0.08, FACE)
        assert near.mean() > 0.9
        pictures = grey(faces)
        still = np.repeat(pictures[len(pictures) // 2][None], len(pictures), axis=0)
        scores.append((net.scores(pictures, audio[3200:]).mean(), net.scores(still, audio[3200:]).mean()))
    talker, listener = max(scores), min(scores)
    assert talker[0] > 1
    assert talker[1] < -3
    assert listener[0] < -3


def crops_of_clip(path: Path, end_s: float) -> tuple[list[FaceCrops], np.ndarray]:
    """Face pictures of the tracks in the first seconds of a clip, and its sound, by the pipeline's own face pass."""
    from speakervid_dag.assets import backends
    from speakervid_dag.config.profiles import load_profile
    from speakervid_dag.curation.frames.frame_pass import FacePass, ShotSpan
    from speakervid_dag.media import audio, decode, probe
    from speakervid_dag.media.budget import MediaBudget

    profile, budget = load_profile("laptop"), MediaBudget()
    tracking = profile.tracking
    kept: list[FaceCrops] = []
    info = probe.probe(path, budget)
    models = (backends.face_detector(None, 640, 0.5, 1), backends.face_mesh(1), backends.face_embedder(None, 1))
    shots = [ShotSpan("v1-s0000", 0.0, end_s)]
    people = backends.person_models(1)
    pass_ = FacePass(
        "v1",
        shots,
        tracking,
        profile.identity,
        profile.liveness,
        profile.sampling,
        *models,
        people,
        keep_crops=lambda _, crops: kept.append(crops),
    )
    with decode.read_frames(path, info, budget, max_long_side_px=640) as reader:
        pass_.run(frame for frame in reader if frame.time_s < end_s)
    return kept, audio.read_audio(path, info, budget, 16000)
