"""Graded degradations of real clips: does each score move that should, at every grade, and does the rest stay?

    python tests/benchmarks/bench_degradations.py [--plot OUT.svg] MEDIA [MEDIA ...]

4 s of pictures from 1 s on and 12 s of sound of each file, degraded in memory by tests/curation/degraded.py, which also
says what must move; grade 0 is the clip itself. Prints a table of the scores that must move and one of those that
strayed. A minute a file and core.
"""

import argparse
import itertools
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "curation"))

import degraded
from benchmarks.bench_scores import BUDGET, LENGTH_S, PROFILE, measure_frames

from speakervid_dag.assets import backends
from speakervid_dag.curation.scores import sound as audio_measures
from speakervid_dag.curation.voices.diarization import speech_regions
from speakervid_dag.media.audio import read_audio
from speakervid_dag.media.decode import read_frames
from speakervid_dag.media.probe import probe
from speakervid_dag.models.vad import speech_probabilities
from speakervid_dag.rendering import svg
from speakervid_dag.rendering.markdown import table

START_S, SOUND_S = 1.0, 12
Series = dict[str, list[float | None]]  # score → value at each grade


class Frame(NamedTuple):
    time_s: float
    image: Any


def pictures(path: Path) -> tuple[list[Any], tuple[int, int], bool]:
    """25 frames a second of the clip, the size of the file, and whether the frames are smaller than that."""
    info, long_side_px = probe(path, BUDGET), PROFILE.tracking.long_side_px
    size = (info.width_px or 0, info.height_px or 0)
    with read_frames(path, info, BUDGET, max_long_side_px=long_side_px) as reader:
        seen = [f for f in itertools.takewhile(lambda f: f.time_s < START_S + LENGTH_S, reader) if f.time_s >= START_S]
    times = np.array([f.time_s for f in seen])
    wanted = START_S + np.arange(round(LENGTH_S * degraded.FPS)) / degraded.FPS
    at = np.searchsorted(times, wanted + 1e-6).clip(1, len(seen)) - 1
    return [seen[i].image for i in at], size, max(size) > long_side_px


def of_pictures(path: Path) -> dict[str, Series]:
    frames, size, is_shrunk = pictures(path)

    def measured(degradation: str, grade: int) -> dict[str, float | None]:
        images = degraded.PICTURE[degradation](frames, grade)
        shown = (Frame(i / degraded.FPS, image) for i, image in enumerate(images))
        scores, _ = measure_frames(shown, size, LENGTH_S, is_shrunk=is_shrunk)
        return {name: scores[name][0] for name in degraded.BANDS if name in scores}

    return {name: series(lambda grade, name=name: measured(name, grade)) for name in degraded.PICTURE}  # type: ignore[misc]


def of_sound(path: Path) -> dict[str, Series]:
    heard = read_audio(path, probe(path, BUDGET), BUDGET, degraded.RATE_HZ)[: SOUND_S * degraded.RATE_HZ]
    clean = np.clip(heard, -1, 1)  # lossy coding overshoots
    probabilities, hop_s = speech_probabilities(clean)
    regions = speech_regions(probabilities, hop_s, PROFILE.diarization)
    quality = backends.speech_quality(1)

    def measured(degradation: str, grade: int) -> dict[str, float | None]:
        sound = degraded.SOUND[degradation](clean, grade)
        (opinion,) = quality.score([sound])
        snr, clipped = audio_measures.snr_db(sound, degraded.RATE_HZ, regions), audio_measures.clipping_share(sound)
        return {"snr_db": snr[0], "clipping_share": clipped[0], "dnsmos_ovrl": opinion.ovrl, "dnsmos_bak": opinion.bak}

    return {name: series(lambda grade, name=name: measured(name, grade)) for name in degraded.SOUND}  # type: ignore[misc]


def series(measured: Callable[[int], dict[str, float | None]]) -> Series:
    grades = [measured(grade) for grade in range(degraded.GRADES)]
    return {score: [grade.get(score) for grade in grades] for score in sorted(set().union(*grades))}


def tell(found: dict[str, list[Series]]) -> None:
    """Both tables, as Markdown."""
    moved = []
    for name, clips in found.items():
        for score, way in degraded.MOVES[name].items():
            there = [c[score] for c in clips if c.get(score, [None])[0] is not None]
            right = sum(degraded.is_monotone(values, way) for values in there)
            moved.append((name, f"{score} {way}", medians(there), f"{right} of {len(there)}"))
    print(
        "",
        table(["degradation", "score", "median at grades 0-3", "clips in which every grade moves it"], moved),
        sep="\n",
    )
    strays = []
    for name, clips in found.items():
        told: dict[bool, list[str]] = {True: [], False: []}
        for score in degraded.BANDS.keys() - degraded.MOVES[name].keys():
            drifts = [degraded.drift(c[score]) for c in clips if score in c]
            strayed = sum(d > degraded.BANDS[score] for d in drifts)
            if strayed:
                told[score in degraded.COUPLED[name]].append(f"{score} {strayed}/{len(drifts)} (to {max(drifts):.2g})")
        strays.append((name, ", ".join(sorted(told[False])) or "none", ", ".join(sorted(told[True])) or "none"))
    print("", table(["degradation", "beyond its band, in clips", "of them coupled by nature"], strays), sep="\n")


def medians(rows: list[list[float | None]]) -> str:
    columns = ([v for v in column if v is not None] for column in zip(*rows, strict=True))
    return " → ".join(f"{median(column):.3g}" if column else "–" for column in columns)


def plot(found: dict[str, list[Series]]) -> bytes:
    """An SVG: one small chart for each score that must move, a line a clip, dashed where it fails to."""
    charts = [(name, score, way) for name in found for score, way in degraded.MOVES[name].items()]
    picture = svg.canvas(960, (len(charts) + 4) // 5 * 150, "Scores by grade of degradation")
    for number, (name, score, way) in enumerate(charts):
        x, y = number % 5 * 190 + 10, number // 5 * 150 + 10
        rows = [c[score] for c in found[name] if score in c and None not in c[score]]
        values = [v for row in rows for v in row if v is not None]
        low, high = (min(values), max(values)) if values else (0.0, 1.0)
        step = 110 / ((high - low) or 1)
        chart = svg.add(picture, "g", transform=f"translate({x} {y})")
        svg.add(chart, "rect", width=170, height=110)
        svg.add(chart, "text", f"{name}: {score}", x=0, y=126)
        svg.add(chart, "text", f"{high:.3g}", x=4, y=12)
        svg.add(chart, "text", f"{low:.3g}", x=4, y=106)
        for row in rows:
            points = " ".join(f"{i * 40 + 40},{110 - (v - low) * step:.1f}" for i, v in enumerate(row) if v is not None)
            svg.add(chart, "polyline", points=points, class_="right" if degraded.is_monotone(row, way) else "wrong")
    style = "text{font:11px sans-serif;fill:#667}rect{fill:none;stroke:#99a}polyline{fill:none;stroke:#37a;opacity:.7}"
    return svg.standalone(picture, f"{style}.wrong{{stroke-dasharray:3}}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("media", nargs="+", type=Path)
    parser.add_argument("--plot", type=Path, help="also draw the first table")
    options = parser.parse_args()
    found: dict[str, list[Series]] = defaultdict(list)
    for path in options.media:
        for name, measured in (of_pictures(path) | of_sound(path)).items():
            found[name].append(measured)
        print(path.name, file=sys.stderr, flush=True)
    tell(found)
    if options.plot:
        options.plot.write_bytes(plot(found))


if __name__ == "__main__":
    main()
