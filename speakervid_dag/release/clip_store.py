"""Cut clips, kept under the lake's artifacts by what they are made from: a second export finds them there.

Belongs here: the identity of a cut clip, cutting what is missing in parallel, why a clip cannot be had. Does not belong
here: which clips (samples), how a clip is cut (media/cut).

A clip is an MP4, a WAV where the video has sound, and a JSON file with its facts, which is written last: it is there
only when the clip is whole. So a killed export goes on with the clips that are missing.
"""

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.curation.clip_audio import Voice, clip_sound
from speakervid_dag.failures import PermanentFailure, StageFailure
from speakervid_dag.files import sha256_of, write_bytes
from speakervid_dag.lake.artifacts import kept_sound
from speakervid_dag.media import audio, cut, probe, wav
from speakervid_dag.media.budget import MediaBudget
from speakervid_dag.places import path_of
from speakervid_dag.release.samples import ClipSpec

LAYOUT = "v1"  # changes with how a clip is made, so that an old one is never taken for a new one
CLIPS_A_JOB = (
    16  # a decoding process serves so many; fewer and its start costs, more and the end of an export is lonely
)
READ_ONLY = 0o444  # releases may be hard links to these files

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class StoredClip:
    """A clip on disk. `start_s`: its first picture, which is at or after the start that was asked for."""

    video: Path
    sound: Path | None
    start_s: float
    frames: int
    width_px: int
    height_px: int
    is_stream_copy: bool
    video_sha256: str
    sound_sha256: str | None


@dataclass(frozen=True)
class Missing:
    """A clip that cannot be had, and why."""

    reason: str
    detail: str


@dataclass(frozen=True)
class ClipStore:
    """The cut clips of a lake.

    Args:
        is_cropped: False copies the whole picture's packets where the source allows, else it is encoded.
    """

    lake_dir: Path
    encoding: cut.Encoding
    is_cropped: bool = True
    budget: MediaBudget = field(default_factory=MediaBudget)

    def stem(self, spec: ClipSpec) -> Path:
        """Path without suffix; named by our own ids and by what the clip is made from."""
        recipe = {
            "source": spec.row["sha256"],
            "span": [spec.start_s, spec.end_s],
            "box": spec.box if self.is_cropped else None,
            "voice": spec.voice,
            "is_silent": spec.is_silent,
            "turns": [asdict(turn) for turn in spec.turns],
            "encoding": self.encoding.as_dict(),
        }
        digest = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:24]
        folder = self.lake_dir / "artifacts" / "clips" / LAYOUT / digest[:2]
        return folder / f"{spec.row['video_id']}-{digest}"

    def find(self, spec: ClipSpec) -> StoredClip | None:
        """The clip, if it was cut before."""
        stem = self.stem(spec)
        told = stem.with_suffix(".json")
        if not told.is_file():
            return None
        facts = json.loads(told.read_bytes())
        sound = stem.with_suffix(".wav") if facts["sound_sha256"] else None
        return StoredClip(stem.with_suffix(".mp4"), sound, **facts)

    def cut_all(
        self, specs: Iterable[ClipSpec], workers: int, advanced: Callable[[int], None] = lambda count: None
    ) -> dict[str, StoredClip | Missing]:
        """Key → clip, cut where it is not there yet. `advanced` hears of clips as they are done.

        Raises:
            OSError: the disk is full, and the like; the clips that were finished stay.
        """
        unique = {spec.key: spec for spec in specs}
        found: dict[str, StoredClip | Missing] = {}
        for key, spec in unique.items():
            if (kept := self.find(spec)) is not None:
                found[key] = kept
        advanced(len(found))
        jobs = _jobs([spec for key, spec in unique.items() if key not in found], workers)
        sources = _Sources(self.budget)
        with ThreadPoolExecutor(max_workers=workers) as pool:
            running = {pool.submit(lambda j=job: list(self._cut_job(j, sources, advanced))) for job in jobs}  # type: ignore[misc]
            with ExitStack() as failing:
                failing.callback(pool.shutdown, wait=False, cancel_futures=True)
                while running:
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    for future in done:
                        found |= dict(future.result())
                failing.pop_all()
        return found

    def _cut_job(
        self, specs: Sequence[ClipSpec], sources: "_Sources", advanced: Callable[[int], None]
    ) -> Iterator[tuple[str, StoredClip | Missing]]:
        """The clips of one source."""
        left = list(specs)
        try:
            source, info = sources.find(specs[0].row)
            heard = _Heard(self.lake_dir, source, info, self.budget, self.encoding.rate_hz)
            for spec, (done, sound) in zip(specs, self._cut(source, info, heard, specs), strict=True):
                left.remove(spec)
                yield spec.key, self._kept(spec, done, sound)
                advanced(1)
        except StageFailure as failure:
            yield from ((spec.key, Missing(failure.reason, failure.detail)) for spec in left)
            advanced(len(left))

    def _cut(
        self, source: Path, info: probe.MediaInfo, heard: "_Heard", specs: Sequence[ClipSpec]
    ) -> Iterator[tuple[cut.Done, Samples | None]]:
        """Each clip's MP4, and its sound from the first picture on."""
        how, rate_hz = self.encoding, self.encoding.rate_hz
        cuts = [
            cut.Cut(self.stem(s).with_suffix(".mp4"), s.start_s, s.end_s, s.box if self.is_cropped else None)
            for s in specs
        ]
        sounds = [heard.clip(s, s.start_s, round((s.end_s - s.start_s + 1 / how.fps) * rate_hz)) for s in specs]
        with TemporaryDirectory() as folder:
            paths: list[Path | None] = []
            for spec, samples in zip(specs, sounds, strict=True):
                is_silent = spec.is_silent or samples is None
                paths.append(None if is_silent else Path(folder) / f"{len(paths)}.wav")
                if paths[-1] is not None and samples is not None:
                    wav.write_wav(paths[-1], samples, rate_hz)
            is_copied = not self.is_cropped and cut.can_copy(info)
            made = (
                cut.copy_clips(source, info, self.budget, cuts, paths)
                if is_copied
                else cut.cut_clips(source, info, self.budget, cuts, paths, how)
            )
            for spec, done, samples in zip(specs, made, sounds, strict=True):
                zero, first, after = (round(time_s * rate_hz) for time_s in (spec.start_s, done.start_s, done.end_s))
                yield done, None if samples is None else samples[first - zero : after - zero]

    def _kept(self, spec: ClipSpec, done: cut.Done, sound: Samples | None) -> StoredClip | Missing:
        """Writes what lies beside the MP4; the facts last."""
        if done.failure is not None:
            return Missing(done.failure.reason, done.failure.detail)
        stem = self.stem(spec)
        video, heard = stem.with_suffix(".mp4"), stem.with_suffix(".wav") if sound is not None else None
        if heard is not None and sound is not None:
            wav.write_wav(heard, sound, self.encoding.rate_hz)
            heard.chmod(READ_ONLY)
        video.chmod(READ_ONLY)
        facts: dict[str, Any] = {
            "start_s": done.start_s,
            "frames": done.frames,
            "width_px": done.width_px,
            "height_px": done.height_px,
            "is_stream_copy": done.is_stream_copy,
            "video_sha256": sha256_of(video),
            "sound_sha256": sha256_of(heard) if heard else None,
        }
        write_bytes(stem.with_suffix(".json"), json.dumps(facts).encode())
        return StoredClip(video, heard, **facts)


