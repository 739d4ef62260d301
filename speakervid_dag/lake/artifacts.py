"""Where a lake keeps files that more than one part of the program looks for.

Belongs here: their places. Does not belong here: what is in them.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

SOUND_LAYOUT = "v2"  # changes with how the sound is made, so that an old artifact is never taken for a new one
CUT_LAYOUTS = {"clips": "v2", "posters": "v2", "previews": "v3"}  # the same of what is cut out of sources


def kept_manifests(lake_dir: Path) -> Path:
    """The folder with a manifest of each release, RELEASE_ID.json; the release itself lies where it was exported to."""
    return lake_dir / "artifacts" / "releases"


def kept_model(lake_dir: Path, name: str, sha256: str) -> Path:
    """Return where a model that was trained in the lake is kept: found by content, wherever the lake is now."""
    return lake_dir / "artifacts" / "models" / f"{name}-{sha256[:16]}.safetensors"


def cut_folder(lake_dir: Path, kind: str) -> Path:
    """The folder of cut `clips`, `posters` or `previews`."""
    return lake_dir / "artifacts" / kind / CUT_LAYOUTS[kind]


def kept_sound(lake_dir: Path, video_id: str, taken: Sequence[Mapping[str, Any]] | None) -> Path:
    """Where a video's sound (mono, 16 kHz, 16 bit) is kept once a stage has read it.

    Args:
        taken: `videos.sound_taken`: another choice of channels is another file.
    """
    digest = hashlib.sha256(json.dumps(taken, sort_keys=True).encode()).hexdigest()[:12]
    return lake_dir / "artifacts" / "audio" / SOUND_LAYOUT / f"{video_id}-{digest}.wav"


def weights_record(lake_dir: Path) -> Path:
    """The file that says which weights the lake's rows were made with."""
    return lake_dir / "artifacts" / "weights.json"
