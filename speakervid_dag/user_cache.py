"""The folder of this package in the user's cache folder.

Belongs here: its location. Does not belong here: its contents (weights: models/registry.py; hashes: hashing.py;
digests of our code: assets/kept_digests.py).
"""

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return the folder. Raise RuntimeError if the user has no home, as in some containers."""
    # An empty or relative XDG_CACHE_HOME counts as unset (XDG base directory specification).
    cache_home = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (cache_home if cache_home.is_absolute() else Path.home() / ".cache") / "speakervid-dag"


def memory_file(name: str) -> Path | None:
    """Return the path of a file there, shared by all processes; None if the user has no home."""
    try:
        return cache_folder() / name
    except RuntimeError:
        return None
