"""A preview is exactly the span, with its sound, on the clock of its outlines."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from review.sittings import FPS, playable_lake

from speakervid_dag.failures import PermanentFailure
from speakervid_dag.media.audio import read_audio
from speakervid_dag.media.budget import MediaBudget
from speakervid_dag.media.decode import read_frames
from speakervid_dag.media.probe import probe
from speakervid_dag.review.previews import preview
from speakervid_dag.review.subjects import Span


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(playable_lake(tmp_path_factory.mktemp("preview") / "lake").root)


def span(root: Path, start_s: float, end_s: float) -> Span:
    source = root.parent / "source.mp4"
    return Span("v1", start_s, end_s, ("/nowhere.mp4", str(source)), source.stat().st_size, "b1", "v1-c1")


def test_it_is_the_span_in_picture_and_sound(root: Path) -> None:
    made = preview(root, span(root, 5.0, 8.0))
    info = probe(made, MediaBudget())
    with read_frames(made, info, MediaBudget()) as frames:
        seen = [(f.time_s, float(f.image.mean())) for f in frames]
    with read_frames(
        root.parent / "source.mp4", probe(root.parent / "source.mp4", MediaBudget()), MediaBudget()
    ) as all_:
        level = {round(f.time_s * FPS): float(f.image.mean()) for f in all_}
    # pictures get lighter each tenth of a second: those from 5.0 s on, and none of 8.0 s
    expected = [level[int((5.0 + t) * FPS + 1e-3)] for t, _ in seen]
    assert [light for _, light in seen] == pytest.approx(expected, abs=1.0)
    assert (seen[0][0], seen[-1][0]) == pytest.approx((0.0, 3.0 - 1 / 25), abs=0.002)
    sound = read_audio(made, info, MediaBudget())
    assert len(sound) / 16_000 == pytest.approx(3.0, abs=0.1)
    assert np.sqrt(np.mean(sound**2)) == pytest.approx(0.3 / np.sqrt(2), rel=0.1)


def test_the_sound_that_the_stages_heard_is_taken_where_it_is_kept(root: Path) -> None:
    from speakervid_dag.media.wav import write_wav

    write_wav(root / "artifacts" / "audio" / "v1" / "v9.wav", np.zeros(16_000 * 20, np.float32), 16_000)
    made = preview(root, replace(span(root, 1.0, 3.0), video_id="v9"))
    assert np.abs(read_audio(made, probe(made, MediaBudget()), MediaBudget())).max() < 0.01


def test_another_span_is_another_file_and_the_same_one_is_made_once(root: Path) -> None:
    first = preview(root, span(root, 0.0, 1.0))
    changed = first.stat().st_mtime_ns
    assert preview(root, span(root, 0.0, 1.0)) == first
    assert first.stat().st_mtime_ns == changed
    assert preview(root, span(root, 0.0, 2.0)) != first


def test_what_cannot_be_shown_says_why(root: Path) -> None:
    plain = span(root, 0.5, 1.5)
    for wrong, reason in (
        (replace(plain, uris=("/nowhere.mp4",)), "missing_file"),
        (replace(plain, size_bytes=1), "source_changed"),
        (replace(plain, start_s=5000.0, end_s=5001.0), "no_pictures"),
    ):
        with pytest.raises(PermanentFailure) as failure:
            preview(root, wrong)
        assert failure.value.reason == reason
    assert not list((root / "artifacts").rglob(".tmp-*"))
