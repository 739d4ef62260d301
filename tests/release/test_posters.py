"""Posters: cropped to the person, kept, and never an error."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from speakervid_dag.release.posters import HEIGHT_PX, WIDTH_PX, cropped, posters
from tests.media import generate


def clip(source: Path, **values: Any) -> dict[str, Any]:
    plain = {"clip_id": "v0-c1", "video_id": "v0", "start_s": 0.4, "end_s": 1.2, "video_start_s": 0.0}
    size = source.stat().st_size if source.exists() else 0
    box = {"x1": 0.2, "y1": 0.2, "x2": 0.6, "y2": 0.8}
    return {**plain, **box, "uris": ["/nowhere/first.mp4", str(source)], "size_bytes": size, **values}


def test_a_poster_is_made_once_and_kept(tmp_path: Path) -> None:
    source = generate.plain(tmp_path / "a.mp4")
    first = posters(tmp_path / "lake", [clip(source)], wall_s=30)["v0-c1"]
    assert first.uri is not None
    assert first.uri.startswith("data:image/webp;base64,")
    (kept,) = (tmp_path / "lake" / "artifacts" / "posters").rglob("*.webp")
    assert kept.name.startswith("v0-c1-")
    size = source.stat().st_size
    source.unlink()
    again = posters(tmp_path / "lake", [clip(source, size_bytes=size)], wall_s=0)["v0-c1"]
    assert again == first


def test_what_cannot_be_shown_says_why(tmp_path: Path) -> None:
    source = generate.plain(tmp_path / "a.mp4")
    damaged = tmp_path / "b.mp4"
    damaged.write_bytes(b"\x00\x00\x00\x18ftypmp42" + b"\x00" * 200)
    wanted = [
        clip(tmp_path / "gone.mp4", clip_id="v1-c1", video_id="v1"),
        clip(source, clip_id="v2-c1", video_id="v2", size_bytes=1),
        clip(damaged, clip_id="v3-c1", video_id="v3"),
    ]
    made = posters(tmp_path / "lake", wanted, wall_s=30)
    assert {c: p.reason for c, p in made.items()} == {
        "v1-c1": "missing_file",
        "v2-c1": "source_changed",
        "v3-c1": "damaged_container",
    }
    assert posters(tmp_path / "lake", [clip(source)], wall_s=0)["v0-c1"].reason == "out_of_time"


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
