"""A release: the right pictures and sound under the papers' names, read by the libraries it is for, repeatable."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import wave
from pathlib import Path

import generate
import polars as pl
import pytest
from click.testing import CliRunner
from export_lake import SIZE, TURNS, make, strength

from speakervid_dag import hashing
from speakervid_dag.cli.app import cli
from speakervid_dag.config.settings import Settings
from speakervid_dag.failures import UserError
from speakervid_dag.files import sha256_of
from speakervid_dag.lake.own_output import is_release
from speakervid_dag.lake.schemas import RELEASES
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.media import audio, cut, probe, wav
from speakervid_dag.media.budget import MediaBudget
from speakervid_dag.media.decode import read_frames
from speakervid_dag.release import clip_store, releases
from speakervid_dag.release.export import Release, export
from speakervid_dag.release.request import Request

pytestmark = pytest.mark.heavy

BUDGET = MediaBudget()
SPEAKERVID = """
num_frames is_talking clip_speaker_num clear video_name video_total_duration start duration start_seconds end_seconds
bbox conf sync speaker dover raw_video_height raw_video_width clip_video_height clip_video_width
"""
TALKVID = """
id height width fps start-time start-frame end-time end-frame durations info description dover_scores cotracker_ratio
head_detail
"""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """One lake for the tests that only read it: what one has cut, another finds."""
    return make(tmp_path_factory.mktemp("export"))


def exported(settings: Settings, out: Path, branch: str = "single", form: str = "parquet", **asked: object) -> Release:
    return export(settings, Request(branch=branch, form=form, workers=2, **asked), out)  # type: ignore[arg-type]


def numbers(path: Path) -> list[int]:
    with read_frames(path, probe.probe(path, BUDGET), BUDGET) as reader:
        return [generate.number_of(frame.image) for frame in reader]


def test_pictures_sound_and_fields_of_each_clip(settings: Settings, tmp_path: Path) -> None:
    made = exported(settings, tmp_path / "out")
    records = {p.stem: json.loads(p.read_text()) for p in (tmp_path / "out" / "clips").glob("*.json")}
    assert len(records) == 4
    assert sum(row["samples"] for row in made.statistics) == 4
    for key, told in records.items():
        speaker, other = told["speaker_id"], "B" if told["speaker_id"] == "A" else "A"
        start_s, end_s = TURNS[speaker]
        clip = tmp_path / "out" / "clips" / f"{key}.mp4"
        first = round(start_s * 25 + 0.49)
        assert numbers(clip) == [n % 256 for n in range(first, first + told["num_frames"])]
        assert told["num_frames"] == 100
        samples, rate_hz = wav.read_wav(clip.with_suffix(".wav"))
        assert (rate_hz, len(samples)) == (16_000, 64_000)
        assert strength(samples, speaker) == pytest.approx(0.4, abs=0.02)
        assert strength(samples, other) < 0.001
        heard = audio.read_audio(clip, probe.probe(clip, BUDGET), BUDGET)
        assert strength(heard[:60_000], speaker) == pytest.approx(0.4, abs=0.03)
        assert told.keys() >= set(SPEAKERVID.split())
        assert told["talkvid"].keys() == set(TALKVID.split())
        assert key.startswith(f"{told['video_id']}_{SIZE[0]}x{SIZE[1]}_full_video_")
        assert key.endswith(f"_{speaker}")
        assert told["duration"] == pytest.approx(end_s - first / 25)
        assert told["sync"] == {str(told["bbox"]): [[5.0, 3.0, 0.0]]}
        assert told["talkvid"]["start-frame"] == round(told["start_seconds"] * 25)
        assert (told["dover"], told["talkvid"]["dover_scores"]) == (None, None)
        assert told["scores"]["video_quality"] == {"value": None, "status": "weights_missing"}


def test_a_listener_is_silent_and_the_speaker_is_heard(settings: Settings, tmp_path: Path) -> None:
    """The listening sample: the listener's silent picture, and the speaker's voice beside it."""
    exported(settings, tmp_path / "out", "listening")
    (first, _) = sorted((tmp_path / "out" / "clips").glob("*.mp4"))
    assert not probe.probe(first, BUDGET).has_audio
    samples, _ = wav.read_wav(first.with_suffix(".wav"))
    assert strength(samples, "B") == pytest.approx(0.4, abs=0.02)
    assert numbers(first)[0] == 138  # the first picture at or after 5.5 s
    assert "_hears_u0001" in first.name
    assert json.loads(first.with_suffix(".json").read_text())["is_talking"] == 0


def test_the_part_is_cropped_with_even_sides(settings: Settings, tmp_path: Path) -> None:
    exported(settings, tmp_path / "out", encoding=cut.Encoding(margin=0.0), limit=1)
    (clip,) = (tmp_path / "out" / "clips").glob("*.mp4")
    info = probe.probe(clip, BUDGET)
    assert (info.width_px, info.height_px) == SIZE
    assert info.fps == 25
    assert (info.video_codec, info.audio_codec, info.audio_sample_rate_hz) == ("h264", "aac", 16_000)


@pytest.mark.parametrize(
    ("branch", "samples"), [("single", 4), ("dialogue", 2), ("listening", 2), ("multi_turn_sequential", 2)]
)
def test_datasets_loads_every_branch(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, branch: str, samples: int
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    exported(settings, tmp_path / "out", branch, "hf")
    loaded = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert sum(split.num_rows for split in loaded.values()) == samples
    row = next(iter(loaded.values()))
    media = {n: f for n, f in row.features.items() if isinstance(f, datasets.Video | datasets.Audio)}
    wanted = {"dialogue": 4, "multi_turn_sequential": 0}.get(branch, 2)
    assert len(media) == wanted
    raw = row.with_format("arrow")[:1].to_pylist()[0]
    name = {"dialogue": "responder_video"}.get(branch, "video")
    video = raw["videos"][1] if branch == "multi_turn_sequential" else raw[name]
    (tmp_path / "clip.mp4").write_bytes(video["bytes"])
    assert len(numbers(tmp_path / "clip.mp4")) == 100


def test_datasets_feed_a_dataloader_shuffled(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets
    from torch.utils.data import DataLoader

    exported(settings, tmp_path / "out", "single", "hf", shares={"train": 1.0})
    train = datasets.load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    raw = train.cast_column("video", datasets.Video(decode=False)).cast_column("audio", datasets.Audio(decode=False))
    loader = DataLoader(raw.shuffle(seed=3), batch_size=2, collate_fn=list)
    rows = [row for batch in loader for row in batch]
    assert sorted(row["sample_id"] for row in rows) == sorted(train["sample_id"])
    with wave.open(io.BytesIO(rows[0]["audio"]["bytes"])) as sound:
        assert sound.getnframes() == 64_000
    assert json.loads(rows[0]["clip"])["num_frames"] == 100


def test_webdataset_feeds_a_dataloader_shuffled(settings: Settings, tmp_path: Path) -> None:
    import webdataset
    from torch.utils.data import DataLoader

    exported(settings, tmp_path / "out", "dialogue", "webdataset", shares={"train": 1.0})
    shards = sorted(map(str, (tmp_path / "out").glob("train-*.tar")))
    data = webdataset.WebDataset(shards, shardshuffle=False).shuffle(10).decode()
    rows = [row for batch in DataLoader(data, batch_size=1, collate_fn=list) for row in batch]
    assert len(rows) == 2
    for row in rows:
        assert {"json", "initiator.mp4", "initiator.wav", "responder.mp4", "responder.wav"} <= row.keys()
        assert row["json"]["sample_id"] == row["__key__"]
        assert set(row["json"]["clips"]) == {"initiator", "responder"}
        assert row["json"]["clips"]["initiator"].keys() >= set(SPEAKERVID.split())
        (tmp_path / "clip.mp4").write_bytes(row["responder.mp4"])
        assert numbers(tmp_path / "clip.mp4")[0] == 138


def test_parquet_tables_match_the_files(settings: Settings, tmp_path: Path) -> None:
    exported(settings, tmp_path / "out", "dialogue")
    clips = pl.read_parquet(tmp_path / "out" / "clips.parquet")
    samples = pl.read_parquet(tmp_path / "out" / "samples.parquet")
    assert all((tmp_path / "out" / path).is_file() for path in [*clips["video"], *clips["audio"]])
    assert set(samples.explode("clip_keys")["clip_keys"]) == set(clips["key"])
    told = json.loads((tmp_path / "out" / "talkvid.json").read_text())
    assert {row["id"] for row in told} == set(clips["key"])
    assert clips["luminance_status"].to_list() == ["ok"] * 4


def test_card_and_manifest(settings: Settings, tmp_path: Path) -> None:
    made = exported(settings, tmp_path / "out", licence="CC BY 4.0", consent="signed forms")
    card = (tmp_path / "out" / "README.md").read_text()
    assert re.search(r"^- Licence.*: CC BY 4\.0$", card, re.MULTILINE)
    assert re.search(r"^- Consent.*: signed forms$", card, re.MULTILINE)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    files = {str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*") if p.is_file()}
    assert files - {"manifest.json"} == set(manifest["files"])
    row = DeltaLake(str(settings.lake_dir)).read(RELEASES).filter(pl.col("release_id") == made.release_id).to_dicts()[0]
    assert (row["snapshot"], row["profile"], row["branch"], row["sample_count"]) == (1, "laptop", "single", 4)
    assert row["duration_s"] == pytest.approx(2 * 4.0 + 2 * 3.98)  # B's first picture is at 5.52 s


def test_a_second_export_cuts_nothing_and_is_the_same_release(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = exported(settings, tmp_path / "a", "dialogue")

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a clip was cut again")

    monkeypatch.setattr(cut, "cut_clips", refuse)
    second = exported(settings, tmp_path / "b", "dialogue")
    assert second.release_id == first.release_id
    assert exported(settings, tmp_path / "b", "dialogue").was_there
    with pytest.raises(UserError, match=r"\bbranch dialogue → single\b.*--out"):
        exported(settings, tmp_path / "b", "single")


def test_whole_pictures_are_copied(settings: Settings, tmp_path: Path) -> None:
    exported(settings, tmp_path / "out", is_cropped=False)
    for told in map(json.loads, (p.read_text() for p in (tmp_path / "out" / "clips").glob("*.json"))):
        assert told["is_stream_copy"]
        clip = tmp_path / "out" / "clips" / f"{told['key']}.mp4"
        assert numbers(clip)[:100] == [n % 256 for n in range(round(told["start_seconds"] * 25), 999)][:100]
        samples, _ = wav.read_wav(clip.with_suffix(".wav"))
        assert strength(samples[:60_000], told["speaker_id"]) == pytest.approx(0.4, abs=0.02)


def test_a_killed_export_goes_on_with_what_is_missing(tmp_path: Path) -> None:
    own = make(tmp_path)
    out = tmp_path / "out"
    command = [sys.executable, "-m", "speakervid_dag", "export", "--lake", str(own.lake_dir), "--branch", "single"]
    command += ["--format", "webdataset", "--out", str(out), "--workers", "1"]
    running = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
    store = own.lake_dir / "artifacts" / "clips"
    deadline = time.monotonic() + 120
    while not list(store.rglob("v*.json")):
        assert running.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert not out.exists()
    kept = {path: path.stat().st_mtime_ns for path in store.rglob("v*.json")}
    assert 0 < len(kept) < 4
    exported(own, out, "single", "webdataset")
    assert out.is_dir()
    assert not list(tmp_path.glob(".speakervid-*"))
    assert all(path.stat().st_mtime_ns == at for path, at in kept.items())
    assert len(list(store.rglob("v*.json"))) == 4


def test_a_full_disk_stops_the_export_and_the_next_one_goes_on(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from speakervid_dag.release import export as work

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(work, "write", full)
        with pytest.raises(OSError, match="No space left"):
            exported(settings, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert exported(settings, tmp_path / "out").statistics
    assert is_release(tmp_path / "out")


def test_releases_are_listed_and_compared(settings: Settings, tmp_path: Path) -> None:
    small = exported(settings, tmp_path / "small", limit=1)
    whole = exported(settings, tmp_path / "whole")
    lake = ["--lake", str(settings.lake_dir), "--format", "json"]
    listed = json.loads(CliRunner().invoke(cli, ["releases", "list", *lake]).stdout)
    assert {small.release_id, whole.release_id} <= {row["release_id"] for row in listed}
    asked = CliRunner().invoke(cli, ["sql", "FROM releases", *lake])
    assert whole.release_id in {row["release_id"] for row in json.loads(asked.stdout)}
    told = CliRunner().invoke(cli, ["releases", "diff", small.release_id, str(tmp_path / "whole"), *lake])
    assert [row["change"] for row in json.loads(told.stdout)] == ["entered"] * 3
    with pytest.raises(UserError, match="'r0nothing'"):
        releases.load(settings.lake_dir, "r0nothing")


def test_what_cannot_be_asked_is_told(settings: Settings, tmp_path: Path) -> None:
    asked = [
        "export",
        "--lake",
        str(settings.lake_dir),
        "--branch",
        "single",
        "--format",
        "hf",
        "--out",
        str(tmp_path / "o"),
    ]
    for more, told in (
        (["--tier", "rejected"], ("single", "rejected")),
        (["--split", "train=.5"], ("--split", "0.5")),
        (["--split", "../x=1"], ("NAME=SHARE",)),
    ):
        done = CliRunner().invoke(cli, [*asked, *more])
        assert isinstance(done.exception, UserError)
        assert all(word in str(done.exception) for word in told)


def test_a_source_is_probed_and_hashed_once_however_many_jobs_cut_it(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    probed: list[str] = []
    hashed: list[str] = []
    real = probe.probe
    os.utime(settings.lake_dir.parent / "sources" / "0.mp4", ns=(0, 0))  # touched: its size and time tell nothing
    monkeypatch.setattr(hashing, "sha256_of", lambda path: hashed.append(path.name) or sha256_of(path))
    monkeypatch.setattr(hashing, "RACY_NS", 0)  # the file was written just now

    def counted(path: Path, budget: MediaBudget) -> probe.MediaInfo:
        probed.append(path.name)
        return real(path, budget)

    monkeypatch.setattr(probe, "probe", counted)
    monkeypatch.setattr(clip_store, "CLIPS_A_JOB", 1)
    exported(settings, tmp_path / "out", encoding=cut.Encoding(crf=30))
    assert sorted(probed) == ["0.mp4", "1.mp4"]
    assert hashed == ["0.mp4"]


def test_sources_lake_and_release_may_lie_in_folders_of_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "My Videos é😀 100% a%20b #1 what? {x} [x] a\\b batch=7 'q'"
    folder.mkdir()
    settings = make(folder)
    out = folder / "out? [1]%20"
    made = exported(settings, out)
    assert made.statistics == exported(settings, folder / "other").statistics
    assert [p.name for p in out.glob("clips/*.mp4")]
    assert not made.missing
    assert pl.read_parquet(out / "clips.parquet", glob=False).height == len(list(out.glob("clips/*.mp4")))
    assert str(out) in set(DeltaLake(str(settings.lake_dir)).read(RELEASES)["place"])
    assert sorted(p.name for p in folder.iterdir()) == ["lake", "other", "out? [1]%20", "sources"]
