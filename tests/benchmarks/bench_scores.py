"""Scores of real clips against their degraded copies, and what each part of the picture pass costs.

    python tests/benchmarks/bench_scores.py MEDIA [MEDIA ...]

Each file is cut to 4 s from 1 s on and coded anew: good (CRF 20), blurred (sigma = height / 45), CRF 51, shaken,
one picture of it standing still, 12 frames a second shown at 25.
Prints a table of scores and the seconds per second of video, against detector and mesh. Minutes on two cores.
"""

import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np

from speakervid_dag.assets import backends
from speakervid_dag.config.profiles import load_profile
from speakervid_dag.curation.frames.frame_pass import FacePass
from speakervid_dag.curation.frames.log import ShotSpan
from speakervid_dag.curation.scores import camera as camera_measures
from speakervid_dag.curation.scores import person as person_measures
from speakervid_dag.curation.scores import picture as picture_measures
from speakervid_dag.media.budget import MediaBudget
from speakervid_dag.media.decode import read_frames
from speakervid_dag.media.probe import probe

LENGTH_S, BUDGET = 4.0, MediaBudget()
EVEN = "scale=trunc(iw/2)*2:trunc(ih/2)*2"
SHAKE = "scale=iw*6/5:-2,crop=iw*5/6:ih*5/6:x='(iw-ow)/2*(1+sin(n*2.3))':y='(ih-oh)/2*(1+sin(n*3.1+1))'," + EVEN
STILL = f"{EVEN},loop=200:1:0,setpts=N/25/TB,fps=25"
SCORES = (
    "face_blur",
    "face_repeat_share",
    "point_track_ratio",
    "freeze_share",
    "blur_effect",
    "noise_sigma",
    "luminance",
    "text_share",
)
PROFILE = load_profile("laptop")


class NoIdentity:
    """The embedder is no score: it would only cost time."""

    def embed(self, image: Any, points_px: Any) -> Any:
        return np.eye(128, dtype=np.float32)[0]


def copies(source: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    height = probe(source, BUDGET).height_px or 0
    recipes = {"good": (EVEN, 20), "blur": (f"{EVEN},gblur=sigma={height / 45:.1f}", 23), "crf51": (EVEN, 51)}
    recipes |= {"shake": (SHAKE, 23), "still": (STILL, 20), "12fps": (f"{EVEN},fps=12,fps=25", 20)}
    for name, (filters, crf) in recipes.items():
        made = folder / f"{source.stem}_{name}.mp4"
        cut = ["-v", "error", "-y", "-ss", "1", "-t", str(LENGTH_S), "-i", f"file:{source}", "-vf", filters, "-an"]
        code = ["-t", str(LENGTH_S), "-c:v", "libx264", "-preset", "veryfast", "-crf", str(crf), f"file:{made}"]
        subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), *cut, *code], check=True)
        yield name, made


def measure(path: Path) -> tuple[dict[str, Any], dict[str, float]]:
    """(score → (value, status)) of the longest track of a file, and the seconds spent in each part."""
    info, tracking = probe(path, BUDGET), PROFILE.tracking
    is_shrunk = max(info.width_px or 0, info.height_px or 0) > tracking.long_side_px
    full_hz = PROFILE.sampling.full_hz
    with read_frames(path, info, BUDGET, max_long_side_px=tracking.long_side_px, full_hz=full_hz) as reader:
        return measure_frames(reader, (info.width_px or 0, info.height_px or 0), LENGTH_S, is_shrunk=is_shrunk)


def measure_frames(
    frames: Iterable[Any], size_px: tuple[int, int], length_s: float, *, is_shrunk: bool
) -> tuple[dict[str, Any], dict[str, float]]:
    """The same of one shot's frames (`time_s`, `image`, `full`); `size_px` of the file."""
    tracking = PROFILE.tracking
    detector = backends.face_detector(None, tracking.detector_long_side_px, tracking.min_detection_score, 1)
    faces = FacePass(
        "v", [ShotSpan("s", 0.0, length_s, is_shrunk)], tracking, PROFILE.identity, PROFILE.liveness, PROFILE.sampling,
        detector, backends.face_mesh(1), NoIdentity(), backends.person_models(1),
        text=backends.text_detector(1),
    )  # fmt: skip
    found = faces.run(frames)
    plain = [{k: v.to_list() if hasattr(v, "to_list") else v for k, v in r.items()} for r in found.frames]
    span, video = (0.0, length_s), {"width_px": size_px[0], "height_px": size_px[1]}
    scores = {"face_count_consistency": picture_measures.face_count(plain[0], span, PROFILE.scores, "-")}
    scores |= camera_measures.picture_scores(plain[0], span, PROFILE.scores, (), "-")
    if found.tracks:
        best = max(range(len(found.tracks)), key=lambda i: len(found.tracks[i]["frame_times_s"]))
        track, pose = (
            {k: v.to_list() if hasattr(v, "to_list") else v for k, v in rows[best].items()}
            for rows in (found.tracks, found.poses)
        )
        scores |= picture_measures.region_measures(track, span, PROFILE.scores)
        picture = picture_measures.picture_box(plain[0])
        scores |= picture_measures.face_measures(track, span, video, PROFILE.scores, picture)
        scores |= person_measures.person_scores(pose, track, plain[0], span, video, PROFILE.scores)
    return scores, found.spent_s


def shown(measured: tuple[Any, str] | None) -> str:
    if measured is None:
        return "no_face"
    value, status = measured
    return status if value is None else f"{value:.3f}"


def main(paths: list[str]) -> None:
    spent: Counter[str] = Counter()
    clips = 0
    print(f"{'clip':44}" + "".join(f"{name:>19}" for name in SCORES))
    with tempfile.TemporaryDirectory() as folder:
        for source in map(Path, paths):
            for name, made in copies(source, Path(folder)):
                scores, seconds = measure(made)
                spent.update(seconds)
                clips += 1
                print(f"{source.stem[:34]:36}{name:8}" + "".join(f"{shown(scores.get(s)):>19}" for s in SCORES))
    faces = spent["detector"] + spent["mesh"]
    for part, seconds in spent.most_common():
        print(
            f"{part:16}{seconds / (clips * LENGTH_S):8.4f} s per s of video{seconds / faces:8.2f} x detector and mesh"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
