"""The models of this process: each is loaded once, when the first stage asks for it.

Belongs here: which class with which weights serves a stage under the current settings. Does not belong here: the
classes (speakervid_dag.models) and what is done with their answers (speakervid_dag.curation).
"""

from functools import cache
from pathlib import Path

from speakervid_dag.models.asr import Recognizer
from speakervid_dag.models.faces import FaceDetector
from speakervid_dag.models.identity import FaceEmbedder, load_embedder
from speakervid_dag.models.mesh import FaceMesh
from speakervid_dag.models.speech_quality import SpeechQualityModel
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
