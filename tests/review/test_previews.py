"""A preview is exactly the span, with its sound, on the clock of its outlines."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from review.sittings import FPS, file_at, playable_lake
from rows import BATCH

from speakervid_dag.failures import PermanentFailure
from speakervid_dag.lake.artifacts import kept_sound
from speakervid_dag.media.audio import read_audio
from speakervid_dag.media.budget import MediaBudget
from speakervid_dag.media.decode import read_frames
from speakervid_dag.media.probe import probe
from speakervid_dag.review.previews import preview
from speakervid_dag.review.subjects import Span

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(playable_lake(tmp_path_factory.mktemp("preview") / "lake").root)


def span(root: Path, start_s: float, end_s: float) -> Span:
    video_id = file_at(root.parent / "source.mp4").video_id
    return Span(video_id, start_s, end_s, BATCH, f"{video_id}-c1")


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

    twin = file_at(root.parent / "twin.mp4").video_id
    kept = kept_sound(root, twin, None)
    write_wav(kept, np.zeros(16_000 * 20, np.float32), 16_000)
    made = preview(root, replace(span(root, 1.0, 3.0), video_id=twin))
    assert np.abs(read_audio(made, probe(made, MediaBudget()), MediaBudget())).max() < 0.01
    kept.write_bytes(kept.read_bytes()[:-100_000])  # cut off: not taken for a sound that ends early
    made = preview(root, replace(span(root, 1.5, 3.0), video_id=twin))
    assert np.abs(read_audio(made, probe(made, MediaBudget()), MediaBudget())).max() > 0.2


def test_another_span_is_another_file_and_the_same_one_is_made_once(root: Path) -> None:
    first = preview(root, span(root, 0.0, 1.0))
    changed = first.stat().st_mtime_ns
    assert preview(root, span(root, 0.0, 1.0)) == first
    assert first.stat().st_mtime_ns == changed
    assert preview(root, span(root, 0.0, 2.0)) != first


def test_what_cannot_be_shown_says_why(root: Path) -> None:
    plain, twin = span(root, 0.5, 1.5), root.parent / "twin.mp4"
    of_twin = replace(plain, video_id=file_at(twin).video_id)
    assert reason_of(root, replace(plain, start_s=5000.0, end_s=5001.0)) == "no_pictures"
    twin.write_bytes(twin.read_bytes()[:-1] + b"f")  # of the same size
    assert reason_of(root, of_twin) == "changed_file"
    twin.unlink()
    assert reason_of(root, of_twin) == "missing_file"
    assert not list((root / "artifacts").rglob(".tmp-*"))


def reason_of(root: Path, wrong: Span) -> str:
    with pytest.raises(PermanentFailure) as failure:
        preview(root, wrong)
    return failure.value.reason
