"""Paths of a lake's files that several parts of the program use.

Belongs here: paths. Does not belong here: the files' contents.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

SOUND_LAYOUT = "v2"  # raise it when the sound is made differently, so that old artifacts are not reused
CUT_LAYOUTS = {"clips": "v2", "posters": "v2", "previews": "v3"}  # the same for files cut from sources


def kept_manifests(lake_dir: Path) -> Path:
    """Return the folder with one manifest per release, RELEASE_ID.json. The release itself is where it was exported."""
    return lake_dir / "artifacts" / "releases"


def cut_folder(lake_dir: Path, kind: str) -> Path:
    """Return the folder of cut `clips`, `posters` or `previews`."""
    return lake_dir / "artifacts" / kind / CUT_LAYOUTS[kind]


def kept_sound(lake_dir: Path, video_id: str, taken: Sequence[Mapping[str, Any]] | None) -> Path:
    """Return the path at which a video's sound (mono, 16 kHz, 16 bit) is stored once a stage has read it.

    Args:
        taken: `videos.sound_taken`; each choice of channels has its own file.
    """
    digest = hashlib.sha256(json.dumps(taken, sort_keys=True).encode()).hexdigest()[:12]
    return lake_dir / "artifacts" / "audio" / SOUND_LAYOUT / f"{video_id}-{digest}.wav"


def weights_record(lake_dir: Path) -> Path:
    """Return the path of the record of the weights that the lake's rows were computed with."""
    return lake_dir / "artifacts" / "weights.json"
