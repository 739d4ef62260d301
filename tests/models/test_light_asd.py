"""Light-ASD: shapes and loading with random weights; with the published ones, a talking face against a still one."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from scenes import grey_crops, scene_of

from speakervid_dag.curation.faces.crops import FaceCrops
from speakervid_dag.curation.speaking.light_asd import LightASDBackend, middle_grey
from speakervid_dag.models import light_asd
from speakervid_dag.models.light_asd import LightASD


@pytest.fixture(scope="module")
def random_net(tmp_path_factory: pytest.TempPathFactory) -> LightASD:
    path = tmp_path_factory.mktemp("weights") / "random.model"
    torch.manual_seed(0)
    torch.save(light_asd.network().state_dict(), path)
    return LightASD(path, device="cpu")


def test_a_million_parameters_and_two_logits_a_picture() -> None:
    net = light_asd.network()
    assert sum(p.numel() for p in net.parameters()) == 1_021_636  # the published files
    with torch.inference_mode():
        logits = light_asd.forward(net, torch.zeros(2, 11, 112, 112), torch.zeros(2, 44, 13))
    assert logits.shape == (2, 11, 2)


def test_a_file_of_another_network_is_refused(tmp_path: Path) -> None:
    torch.save({"model.GRU.gru_forward.weight_ih_l0": torch.zeros(384, 128)}, tmp_path / "other.model")
    with pytest.raises(RuntimeError, match="Missing key"):
        LightASD(tmp_path / "other.model", device="cpu")


def test_one_score_a_picture_and_short_sound_is_silence(random_net: LightASD) -> None:
    faces = np.random.default_rng(0).integers(0, 255, (9, 112, 112)).astype(np.uint8)
    short = random_net.scores(faces, np.zeros(10, np.float32))
    assert short.shape == (9,)
    np.testing.assert_allclose(short, random_net.scores(faces, np.zeros(16000, np.float32)), atol=1e-5)


def test_every_pair_has_an_answer_and_what_is_missing_has_a_reason(random_net: LightASD) -> None:
    (found,) = LightASDBackend(random_net).measure(scene_of(grey_crops(50), 2.0)).values()
    assert found.talking is not None
    assert 0 <= found.talking <= 1
    (missing,) = LightASDBackend(random_net).measure(scene_of(None, 2.0)).values()
    assert (missing.talking, missing.reason) == (None, "no_face_pictures")


@pytest.fixture(scope="module")
def clip(shared: Path, need: Callable[..., None]) -> tuple[list[FaceCrops], np.ndarray]:
    """A man speaks, a second one listens: face pictures and sound of the first seconds."""
    need("centerface", "face_mesh", "dlib_face")
    return crops_of_clip(shared / "media/panda_pressconf_listener.mp4", 3.0)


@pytest.mark.shared
@pytest.mark.weights
@pytest.mark.parametrize("name", ["finetuning_TalkSet", "pretrain_AVA_CVPR"])
def test_a_talking_face_scores_above_a_still_one(
    name: str, shared: Path, clip: tuple[list[FaceCrops], np.ndarray]
) -> None:
    """Measured 2026-11-21 (TalkSet): anchor 2.8, still -2.2; the talker of the press conference 4.0, listener -2.4."""
    net = LightASD(shared / f"models/light_asd_{name}.model", device="cpu")
    crops, audio = clip
    scores = []
    for kept in crops:
        faces, near = kept.at(np.arange(0.2, 2.8, 0.04), 0.08)
        assert near.mean() > 0.9
        grey = middle_grey(faces)
        still = np.repeat(grey[len(grey) // 2][None], len(grey), axis=0)
        scores.append((net.scores(grey, audio[3200:]).mean(), net.scores(still, audio[3200:]).mean()))
    talker, listener = max(scores), min(scores)
    assert talker[0] > 1 > talker[1]
    assert listener[0] < 0


def crops_of_clip(path: Path, end_s: float) -> tuple[list[FaceCrops], np.ndarray]:
    """Face pictures of the tracks in the first seconds of a clip, and its sound, by the pipeline's own face pass."""
    from speakervid_dag.assets import backends
    from speakervid_dag.config.profiles import load_profile
    from speakervid_dag.curation.frames.frame_pass import FacePass, ShotSpan
    from speakervid_dag.media import audio, decode, probe
    from speakervid_dag.media.budget import MediaBudget

    profile, budget = load_profile("laptop"), MediaBudget()
    tracking = profile.tracking.model_copy(update={"face_crops": True})
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
