"""Where a lake keeps files that more than one part of the program looks for.

Belongs here: their places. Does not belong here: what is in them.
"""

from pathlib import Path

SOUND_LAYOUT = "v1"  # changes with how the sound is made, so that an old artifact is never taken for a new one


def kept_manifests(lake_dir: Path) -> Path:
    """The folder with a manifest of each release, RELEASE_ID.json; the release itself lies where it was exported to."""
    return lake_dir / "artifacts" / "releases"


def kept_sound(lake_dir: Path, video_id: str) -> Path:
    """Where a video's sound (mono, 16 kHz, 16 bit) is kept once a stage has read it."""
    return lake_dir / "artifacts" / "audio" / SOUND_LAYOUT / f"{video_id}.wav"


def kept_models(lake_dir: Path) -> Path:
    """The folder with the models that were trained on this lake."""
    return lake_dir / "artifacts" / "models"


def weights_record(lake_dir: Path) -> Path:
    """The file that says which weights the lake's rows were made with."""
    return lake_dir / "artifacts" / "weights.json"
