"""Paths in the forms that other programs accept: a URI, text in a table, or a name without special characters.

Belongs here: every translation between a path and its form in Delta, DuckDB, polars, SQLite and tables. Does not belong
here: reading and writing files.

Each of these programs interprets some characters: polars and DuckDB read `*?[]{}` as patterns and `name=value` as a
partition, delta-rs decodes percent signs and turns a backslash into a slash, SQLAlchemy starts a query at `?`. A path
with such a character is therefore passed as a symlink with a plain name (`plain`), or as a root separate from the URI
(`delta_address`).
"""

import hashlib
import os
import re
import stat
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, unquote, unquote_to_bytes

from speakervid_dag.failures import OperationError, UserError

FILE_URI = "file://"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_PLAIN = re.compile(r"[A-Za-z0-9/._+-]*")
# what the `file` store of delta-rs misreads: it decodes escapes, turns a backslash into a slash, refuses control
# characters, and panics where a path does not fit into the host of a URL
_NOT_FOR_DELTA = re.compile(r"[#?\[\]|^\\\x00-\x1f\x7f]|%[0-9A-Fa-f]{2}")
_NOT_IN_URL = re.compile(r"[?%]")
_PATTERN = re.compile(r"[*?\[]")


def place_of(path: str | Path) -> str:
    """Return an absolute path as text: itself, or a percent-encoded `file://` URI where its bytes are not UTF-8."""
    raw = os.fsencode(path)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return FILE_URI + quote(raw)


def path_of(place: str) -> Path:
    """Return the path that was passed to `place_of`."""
    return Path(os.fsdecode(unquote_to_bytes(place.removeprefix(FILE_URI))) if place.startswith(FILE_URI) else place)


def uri_of(place: str) -> str:
    """Return the URI of an absolute path; a URI is returned unchanged."""
    return place if is_uri(place) else Path(place).as_uri()


def is_uri(text: str) -> bool:
    """Return whether this is a URI (`s3://bucket/lake`) rather than a path."""
    return _SCHEME.match(text) is not None


def check_lake_name(text: str) -> None:
    """Raise UserError if a lake is named by a URI: only folders are supported."""
    if is_uri(text):
        told = "give the folder's path" if text.startswith(FILE_URI) else "mount it and give the mounted folder"
        raise UserError(f"{text} is a URI, and a lake is a folder: {told}")


def check_lake_folder(folder: Path) -> None:
    """Raise UserError if an absolute path is not UTF-8: tables and reports cannot store it."""
    try:
        os.fsencode(folder).decode("utf-8")
    except UnicodeDecodeError as problem:
        shown = os.fsencode(folder).decode("utf-8", "backslashreplace")
        raise UserError(f"the lake's path {shown} is not UTF-8: rename the folder") from problem


def plain(folder: Path) -> Path:
    """Return a path to an absolute folder that no program misreads: the folder itself, or a symlink with a plain name.

    Symlinks are kept in a private folder of this user in the temporary folder, one per target, and reused.

    Raises:
        OperationError: the folder of symlinks belongs to another user.
    """
    if _PLAIN.fullmatch(str(folder)):
        return folder
    temporary = tempfile.gettempdir()
    links = Path(temporary if _PLAIN.fullmatch(temporary) else "/tmp", f"speakervid-{os.getuid()}")
    links.mkdir(mode=0o700, exist_ok=True)
    found = links.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise OperationError(f"{links} is not a private folder of this user: remove it, or set TMPDIR")
    link = links / hashlib.sha256(os.fsencode(folder)).hexdigest()[:24]
    if not link.is_symlink():
        with suppress(FileExistsError):  # another process made it meanwhile
            link.symlink_to(folder)
    return link


def for_sqlite(folder: Path) -> Path:
    """Return a path to an absolute folder whose databases SQLAlchemy can open: `?` and `%` are special in its URLs."""
    return plain(folder) if _NOT_IN_URL.search(str(folder)) else folder


def delta_address(root: str, table: str) -> tuple[str, dict[str, str]]:
    """Return the URI and the storage options with which delta-rs opens a table of the lake in folder `root`.

    Most paths are used unchanged. Otherwise the table is addressed relative to an OpenDAL root, which is not part of
    the URI. That store replaces files by renaming, so writers must take turns (`DeltaLake.writing`).
    """
    folder = f"{root}/tables/{table}"
    if not _NOT_FOR_DELTA.search(folder):
        return folder, {}
    aside = f"{root}/tables/.aside"
    return f"opendal+fs:///tables/{table}", {"opendal.root": root, "opendal.atomic_write_dir": aside}


def partition_folder(values: Mapping[str, str]) -> str:
    """Return the folder of these partition values in a table, in Delta's and Hive's form: `batch=b1/profile=a%20b`."""
    return "/".join(f"{name}={quote(value, safe='')}" for name, value in values.items())


def partition_values(file: str, names: Sequence[str]) -> dict[str, str]:
    """Return the values of these partition columns from a data file's last folders; outer folders are ignored."""
    folders = file.rsplit("/", len(names) + 1)[1:-1]
    return {name: unquote(value) for name, _, value in (folder.partition("=") for folder in folders)}


def inside_table(uri: str) -> str:
    """Return the path inside a table that deltalake's `get_add_actions` gives as a URI."""
    return unquote(uri)


def literal(path: str) -> str:
    """Return the pattern that matches exactly this path in DuckDB.

    There is none for a path that has both a backslash and one of `*?[`: DuckDB then takes either for a separator.
    """
    return path if "\\" in path else _PATTERN.sub(r"[\g<0>]", path)
