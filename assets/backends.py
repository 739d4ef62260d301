"""The models of this process, each loaded once, when the first stage needs it.

Belongs here: the choice of model class and weights for a stage under the current settings. Does not belong here: the
classes (speakervid_dag.models) and the use of their outputs (speakervid_dag.curation).
"""

from collections.abc import Callable, Container, Iterable
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.assets import recipes
from speakervid_dag.config.sections import ActiveSpeakerSettings, ScoreSettings
from speakervid_dag.curation.scores import dover as dover_views
from speakervid_dag.curation.scores import points as point_tracks
from speakervid_dag.curation.scores.looks import Maker
from speakervid_dag.curation.speaking.light_asd import LightASDBackend
from speakervid_dag.curation.speaking.lip_synchrony import LipSynchrony
from speakervid_dag.curation.speaking.pairs import SynchronyBackend
from speakervid_dag.curation.speaking.syncnet import SyncNetBackend
from speakervid_dag.curation.speaking.talking_series import TalkingBackend
from speakervid_dag.failures import StageFailure
from speakervid_dag.lake.used_weights import MISSING, used_weights
from speakervid_dag.models import campplus, cotracker, dover, light_asd, segmentation, vad
from speakervid_dag.models import lip_network as lip_network_weights
from speakervid_dag.models.asr import Recognizer
from speakervid_dag.models.campplus import CamPlusPlus
from speakervid_dag.models.cotracker import CoTracker
from speakervid_dag.models.dover import Dover
from speakervid_dag.models.face_pack import pack_state
from speakervid_dag.models.faces import FaceDetector
from speakervid_dag.models.identity import FaceEmbedder, load_embedder
from speakervid_dag.models.light_asd import LightASD
from speakervid_dag.models.lip_network import LipNetwork
from speakervid_dag.models.mesh import FaceMesh
from speakervid_dag.models.person import Body, BodyPose, Emotion, Hand, HandPose, Square
from speakervid_dag.models.segmentation import SpeakerSegmentation
from speakervid_dag.models.speech_quality import SpeechQualityModel
from speakervid_dag.models.syncnet import SyncNet
from speakervid_dag.models.text_detector import TextDetector
from speakervid_dag.models.voice import VoiceEncoder

if TYPE_CHECKING:
    from speakervid_dag.assets.resources import Lakehouse

FACE_PACK = "face_pack"
LOCAL_VOICES = (segmentation.WEIGHTS, campplus.WEIGHTS)


@cache
def face_detector(pack: Path | None, input_long_side_px: int, score_threshold: float, threads: int) -> FaceDetector:
    return FaceDetector(pack, input_long_side_px, score_threshold, threads)


@cache
def face_mesh(threads: int) -> FaceMesh:
    return FaceMesh(threads=threads)


@cache
def face_embedder(pack: Path | None, threads: int) -> FaceEmbedder:
    return load_embedder(pack, threads)


def picture_weights(pack: Path | None) -> list[str]:
    """Return the names of the weights that face tracks depend on; the user's own pack replaces the face models."""
    faces = (
        ["centerface", "face_mesh", "dlib_face"] if pack is None else ["face_mesh", f"{FACE_PACK}@{pack_state(pack)}"]
    )
    return [*faces, "poses", "emotion", "text_detector"]


@cache
def voice_encoder() -> VoiceEncoder:
    return VoiceEncoder()


@cache
def speaker_segmentation() -> SpeakerSegmentation:
    return SpeakerSegmentation()


@cache
def campplus_encoder() -> CamPlusPlus:
    return CamPlusPlus()


def are_there(names: Iterable[str], as_there: Container[str] = ()) -> bool:
    """Return whether these weights are on disk.

    Args:
        as_there: names of weights that count as there.
    """
    return all(name in as_there or recipes.weight_state(name) != MISSING for name in names)


@cache
def recognizer(weights: str, threads: int) -> Recognizer:
    return Recognizer(weights, threads=threads)


@cache
def speech_quality(threads: int) -> SpeechQualityModel:
    return SpeechQualityModel(threads=threads)


@cache
def _dover(threads: int) -> Dover:
    return Dover(threads=threads)


@cache
def _cotracker() -> CoTracker:
    return CoTracker()


def clip_looks(settings: ScoreSettings, threads: int) -> dict[tuple[str, ...], Maker]:
    """Return the models that score clips' own pictures, keyed by their scores; or the reason why one is unavailable."""
    quality = "off" if settings.video_quality == "off" else _loaded(_dover, threads=threads)
    tracker = "off" if settings.point_tracks == "off" else _loaded(_cotracker)
    looks: dict[tuple[str, ...], Maker] = {
        dover_views.NAMES: quality if isinstance(quality, str) else partial(dover_views.DoverLook, model=quality)
    }
    looks[point_tracks.NAME,] = (
        tracker if isinstance(tracker, str) else partial(point_tracks.PointLook, settings=settings, tracker=tracker)
    )
    return looks


