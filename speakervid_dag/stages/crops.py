"""Face pictures of tracks, kept as artifacts of the lake while a profile's backends use them.

Belongs here: their paths, writing and reading. Does not belong here: cutting them (curation/faces/crops.py).
"""

import io
from pathlib import Path

import numpy as np

from speakervid_dag.curation.faces.crops import FaceCrops
from speakervid_dag.files import write_bytes
from speakervid_dag.stages.stage import Stage

LAYOUT = "v2"  # changes with the way they are cut, so that old pictures are never used as new ones


def _path(lake_dir: Path, track_id: str) -> Path:
    return lake_dir / "artifacts" / "face_crops" / LAYOUT / f"{track_id}.npz"


def keep_crops(stage: Stage, track_id: str, crops: FaceCrops) -> None:
    """Write one file per track: times, geometry, and the concatenated JPEGs with their lengths (nothing is pickled)."""
    packed = io.BytesIO()
    lengths = np.array([len(j) for j in crops.jpegs], np.int64)
    data = np.frombuffer(b"".join(crops.jpegs), np.uint8)
    np.savez(packed, times_s=crops.times_s, boxes=crops.boxes, places=crops.places, lengths=lengths, data=data)
    write_bytes(_path(stage.settings.lake_dir, track_id), packed.getvalue())


def crops_of(stage: Stage, track_id: str) -> FaceCrops | None:
    """Return the pictures of a track; None if none were kept."""
    return kept_crops(stage.settings.lake_dir, track_id)


def kept_crops(lake_dir: Path, track_id: str) -> FaceCrops | None:
    """Return the pictures of a track of a lake; None if none were kept."""
    path = _path(lake_dir, track_id)
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as kept:
        data, ends = kept["data"].tobytes(), np.cumsum(kept["lengths"]).tolist()
        jpegs = [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]
        return FaceCrops(kept["times_s"], kept["boxes"], kept["places"], jpegs)
