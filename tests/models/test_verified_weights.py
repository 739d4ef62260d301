"""Every way to a weight verifies: damaged files are refused, unchanged ones are not read twice."""

import base64
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from speakervid_dag import hashing
from speakervid_dag.failures import WeightsMissing, WeightsUnusable
from speakervid_dag.models import face_pack, packaged, registry
from speakervid_dag.models.person import Emotion
from speakervid_dag.models.registry import Weight, WeightFile
from speakervid_dag.user_cache import cache_folder

RIGHT, WRONG = b"right", b"wrong"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The right file of `emotion`, in an otherwise empty folder of weights and with an empty cache folder."""
    pinned = WeightFile(filename="a", sha256=hashlib.sha256(RIGHT).hexdigest(), sources=("file:/x",))
    entry = registry.get_weight("emotion").model_copy(update={"files": (pinned,)})
    monkeypatch.setattr(registry, "load_registry", lambda: {"emotion": entry})
    monkeypatch.setenv(registry.WEIGHTS_ENV, str(tmp_path / "weights"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "weights" / "emotion" / "a"
    path.parent.mkdir(parents=True)
    path.write_bytes(RIGHT)
    return path


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Path]]:
    """Every file that was read whole. Files count as long unchanged."""
    read: list[Path] = []
    real = hashing.sha256_of

    def sha256_of(path: Path) -> str:
        read.append(path)
        return real(path)

    monkeypatch.setattr(hashing, "sha256_of", sha256_of)
    monkeypatch.setattr(hashing, "RACY_NS", 0)
    registry._memory.cache_clear()
    yield read
    registry._memory.cache_clear()


def damage(file: Path) -> None:
    """Other bytes of the same number, written a tick of the file's times later."""
    before = file.stat().st_ctime_ns
    while file.stat().st_ctime_ns == before:
        file.write_bytes(WRONG)


def another_process() -> None:
    registry._memory.cache_clear()


def test_a_damaged_file_is_refused_by_its_loader_and_named_with_the_remedy(file: Path) -> None:
    assert registry.weight_path("emotion") == file
    file.write_bytes(WRONG)
    with pytest.raises(WeightsUnusable) as told:
        Emotion(1)
    assert str(file) in str(told.value)
    assert "speakervid models pull emotion" in str(told.value)


def test_provenance_names_the_hash_that_was_found(file: Path) -> None:
    file.write_bytes(WRONG)
    assert registry.weight_hash("emotion") == hashlib.sha256(WRONG).hexdigest()
    file.unlink()
    with pytest.raises(WeightsMissing):
        registry.weight_hash("emotion")


def test_a_change_that_keeps_size_and_time_is_seen(file: Path, hashed: list[Path]) -> None:
    before = file.stat()
    assert registry.examine("emotion").status == "ok"
    damage(file)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert registry.examine("emotion").status == "wrong_hash"


def test_a_change_within_one_tick_is_seen(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    same = hashing._state(file)
    monkeypatch.setattr(hashing, "_state", lambda _: same)  # times too coarse to tell
    assert registry.examine("emotion").status == "ok"
    file.write_bytes(WRONG)
    assert registry.examine("emotion").status == "wrong_hash"


def test_an_unchanged_file_is_read_once_by_all_processes(file: Path, hashed: list[Path]) -> None:
    for _ in range(2):
        registry.weight_path("emotion")
        another_process()
    assert hashed == [file]
    registry.verify("emotion")
    assert hashed == [file, file], "`models verify` reads it all: a disk may rot without a new time"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"/x": [1, 2]}', b'{"/x": {}}'])
def test_a_memory_that_cannot_be_read_costs_a_hash_only(file: Path, hashed: list[Path], content: bytes) -> None:
    registry.weight_path("emotion")
    (memory,) = cache_folder().iterdir()
    memory.write_bytes(content)
    another_process()
    assert registry.weight_path("emotion") == file
    assert len(hashed) == 2


