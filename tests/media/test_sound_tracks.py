"""Several tracks and channels: each is measured, and what is taken of them lies where the container's clock says."""

from pathlib import Path

import generate
import numpy as np
import pytest

from speakervid_dag.failures import PermanentFailure
from speakervid_dag.media.audio import Taken, TrackLevels, read_audio, read_levels
from speakervid_dag.media.budget import MediaBudget
from speakervid_dag.media.probe import MediaInfo, probe

pytestmark = pytest.mark.heavy

BUDGET = MediaBudget()
CLOSE_S = 0.003


def tone(hz: float = 1000.0, length_s: float = 1.0, rate_hz: int = 16_000, level: float = 0.5) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hz * np.arange(round(length_s * rate_hz)) / rate_hz)).astype(np.float32)


def levels(path: Path, track: int = 0) -> TrackLevels:
    return read_levels(path, probe(path, BUDGET), BUDGET, track)


def usual(row: np.ndarray) -> float:
    return float(np.median(row))


def test_every_track_is_told_with_what_its_header_says(tmp_path: Path) -> None:
    stereo, mono = np.stack([tone(), tone()]), tone(rate_hz=48_000)[None]
    path = generate.sound_tracks(
        tmp_path / "a.mkv", (stereo, 16_000, 0.0, "stereo"), (mono, 48_000, 0.0, "mono"), language="deu,eng"
    )
    tracks = probe(path, BUDGET).sound_tracks
    assert {(t.track, t.language, t.channels, t.sample_rate_hz) for t in tracks} == {
        (0, "deu", 2, 16_000),
        (1, "eng", 1, 48_000),
    }
    assert tracks[0].track == probe(path, BUDGET).audio_index


def test_levels_of_channels_and_of_their_mix(tmp_path: Path) -> None:
    path = generate.sound_tracks(
        tmp_path / "a.mkv", (np.stack([tone(), -tone(), 0 * tone()]), 16_000, 0.0, "3 channels")
    )
    found = levels(path)
    assert found.channels.shape == (3, 32)
    assert [usual(row) for row in found.channels] == pytest.approx([-9.03, -9.03, -120], abs=0.1)
    assert usual(found.mix) < -100
    assert (found.start_s, found.end_s) == (0.0, pytest.approx(1.0, abs=0.01))


def test_hum_and_rumble_are_no_level(tmp_path: Path) -> None:
    path = generate.sound_tracks(tmp_path / "a.mkv", (tone(50)[None], 16_000, 0.0, "mono"))
    assert usual(levels(path).mix) < -50


def test_levels_are_where_the_sound_is(tmp_path: Path) -> None:
    path = generate.sound_tracks(
        tmp_path / "a.mkv", (tone()[None], 16_000, 0.0, "mono"), (tone()[None], 16_000, 0.8, "mono")
    )
    found = levels(path, 1)
    assert found.start_s == pytest.approx(0.8, abs=0.002)
    assert np.argmax(found.mix > -20) * 0.032 == pytest.approx(0.8, abs=0.033)


@pytest.mark.parametrize(
    ("layout", "count"), [("3 channels", 3), ("7 channels", 7), ("16 channels", 16), ("64 channels", 64)]
)
def test_layouts_that_nobody_names(tmp_path: Path, layout: str, count: int) -> None:
    samples = np.zeros((count, 32_000), np.float32)
    samples[count - 1] = generate.chirps((0.5, 1.2), 2.0)
    path = generate.sound_tracks(tmp_path / "a.mkv", (samples, 16_000, 0.0, layout))
    info = probe(path, BUDGET)
    heard = read_audio(path, info, BUDGET, taken=[Taken(0, count - 1, 1.0)])
    assert generate.chirp_times(heard, 2) == pytest.approx([0.5, 1.2], abs=CLOSE_S)
    assert np.abs(heard).max() == pytest.approx(0.6, abs=0.05)
    assert np.abs(read_audio(path, info, BUDGET)).max() == pytest.approx(0.6 / count, rel=0.1)
    assert [c for c, row in enumerate(levels(path).channels) if row.max() > -100] == [count - 1]


