"""Speech recognition: packing of regions, and one real sentence."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from speakervid_dag.config.sections.languages import WHISPER_LANGUAGES
from speakervid_dag.failures import WeightsMissing
from speakervid_dag.models.asr import Recognizer, pack_regions
from speakervid_dag.models.registry import weight_path

Need = Callable[..., None]
SETTINGS = SimpleNamespace(
    beam_size=1, temperatures=(0.0,), max_chunk_s=28.0, max_gap_s=2.0, pad_s=0.3, language_chunks=3
)


@pytest.fixture(scope="module")
def recognizer() -> Iterator[Recognizer]:
    try:
        yield Recognizer("whisper-base", threads=2, device="cpu")
    except WeightsMissing as problem:
        pytest.skip(f"whisper-base: {problem}")


def test_a_profile_expects_all_languages_that_whisper_tells_and_no_others() -> None:
    from faster_whisper.tokenizer import _LANGUAGE_CODES

    assert set(_LANGUAGE_CODES) == WHISPER_LANGUAGES


def test_near_regions_are_joined_and_far_ones_kept_apart() -> None:
    assert pack_regions([(1, 3), (4, 6), (9, 10)], 28, 2, 0.3, 12) == [
        (pytest.approx(0.7), pytest.approx(6.3)),
        (pytest.approx(8.7), pytest.approx(10.3)),
    ]


def test_a_full_chunk_is_cut_at_its_longest_late_silence() -> None:
    regions = [(0, 5), (5.5, 16), (17.5, 20), (20.2, 27), (27.1, 31)]
    assert pack_regions(regions, 28, 2, 0, 40) == [(0, 16), (17.5, 31)]


def test_a_region_longer_than_a_chunk_is_cut_evenly() -> None:
    assert pack_regions([(0, 60)], 28, 2, 0.3, 60) == [(0, 20), (20, 40), (40, 60)]


def test_no_regions_no_chunks() -> None:
    assert pack_regions([], 28, 2, 0.3, 10) == []


@given(st.lists(st.tuples(st.floats(0.05, 3), st.floats(0.1, 70)), max_size=40))
@example([(1.0, 13.0), (2.0, 7.0), (2.0, 39.0)])  # a cut at the first of two long silences left a rest of 28.5 s
def test_chunks_cover_all_speech_once_and_stay_short(gaps_and_lengths: list[tuple[float, float]]) -> None:
    at, regions = 0.0, []
    for gap, length in gaps_and_lengths:
        regions.append((at + gap, at + gap + length))
        at = regions[-1][1]
    chunks = pack_regions(regions, 28, 2, 0.3, at)
    assert all(0 < b - a <= 28 + 0.6 + 1e-6 for a, b in chunks)
    assert all(first[1] <= second[0] + 1e-6 for first, second in itertools.pairwise(chunks))
    covered = sum(max(0.0, min(b, d) - max(a, c)) for a, b in chunks for c, d in regions)
    assert covered == pytest.approx(sum(length for _, length in gaps_and_lengths), abs=1e-6)


@pytest.mark.weights
def test_no_speech_gives_no_words_and_no_language(recognizer: Recognizer) -> None:
    found = recognizer.transcribe(np.zeros(16_000, np.float32), [], SETTINGS)
    assert (found.language, found.language_probability, found.segments) == (None, None, ())


@pytest.mark.weights
def test_random_guesses_do_not_depend_on_what_was_heard_before(recognizer: Recognizer, need: Need) -> None:
    need("demo-speech")
    from faster_whisper.audio import decode_audio

    speech = decode_audio(str(weight_path("demo-speech", "endgame_nagg_nell.wav")))[: 6 * 16_000]
    drawing = SimpleNamespace(**{**vars(SETTINGS), "temperatures": (0.8,)})

    def text() -> str:
        return " ".join(s.text for s in recognizer.transcribe(speech, [(0.0, 6.0)], drawing).segments)

    first = text()
    assert first
    assert recognizer._model.has_drawn
    recognizer.transcribe(speech[::-1].copy(), [(0.0, 6.0)], drawing)
    assert text() == first


@pytest.mark.weights
@pytest.mark.shared
def test_a_known_sentence_with_word_times(recognizer: Recognizer, shared: Path) -> None:
    from faster_whisper.audio import decode_audio

    speech = decode_audio(str(shared / "media" / "audio" / "whisper_jfk.flac"))
    late_s = 40.0
    found = recognizer.transcribe(
        np.concatenate([np.zeros(int(late_s * 16_000), np.float32), speech]), [(late_s + 0.3, late_s + 10.5)], SETTINGS
    )
    assert found.language == "en"
    assert found.language_probability is not None
    assert found.language_probability > 0.8
    words = [w for s in found.segments for w in s.words]
    text = "".join(w.text for w in words).lower()
    assert "ask not what your country can do for you" in text
    assert words[0].start_s >= late_s
    assert words[-1].end_s <= late_s + 11.1
    assert all(a.start_s <= b.start_s and a.start_s <= a.end_s for a, b in itertools.pairwise(words))
    first_country = next(w for w in words if "country" in w.text.lower())
    assert first_country.start_s == pytest.approx(late_s + 6.0, abs=0.8)
    assert all(0 <= w.probability <= 1 for w in words)
