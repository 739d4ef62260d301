"""The models of this process: each is loaded once, when the first stage asks for it.

Belongs here: which class with which weights serves a stage under the current settings. Does not belong here: the
classes (speakervid_dag.models) and what is done with their answers (speakervid_dag.curation).
"""

from functools import cache
from pathlib import Path

from speakervid_dag.config.sections import ActiveSpeakerSettings
from speakervid_dag.curation.active_speaker import ActiveSpeakerBackend
from speakervid_dag.curation.lip_backends import LipMotion, LipRidge
from speakervid_dag.models.asr import Recognizer
from speakervid_dag.models.faces import FaceDetector
from speakervid_dag.models.identity import FaceEmbedder, load_embedder
from speakervid_dag.models.light_asd import LightASD
from speakervid_dag.models.mesh import FaceMesh
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
