"""The run of the hand-labelled conversations and the meetings of the shared folder, and all its figures.

Belongs here: which files run, reading labels and exported tables. Does not belong here: a run and its tables
(product_runs.py), how a figure is computed (speech_scores.py, face_scores.py), what must hold (test_real.py).
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl
from calibration import Reliability, reliability
from face_scores import face_figures
from labelled import Figures, LabelledVideo, Recording, Row, Tables, labelled_videos, rttm_recordings, video_recordings
from product_runs import ProductRuns, flat, linked_weights, read_tables
from real_scores import file_table
from speech_scores import overlap_figures, speech_figures
from what_if import MIN_FOREIGN_S, Ears, evidence_figures, evidence_of, foreign_sound, hidden_speakers, merged_ids

from speakervid_dag.config.profiles import load_profile
from speakervid_dag.curation.speaking.light_asd import LightASDBackend
from speakervid_dag.curation.speaking.talking_series import LIP_NETWORK
from speakervid_dag.models.light_asd import FILENAME, LightASD

SECTIONS = ("binding", "binding_frames", "dialogue", "listening", "tracks", "shots")  # of score.py
MEETING_S = 31.0
LIGHT_ASD = LightASDBackend.name
NETWORKS = (LIP_NETWORK, LIGHT_ASD)


@dataclass(frozen=True)
class RealScores:
    """What one run gave: the figures by name, and what they are made of."""

    figures: Figures
    recordings: list[Recording]
    meetings: list[Recording]
    videos: list[LabelledVideo]
    reliability: Reliability

    def files(self) -> list[pl.DataFrame]:
        """Return the curve of reliability, and the files one by one: conversations and meetings."""
        return [self.reliability.curve(), file_table(self.recordings, self.videos), file_table(self.meetings)]


def run_real(shared: Path, folder: Path) -> dict[str, RealScores]:
    """Run all files under each talking network, the packaged one first; lake and exports lie in `folder`.

    The profile is the default with gates that only inform, because labels are measured here and not how sharp a face
    is.
    """
    truth = shared / "truth/real"
    truths = [json.loads(path.read_text("utf-8")) for path in sorted(truth.glob("*.truth.json"))]
    videos = [shared.parent / source for row in truths for source in row["sources"]]
    sources = [*videos, *sorted((truth / "ami").glob("*.mp4"))]
    runs = ProductRuns(sources, truth, shared, folder, linked_weights(folder / "weights"))
    profile, found = load_profile("laptop"), {}
    ears = Ears.of(profile)
    runs.pull_light_asd()
    gates = {name: {"mode": "score_only"} for name in profile.gates}
    for network in NETWORKS:
        tables = runs.run(network, {"active_speaker": {"talking": network}, "gates": gates})
        score = scored(truths, (truth / "ami/ami.rttm").read_text("utf-8"), read_tables(tables), runs.score(tables))
        evidence = evidence_of(runs.lake, ears)
        talking = None if network == LIP_NETWORK else LightASDBackend(LightASD(shared / "models" / FILENAME, "cpu"))
        long = [row["name"] for row in truths if row["duration_s"] >= MIN_FOREIGN_S and row["turns"]]
        changes = {
            "evidence": evidence_figures(score.videos, evidence),
            "hidden": hidden_speakers(score.videos, evidence, profile),
            "merged": merged_ids(score.videos, evidence, profile),
            "foreign": foreign_sound(long, runs.lake, ears, talking),
            "calibration": score.reliability.figures(profile.joint.probability_map),
        }
        told = {f"videos.{change}.{k}": v for change, figures in changes.items() for k, v in figures.items()}
        found[network] = replace(score, figures={**score.figures, **told})
    return found


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
    return RealScores(figures, recordings, meetings, videos, reliability(truths, tables))
