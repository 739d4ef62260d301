"""Pictures that change size, pixel aspect or orientation in mid-stream: each as it is displayed, a cut between."""

from fractions import Fraction
from pathlib import Path

import generate
import pytest
from media.generate import Part, changing

from speakervid_dag.assets import intake_rows
from speakervid_dag.config.profiles import load_profile
from speakervid_dag.curation.sources.shots import ShotFinder
from speakervid_dag.failures import PermanentFailure
from speakervid_dag.media.budget import MediaBudget
from speakervid_dag.media.cut import ClipCut, Encoding, cut_clips
from speakervid_dag.media.decode import DecodeReport, Frame, read_frames
from speakervid_dag.media.probe import probe
from speakervid_dag.media.stills import read_stills

pytestmark = pytest.mark.heavy

BUDGET = MediaBudget()
WIDE, TALL = Part((160, 96), 30), Part((96, 160), 40)


def read(path: Path, max_long_side_px: int | None = None) -> tuple[list[Frame], DecodeReport]:
    with read_frames(path, probe(path, BUDGET), BUDGET, max_long_side_px=max_long_side_px) as reader:
        frames = list(reader)
    return frames, reader.report


@pytest.mark.parametrize(
    ("container", "codec"), [("mpegts", "libx264"), ("matroska", "libvpx"), ("webm", "libvpx-vp9")]
)
def test_a_phone_that_is_turned(tmp_path: Path, container: str, codec: str) -> None:
    frames, report = read(changing(tmp_path / "a", [WIDE, TALL, WIDE], container, codec))
    assert [f.image.shape for f in frames] == [(96, 160, 3)] * 30 + [(160, 96, 3)] * 40 + [(96, 160, 3)] * 30
    assert [f.stretch for f in frames] == [0] * 30 + [1] * 40 + [2] * 30
    assert [generate.number_of(f.image) for f in frames] == [*range(30), *range(40), *range(30)]
    assert {generate.red_corner(f.image) for f in frames} == {"tl"}
    assert report.is_complete
    assert [stretch[1:] for stretch in report.stretches] == [(160, 96), (96, 160), (160, 96)]


def test_pixel_aspect_and_orientation_change(tmp_path: Path) -> None:
    wide, turned = Part((160, 96), 30, Fraction(2, 1)), Part((96, 160), 30, turn_deg=90)
    frames, report = read(changing(tmp_path / "a.ts", [Part((160, 96), 30, Fraction(1, 1)), wide, turned]))
    assert [f.image.shape[:2] for f in frames] == [(96, 160)] * 30 + [(96, 320)] * 30 + [(96, 160)] * 30
    assert [generate.red_corner(f.image) for f in frames] == ["tl"] * 60 + ["bl"] * 30
    assert report.is_complete


def test_shrunk_pictures_keep_the_shape_of_their_stretch(tmp_path: Path) -> None:
    frames, _ = read(changing(tmp_path / "a.ts", [WIDE, TALL]), max_long_side_px=80)
    assert {f.image.shape[:2] for f in frames if f.stretch == 0} == {(48, 80)}
    assert {f.image.shape[:2] for f in frames if f.stretch == 1} == {(80, 48)}


def test_a_cut_where_geometry_changes_and_the_size_of_each_shot(tmp_path: Path) -> None:
    frames, report = read(changing(tmp_path / "a.ts", [WIDE, TALL]))
    finder = ShotFinder(load_profile("laptop").shots)
    for frame in frames:
        frame.image[:] = 128  # nothing else tells the two parts apart
        finder.feed(frame)
    shots = finder.finish()
    rows = intake_rows.numbered("v", shots, [None] * len(shots), report.stretches)
    assert [(row["width_px"], row["height_px"]) for row in rows] == [(160, 96), (96, 160)]
    assert rows[1]["start_s"] == frames[30].time_s
    assert intake_rows.picture_size(report, shots) == {"width_px": 96, "height_px": 160, "geometries": 2}


def test_clips_of_each_stretch_and_across(tmp_path: Path) -> None:
    path = changing(tmp_path / "a.ts", [WIDE, TALL])
    info = probe(path, BUDGET)
    spans = [(0.0, 1.0, None), (1.4, 2.4, None), (1.4, 2.4, (0.0, 0.0, 1.0, 0.5)), (0.8, 1.6, None)]
    cuts = [ClipCut(tmp_path / f"{i}.mp4", start_s, end_s, box) for i, (start_s, end_s, box) in enumerate(spans)]
    made = list(cut_clips(path, info, BUDGET, cuts, [None] * len(cuts), Encoding(margin=0.0)))
    assert [(done.width_px, done.height_px) for done in made] == [(160, 96), (96, 160), (96, 80), (160, 96)]
    first, second, upper, across = (read(cut.path)[0] for cut in cuts)
    assert generate.number_of(first[5].image) == 5
    assert generate.number_of(second[5].image) == pytest.approx(10, abs=1)
    assert {generate.red_corner(f.image) for f in (first[5], second[5], upper[5], across[2])} == {"tl"}
    assert [f.image.shape for f in across] == [(96, 160, 3)] * 20
    after = across[-1].image  # stands whole in the middle: 56 px of 160
    assert after[:, :48].max() < 20
    assert after[10, 80].astype(int) == pytest.approx([96, 96, 96], abs=8)


def test_stills_of_each_stretch(tmp_path: Path) -> None:
    path = changing(tmp_path / "a.ts", [WIDE, TALL])
    stills = read_stills(path, [0.5, 2.0], BUDGET, video_start_s=0.0, max_long_side_px=80)
    assert [still.shape[:2] for still in stills] == [(48, 80), (80, 48)]


def test_a_change_with_every_picture_is_bounded(tmp_path: Path) -> None:
    sizes = [(96 + 16 * (i % 2), 96) for i in range(60)]
    path = changing(tmp_path / "a.ts", [Part(size, 1) for size in sizes])
    info = probe(path, BUDGET)
    with pytest.raises(PermanentFailure, match=r"over_budget.*\b31\b"):
        list(read_frames(path, info, BUDGET))
    kept = MediaBudget(base_geometry_changes=60)
    assert len(list(read_frames(path, info, kept))) == pytest.approx(60, abs=2)
