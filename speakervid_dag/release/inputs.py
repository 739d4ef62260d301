"""Inputs of cut clips: sources, found by content and probed once per export, and their sound.

Belongs here: sharing those between the cutting threads. Does not belong here: paths of sources (lake/sources.py),
decoding (media/), clips (clip_store).
"""

from collections import defaultdict
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.curation.clips.sound import VoiceSpan, clip_sound
from speakervid_dag.failures import StageFailure
from speakervid_dag.lake.artifacts import kept_sound
from speakervid_dag.lake.sources import Sources
from speakervid_dag.media import audio, probe, wav
from speakervid_dag.media.budget import MediaBudget
from speakervid_dag.release.samples import ClipSpec, Row

Samples = NDArray[np.float32]


class Inputs:
    """Paths and facts of sources; each is found and probed once, however many workers cut from it."""

    def __init__(self, sources: Sources, budget: MediaBudget) -> None:
        self._sources, self._budget = sources, budget
        self._locks: defaultdict[str, Lock] = defaultdict(Lock)
        self._known: dict[str, tuple[Path, probe.MediaInfo] | StageFailure] = {}

    def look_at(self, video_id: str) -> None:
        """Find and probe a source; a failure is raised later, by `find`."""
        with self._locks[video_id]:
            if video_id not in self._known:
                try:
                    path = self._sources.path(video_id)
                    self._known[video_id] = (path, probe.probe(path, self._budget))
                except StageFailure as failure:
                    self._known[video_id] = failure

    def find(self, video_id: str) -> tuple[Path, probe.MediaInfo]:
        """Return path and facts. Raises PermanentFailure: missing_file, changed_file, unreadable_file; see `probe`."""
        self.look_at(video_id)
        found = self._known[video_id]
        if isinstance(found, StageFailure):
            raise found
        return found

    def check(self, video_id: str) -> None:
        """Raise PermanentFailure (changed_file, …) if the bytes read are not, or no longer, the video's."""
        self._sources.check_read(video_id, self.find(video_id)[0])


class Heard:
    """A source's sound, from the lake's artifact if there is one."""

    def __init__(self, lake_dir: Path, source: Path, info: probe.MediaInfo, budget: MediaBudget, rate_hz: int) -> None:
        self._source, self._info, self._budget, self._rate_hz = source, info, budget, rate_hz
        self._lake_dir = lake_dir
        self._whole: Samples | None = None

    def clip(self, spec: ClipSpec, start_s: float, count: int) -> Samples | None:
        """Return (count,) samples from `start_s` on, other voices silenced; None if no sound is usable."""
        if not self._info.has_audio or spec.row["sound_taken"] == []:
            return None
        rate_hz, first = self._rate_hz, round(start_s * self._rate_hz)
        samples = self._slice(spec.row, first, count)
        # turns in whole samples of the slice, so that nothing is rounded twice
        turns = [
            VoiceSpan(
                t.speaker_id,
                (round(t.start_s * rate_hz) - first) / rate_hz,
                (round(t.end_s * rate_hz) - first) / rate_hz,
            )
            for t in spec.turns
        ]
        return clip_sound(samples, rate_hz, (0.0, count / rate_hz), spec.voice, turns)

    def _slice(self, row: Row, first: int, count: int) -> Samples:
        kept = kept_sound(self._lake_dir, row["video_id"], row["sound_taken"])
        if wav.is_whole(kept):
            return wav.read_wav(kept, first / self._rate_hz, (first + count) / self._rate_hz)[0]
        if self._whole is None:
            taken = audio.taken_of(row["sound_taken"])
            self._whole = audio.read_audio(self._source, self._info, self._budget, self._rate_hz, taken)
        return self._whole[first : first + count]
