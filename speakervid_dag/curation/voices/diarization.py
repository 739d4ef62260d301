"""Diarization: what networks hear of speech and voices in, turns out.

Belongs here: the two ways to hear a recording, speech regions, turns by sound alone, speaker labels, rows. Does not
belong here: networks (models/), the joining of voices to speakers (local_speakers.py for windows of several voices,
clusters.py for windows of one voice), turns by sound and faces in one inference (curation/joint).

    sound = Sound(samples, rate_hz, speech_probabilities(samples))
    heard = hear_windows(sound, windows, mels, mel_hz, encoder, settings)  # segmentation and CAM++
    heard = hear_regions(sound, encoder, settings)  # Silero and GE2E
    rows = turn_rows(video_id, diarize(heard, settings), settings)
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.config.sections import DiarizationSettings
from speakervid_dag.curation import intervals
from speakervid_dag.curation.intervals import Interval, merge
from speakervid_dag.curation.voices import local_speakers, voice_evidence
from speakervid_dag.curation.voices.backchannels import backchannels
from speakervid_dag.curation.voices.clusters import cluster_voices
from speakervid_dag.curation.voices.local_speakers import MelEncoder, Windows
from speakervid_dag.curation.voices.overlaps import (
    SpeechTurn,
    clean_parts,
    find_overlaps,
    overlapped_parts,
    with_overlaps,
)
from speakervid_dag.curation.voices.voice_evidence import GRID_HZ, VoiceEvidence

Floats = NDArray[np.float32]


class SoundEncoder(Protocol):
    """Voice embeddings of unit length, (n, d) float32."""

    def embed(self, segments: Sequence[Floats]) -> Floats:
        """Return one embedding per segment of sound."""
        ...


class LocalEncoder(SoundEncoder, MelEncoder, Protocol):
    """Voice embeddings of sound and of its mels: models/campplus.py."""


class Encoder(SoundEncoder, Protocol):
    """Voice embeddings of sound and of windows of a signal: models/voice.py."""

    def embed_windows(self, samples: Floats, centres_s: NDArray[np.float64], window_s: float) -> Floats:
        """Return one embedding per window of `window_s` around these moments of the signal, s."""
        ...


@dataclass(frozen=True, eq=False)
class Sound:
    """A recording.

    Attributes:
        samples: (n,) float32 mono.
        speech: (k,) speech probabilities of Silero, and their step in s.
    """

    samples: Floats
    rate_hz: int
    speech: tuple[Floats, float]

    @property
    def frames(self) -> int:
        """Return the length in frames of the grid."""
        return math.ceil(len(self.samples) / self.rate_hz * GRID_HZ)


@dataclass(frozen=True, eq=False)
class Heard:
    """Who is heard in a recording.

    Attributes:
        turns: in order of time, by sound alone; they may hold noise.
        voices: what they come from, frame by frame.
        encoder: gives the embedding of a turn.
    """

    sound: Sound
    turns: list[SpeechTurn]
    voices: VoiceEvidence
    encoder: SoundEncoder


@dataclass(frozen=True)
class Diarization:
    """Turns in order of time, with an embedding and a label by sound for each.

    Attributes:
        embeddings: (d,) float32 of the turn's own sound; None where there is too little of it.
        by_sound: the speaker label that sound alone gives to most of the turn.
    """

    turns: list[SpeechTurn]
    embeddings: list[Floats | None]
    by_sound: list[str]


def hear_windows(
    sound: Sound, windows: Windows, mels: Floats, mel_hz: int, encoder: LocalEncoder, settings: DiarizationSettings
) -> Heard | None:
    """Return who is heard by the voices that a segmentation network hears in each window; None if nobody is.

    Args:
        windows: from local_speakers.windows_of.
        mels: (m, bands) float32, the encoder's log mel energies of the signal; mel_hz: their rate.
    """
    local = local_speakers.local_speakers(windows, mels, mel_hz, encoder, settings.local_speakers)
    if not len(local.window):
        return None
    turns = local_speakers.turns_by_voice(windows, local, settings.local_speakers)
    return Heard(sound, relabelled(turns), voice_evidence.of_windows(windows, local, sound.frames), encoder)


def hear_regions(sound: Sound, encoder: Encoder, settings: DiarizationSettings) -> Heard | None:
    """Return who is heard by windows of one voice in Silero's regions; None if nobody is."""
    regions = speech_regions(*sound.speech, settings)
    if not regions:
        return None
    centres_s = window_centres(regions, settings)
    long = encoder.embed_windows(sound.samples, centres_s, settings.window_s)
    turns = speech_turns(regions, centres_s, long, settings)
    if len({t.speaker_id for t in turns}) > 1:
        short = encoder.embed_windows(sound.samples, centres_s, settings.overlap_window_s)
        turns = overlapping_turns(turns, centres_s, short, settings)
    overlaps = [part for turn in turns for part in overlapped_parts(turn, turns)]
    voices = voice_evidence.of_single_voices(sound.speech, overlaps, centres_s, long, sound.frames)
    return Heard(sound, turns, voices, encoder)


