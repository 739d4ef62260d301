"""Registry: entries are sound, paths and hashes answer for what lies on disk."""

import hashlib
from pathlib import Path
from typing import get_args

import pytest
from pydantic import ValidationError

from speakervid_dag.config.sections import TranscriptSettings
from speakervid_dag.failures import UserError, WeightsMissing
from speakervid_dag.models import registry

ENTRY = "{stage: s, what: w, licence: MIT, is_commercial_ok: true, is_default: false, files: [%s]}"
SHA_OF_A = hashlib.sha256(b"a").hexdigest()
SHA_OF_B = hashlib.sha256(b"b").hexdigest()


@pytest.fixture
def two_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A registry of one model `m` with files a and b, and an empty weights folder."""
    files = ", ".join(
        f"{{filename: {name}, sha256: {digest}, sources: ['file:/x']}}"
        for name, digest in (("a", SHA_OF_A), ("b", SHA_OF_B))
    )
    entries = registry.parse_registry(f"m: {ENTRY % files}")
    monkeypatch.setattr(registry, "load_registry", lambda: entries)
    monkeypatch.setenv(registry.WEIGHTS_ENV, str(tmp_path))
    return tmp_path / "m"


def write(folder: Path, **contents: str) -> None:
    folder.mkdir(exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_text(content)


def test_default_weights_are_pinned_usable_commercially_and_come_from_the_package_index() -> None:
    for name in registry.names_of("default"):
        weight = registry.get_weight(name)
        assert weight.is_pinned
        assert weight.is_commercial_ok
        assert all(source.startswith("index:") for file in weight.files for source in file.sources)


def test_no_name_is_listed_twice() -> None:
    """YAML would keep the last of them without a word."""
    text = Path(registry.__file__).with_name("weights.yaml").read_text(encoding="utf-8")
    names = [line.rstrip(":") for line in text.splitlines() if line and line[0] not in "# "]

    assert names == list(registry.load_registry())


def test_a_profile_takes_all_recognisers_of_the_registry_and_no_other_weights() -> None:
    taken = get_args(TranscriptSettings.model_fields["weights"].annotation)
    assert sorted(taken) == sorted(w.name for w in registry.load_registry().values() if w.stage == "asr")


def test_every_source_is_of_a_known_kind() -> None:
    kinds = {
        source.partition(":")[0]
        for weight in registry.load_registry().values()
        for file in weight.files
        for source in file.sources
    }
    assert kinds <= {"index", "https", "hf", "file"}


def test_default_and_demo_groups_share_nothing() -> None:
    assert not set(registry.names_of("default")) & set(registry.names_of("demo"))


@pytest.mark.parametrize(
    "file",
    [
        "{filename: ../a, sha256: null, sources: ['file:/x']}",
        "{filename: a, sha256: abc, sources: ['file:/x']}",
        "{filename: a, sha256: null, sources: []}",
    ],
)
def test_a_malformed_entry_is_refused(file: str) -> None:
    with pytest.raises(ValidationError):
        registry.parse_registry(f"m: {ENTRY % file}")


def test_an_unknown_name_is_the_users_error() -> None:
    with pytest.raises(UserError, match="centerface"):
        registry.weight_path("centreface")


def test_missing_weights_name_the_command(two_files: Path) -> None:
    write(two_files, a="a")
    with pytest.raises(WeightsMissing, match="models pull m"):
        registry.weight_path("m")
    assert registry.weight_path("m", "a") == two_files / "a"
    assert registry.verify("m").status == "missing"


def test_verify_tells_right_from_wrong(two_files: Path) -> None:
    write(two_files, a="a", b="b")
    assert registry.verify("m").status == "ok"
    assert registry.weight_path("m") == two_files
    write(two_files, b="B")
    result = registry.verify("m")
    assert result.status == "wrong_hash"
    assert "b: found" in result.detail


def test_the_hash_of_a_model_changes_with_any_of_its_files(two_files: Path) -> None:
    write(two_files, a="a", b="b")
    one = registry.weight_hash("m")
    assert len(one) == 64
    assert one not in (SHA_OF_A, SHA_OF_B)
    write(two_files, b="B")
    assert registry.weight_hash("m") != one


def test_the_cache_folder_is_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(registry.WEIGHTS_ENV, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert registry.weights_dir() == tmp_path / "speakervid-dag" / "weights"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert registry.weights_dir().is_absolute()
