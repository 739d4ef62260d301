"""Conversations of two with planted overlaps: which of them are marked, and what diarization makes of the whole.

    python tests/benchmarks/bench_crosstalk.py [--pairs N] [--seed N] [--overlapping SHARE] VOICE VOICE [VOICE ...]

VOICE is `FILE` or `FILE:START-END[,START-END ...]` in seconds, a file of picture or sound in which (there) one voice
speaks. Each pair of voices takes turns of 2 to 6 s for 40 s; SHARE of the changes of speaker overlap by 0.4 to 2.5 s
(the others pause for up to 0.8 s), a quarter of the long turns has a short word of the other in it, and one voice is up
to 4 dB louder. Overlaps are counted in time with 0.2 s of tolerance; the diarization error rate has a collar of 0.25 s
and counts overlaps. 4 s a pair and core.
"""

import argparse
import itertools
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from speakervid_dag.config.profiles import load_profile
from speakervid_dag.curation import intervals
from speakervid_dag.curation.intervals import Interval
from speakervid_dag.curation.voices import diarization
from speakervid_dag.curation.voices.overlaps import SpeechTurn
from speakervid_dag.media.audio import read_audio
from speakervid_dag.media.budget import MediaBudget
from speakervid_dag.media.probe import probe
from speakervid_dag.models.vad import speech_probabilities
from speakervid_dag.models.voice import RATE_HZ, VoiceEncoder

BUDGET = MediaBudget()
SETTINGS = load_profile("laptop").diarization
LENGTH_S, COLLAR_S, TOLERANCE_S, STEP_S = 40.0, 0.25, 0.2, 0.01
LEVEL = 0.05
Sound = NDArray[np.float32]
Masks = dict[str, NDArray[np.bool_]]  # speaker → whether they speak, every STEP_S


@dataclass
class Voice:
    """Speech of one person without its pauses, at one level; each line goes on where the last one stopped."""

    name: str
    samples: Sound
    at: int = 0

    def say(self, length_s: float) -> Sound:
        count = round(length_s * RATE_HZ)
        said = np.take(self.samples, self.at + np.arange(count), mode="wrap")
        self.at += count
        return said


@dataclass
class Tally:
    """Sums over conversations; times in steps."""

    conversations: int = 0
    of_two: int = 0
    hit: int = 0
    stray: int = 0
    planted: int = 0
    found_spans: int = 0
    false_spans: int = 0
    wrong: int = 0
    spoken: int = 0


def voice(text: str) -> Voice:
    file, _, spans = text.partition(":")
    whole = read_audio(Path(file), probe(Path(file), BUDGET), BUDGET, RATE_HZ)
    times = [tuple(map(float, span.split("-"))) for span in spans.split(",") if span] or [(0.0, len(whole) / RATE_HZ)]
    samples = np.concatenate([whole[round(a * RATE_HZ) : round(b * RATE_HZ)] for a, b in times])
    probabilities, hop_s = speech_probabilities(samples)
    is_speech = np.repeat(probabilities >= 0.5, round(hop_s * RATE_HZ))[: len(samples)]
    speech = samples[: len(is_speech)][is_speech]
    return Voice(Path(file).stem, speech * np.float32(LEVEL / np.sqrt(np.mean(speech**2))))


def conversation(pair: Sequence[Voice], chance: random.Random, overlapping: float) -> tuple[Sound, list[SpeechTurn]]:
    """The sound, and who speaks when."""
    out, turns = np.random.default_rng(0).normal(0, 3e-4, round((LENGTH_S + 10) * RATE_HZ)).astype(np.float32), []
    louder = 10 ** (chance.uniform(-4, 4) / 20)

    def lay(who: int, start_s: float, length_s: float) -> None:
        said = pair[who].say(length_s) * np.float32(louder if who else 1)
        first = round(start_s * RATE_HZ)
        out[first : first + len(said)] += said
        turns.append(SpeechTurn("AB"[who], start_s, start_s + length_s))

    for each in pair:
        each.at = chance.randrange(len(each.samples))
    now_s, who = 0.3, 0
    while now_s < LENGTH_S:
        length_s = chance.uniform(2, 6)
        lay(who, now_s, length_s)
        if chance.random() < 0.25 and length_s > 3.5:
            lay(1 - who, now_s + chance.uniform(1, length_s - 1.5), chance.uniform(0.5, 1.2))
        is_cut_short = chance.random() < overlapping
        now_s += length_s + (-min(chance.uniform(0.4, 2.5), length_s - 0.5) if is_cut_short else chance.uniform(0, 0.8))
        who = 1 - who
    return out[: round((now_s + 1) * RATE_HZ)], turns


