"""Posters: cropped to the person, kept, and never an error."""

from pathlib import Path
from typing import Any

import generate
import numpy as np
import pytest

from speakervid_dag.files import sha256_of
from speakervid_dag.lake.batches import BatchBook, Place, SourceFile
from speakervid_dag.report.posters import HEIGHT_PX, WIDTH_PX, cropped, posters


def clip(lake_dir: Path, *sources: Path) -> list[dict[str, Any]]:
    """A clip of each of these files, which the lake lists from now on."""
    plain = {"start_s": 0.4, "end_s": 1.2, "video_start_s": 0.0, "x1": 0.2, "y1": 0.2, "x2": 0.6, "y2": 0.8}
    files = [
        SourceFile(
            (Place("/nowhere/first.mp4", 1), Place(str(s), s.stat().st_mtime_ns)), s.stat().st_size, sha256_of(s)
        )
        for s in sources
    ]
    BatchBook(lake_dir).write("b000001", files)
    return [{**plain, "clip_id": f"{f.video_id}-c1", "video_id": f.video_id} for f in files]


@pytest.mark.heavy
def test_a_poster_is_made_once_and_kept(tmp_path: Path) -> None:
    source = generate.plain(tmp_path / "a.mp4")
    (wanted,) = clip(tmp_path / "lake", source)
    first = posters(tmp_path / "lake", [wanted], wall_s=30)[wanted["clip_id"]]
    assert first.uri is not None
    assert first.uri.startswith("data:image/webp;base64,")
    (kept,) = (tmp_path / "lake" / "artifacts" / "posters").rglob("*.webp")
    assert kept.name.startswith(f"{wanted['clip_id']}-")
    source.unlink()
    again = posters(tmp_path / "lake", [wanted], wall_s=0)[wanted["clip_id"]]
    assert again == first


@pytest.mark.heavy
def test_what_cannot_be_shown_says_why(tmp_path: Path) -> None:
    source = generate.plain(tmp_path / "a.mp4")
    damaged, gone, changed = (tmp_path / name for name in ("b.mp4", "gone.mp4", "changed.mp4"))
    damaged.write_bytes(b"\x00\x00\x00\x18ftypmp42" + b"\x00" * 200)
    gone.write_bytes(b"gone")
    changed.write_bytes(b"another")
    wanted = clip(tmp_path / "lake", gone, changed, damaged, source)
    gone.unlink()
    changed.write_bytes(b"the one")  # of the same size
    made = posters(tmp_path / "lake", wanted[:3], wall_s=30)
    told = [made[c["clip_id"]].reason for c in wanted[:3]]
    assert told == ["missing_file", "changed_file", "damaged_container"]
    assert posters(tmp_path / "lake", wanted[3:], wall_s=0)[wanted[3]["clip_id"]].reason == "out_of_time"


@pytest.mark.parametrize(
    "box", [(0.4, 0.3, 0.6, 0.7), (0, 0, 1, 1), (0, 0, 0.1, 0.1), (0.95, 0.9, 1, 1), (0.5, 0.5, 0.5, 0.5)]
)
@pytest.mark.parametrize("size", [(1080, 1920), (640, 360), (9, 16)])
def test_the_crop_lies_in_the_picture(box: tuple[float, ...], size: tuple[int, int]) -> None:
    image = np.zeros((*size, 3), np.uint8)
    part = cropped(image, box)
    assert part.shape[0] >= 1
    assert part.shape[1] >= 1
    if min(part.shape[:2]) > 50:
        assert part.shape[1] / part.shape[0] == pytest.approx(WIDTH_PX / HEIGHT_PX, rel=0.05)