def diarize(heard: Heard, settings: DiarizationSettings) -> Diarization:
    """Return who speaks when by sound alone."""
    is_kept = heard_as_speech(heard.turns, *heard.sound.speech, settings.local_speakers.min_speech_probability)
    turns = relabelled([turn for turn, kept in zip(heard.turns, is_kept, strict=True) if kept])
    return Diarization(turns, embedded(turns, heard, settings), [turn.speaker_id for turn in turns])


def heard_as_speech(turns: Sequence[SpeechTurn], probs: Floats, hop_s: float, least: float) -> list[bool]:
    """Return in which turns the speech probability of [i * hop_s, (i + 1) * hop_s) reaches `least` once.

    Throbbing noise is a voice to a segmentation network.
    """
    spans = ((int(turn.start_s / hop_s), math.ceil(turn.end_s / hop_s)) for turn in turns)
    return [bool(probs[a:b].max(initial=0.0) >= least) for a, b in spans]


def embedded(turns: Sequence[SpeechTurn], heard: Heard, settings: DiarizationSettings) -> list[Floats | None]:
    """Return the embedding of each turn's own sound; None where there is too little of it."""
    sounds = [own_sound(t, turns, heard.sound.samples, heard.sound.rate_hz, settings) for t in turns]
    vectors = iter(heard.encoder.embed([s for s in sounds if s is not None]))
    return [None if s is None else next(vectors) for s in sounds]


def speakers_of(turns: Sequence[SpeechTurn], others: Sequence[SpeechTurn]) -> list[str]:
    """Return, for each turn, the speaker label that covers most of it in `others`; its own where there is none."""
    found = []
    for turn in turns:
        shared: dict[str, float] = defaultdict(float)
        for other in others:
            shared[other.speaker_id] += intervals.overlap_s(turn.span, other.span)
        found.append(max(sorted(shared), key=lambda name: shared[name], default=turn.speaker_id))
    return found


def speech_regions(probs: NDArray[np.float32], hop_s: float, settings: DiarizationSettings) -> list[Interval]:
    """Return stretches of speech: on at settings.onset, off below settings.offset; short gaps closed, blips dropped.

    Args:
        probs: (n,) speech probability of [i * hop_s, (i + 1) * hop_s).
    """
    found: list[Interval] = []
    start: int | None = None
    for i, probability in enumerate(probs):
        if start is None and probability >= settings.onset:
            start = i
        elif start is not None and probability < settings.offset:
            found.append((start * hop_s, i * hop_s))
            start = None
    if start is not None:
        found.append((start * hop_s, len(probs) * hop_s))
    end_s = len(probs) * hop_s
    grown = [(max(0.0, a - settings.lead_s), min(end_s, b + settings.tail_s)) for a, b in found]
    return [(a, b) for a, b in merge(grown, settings.min_silence_s) if b - a >= settings.min_speech_s]


def window_centres(regions: Sequence[Interval], settings: DiarizationSettings) -> NDArray[np.float64]:
    """Return the centres of the windows to embed, about hop_s apart and inside speech: (m,) float64, s."""
    return np.array([c for region in regions for c in _centres_of(region, settings.hop_s)], dtype=np.float64)


def _centres_of(region: Interval, hop_s: float) -> NDArray[np.float64]:
    count = max(1, round((region[1] - region[0]) / hop_s))
    return region[0] + (np.arange(count) + 0.5) * (region[1] - region[0]) / count


def speech_turns(
    regions: Sequence[Interval],
    centres_s: NDArray[np.float64],
    embeddings: Floats,
    settings: DiarizationSettings,
) -> list[SpeechTurn]:
    """Return turns in order of time, one voice at a time: where two talk at once, the louder one gets the turn here.

    Args:
        regions, centres_s: from speech_regions and window_centres.
        embeddings: (m, d) float32 of unit length, one per centre.
    """
    if not len(centres_s):
        return []
    labels = cluster_voices(embeddings, centres_s, settings)
    pieces: list[tuple[int, float, float]] = []
    at = 0
    for start, end in regions:
        count = len(_centres_of((start, end), settings.hop_s))
        own = labels[at : at + count]
        edges = np.flatnonzero(np.diff(own)) + 1
        bounds = start + np.concatenate([[0], edges, [count]]) * (end - start) / count
        pieces += [(int(own[e]), float(a), float(b)) for e, a, b in zip([0, *edges], bounds, bounds[1:], strict=False)]
        at += count
    return _labelled(_bridged(pieces, settings.max_pause_s))


