"""`write_video` writes the whole file or none, and says no to what it cannot hold."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import generate
import numpy as np
import pytest

from speakervid_dag.media.audio import read_audio
from speakervid_dag.media.budget import MediaBudget
from speakervid_dag.media.decode import read_frames
from speakervid_dag.media.encode import write_video
from speakervid_dag.media.probe import probe

pytestmark = pytest.mark.heavy

BUDGET = MediaBudget()


def test_a_failure_leaves_the_old_file_and_no_part(tmp_path: Path) -> None:
    def breaking() -> Iterator[tuple[float, np.ndarray]]:
        yield 0.0, generate.picture(0)
        raise RuntimeError("the source broke")

    (tmp_path / "a.mp4").write_bytes(b"old")
    with pytest.raises(RuntimeError, match="the source broke"):
        write_video(tmp_path / "a.mp4", breaking(), 25.0, generate.SIZE)
    assert (tmp_path / "a.mp4").read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def test_bad_input_is_refused(tmp_path: Path) -> None:
    path, image = tmp_path / "a.mp4", generate.picture(0)
    with pytest.raises(ValueError, match="frames"):
        write_video(path, [], 25.0, generate.SIZE)
    with pytest.raises(ValueError, match="rise"):
        write_video(path, [(0.0, image), (0.0, image)], 25.0, generate.SIZE)
    with pytest.raises(ValueError, match="uint8"):
        write_video(path, [(0.0, image[:, :-2])], 25.0, generate.SIZE)
    with pytest.raises(ValueError, match=r"rotation_deg\b.*\b45\b"):
        write_video(path, [(0.0, image)], 25.0, generate.SIZE, rotation_deg=45)
    with pytest.raises(ValueError, match=r"audio\b.*\(100, 3\)"):
        write_video(path, [(0.0, image)], 25.0, generate.SIZE, np.zeros((100, 3), np.float32))
    assert list(tmp_path.iterdir()) == []


def test_a_buffer_holds_what_a_file_would(tmp_path: Path) -> None:
    """The index in front, too, for which libav reads what it wrote."""
    tone = np.sin(np.arange(16_000) / 9).astype(np.float32)
    buffer = BytesIO()
    assert write_video(buffer, generate.pictures(generate.steady(25)), 25.0, generate.SIZE, tone) == 25
    data = buffer.getvalue()
    assert data.index(b"ftyp") < data.index(b"moov") < data.index(b"mdat")
    (tmp_path / "a.mp4").write_bytes(data)
    info = probe(tmp_path / "a.mp4", BUDGET)
    with read_frames(tmp_path / "a.mp4", info, BUDGET) as reader:
        assert [generate.number_of(frame.image) for frame in reader] == list(range(25))
    assert len(read_audio(tmp_path / "a.mp4", info, BUDGET)) >= 16_000