def clip_look_weights(settings: ScoreSettings) -> list[str]:
    """Return the names of the weights of these models, and of the package that one of them needs."""
    names = [] if settings.video_quality == "off" else [dover.WEIGHTS]
    if settings.point_tracks != "off":
        names += [cotracker.WEIGHTS, f"{cotracker.PACKAGE}@{cotracker.package_state()}"]
    return names


def talking_network(choice: ActiveSpeakerSettings) -> TalkingBackend | None:
    """Return the network that says whether a face talks in place of the lip network, if it is asked for and there."""
    return _light_asd() if choice.talking == "light_asd" and are_there([light_asd.WEIGHTS]) else None


@cache
def lip_network(own: Path | None) -> LipNetwork:
    """Return the network of talking and synchrony: the user's own or the packaged one.

    Raises:
        WeightsMissing, WeightsUnusable: see LipNetwork.of.
    """
    return LipNetwork.of(own)


def synchrony_backend(choice: ActiveSpeakerSettings, own: Path | None) -> SynchronyBackend:
    """Return the backend of Sync-C; `own`: see lip_network. Raise WeightsMissing, WeightsUnusable."""
    return _syncnet() if choice.synchrony == "syncnet" else _lip_synchrony(own)


def speech_weights(lakehouse: "Lakehouse") -> list[str]:
    """Return the names of the weights that speech turns depend on.

    What the lake's rows were made with counts as there: a run without it is refused (weights.py), unless a loss is
    allowed.
    """
    profile, settings = lakehouse.profile, lakehouse.settings
    used = {} if settings.allow_loss else used_weights(settings.lake_dir)
    asked = [f"{vad.NAME}@{vad.package_state()}"]
    is_local = profile.diarization.voices == "campplus"
    if is_local:
        asked += LOCAL_VOICES
    if not is_local or not are_there(LOCAL_VOICES, used):
        asked.append("resemblyzer")
    return asked


def talking_weights(lakehouse: "Lakehouse") -> list[str]:
    """Return the names of the weights of the networks that look at faces."""
    lips = _lip_weights(lakehouse.settings.lip_network)
    return [lips, light_asd.WEIGHTS] if lakehouse.profile.active_speaker.talking == "light_asd" else [lips]


def synchrony_weights(lakehouse: "Lakehouse") -> list[str]:
    """Return the names of the weights of the backend of Sync-C."""
    is_syncnet = lakehouse.profile.active_speaker.synchrony == "syncnet"
    return ["syncnet"] if is_syncnet else [_lip_weights(lakehouse.settings.lip_network)]


def _lip_weights(own: Path | None) -> str:
    if own is None:
        return f"{lip_network_weights.NAME}@{lip_network_weights.package_state()}"
    return f"{lip_network_weights.OWN_NAME}@{lip_network_weights.own_state(own)}"


@cache
def _lip_synchrony(own: Path | None) -> LipSynchrony:
    return LipSynchrony(LipNetwork.of(own, parts=["synchrony"]))


@cache
def _light_asd() -> LightASDBackend:
    return LightASDBackend(LightASD())


@cache
def _syncnet() -> SyncNetBackend:
    return SyncNetBackend(SyncNet())


T = TypeVar("T")


class PersonModels:
    """Models of body, hands and expression; `status` reports those without weights (see curation/frames/person.py)."""

    def __init__(self, threads: int) -> None:
        self._body, self._hand = _loaded(BodyPose, threads=threads), _loaded(HandPose, threads=threads)
        self._emotion = _loaded(Emotion, threads=threads)

    def status(self, part: str) -> str:
        model = {"body": self._body, "hands": self._hand, "emotion": self._emotion}[part]
        return model if isinstance(model, str) else "ok"

    def body(self, image: NDArray[np.uint8], x: float, y: float, side: float) -> Body:
        return _there(self._body).find(image, Square(x, y, side))

    def hand(self, image: NDArray[np.uint8], x: float, y: float, side: float) -> Hand:
        return _there(self._hand).find(image, Square(x, y, side))

    def emotion(self, image: NDArray[np.uint8], x: float, y: float, side: float) -> NDArray[np.float32]:
        return _there(self._emotion).probabilities(image, Square(x, y, side))


def _loaded(load: Callable[..., T], **options: int) -> T | str:
    """Return the model, or the reason why it is unavailable."""
    try:
        return load(**options)
    except StageFailure as problem:  # weights_missing, package_missing
        return problem.reason


def _there(model: T | str) -> T:
    if isinstance(model, str):
        raise RuntimeError(f"a model was asked that is not there: {model}")
    return model


@cache
def text_detector(threads: int) -> TextDetector | str:
    """Return the detector, or the reason why it is unavailable."""
    return _loaded(TextDetector, threads=threads)


@cache
def person_models(threads: int) -> PersonModels:
    return PersonModels(threads)
