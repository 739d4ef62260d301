"""The run of the hand-labelled conversations and the meetings of the shared folder, and all its figures.

Belongs here: which files run, reading labels and exported tables. Does not belong here: a run and its tables
(product_runs.py), how a figure is computed (real_scores.py), what must hold (test_real.py).
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl
from product_runs import DEFAULT, ProductRuns, flat, linked_weights
from real_scores import (
    Figures,
    LabelledVideo,
    Recording,
    Row,
    Tables,
    face_figures,
    figure_table,
    file_table,
    labelled_videos,
    overlap_figures,
    rttm_recordings,
    speech_figures,
    video_recordings,
)
from what_if import evidence_of, hidden_speakers, merged_ids

from speakervid_dag.config.profiles import load_profile

SECTIONS = ("binding", "binding_frames", "dialogue", "listening", "tracks", "shots")  # of score.py
MEETING_S = 31.0


@dataclass(frozen=True)
class RealScores:
    """What one run gave: the figures by name, and what they are made of."""

    figures: Figures
    recordings: list[Recording]
    meetings: list[Recording]
    videos: list[LabelledVideo]

    def tables(self) -> list[pl.DataFrame]:
        """Return what is printed: all figures with their bars, and the files one by one."""
        files = [file_table(self.recordings, self.videos), file_table(self.meetings)]
        return [figure_table(self.figures), *files]


def run_real(shared: Path, folder: Path) -> RealScores:
    """Run all files once and score them; lake and exports lie in `folder`.

    The profile is the default with gates that only inform, because labels are measured here and not how sharp a face
    is; Light-ASD of the shared folder looks at the faces.
    """
    truth = shared / "truth/real"
    truths = [json.loads(path.read_text("utf-8")) for path in sorted(truth.glob("*.truth.json"))]
    videos = [shared.parent / source for row in truths for source in row["sources"]]
    runs = ProductRuns(
        [*videos, *sorted((truth / "ami").glob("*.mp4"))], truth, shared, folder, linked_weights(folder / "weights")
    )
    runs.pull_light_asd()
    profile = load_profile("laptop")
    tables = runs.run(DEFAULT, {"gates": {name: {"mode": "score_only"} for name in profile.gates}})
    found = scored(truths, (truth / "ami/ami.rttm").read_text("utf-8"), read_tables(tables), runs.score(tables))
    evidence = evidence_of(runs.lake, profile)
    hidden = {f"videos.hidden.{k}": v for k, v in hidden_speakers(found.videos, evidence, profile).items()}
    merged = {f"videos.merged.{k}": v for k, v in merged_ids(found.videos, evidence, profile).items()}
    return replace(found, figures={**found.figures, **hidden, **merged})


def scored(truths: list[Row], rttm: str, tables: Tables, report: Row) -> RealScores:
    """Return all figures: ours, and those of score.py that no variant splits."""
    recordings, videos = video_recordings(truths, tables), labelled_videos(truths, tables)
    meetings = rttm_recordings(rttm, tables, MEETING_S)
    of_score = {f"videos.{name}": value for name, value in flat("", {name: report[name] for name in SECTIONS})}
    figures = {
        **speech_figures("videos", recordings),
        **face_figures(videos, report),
        **overlap_figures(recordings, meetings),
        **speech_figures("ami", meetings),
        **{name: value for name, value in of_score.items() if ".by_variant." not in name},
    }
    return RealScores(figures, recordings, meetings, videos)


def read_tables(folder: Path) -> dict[str, list[Row]]:
    """Return the exported rows by table."""
    return {
        path.stem: [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        for path in folder.glob("*.jsonl")
    }
