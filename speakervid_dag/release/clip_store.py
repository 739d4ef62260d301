"""Cut clips, kept under the lake's artifacts by a hash of their inputs, so that later exports reuse them.

Belongs here: the identity of a cut clip, cutting missing clips in parallel, why a clip is unavailable. Does not belong
here: which clips (samples), their inputs (inputs), how a clip is cut (media/cut).

A clip is an MP4, a WAV if the video has sound, and a JSON file with its facts. The JSON is written last: it exists only
if the clip is complete and was cut from the video's own bytes. An export after a killed one therefore cuts only the
missing clips. A clip's files may be hard links of a release and be changed there, so they are checked before reuse.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from speakervid_dag.failures import StageFailure
from speakervid_dag.files import sha256_of, write_bytes
from speakervid_dag.lake.artifacts import cut_folder
from speakervid_dag.lake.sources import Sources
from speakervid_dag.media import cut, probe, wav
from speakervid_dag.media.budget import MediaBudget
from speakervid_dag.release.inputs import Heard, Inputs, Samples
from speakervid_dag.release.samples import ClipSpec
from speakervid_dag.stages.progress import NoTally, Tally

CLIPS_A_JOB = 16  # per decoding process; fewer: start-up dominates; more: the last worker runs alone
READ_ONLY = 0o444  # releases may be hard links to these files


@dataclass(frozen=True)
class StoredClip:
    """A clip on disk. `start_s`: its first picture, at or after the requested start."""

    video: Path
    sound: Path | None
    start_s: float
    frames: int
    width_px: int
    height_px: int
    is_stream_copy: bool
    video_sha256: str
    sound_sha256: str | None

    @property
    def files(self) -> list[tuple[Path, str]]:
        """Return its files, each with its SHA-256."""
        hashes = [(self.video, self.video_sha256), (self.sound, self.sound_sha256)]
        return [(path, sha256) for path, sha256 in hashes if path is not None and sha256 is not None]

    def seen(self) -> list[list[int] | None]:
        """Return size and time of its files (bytes, ns since the epoch); None for a missing one."""
        paths = [path for path, _ in self.files]
        return [[s.st_size, s.st_mtime_ns] if (s := _stat(path)) else None for path in paths]

    def is_intact(self) -> bool:
        """Return whether its files are unchanged since they were cut."""
        return all(path.is_file() and sha256_of(path) == sha256 for path, sha256 in self.files)


@dataclass(frozen=True)
class Missing:
    """An unavailable clip, and why."""

    reason: str
    detail: str


@dataclass(frozen=True)
class ClipStore:
    """The cut clips of a lake.

    Args:
        is_cropped: False keeps the whole picture, copied without re-encoding if the source allows.
    """

    lake_dir: Path
    encoding: cut.Encoding
    is_cropped: bool = True
    budget: MediaBudget = field(default_factory=MediaBudget)

    def stem(self, spec: ClipSpec) -> Path:
        """Return the path without suffix, named by the video id and a hash of the clip's inputs."""
        recipe = {
            "source": spec.row["sha256"],
            "span": [spec.start_s, spec.end_s],
            "box": spec.box if self.is_cropped else None,
            "voice": spec.voice,
            "is_silent": spec.is_silent,
            "sound": spec.row["sound_taken"],
            "turns": [asdict(turn) for turn in spec.turns],
            "encoding": self.encoding.as_dict(),
        }
        digest = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:24]
        folder = cut_folder(self.lake_dir, "clips") / digest[:2]
        return folder / f"{spec.row['video_id']}-{digest}"

    def find(self, spec: ClipSpec) -> StoredClip | None:
        """Return the clip if it was cut before and its files are unchanged; else None."""
        stem = self.stem(spec)
        told = stem.with_suffix(".json")
        if not told.is_file():
            return None
        facts = json.loads(told.read_bytes())
        seen = facts.pop("seen")
        sound = stem.with_suffix(".wav") if facts["sound_sha256"] else None
        clip = StoredClip(stem.with_suffix(".mp4"), sound, **facts)
        if (now := clip.seen()) == seen:
            return clip
        if not clip.is_intact():
            return None
        write_bytes(told, json.dumps({**facts, "seen": now}).encode())
        return clip

    def cut_all(
        self, specs: Iterable[ClipSpec], sources: Sources, workers: int, tally: Tally | None = None
    ) -> dict[str, StoredClip | Missing]:
        """Return key → clip; missing clips are cut. `tally` receives progress on checked sources, then on clips.

        Raises:
            OSError: for example, the disk is full; finished clips stay.
        """
        unique, tally = {spec.key: spec for spec in specs}, tally or NoTally()
        found: dict[str, StoredClip | Missing] = {}
        for key, spec in unique.items():
            if (kept := self.find(spec)) is not None:
                found[key] = kept
        left = [spec for key, spec in unique.items() if key not in found]
        inputs = Inputs(sources, self.budget)
        with ThreadPoolExecutor(max_workers=workers) as pool, ExitStack() as failing:
            failing.callback(pool.shutdown, wait=False, cancel_futures=True)
            videos = sorted({spec.row["video_id"] for spec in left})
            if videos:
                tally.began("sources", len(videos))
            for _ in pool.map(inputs.look_at, videos):
                tally.advanced(1)
            tally.began("clips", len(unique))
            tally.advanced(len(found))
            jobs = _jobs(left, workers)
            running = {pool.submit(lambda j=job: list(self._cut_job(j, inputs, tally))) for job in jobs}  # type: ignore[misc]
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    found |= dict(future.result())
            failing.pop_all()
        return found

    def _cut_job(
        self, specs: Sequence[ClipSpec], inputs: Inputs, tally: Tally
    ) -> Iterator[tuple[str, StoredClip | Missing]]:
        """Yield the clips of one source."""
        left, video_id = list(specs), specs[0].row["video_id"]
        try:
            source, info = inputs.find(video_id)
            heard = Heard(self.lake_dir, source, info, self.budget, self.encoding.rate_hz)
            for spec, (done, sound) in zip(specs, self._cut(source, info, heard, specs), strict=True):
                inputs.check(video_id)  # a clip of other bytes is not kept
                left.remove(spec)
                yield spec.key, self._kept(spec, done, sound)
                tally.advanced(1)
        except StageFailure as failure:
            yield from ((spec.key, Missing(failure.reason, failure.detail)) for spec in left)
            tally.advanced(len(left))

    def _cut(
        self, source: Path, info: probe.MediaInfo, heard: Heard, specs: Sequence[ClipSpec]
    ) -> Iterator[tuple[cut.Done, Samples | None]]:
        """Yield the result of cutting each clip, and its sound from the first picture on."""
        how, rate_hz = self.encoding, self.encoding.rate_hz
        cuts = [
            cut.ClipCut(self.stem(s).with_suffix(".mp4"), s.start_s, s.end_s, s.box if self.is_cropped else None)
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
            is_steady = all(spec.row.get("geometries") in (None, 1) for spec in specs)
            is_copied = not self.is_cropped and is_steady and cut.can_copy(info)
            made = (
                cut.copy_clips(source, info, self.budget, cuts, paths)
                if is_copied
                else cut.cut_clips(source, info, self.budget, cuts, paths, how)
            )
            for spec, done, samples in zip(specs, made, sounds, strict=True):
                zero, first, after = (round(time_s * rate_hz) for time_s in (spec.start_s, done.start_s, done.end_s))
                yield done, None if samples is None else samples[first - zero : after - zero]

    def _kept(self, spec: ClipSpec, done: cut.Done, sound: Samples | None) -> StoredClip | Missing:
        """Write the files beside the MP4, the facts last."""
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
        clip = StoredClip(video, heard, **facts)
        write_bytes(stem.with_suffix(".json"), json.dumps({**facts, "seen": clip.seen()}).encode())
        return clip


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _jobs(specs: Sequence[ClipSpec], workers: int) -> list[list[ClipSpec]]:
    """Return jobs of neighbouring clips of one source, in rising time, small enough to give every worker some."""
    size = max(1, min(CLIPS_A_JOB, -(-len(specs) // workers)))
    order = sorted(specs, key=lambda s: (s.row["video_id"], s.start_s, s.key))
    groups = (list(group) for _, group in groupby(order, key=lambda s: s.row["video_id"]))
    return [group[i : i + size] for group in groups for i in range(0, len(group), size)]


def default_workers() -> int:
    """Return one encoder per available core."""
    return len(os.sched_getaffinity(0))
