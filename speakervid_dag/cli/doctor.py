"""`speakervid doctor`: what is installed, which model serves each stage, what is missing and the command that gets it.

Belongs here: looking and telling. Does not belong here: fetching (models/fetch.py).
"""

import importlib.metadata
import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import psutil

from speakervid_dag.cli.console import out, print_frame, print_line
from speakervid_dag.config.profiles import Profile, load_profile, profile_names
from speakervid_dag.config.settings import Settings
from speakervid_dag.formats import quantity
from speakervid_dag.lake.schemas.measures import MEASURES
from speakervid_dag.models import campplus, cotracker, dover, lip_network, segmentation
from speakervid_dag.models.face_pack import pack_state
from speakervid_dag.models.registry import examine, get_weight, load_registry, verify, weights_dir

PACKAGES = (
    "dagster", "dagster-webserver", "deltalake", "duckdb", "polars", "great-expectations", "torch", "faster-whisper",
    "insightface", "scenedetect", "av", "opencv-python", "onnxruntime", "ai-edge-litert",
)  # fmt: skip


STATES = {"ok": "ready", "missing": "MISSING", "wrong_hash": "DAMAGED", "unreadable": "DAMAGED"}


@dataclass(frozen=True)
class Serving:
    """One stage and what serves it; `weights` is None where no weights are needed."""

    stage: str
    backend: str
    weights: str | None
    stronger: str = ""


SERVING = (
    Serving("shots", "structural change + PySceneDetect histogram", None),
    Serving("speech regions", "Silero VAD v6 (inside faster-whisper)", None),
    Serving("voices, if no network looks at faces", "GE2E 256-d", "resemblyzer"),
    Serving("voices: who talks when", "pyannote segmentation 3.0", segmentation.WEIGHTS),
    Serving("voices: whose voice", "CAM++ 192-d", campplus.WEIGHTS),
    Serving(
        "transcripts", "Whisper (faster-whisper)", "whisper-base", "whisper-large-v3: profile, transcripts.weights"
    ),
    Serving("face boxes", "CenterFace through InsightFace", "centerface", "InsightFace pack: SPEAKERVID_FACE_PACK"),
    Serving("face mesh", "MediaPipe 468 points", "face_mesh"),
    Serving("face identity", "dlib ResNet 128-d", "dlib_face", "InsightFace pack: SPEAKERVID_FACE_PACK"),
    Serving("body and hands", "MediaPipe pose and hand landmarks", "poses"),
    Serving("expression", "7-class CNN of the package fer", "emotion"),
    Serving("text in the picture", "PP-OCRv4 detector", "text_detector"),
    Serving("speech quality", "DNSMOS P.835 and P.808", "dnsmos"),
    Serving("captions", "NOT ACTIVE: no backend yet (Qwen2.5-VL)", None),
)


OF_FACE_PACK = ("centerface", "dlib_face")  # weights that a pack of the user's own replaces


@dataclass(frozen=True)
class Inspection:
    """One model that looks at clips' own pictures: its scores, and the setting that names it."""

    setting: str
    name: str
    what: str
    scores: str
    weights: str
    pull: str