class _Sources:
    """Where sources lie and what is in them; each is probed once, however many workers cut from it."""

    def __init__(self, budget: MediaBudget) -> None:
        self._budget = budget
        self._locks: defaultdict[str, Lock] = defaultdict(Lock)
        self._known: dict[str, tuple[Path, probe.MediaInfo]] = {}

    def find(self, row: Mapping[str, Any]) -> tuple[Path, probe.MediaInfo]:
        """Raises PermanentFailure: missing_file, changed_file; and see `probe`."""
        video_id = row["video_id"]
        with self._locks[video_id]:
            if video_id not in self._known:
                source = next((path for path in map(path_of, row["uris"]) if path.is_file()), None)
                if source is None:
                    raise PermanentFailure("missing_file", f"{row['source_name']} is not where it was")
                if source.stat().st_size != row["size_bytes"]:
                    told = f"{row['source_name']} has another size than when it was curated"
                    raise PermanentFailure("changed_file", told)
                self._known[video_id] = (source, probe.probe(source, self._budget))
            return self._known[video_id]


class _Heard:
    """A source's sound, from the lake's artifact where there is one."""

    def __init__(self, lake_dir: Path, source: Path, info: probe.MediaInfo, budget: MediaBudget, rate_hz: int) -> None:
        self._source, self._info, self._budget, self._rate_hz = source, info, budget, rate_hz
        self._lake_dir = lake_dir
        self._whole: Samples | None = None

    def clip(self, spec: ClipSpec, start_s: float, count: int) -> Samples | None:
        """(count,) samples from `start_s` on, other voices silenced; None where the video has no sound."""
        if not self._info.has_audio:
            return None
        rate_hz, first = self._rate_hz, round(start_s * self._rate_hz)
        samples = self._slice(spec.row["video_id"], first, count)
        # turns on the grid of the slice: whole samples, so that nothing is rounded twice
        turns = [
            Voice(
                t.speaker_id,
                (round(t.start_s * rate_hz) - first) / rate_hz,
                (round(t.end_s * rate_hz) - first) / rate_hz,
            )
            for t in spec.turns
        ]
        return clip_sound(samples, rate_hz, (0.0, count / rate_hz), spec.voice, turns)

    def _slice(self, video_id: str, first: int, count: int) -> Samples:
        kept = kept_sound(self._lake_dir, video_id)
        if kept.is_file():
            return wav.read_wav(kept, first / self._rate_hz, (first + count) / self._rate_hz)[0]
        if self._whole is None:
            self._whole = audio.read_audio(self._source, self._info, self._budget, self._rate_hz)
        return self._whole[first : first + count]


def _jobs(specs: Sequence[ClipSpec], workers: int) -> list[list[ClipSpec]]:
    """Clips of one source that lie near each other, in rising time; few enough to give every worker some."""
    size = max(1, min(CLIPS_A_JOB, -(-len(specs) // workers)))
    order = sorted(specs, key=lambda s: (s.row["video_id"], s.start_s, s.key))
    groups = (list(group) for _, group in groupby(order, key=lambda s: s.row["video_id"]))
    return [group[i : i + size] for group in groups for i in range(0, len(group), size)]


def default_workers() -> int:
    """One encoder a core."""
    return len(os.sched_getaffinity(0))