def masks(turns: Sequence[SpeechTurn], times_s: NDArray[np.float64]) -> Masks:
    found = {t.speaker_id: np.zeros(len(times_s), bool) for t in turns}
    for turn in turns:
        found[turn.speaker_id] |= (times_s >= turn.start_s) & (times_s < turn.end_s)
    return found


def wrong(truth: Masks, found: Masks, counts: NDArray[np.bool_]) -> int:
    """Steps of missed, false and confused speech under the best mapping of speakers (the DER's numerator)."""
    real, told = (np.array([m & counts for m in side.values()]).reshape(-1, len(counts)) for side in (truth, found))
    shared = np.array([[(a & b).sum() for b in told] for a in real]).reshape(len(real), len(told))
    pairs = zip(*linear_sum_assignment(-shared), strict=True)
    right = sum((real[i] & told[j]).astype(int) for i, j in pairs)
    return int((np.maximum(real.sum(0), told.sum(0)) - right).sum())


def spans(at_once: NDArray[np.bool_]) -> list[Interval]:
    edges = np.flatnonzero(np.diff(np.pad(at_once, 1).astype(int)))
    return [(a * STEP_S, b * STEP_S) for a, b in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)]


def measure(sound: Sound, turns: list[SpeechTurn], encoder: VoiceEncoder, tally: Tally) -> None:
    times_s = np.arange(STEP_S / 2, len(sound) / RATE_HZ, STEP_S)
    truth = masks(turns, times_s)
    edges = [edge for turn in turns for edge in turn.span]
    counts = np.all([abs(times_s - edge) > COLLAR_S for edge in edges], axis=0)
    heard = diarization.hear_regions(diarization.Sound(sound, RATE_HZ, speech_probabilities(sound)), encoder, SETTINGS)
    told = heard.turns if heard else []
    found = masks(told, times_s)
    planted, marked = (np.sum(list(side.values()), axis=0) > 1 for side in (truth, found))
    near = [(a - TOLERANCE_S, b + TOLERANCE_S) for a, b in spans(planted)]
    tally.conversations += 1
    tally.of_two += len(found) == 2
    tally.hit += int((planted & marked).sum())
    tally.planted += int(planted.sum())
    tally.stray += round(intervals.total_s(intervals.subtract(spans(marked), near)) / STEP_S)
    tally.found_spans += len(spans(marked))
    tally.false_spans += sum(not intervals.intersect([span], near) for span in spans(marked))
    tally.wrong += wrong(truth, found, counts)
    tally.spoken += int(sum((mask & counts).sum() for mask in truth.values()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("voices", nargs="+", metavar="VOICE")
    parser.add_argument("--pairs", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--overlapping", type=float, default=0.5, metavar="SHARE")
    chosen = parser.parse_args()
    chance, encoder, tally = random.Random(chosen.seed), VoiceEncoder(), Tally()
    pairs = list(itertools.combinations([voice(text) for text in chosen.voices], 2))
    if not pairs:
        raise SystemExit("two voices are needed for a conversation")
    chance.shuffle(pairs)
    for pair in pairs[: chosen.pairs]:
        measure(*conversation(pair, chance, chosen.overlapping), encoder, tally)
        sys.stderr.write(".")
        sys.stderr.flush()
    marked = tally.hit + tally.stray
    print(f"\n{tally.conversations} conversations, {tally.of_two} told as of two voices")
    print(f"overlaps: precision {tally.hit / marked if marked else float('nan'):.2f}, ", end="")
    print(
        f"recall {tally.hit / max(1, tally.planted):.2f}, {tally.false_spans} of {tally.found_spans} marked are false"
    )
    print(f"DER {tally.wrong / tally.spoken:.3f}")


if __name__ == "__main__":
    main()