def _bridged(pieces: Sequence[tuple[int, float, float]], max_pause_s: float) -> list[tuple[int, float, float]]:
    """Join neighbouring pieces of one speaker when the pause between them is shorter than max_pause_s."""
    joined: list[tuple[int, float, float]] = []
    for label, start, end in pieces:
        if joined and joined[-1][0] == label and start - joined[-1][2] < max_pause_s:
            joined[-1] = (label, joined[-1][1], end)
        else:
            joined.append((label, start, end))
    return joined


def speaker_label(index: int) -> str:
    """Return the label of a speaker by number: 0 → A, 25 → Z, 26 → AA."""
    return (speaker_label(index // 26 - 1) if index >= 26 else "") + chr(ord("A") + index % 26)


def _labelled(pieces: Sequence[tuple[int, float, float]]) -> list[SpeechTurn]:
    return relabelled([SpeechTurn(str(label), start, end) for label, start, end in pieces])


def relabelled(turns: Sequence[SpeechTurn]) -> list[SpeechTurn]:
    """Return the same turns with speaker labels in the order of first speech."""
    order: dict[str, str] = {}
    for turn in turns:
        order.setdefault(turn.speaker_id, speaker_label(len(order)))
    return [SpeechTurn(order[t.speaker_id], t.start_s, t.end_s) for t in turns]


def overlapping_turns(
    turns: Sequence[SpeechTurn], centres_s: NDArray[np.float64], embeddings: Floats, settings: DiarizationSettings
) -> list[SpeechTurn]:
    """Return the turns of speech_turns with crosstalk added: where two speak at once, both have a turn.

    Args:
        embeddings: (m, d) float32 of unit length, one per centre, of windows of settings.overlap_window_s.
    """
    overlaps = find_overlaps(turns, centres_s, embeddings, settings)
    return relabelled(with_overlaps(turns, overlaps, settings.max_pause_s)) if overlaps else list(turns)


def own_sound(
    turn: SpeechTurn, turns: Sequence[SpeechTurn], samples: Floats, rate_hz: int, settings: DiarizationSettings
) -> Floats | None:
    """Return the samples of a turn in which nobody else speaks, joined; None when too few for an embedding."""
    parts = clean_parts(turn, turns)
    if sum(end - start for start, end in parts) < settings.min_embedding_s:
        return None
    return np.concatenate([samples[round(start * rate_hz) : round(end * rate_hz)] for start, end in parts])


def speaker_margins(turns: Sequence[SpeechTurn], embeddings: Sequence[Floats | None]) -> list[float | None]:
    """Return each turn's cosine to its own speaker's centre minus that to the best other centre.

    None for a turn without an embedding, or where there is one speaker only. A centre is the mean of the speaker's
    turns weighted by length. A turn is left out of its own speaker's centre where that speaker has other turns.
    """
    sums: dict[str, Floats] = {}
    for turn, vector in zip(turns, embeddings, strict=True):
        if vector is not None:
            sums[turn.speaker_id] = sums.get(turn.speaker_id, np.zeros_like(vector)) + _weighted(turn, vector)
    margins: list[float | None] = []
    for turn, vector in zip(turns, embeddings, strict=True):
        others = (
            [_cosine(vector, s) for name, s in sums.items() if name != turn.speaker_id] if vector is not None else []
        )
        if vector is None or not others:
            margins.append(None)
            continue
        rest = sums[turn.speaker_id] - _weighted(turn, vector)
        own = rest if float(np.linalg.norm(rest)) > 1e-3 else vector
        margins.append(_cosine(vector, own) - max(others))
    return margins


def _weighted(turn: SpeechTurn, vector: Floats) -> Floats:
    return vector * np.float32(turn.end_s - turn.start_s)


def _cosine(a: Floats, b: Floats) -> float:
    return float(a @ b / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-12))


def turn_rows(video_id: str, found: Diarization, settings: DiarizationSettings) -> list[dict[str, Any]]:
    """Return rows of the table `speech_turns`, without `batch`."""
    rows = []
    turns = found.turns
    margins = speaker_margins(turns, found.embeddings)
    short_words = backchannels(turns, settings.backchannel_max_s)
    for index, (turn, vector, margin) in enumerate(zip(turns, found.embeddings, margins, strict=True)):
        overlap_s = intervals.total_s(overlapped_parts(turn, turns))
        is_short = turn.end_s - turn.start_s < settings.min_embedding_s
        rows.append(
            {
                "video_id": video_id,
                "turn_id": f"{video_id}-u{index:04d}",
                "speaker_id": turn.speaker_id,
                "audio_speaker_id": found.by_sound[index],
                "start_s": turn.start_s,
                "end_s": turn.end_s,
                "has_overlap": overlap_s > 0,
                "is_backchannel": short_words[index],
                "overlap_s": overlap_s,
                "speaker_margin": margin,
                "embedding": None if vector is None else [float(v) for v in vector],
                "embedding_status": "ok" if vector is not None else "turn_too_short" if is_short else "overlapped",
            }
        )
    return rows
