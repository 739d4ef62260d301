"""Speech recognition with word times: Whisper weights in CTranslate2 (faster-whisper).

Belongs here: packing of speech into chunks, language detection, running the recogniser. Does not belong here: its
output as plain data (curation/voices/recognition.py), assigning words to turns (curation/voices/transcripts.py), speech
probabilities (models/vad.py).
"""

import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.curation.voices.recognition import Recognition, Segment, Word

if TYPE_CHECKING:
    from speakervid_dag.config.sections import TranscriptSettings

RATE_HZ = 16_000
SEED = 1  # of random guesses
WHISPER_WINDOW_S = 30.0  # input of the encoder; shorter sound is padded

Floats = NDArray[np.float32]
Span = tuple[float, float]


def pack_regions(regions: Sequence[Span], max_s: float, max_gap_s: float, pad_s: float, end_s: float) -> list[Span]:
    """Join speech regions into chunks for the recogniser, none longer than max_s or with a silence above max_gap_s.

    A chunk that would grow too long is cut at the longest silence in its second half that leaves a rest within max_s.

    Args:
        regions: speech in order of time, s. One longer than max_s is cut into equal parts.
        pad_s: context kept around a chunk, never reaching into the next region, s.
        end_s: end of the signal, s.
    """
    parts: list[Span] = []
    for start, end in regions:
        count = max(1, int(np.ceil((end - start) / max_s)))
        edges = np.linspace(start, end, count + 1)
        parts += [(float(a), float(b)) for a, b in itertools.pairwise(edges)]
    groups: list[list[Span]] = []
    for part in parts:
        if not groups or part[0] - groups[-1][-1][1] > max_gap_s:
            groups.append([part])
            continue
        group = groups[-1]
        group.append(part)
        if part[1] - group[0][0] > max_s:
            latest = len(group) - 1
            late = [
                i for i in range(1, latest) if group[i][0] > group[0][0] + max_s / 2 and part[1] - group[i][0] <= max_s
            ]
            cut = max([*late, latest], key=lambda i: group[i][0] - group[i - 1][1])
            groups[-1:] = [group[:cut], group[cut:]]
    chunks = [(group[0][0], group[-1][1]) for group in groups]
    padded = []
    for i, (start, end) in enumerate(chunks):
        low = (chunks[i - 1][1] + start) / 2 if i else 0.0
        high = (end + chunks[i + 1][0]) / 2 if i + 1 < len(chunks) else end_s
        padded.append((max(low, start - pad_s), min(high, end + pad_s)))
    return padded


class Recognizer:
    """One set of Whisper weights.

    Where the best guess is poor, Whisper draws others at random. CTranslate2 starts its random numbers once, when a
    model is loaded; so after a file with such a guess it is loaded anew: the same file gives the same words, whatever
    was recognised before it, in whichever process.

    Args:
        weights: registry name (`whisper-base`, `whisper-tiny-en`), or the path of a CTranslate2 folder.
        threads: CPU threads.
        compute_type: CTranslate2 number type; int8 is accurate enough and twice as fast on a CPU. On a GPU, `auto` is
            used instead of int8.
        device: None = cuda if present, else cpu.

    Raises:
        WeightsMissing: the weights are not on disk.
    """

    def __init__(
        self,
        weights: str,
        threads: int,
        compute_type: str = "int8",
        device: Literal["cpu", "cuda"] | None = None,
    ) -> None:
        import ctranslate2

        from speakervid_dag.models.registry import load_registry, weight_path

        is_folder = weights not in load_registry() and (Path(weights) / "model.bin").is_file()
        folder = Path(weights) if is_folder else weight_path(weights)
        device = device or ("cuda" if ctranslate2.get_cuda_device_count() else "cpu")
        if device == "cuda" and compute_type == "int8":
            compute_type = "auto"
        self.backend = weights
        self._load = partial(_loaded, folder, device=device, compute_type=compute_type, cpu_threads=threads)
        self._model = self._load()

    def transcribe(self, samples: Floats, regions: Sequence[Span], settings: "TranscriptSettings") -> Recognition:
        """Recognise the speech of one file, one chunk of at most settings.max_chunk_s at a time.

        Args:
            samples: (n,) float32 mono at 16 kHz.
            regions: speech, s from the first sample, in order of time. Sound outside is ignored.

        Returns:
            Segments with times in seconds from the first sample.
        """
        end_s = len(samples) / RATE_HZ
        chunks = pack_regions(regions, settings.max_chunk_s, settings.max_gap_s, settings.pad_s, end_s)
        if not chunks:
            return Recognition(None, None, ())
        if self._model.has_drawn:
            self._model = self._load()
        language, probability = self._language(samples, chunks, settings.language_chunks)
        segments = [s for chunk in chunks for s in self._recognise(samples, chunk, language, settings)]
        return Recognition(language, probability, tuple(segments))

    def _language(self, samples: Floats, chunks: Sequence[Span], count: int) -> tuple[str, float | None]:
        """Return the file's most probable language and its mean probability over the `count` longest chunks.

        The mean is weighted by length, of at most 30 s per chunk. The probability is None for one-language weights.
        """
        if not self._model.model.is_multilingual:
            return "en", None
        votes: dict[str, float] = defaultdict(float)
        total = 0.0
        for start, end in sorted(chunks, key=lambda c: c[0] - c[1])[:count]:
            piece = _cut(samples, (start, min(end, start + WHISPER_WINDOW_S)))
            weight = len(piece) / RATE_HZ
            for code, probability in self._model.detect_language(piece)[2]:
                votes[code] += weight * probability
            total += weight
        language = max(votes, key=lambda code: votes[code])
        return language, votes[language] / total

    def _recognise(
        self, samples: Floats, chunk: Span, language: str, settings: "TranscriptSettings"
    ) -> Iterator[Segment]:
        found, _ = self._model.transcribe(
            _cut(samples, chunk),
            language=language,
            beam_size=settings.beam_size,
            temperature=list(settings.temperatures),
            word_timestamps=True,
            condition_on_previous_text=False,  # a chunk's mistake must not spread to the next
            vad_filter=False,
        )
        offset = chunk[0]
        for segment in found:
            words = tuple(
                Word(w.word, float(w.start) + offset, float(w.end) + offset, float(w.probability))
                for w in segment.words or ()
            )
            yield Segment(
                start_s=float(segment.start) + offset,
                end_s=float(segment.end) + offset,
                text=segment.text.strip(),
                words=words,
                avg_logprob=float(segment.avg_logprob),
                no_speech_prob=float(segment.no_speech_prob),
                compression_ratio=float(segment.compression_ratio),
            )


def _loaded(folder: Path, **options: Any) -> Any:
    """Return faster-whisper's model, with `has_drawn`: whether it has drawn random numbers."""
    import ctranslate2
    from faster_whisper import WhisperModel

    class Model(WhisperModel):  # type: ignore[misc]
        has_drawn = False

        def generate_with_fallback(self, *args: Any, **kwargs: Any) -> Any:
            found = super().generate_with_fallback(*args, **kwargs)
            _, _, temperature, _ = found  # the last one tried
            self.has_drawn |= temperature > 0
            return found

    ctranslate2.set_random_seed(SEED)
    return Model(str(folder), local_files_only=True, **options)


def _cut(samples: Floats, span: Span) -> Floats:
    return samples[round(span[0] * RATE_HZ) : round(span[1] * RATE_HZ)]