def test_a_memory_of_another_file_is_not_believed(file: Path, hashed: list[Path]) -> None:
    registry.weight_path("emotion")
    (memory,) = cache_folder().iterdir()
    damage(file)
    told = json.loads(memory.read_bytes())
    told[str(file)][1] = file.stat().st_mtime_ns  # size and time are those of the damaged file, the rest is old
    memory.write_text(json.dumps(told))
    another_process()
    assert registry.examine("emotion").status == "wrong_hash"


def test_without_a_folder_to_remember_in_each_process_hashes_once(
    file: Path, hashed: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    registry.weight_path("emotion")
    registry.weight_path("emotion")
    assert len(hashed) == 1
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError))  # a user without a home
    registry.weight_path("emotion")
    registry.weight_path("emotion")
    assert len(hashed) == 2


def test_an_unreadable_file_is_refused(file: Path) -> None:
    file.unlink()
    file.mkdir()
    assert registry.examine("emotion").status == "unreadable"
    with pytest.raises(WeightsUnusable, match="models pull emotion"):
        registry.weight_path("emotion")


def test_a_derived_pack_that_was_damaged_is_built_again(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = WeightFile(filename="c.onnx", sha256=hashlib.sha256(RIGHT).hexdigest(), sources=("file:/x",))
    entry = Weight(
        name="centerface", stage="s", what="w", licence="l", is_commercial_ok=True, is_default=True, files=(one,)
    )
    monkeypatch.setattr(registry, "load_registry", lambda: {"centerface": entry})
    built: list[bytes] = []
    monkeypatch.setattr(face_pack, "adapt_centerface", lambda content: built.append(content) or b"network")
    source = registry.weights_dir() / "centerface" / "c.onnx"
    source.parent.mkdir()
    source.write_bytes(RIGHT)
    network = face_pack.embedded_pack() / face_pack.PACK_FILE
    face_pack.embedded_pack()
    assert built == [RIGHT]
    network.write_bytes(b"netwOrk")
    assert (face_pack.embedded_pack() / face_pack.PACK_FILE).read_bytes() == b"network"
    source.write_bytes(WRONG)
    with pytest.raises(WeightsUnusable):
        face_pack.embedded_pack()


def test_a_pack_beside_read_only_weights_is_built_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(face_pack, "weight_path", lambda _: file_with(tmp_path, RIGHT))
    monkeypatch.setattr(face_pack, "weight_hash", lambda _: "h")
    monkeypatch.setattr(face_pack, "adapt_centerface", lambda content: content)
    monkeypatch.setenv(registry.WEIGHTS_ENV, str(tmp_path))
    (tmp_path / "packs").write_text("no folder can be made here")
    found = face_pack.embedded_pack()
    assert (found / face_pack.PACK_FILE).read_bytes() == RIGHT
    assert face_pack.embedded_pack() == found


def file_with(folder: Path, content: bytes) -> Path:
    path = folder / "source"
    path.write_bytes(content)
    return path


def test_a_file_inside_a_package_is_compared_with_what_was_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, info = tmp_path / "tiny_voice" / "net.onnx", tmp_path / "tiny_voice-1.0.dist-info"
    network.parent.mkdir()
    info.mkdir()
    (network.parent / "__init__.py").write_text("raise AssertionError('imported')")
    network.write_bytes(RIGHT)
    digest = base64.urlsafe_b64encode(hashlib.sha256(RIGHT).digest()).decode().rstrip("=")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny-voice\nVersion: 1.0\n")
    (info / "RECORD").write_text(f"tiny_voice/__init__.py,,\ntiny_voice/net.onnx,sha256={digest},5\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert packaged.packaged_path("tiny", "tiny_voice", "net.onnx") == network
    network.write_bytes(WRONG)
    with pytest.raises(WeightsUnusable, match="tiny_voice"):
        packaged.packaged_path("tiny", "tiny_voice", "net.onnx")
    assert packaged.packaged_state("tiny_voice", "net.onnx") == hashlib.sha256(WRONG).hexdigest()
    network.unlink()
    assert packaged.packaged_state("tiny_voice", "net.onnx") == "missing"
    with pytest.raises(WeightsMissing, match="install"):
        packaged.packaged_path("tiny", "tiny_voice", "net.onnx")
