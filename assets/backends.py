"""The models of this process: each is loaded once, when the first stage asks for it.

Belongs here: which class with which weights serves a stage under the current settings. Does not belong here: the
classes (speakervid_dag.models) and what is done with their answers (speakervid_dag.curation).
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.config.sections import ActiveSpeakerSettings
from speakervid_dag.curation.active_speaker import ActiveSpeakerBackend
from speakervid_dag.curation.lip_backends import LipMotion, LipRidge
from speakervid_dag.failures import WeightsMissing
from speakervid_dag.models.asr import Recognizer
from speakervid_dag.models.faces import FaceDetector
from speakervid_dag.models.identity import FaceEmbedder, load_embedder
from speakervid_dag.models.light_asd import LightASD
from speakervid_dag.models.mesh import FaceMesh
from speakervid_dag.models.person import Body, BodyPose, Emotion, Hand, HandPose, Square
from speakervid_dag.models.speech_quality import SpeechQualityModel
from speakervid_dag.models.syncnet import SyncNet
from speakervid_dag.models.voice import VoiceEncoder


@cache
def face_detector(pack: Path | None, input_long_side_px: int, score_threshold: float, threads: int) -> FaceDetector:
    return FaceDetector(pack, input_long_side_px, score_threshold, threads)


@cache
def face_mesh(threads: int) -> FaceMesh:
    return FaceMesh(threads=threads)


@cache
def face_embedder(pack: Path | None, threads: int) -> FaceEmbedder:
    return load_embedder(pack, threads)


@cache
def voice_encoder() -> VoiceEncoder:
    return VoiceEncoder()


@cache
def recognizer(weights: str, threads: int) -> Recognizer:
    return Recognizer(weights, threads=threads)


@cache
def speech_quality(threads: int) -> SpeechQualityModel:
    return SpeechQualityModel(threads=threads)


def talking_backend(choice: ActiveSpeakerSettings) -> ActiveSpeakerBackend:
    """What answers whether a face talks. Raises WeightsMissing."""
    return _light_asd() if choice.talking == "light_asd" else LipMotion()


def synchrony_backend(choice: ActiveSpeakerSettings) -> ActiveSpeakerBackend:
    """What answers whether voice and lips belong together. Raises WeightsMissing."""
    return _syncnet() if choice.synchrony == "syncnet" else LipRidge()


def active_speaker_weights(choice: ActiveSpeakerSettings) -> list[str]:
    """Names of the weights that these two rest on."""
    return [
        w for w, on in (("light-asd", choice.talking == "light_asd"), ("syncnet", choice.synchrony == "syncnet")) if on
    ]


@cache
def _light_asd() -> LightASD:
    return LightASD()


@cache
def _syncnet() -> SyncNet:
    return SyncNet()


T = TypeVar("T")


class PersonModels:
    """Body, hands and expression; what has no weights says so in `status` (see curation.person_samples)."""

    def __init__(self, threads: int) -> None:
        self._body, self._hand = _loaded(BodyPose, threads), _loaded(HandPose, threads)
        self._emotion = _loaded(Emotion, threads)

    def status(self, part: str) -> str:
        model = {"body": self._body, "hands": self._hand, "emotion": self._emotion}[part]
        return model if isinstance(model, str) else "ok"

    def body(self, image: NDArray[np.uint8], x: float, y: float, side: float) -> Body:
        return _there(self._body).find(image, Square(x, y, side))

    def hand(self, image: NDArray[np.uint8], x: float, y: float, side: float) -> Hand:
        return _there(self._hand).find(image, Square(x, y, side))

    def emotion(self, image: NDArray[np.uint8], x: float, y: float, side: float) -> NDArray[np.float32]:
        return _there(self._emotion).probabilities(image, Square(x, y, side))


def _loaded(load: Callable[[int], T], threads: int) -> T | str:
    """The model, or why it is not there."""
    try:
        return load(threads)
    except WeightsMissing as problem:
        return problem.reason


def _there(model: T | str) -> T:
    if isinstance(model, str):
        raise RuntimeError(f"a model was asked that is not there: {model}")
    return model


@cache
def person_models(threads: int) -> PersonModels:
    return PersonModels(threads)
