"""The lip network on labelled videos: average precision of talking per frame, and the choice among the faces in view.

    python tests/benchmarks/bench_lip_network.py LAKE TRUTH MEDIA [MEDIA ...] [--weights FILE]

LAKE is a lake of the labelled videos whose profile keeps face pictures, TRUTH the folder of their `*.truth.json`, MEDIA
the folders of the videos. Logits are smoothed over 11 frames. Two rows: talking alone, and with the margin of synchrony
(`evidence`). Without --weights, the packaged network.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from speakervid_dag.config.profiles import load_profile
from speakervid_dag.curation.joint.evidence import mean_around
from speakervid_dag.curation.speaking.lip_frames import lip_frames
from speakervid_dag.curation.speaking.lip_scores import FaceScores, video_scores
from speakervid_dag.curation.speaking.talking_series import LIP_UNIT
from speakervid_dag.lake.schemas import FACE_TRACKS, VIDEOS
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.media.audio import read_audio
from speakervid_dag.media.budget import MediaBudget
from speakervid_dag.media.probe import probe
from speakervid_dag.models.lip_network import LipNetwork, load
from speakervid_dag.models.torch_device import one_thread
from speakervid_dag.stages.crops import kept_crops
from speakervid_dag.training.labelled import FaceLogits, read_truths, report

Row = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lake", type=Path)
    parser.add_argument("truth", type=Path)
    parser.add_argument("media", type=Path, nargs="+")
    parser.add_argument("--weights", type=Path)
    told = parser.parse_args()
    network = LipNetwork.packaged("cpu") if told.weights is None else LipNetwork(load(told.weights), "cpu")
    lake = DeltaLake(str(told.lake))
    rows = lake.read(FACE_TRACKS).to_dicts()
    tracks: dict[str, list[Row]] = {}
    kinds: dict[str, dict[str, FaceLogits]] = {"talking": {}, "evidence": {}}
    seconds, spent_s = 0.0, 0.0
    with one_thread():
        for video in lake.read(VIDEOS).to_dicts():
            name = Path(video["source_name"]).name
            tracks[name] = [row for row in rows if row["video_id"] == video["video_id"]]
            began = time.process_time()
            found = scores(network, video, tracks[name], told.lake, told.media)
            spent_s += time.process_time() - began
            seconds += sum(len(face.talking) for face in found.values()) / 25
            print(f"{name}: offsets {sorted({face.offset_frames for face in found.values()}, key=str)}")
            for track, face in found.items():
                kinds["talking"][track] = logits_of(face, face.talking)
                kinds["evidence"][track] = logits_of(face, evidence(face))
    for kind, logits in kinds.items():
        figures = report(read_truths(told.truth), tracks, logits)
        print(f"{kind}: AP {figures.ap:.4f}, in a file {figures.ap_in_file:.4f}, choice {figures.choice:.4f}")
        print("  " + ", ".join(f"{name} {right}/{of}" for name, (right, of) in figures.by_file.items() if of))
    print(f"{spent_s / seconds:.4f} CPU s a second of track, sound's decoding included")
    return 0


def logits_of(face: FaceScores, values: np.ndarray) -> FaceLogits:
    return FaceLogits(face.first, np.nan_to_num(values, nan=-9))


def evidence(face: FaceScores) -> np.ndarray:
    """Return talking logits with the margin of synchrony, as the joint inference weighs both."""
    joint = load_profile("laptop").joint
    if face.offset_frames is None:
        return LIP_UNIT * face.talking
    above = mean_around(face.margins, joint.sync_frames) - joint.neutral_margin
    return LIP_UNIT * face.talking + joint.sync_weight * np.nan_to_num(above)


def scores(network: LipNetwork, video: Row, rows: list[Row], lake: Path, media: list[Path]) -> dict[str, FaceScores]:
    """Return the network's answers about all tracks of a video."""
    path = next(p for folder in media if (p := folder / Path(video["source_name"]).name).is_file())
    budget = MediaBudget(decoder_threads=1)
    samples = read_audio(path, probe(path, budget), budget)
    people = [row for row in rows if row["person_id"] is not None and row["copy_of"] is None]
    frames = ((row["track_id"], row["person_id"], lip_frames(row, kept_crops(lake, row["track_id"]))) for row in people)
    return video_scores(network, frames, samples)


if __name__ == "__main__":
    sys.exit(main())
