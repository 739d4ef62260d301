"""HDR and wide gamut are shown as a player of SDR shows them; tags that lie cost nothing but a reason."""

from pathlib import Path

import av
import generate
import numpy as np
import pytest
from media.generate import Colours, coloured

from speakervid_dag.assets.intake_rows import verdict
from speakervid_dag.media.budget import MediaBudget
from speakervid_dag.media.cut import ClipCut, Encoding, can_copy, cut_clips
from speakervid_dag.media.decode import read_frames
from speakervid_dag.media.probe import MediaInfo, probe
from speakervid_dag.media.stills import read_stills

pytestmark = pytest.mark.heavy

BUDGET = MediaBudget()
PQ, HLG = 16, 18
# BT.2408-7, tables 1 to 3: 18 % grey at 26 cd/m², skin between, white at 203 cd/m², on a display of 1,000 cd/m².
SIGNALS = {PQ: {26: 0.38, 60: 0.459, 203: 0.58}, HLG: {26: 0.38, 60: 0.527, 203: 0.75}}
TO_BT2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])  # BT.2087-0


def shown(path: Path) -> tuple[MediaInfo, np.ndarray]:
    """Facts of the file, and R, G, B of the middle of each strip of its last picture."""
    info = probe(path, BUDGET)
    with read_frames(path, info, BUDGET) as reader:
        image = list(reader)[-1].image
    return info, strips(image)


def strips(image: np.ndarray) -> np.ndarray:
    return np.array([image[16:48, x + 8 : x + 24].mean(axis=(0, 1))[::-1] for x in range(0, image.shape[1], 32)])


def grey(values: list[float]) -> np.ndarray:
    return np.repeat(np.array(values)[:, None], 3, axis=1)


@pytest.mark.parametrize(("transfer", "name"), [(PQ, "smpte2084"), (HLG, "arib-std-b67")])
@pytest.mark.parametrize("bits", [10, 8])
def test_light_is_what_an_sdr_display_shows(tmp_path: Path, transfer: int, name: str, bits: int) -> None:
    path = coloured(tmp_path / "a.mp4", grey(list(SIGNALS[transfer].values())), Colours(transfer, bits=bits))
    info, rgb = shown(path)
    assert (info.color_transfer, info.color_primaries, info.bit_depth) == (name, "bt2020", bits)
    assert verdict(info)["status"] == "degraded"  # for want of sound only
    assert verdict(info)["reason"] == "no_audio_stream"
    dark, skin, white = rgb
    assert dark == pytest.approx([255 * (26 / 203) ** (1 / 2.4)] * 3, abs=3)
    assert skin == pytest.approx([255 * (60 / 203) ** (1 / 2.4)] * 3, abs=4)
    assert 220 < white.min() <= white.max() < 240  # leaves room for five times the light of white


def test_colours_of_bt709_come_back_from_bt2020(tmp_path: Path) -> None:
    wanted = np.array([[0.7, 0.45, 0.38], [0.3, 0.5, 0.3], [0.2, 0.25, 0.6]])
    light = (wanted**2.4 * 203) @ TO_BT2020.T
    power = (light / 10_000) ** 0.1593017578125
    signal = ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375  # SMPTE ST 2084, equation 5.2
    _, rgb = shown(coloured(tmp_path / "a.mp4", signal, Colours(PQ)))
    assert rgb == pytest.approx(wanted * 255, abs=4)


def test_wide_gamut_of_standard_range_is_brought_in_too(tmp_path: Path) -> None:
    wanted = np.array([[0.7, 0.45, 0.38], [0.3, 0.5, 0.3]])
    signal = (wanted**2.4 @ TO_BT2020.T) ** (1 / 2.4)
    info, rgb = shown(coloured(tmp_path / "a.mp4", signal, Colours(14)))
    assert (info.color_transfer, info.colours) == ("bt2020-10", "sdr")
    assert rgb == pytest.approx(wanted * 255, abs=4)


@pytest.mark.parametrize("colours", [Colours(1, 1, 1, 8), Colours(6, 6, 6, 8), Colours(2, 2, 2, 8), Colours(1, 1, 1)])
def test_standard_range_is_left_alone(tmp_path: Path, colours: Colours) -> None:
    wanted = np.array([[0.8, 0.3, 0.1], [0.1, 0.2, 0.9], [0.5, 0.5, 0.5]])
    info, rgb = shown(coloured(tmp_path / "a.mp4", wanted, colours))
    assert (info.colours, info.colour_fault) == ("sdr", None)
    assert rgb == pytest.approx(wanted * 255, abs=3)


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_clips_and_stills_of_hdr_are_sdr(tmp_path: Path, transfer: int) -> None:
    path = coloured(tmp_path / "a.mp4", grey(list(SIGNALS[transfer].values())), Colours(transfer), count=12)
    info, rgb = shown(path)
    (done,) = cut_clips(path, info, BUDGET, [ClipCut(tmp_path / "0.mp4", 0.0, 0.4, None)], [None], Encoding())
    assert (done.failure, can_copy(info)) == (None, False)
    with av.open(str(tmp_path / "0.mp4")) as clip:
        context = clip.streams.video[0].codec_context
        assert (context.color_range, context.colorspace, context.color_primaries, context.color_trc) == (1, 1, 1, 1)
        assert context.pix_fmt == "yuv420p"
    assert shown(tmp_path / "0.mp4")[1] == pytest.approx(rgb, abs=3)
    (still,) = read_stills(path, [0.2], BUDGET, video_start_s=0.0, max_long_side_px=1000)
    assert strips(still) == pytest.approx(rgb, abs=2)


def test_standard_range_tagged_as_pq_is_taken_as_what_it_is(tmp_path: Path) -> None:
    wanted = np.array([[0.95, 0.95, 0.9], [0.6, 0.4, 0.3]])
    info, rgb = shown(coloured(tmp_path / "a.mp4", wanted, Colours(PQ, 1, 1, 8)))
    assert (info.color_transfer, info.colours, can_copy(info)) == ("smpte2084", "sdr", False)
    assert (verdict(info)["status"], info.colour_fault is not None) == ("degraded", True)
    assert rgb == pytest.approx(wanted * 255, abs=3)


@pytest.mark.parametrize("colours", [Colours(8, 1, 1, 8), Colours(17, 10, 1, 8), Colours(1, 1, 14, 8)])
def test_colours_that_nobody_knows_are_shown_as_ordinary_ones(tmp_path: Path, colours: Colours) -> None:
    wanted = np.array([[0.8, 0.3, 0.1], [0.5, 0.5, 0.5]])  # coded by BT.601 where the matrix is none of ours
    path = coloured(tmp_path / "a.mp4", wanted, colours, count=12)
    info, rgb = shown(path)
    assert info.colour_fault is not None
    assert verdict(info.__class__(**{**info.__dict__, "has_audio": True}))["reason"] == "unknown_colours"
    assert rgb == pytest.approx(wanted * 255, abs=3)
    (done,) = cut_clips(path, info, BUDGET, [ClipCut(tmp_path / "0.mp4", 0.0, 0.4, None)], [None], Encoding())
    assert done.failure is None
    assert shown(tmp_path / "0.mp4")[1] == pytest.approx(rgb, abs=3)


def test_a_plain_file_says_nothing_of_its_colours(tmp_path: Path) -> None:
    info = probe(generate.plain(tmp_path / "a.mp4"), BUDGET)
    assert (info.color_transfer, info.color_primaries, info.bit_depth, info.colours) == (None, None, 8, "sdr")
    assert verdict(info) == {"status": "ok"}
