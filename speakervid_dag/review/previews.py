"""Previews: the part of a video that a question is about, as a small MP4 under the lake's artifacts.

Belongs here: which part, the cache, cutting. Does not belong here: serving (server.py), exports (release/).

The whole picture is kept, not a person's crop: only there can a reviewer see whether the right person is outlined. Both
sides of a pair are in one video, so one file plays them in sync.
"""

import hashlib
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
from numpy.typing import NDArray

from speakervid_dag.failures import StageFailure
from speakervid_dag.lake.artifacts import cut_folder, kept_sound
from speakervid_dag.lake.batches import BatchBook
from speakervid_dag.lake.schemas import VIDEOS
from speakervid_dag.lake.sources import Sources
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.media.audio import read_audio, taken_of
from speakervid_dag.media.budget import MediaBudget
from speakervid_dag.media.cut import ClipCut, Encoding, cut_clips
from speakervid_dag.media.probe import MediaInfo, probe
from speakervid_dag.media.wav import is_whole, read_wav, write_wav
from speakervid_dag.review.subjects import Span

ENCODING = Encoding(max_long_side_px=960, crf=23)

_cutting: dict[Path, threading.Lock] = {}
_registry = threading.Lock()


def preview(lake_dir: Path, span: Span) -> Path:
    """Return the file of this span, cut if it is missing; a second caller waits for the first.

    Raises:
        PermanentFailure: missing_file, changed_file, unreadable_file, no_pictures, and the reasons of media/.
    """
    target = cut_folder(lake_dir, "previews") / _name(span)
    with _registry:
        mine = _cutting.setdefault(target, threading.Lock())
    with mine:
        if not target.is_file():
            _cut(lake_dir, span, target)
    return target


def _cut(lake_dir: Path, span: Span, target: Path) -> None:
    sources = Sources.of(BatchBook(lake_dir), [span.batch])
    source = sources.path(span.video_id)
    budget = MediaBudget()
    info = probe(source, budget)

    count = round((span.end_s - span.start_s + 1 / ENCODING.fps) * ENCODING.rate_hz)
    samples = _sound(lake_dir, source, info, budget, (span, count))
    with TemporaryDirectory() as folder:
        sound = None if samples is None else Path(folder) / "sound.wav"
        if sound is not None and samples is not None:
            write_wav(sound, samples, ENCODING.rate_hz)
        (done,) = cut_clips(source, info, budget, [ClipCut(target, span.start_s, span.end_s, None)], [sound], ENCODING)
    if done.failure is not None:
        raise done.failure
    try:
        sources.check_read(span.video_id, source)
    except StageFailure:
        target.unlink()  # it may show another video
        raise


def _sound(
    lake_dir: Path, source: Path, info: MediaInfo, budget: MediaBudget, part: tuple[Span, int]
) -> NDArray[np.float32] | None:
    """Return the sound of all voices, (count,), padded with silence; None if the video has no usable sound."""
    span, count = part
    rows = DeltaLake(str(lake_dir)).read(VIDEOS, batches=[span.batch], where=pl.col("video_id") == span.video_id)
    taken = rows["sound_taken"].to_list()[0] if rows.height else None
    if info.audio_index is None or taken == []:
        return None
    kept = kept_sound(lake_dir, span.video_id, taken)
    if is_whole(kept):
        heard = read_wav(kept, span.start_s, span.start_s + count / ENCODING.rate_hz)[0]
    else:
        first = round(span.start_s * ENCODING.rate_hz)
        heard = read_audio(source, info, budget, ENCODING.rate_hz, taken_of(taken))[first : first + count]
    samples = np.zeros(count, np.float32)
    samples[: len(heard)] = heard[:count]
    return samples


def _name(span: Span) -> str:
    """Return the file name: our video id and a hash of the span."""
    told = f"{span.start_s:.3f}-{span.end_s:.3f}"
    return f"{span.video_id}-{hashlib.sha256(told.encode()).hexdigest()[:12]}.mp4"
