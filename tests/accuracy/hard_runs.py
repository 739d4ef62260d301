"""The run of the hard composites, and its figures by variant.

Belongs here: making them, running them under each talking network, a row of figures per variant. Does not belong here:
how composites are made (hard_kit.py), a run and its tables (product_runs.py), how a figure is computed (face_scores.py,
score.py), what must hold (test_hard.py).
"""

import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import polars as pl
from face_scores import face_figures, sure_frames, sure_times
from hard_kit import VARIANTS, compose
from labelled import ALL, Figures, LabelledVideo, Row, Tables, labelled_videos, video_recordings
from product_runs import ProductRuns, Report, linked_weights
from real_runs import NETWORKS, read_tables
from real_scores import file_table
from speech_scores import speech_figures

from speakervid_dag.config.profiles import load_profile
from speakervid_dag.curation.speaking.talking_series import LIP_NETWORK
from speakervid_dag.lake.schemas.measures import scores

# columns of the table: figures of face_scores.py, speech_scores.py, score.py and of here; several of them in one cell
COLUMNS = {
    "DER 0": ("speech.der.all",),
    "DER .25": ("speech.der_collar.all",),
    "counts": ("speech.speakers.count_right", "speech.speakers.files"),
    "frames": ("videos.frames.frames",),
    "right": ("videos.frames.right_share",),
    "wrong of bound": ("videos.frames.wrong_of_bound",),
    "abstained": ("videos.frames.abstained_share",),
    "turns r w a": ("turns.right", "turns.wrong", "turns.abstained"),
    "listening P R": ("listening.precision", "listening.recall"),
    "pairs, of, false": ("dialogue.matched", "dialogue.wanted", "dialogue.false"),
    "unseen bound, of": ("videos.frames.off_screen_wrong", "videos.frames.off_screen"),
}


def hard_kit(shared: Path, out: Path) -> Path:
    """Return the folder of composites, made now; $SPEAKERVID_HARD_KIT names one that is there already."""
    if made := os.environ.get("SPEAKERVID_HARD_KIT"):
        return Path(made)
    compose(shared, out, int(os.environ.get("SEED", "0")))
    return out


def run_hard(kit: Path, shared: Path, folder: Path) -> Iterator[tuple[str, dict[str, Figures], pl.DataFrame]]:
    """Run the composites under each talking network, the packaged one first.

    Gates only inform, as in the run of real conversations.

    Yields:
        The network, its figures by variant and over `all`, and a table with a row per video.
    """
    truths = [json.loads(path.read_text("utf-8")) for path in sorted(kit.glob("*.truth.json"))]
    runs = ProductRuns([kit], kit, shared, folder, linked_weights(folder / "weights"))
    sections = {
        "gates": {name: {"mode": "score_only"} for name in load_profile("laptop").gates},
        # who talks is measured here; words, pictures and clips are not
        "transcripts": {"beam_size": 1, "temperatures": [0.0]},
        "sampling": {"disabled": ["camera", "texture", "hands", "text"]},
        "scores": {"disabled": scores()},
    }
    for network in NETWORKS:
        if network != LIP_NETWORK:
            runs.pull_light_asd()
        tables = runs.run(network, {**sections, "active_speaker": {"talking": network}})
        rows = read_tables(tables)
        files = file_table(video_recordings(truths, rows), labelled_videos(truths, rows))
        yield network, by_variant(runs, truths, tables, rows), files


def by_variant(runs: ProductRuns, truths: Sequence[Row], exported: Path, tables: Tables) -> dict[str, Figures]:
    """Return the figures of each variant's videos, and of all."""
    of = {variant.name: [t for t in truths if t["variant"] == variant.name] for variant in VARIANTS}
    found = {}
    for name, chosen in {**of, ALL: truths}.items():
        labels = exported / f"truth-{name}"
        labels.mkdir()
        for truth in chosen:
            shutil.copy(runs.truth / f"{truth['name']}.truth.json", labels)
        found[name] = figures_of(chosen, tables, ProductRuns([], labels, runs.shared, runs.folder).score(exported))
    return found


def figures_of(truths: Sequence[Row], tables: Tables, report: Report) -> Figures:
    """Return the figures of some videos: ours, and those of score.py on pairs and listeners."""
    pairs, listening = report["dialogue"], report["listening"]
    videos = labelled_videos(truths, tables)
    outcomes = Counter(outcome for video in videos for outcome in turn_outcomes(video))
    return {
        **speech_figures("speech", video_recordings(truths, tables)),
        **face_figures(videos, report),
        **{f"turns.{name}": outcomes[name] for name in ("right", "wrong", "abstained")},
        "dialogue.matched": pairs["matched"],
        "dialogue.wanted": pairs["true"],
        "dialogue.false": pairs["found"] - pairs["matched"],
        "listening.precision": listening["precision"],
        "listening.recall": listening["recall"],
    }


def turn_outcomes(video: LabelledVideo) -> list[str]:
    """Return what became of most frames of each turn in which its visible speaker talks alone.

    Not counted as score.py does: there a short turn inside a long one of somebody else is wrong once that one is bound.
    """
    of: dict[tuple[float, str], list[str]] = {}
    for (_, turn), frame in zip(sure_times(video.truth), sure_frames(video), strict=True):
        if frame.is_visible:
            of.setdefault((turn["start_s"], turn["speaker"]), []).append(frame.outcome)
    return [Counter(outcomes).most_common(1)[0][0] for outcomes in of.values()]


def variant_table(figures: Mapping[str, Figures]) -> pl.DataFrame:
    """Return a row per variant."""
    return pl.DataFrame(
        [
            {"variant": name, **{column: " ".join(_cell(row[f]) for f in of) for column, of in COLUMNS.items()}}
            for name, row in figures.items()
        ]
    )


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}".lstrip("0") if isinstance(value, float) else str(value)