@pytest.mark.parametrize(
    ("container", "codec", "forgets"),
    [("mp4", "aac", False), ("mov", "pcm_s16le", True), ("matroska", "libopus", False)],
    ids=["planar", "an order of its own", "planar, Opus"],
)
def test_eight_channels(tmp_path: Path, container: str, codec: str, forgets: bool) -> None:
    """PyAV crashes on both kinds: it reads on behind the last plane, and frees a layout of its own order twice."""
    rate_hz = 48_000
    rows = np.stack([tone(rate_hz=rate_hz, level=0.05 * (i + 1)) for i in range(8)])
    path = generate.sound_tracks(
        tmp_path / "a", (rows, rate_hz, 0.0, "7.1"), pictures=5, container=container, codec=codec
    )
    if forgets:
        generate.in_an_order_of_its_own(path)
    info = probe(path, BUDGET)
    assert (info.has_video, info.forgets_layouts, info.sound_tracks[0].channels) == (True, forgets, 8)
    track = info.sound_tracks[0].track
    found = levels(path, track)
    assert len(found.channels) == 8
    (one,) = (read_audio(path, info, BUDGET, 16_000, [Taken(track, n, 1.0)]) for n in (7,))
    assert np.abs(one[4_000:12_000]).max() == pytest.approx(0.4, rel=0.2)


def test_too_many_channels_are_over_budget(tmp_path: Path) -> None:
    path = generate.sound_tracks(tmp_path / "a.mkv", (np.zeros((16, 800)), 16_000, 0.0, "16 channels"))
    budget = MediaBudget(max_sound_channels=8)
    with pytest.raises(PermanentFailure, match="over_budget: 16 channels"):
        read_levels(path, probe(path, budget), budget, 0)


def test_tracks_of_other_starts_rates_and_lengths_are_mixed_in_their_places(tmp_path: Path) -> None:
    first = generate.chirps((0.5,), 1.0)[None]
    second = np.stack([generate.chirps((0.4,), 1.5, 48_000), np.zeros(72_000, np.float32)])
    path = generate.sound_tracks(tmp_path / "a.mkv", (first, 16_000, 0.0, "mono"), (second, 48_000, 0.8, "stereo"))
    heard = read_audio(path, probe(path, BUDGET), BUDGET, taken=[Taken(1, 0, 0.5), Taken(0, 0, 0.5)])
    assert len(heard) == pytest.approx(2.3 * 16_000, abs=160)
    assert generate.chirp_times(heard, 2) == pytest.approx([0.5, 1.2], abs=CLOSE_S)
    assert np.abs(heard).max() == pytest.approx(0.3, abs=0.03)


def test_the_standard_downmix_of_a_named_layout(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    samples = np.zeros((6, 48_000), np.float32)
    samples[2] = generate.chirps((0.5,), 1.0, 48_000)  # the centre
    import av

    with av.open(str(path), "w") as writer:
        stream = writer.add_stream("aac", rate=48_000, layout="5.1")
        frame = av.AudioFrame.from_ndarray(samples, "fltp", "5.1")
        frame.sample_rate, frame.pts = 48_000, 0
        writer.mux([*stream.encode(frame), *stream.encode(None)])
    found = levels(path)
    assert found.names[2] == "FC"
    assert found.downmix[found.names.index("LFE")] == 0
    assert max(found.downmix) == found.downmix[2]
    assert sum(found.downmix) == pytest.approx(1)
    assert generate.chirp_times(read_audio(path, probe(path, BUDGET), BUDGET), 1) == pytest.approx([0.5], abs=CLOSE_S)


@pytest.mark.parametrize("codec", ["pcm_u8", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le"])
def test_every_sample_format_has_the_same_loudness(tmp_path: Path, codec: str) -> None:
    heard = sound_of_codec(tmp_path, codec)
    assert np.abs(heard).max() == pytest.approx(0.6, abs=0.05)
    assert abs(heard.mean()) < 0.005


def sound_of_codec(folder: Path, codec: str) -> np.ndarray:
    path = generate.sound_only(folder / "a.wav", "wav", "pcm_s16le")
    import av

    target = folder / "b.mkv"
    with av.open(str(path)) as reader, av.open(str(target), "w", format="matroska") as writer:
        stream = writer.add_stream(codec, rate=generate.RATE_HZ, layout="mono")
        resampler = av.AudioResampler(stream.codec_context.format.name, "mono", generate.RATE_HZ)
        for frame in [*reader.decode(audio=0), None]:
            for shaped in resampler.resample(frame):
                writer.mux(stream.encode(shaped))
        writer.mux(stream.encode(None))
    info: MediaInfo = probe(target, BUDGET)
    return read_audio(target, info, BUDGET)