LOOKING = (
    Inspection(
        "video_quality", "dover", "DOVER, ONNX by onnxruntime", "video_quality, dover_technical", dover.WEIGHTS,
        "speakervid models pull dover --accept-hash --from FOLDER",
    ),
    Inspection(
        "point_tracks", "cotracker", "CoTracker 3 offline", "cotracker_ratio", cotracker.WEIGHTS,
        "speakervid models pull cotracker3 --accept-hash",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Answering:
    """One backend of active-speaker detection: which question it answers, by which name the profile calls it."""

    question: str
    name: str
    what: str
    weights: str | None = None
    pull: str = ""


ANSWERING = (
    Answering("talking", "lip_network", "packaged network on face pictures; not for commercial use (faq)"),
    Answering("talking", "light_asd", "Light-ASD on face pictures", "light-asd", "speakervid models pull light-asd"),
    Answering("synchrony", "lip_network", "Sync-C by the packaged network"),
    Answering(
        "synchrony", "syncnet", "Sync-C by SyncNet v2", "syncnet",
        "speakervid models pull syncnet --accept-hash [--from FOLDER]",
    ),
)  # fmt: skip


def report(settings: Settings) -> int:
    """Prints everything. Exit status 0 when every default stage can run, else 1."""
    _print_machine(settings)
    missing = _print_stages(settings)
    rows = answering_rows(load_profile(settings.profile), settings.lip_network)
    print_frame(pl.DataFrame(rows), title="Who is talking")
    print_frame(pl.DataFrame(looking_rows(load_profile(settings.profile))), title="Scores that need more weights")
    if settings.face_pack and pack_state(settings.face_pack) == "missing":
        print_line(f"\nSPEAKERVID_FACE_PACK names a folder without ONNX files: {settings.face_pack}")
        return 1
    if settings.lip_network and lip_network.own_state(settings.lip_network) == "missing":
        print_line(f"\nSPEAKERVID_LIP_NETWORK names no file: {settings.lip_network}")
        return 1
    if missing:
        told = ", ".join(missing)
        out.print(f"\nMissing or damaged weights: {told}. Get them with:\n  speakervid models pull {' '.join(missing)}")
        return 1
    out.print("\nEvery default stage can run.")
    return 0


def _print_machine(settings: Settings) -> None:
    memory = psutil.virtual_memory().total / 2**30
    out.print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {memory:.0f} GiB memory, GPU: {_gpu()}")
    threads = quantity(settings.worker_threads, "thread")
    out.print(f"A stage computes {quantity(settings.worker_count, 'video')} at once, with {threads} each")
    exists = (settings.lake_dir / "tables").is_dir()
    print_line(f"Lake: {settings.lake_dir} ({'there' if exists else 'not there yet'}), {_free(settings.lake_dir)} free")
    print_line(f"Weights: {weights_dir()}")
    print_line(f"Profile: {settings.profile} (there are {', '.join(profile_names())})")
    versions = [{"package": name, "version": _version(name)} for name in PACKAGES]
    print_frame(pl.DataFrame(versions), title="Installed")


def _print_stages(settings: Settings) -> list[str]:
    """Prints which model serves each stage; returns the names of missing and damaged default weights."""
    rows, missing = [], []
    for item in SERVING:
        if settings.face_pack and item.weights in OF_FACE_PACK:
            state = STATES["missing" if pack_state(settings.face_pack) == "missing" else "ok"]
            pack = {"served by": "InsightFace pack", "weights": str(settings.face_pack), "state": state}
            rows.append({"stage": item.stage, **pack, "stronger": ""})
            continue
        name = load_profile(settings.profile).transcripts.weights if item.stage == "transcripts" else item.weights
        state = "" if name is None else STATES[examine(name).status]
        if name is not None and state != STATES["ok"]:
            missing.append(name)
        rows.append(
            {
                "stage": item.stage,
                "served by": item.backend,
                "weights": name or "",
                "state": state,
                "stronger": item.stronger,
            }
        )
    print_frame(pl.DataFrame(rows), title="Stages")
    return missing


def answering_rows(profile: Profile, own_lips: Path | None = None) -> list[dict[str, str]]:
    """Each backend of active-speaker detection, whether the profile uses it, and what is in its way.

    Args:
        own_lips: weights of the lip network that the user names.
    """
    chosen = {"talking": profile.active_speaker.talking, "synchrony": profile.active_speaker.synchrony}
    rows = []
    for item in ANSWERING:
        weights_state = STATES["ok" if item.weights is None else examine(item.weights).status]
        lacks = weights_state != STATES["ok"]
        if item.name == "lip_network" and own_lips is not None and lip_network.own_state(own_lips) == "missing":
            state = f"MISSING: SPEAKERVID_LIP_NETWORK names no file: {own_lips}"
        elif item.name == "lip_network" and own_lips is None and lip_network.package_state() == "missing":
            state = "MISSING: install speakervid-dag anew"
        elif chosen[item.question] == item.name:
            state = f"{weights_state} weights: {item.pull}" if lacks else "active"
        elif (item.question, item.name) == ("talking", "lip_network"):  # its margins of synchrony are always asked
            until = " and talking, until the weights of light_asd are there"
            state = f"active: do lips and sound agree{until * _lacks_weights('light-asd')}"
        else:
            todo = f"{item.pull}; then " * lacks + f"set active_speaker.{item.question}: {item.name}"
            state = f"not active: {todo}"
        own = {"what": f"your own: {own_lips}"} if own_lips and item.name == "lip_network" else {}
        rows.append({**_told(item), **own, "state": state})
    return rows


def looking_rows(profile: Profile) -> list[dict[str, str]]:
    """Each model of clips' own pictures: active, or what keeps its scores not evaluated and how that is mended."""
    rows = []
    for item in LOOKING:
        found = examine(item.weights)
        todo = [] if found.status == "ok" else [f"{STATES[found.status]} weights: " * found.is_damaged + item.pull]
        if item.name == "cotracker" and cotracker.package_state() == "missing":
            todo.append(f"install the package {cotracker.PACKAGE} (docs/scores.md)")
        if getattr(profile.scores, item.setting) == "off":
            todo.append(f"set scores.{item.setting}: {item.name}")
        state = f"NOT ACTIVE: {'; then '.join(todo)}" if todo else "active"
        rows.append({"backend": item.name, "what": item.what, "scores": item.scores, "state": state})
    return rows


def _lacks_weights(name: str) -> bool:
    return examine(name).status != "ok"


def _told(item: Answering) -> dict[str, str]:
    return {"question": item.question, "backend": item.name, "what": item.what}


def _gpu() -> str:
    if shutil.which("nvidia-smi") is None:
        return "none (models run on the processor)"
    import torch

    return str(torch.cuda.get_device_name(0)) if torch.cuda.is_available() else "present, but torch cannot use it"


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "NOT INSTALLED"


def _free(path: Path) -> str:
    while not path.exists():
        path = path.parent
    return f"{shutil.disk_usage(path).free / 2**30:.0f} GiB"


def print_weights() -> None:
    """Every registry entry, and the scores that no clip has while it is missing or damaged."""
    resting = {w: [m.name for m in MEASURES.values() if m.weights == w] for w in load_registry()}
    found = {name: examine(name) for name in load_registry()}
    rows = [
        {
            "name": w.name,
            "stage": w.stage,
            "on disk": {"ok": "yes", "missing": ""}.get(found[w.name].status, "damaged"),
            "not active": "" if found[w.name].status == "ok" else ", ".join(resting[w.name]),
            "default": "yes" if w.is_default else "",
            "licence": w.licence,
            "commercial": "yes" if w.is_commercial_ok else "no",
            "source": w.files[0].sources[0].split("!")[0],
        }
        for w in load_registry().values()
    ]
    rows.append(
        {
            "name": lip_network.NAME,
            "stage": "visual_speech",
            "on disk": "" if lip_network.package_state() == "missing" else "yes",
            "not active": "",
            "default": "yes",
            "licence": lip_network.LICENCE,
            "commercial": "yes" if lip_network.IS_COMMERCIAL_OK else "no",
            "source": "packaged",
        }
    )
    print_frame(pl.DataFrame(rows), title=f"Weights in {weights_dir()}")


def verify_weights(names: list[str]) -> int:
    """Hashes the named weights, or all on disk, and prints the verdicts. Exit status 1 when one is not right."""
    chosen = [get_weight(n).name for n in names] or [n for n in load_registry() if examine(n).status != "missing"]
    results = [verify(name) for name in chosen]
    rows = [(r.name, r.status, r.detail) for r in results]
    print_frame(pl.DataFrame(rows, schema=["name", "status", "detail"], orient="row"))
    return int(any(r.status != "ok" for r in results))
