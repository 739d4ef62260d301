"""Container detection by a file's first bytes.

Belongs here: the whitelist of containers and their magic bytes. Does not belong here: opening a container. libav may
use only the demuxer named here, so a playlist is never read as a video, whatever its name.
"""

import stat
from pathlib import Path

from speakervid_dag.failures import PermanentFailure

HEAD_BYTES = 4096
MP4_BOXES = {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp", b"moof"}
PREFIXES = (  # magic, demuxer; only containers that carry their own media
    (b"\x1a\x45\xdf\xa3", "matroska"),
    (b"FLV\x01", "flv"),
    (b"\x00\x00\x01\xba", "mpeg"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"),
    (b"fLaC", "flac"),
    (b"OggS", "ogg"),
    (b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02\x01\x01", "mxf"),  # SMPTE ST 377-1: a partition pack's key
    (b"ID3", "mp3"),
)
PLAYLISTS = (b"#extm3u", b"ffconcat", b"<?xml", b"<mpd", b"<smil", b"[playlist]", b"v=0\r", b"v=0\n", b"file '")


def sniff(path: Path) -> str:
    """Return the libav demuxer for `path`, judged by content alone.

    Raises:
        PermanentFailure: missing_file, symbolic_link, not_a_regular_file, unreadable_file, empty_file,
            playlist_refused, unrecognised_container.
    """
    try:
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):  # its target may change between two reads
            raise PermanentFailure(
                "symbolic_link", "a link: name the file it points to, or take it with `speakervid run --follow-links`"
            )
        if not stat.S_ISREG(status.st_mode):
            raise PermanentFailure("not_a_regular_file", "only regular local files are read")
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        raise PermanentFailure("missing_file", "there is no such file") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise PermanentFailure("unreadable_file", str(getattr(error, "strerror", None) or error)) from None
    if not head:
        raise PermanentFailure("empty_file", "the file has no bytes")
    demuxer = _by_magic(head)
    if demuxer is None:
        if head.removeprefix(b"\xef\xbb\xbf").lstrip().lower().startswith(PLAYLISTS):
            raise PermanentFailure("playlist_refused", "the file is a playlist or manifest that points at other files")
        raise PermanentFailure("unrecognised_container", f"no known container starts with {head[:8].hex(' ')}")
    return demuxer


def _by_magic(head: bytes) -> str | None:
    for prefix, demuxer in PREFIXES:
        if head.startswith(prefix):
            return demuxer
    if head[4:8] in MP4_BOXES:
        return "mov"
    if head[:4] in (b"RIFF", b"RF64"):
        return {b"AVI ": "avi", b"WAVE": "wav"}.get(head[8:12])
    if _is_transport_stream(head):
        return "mpegts"
    if len(head) > 3 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        return "aac"
    if len(head) > 3 and head[0] == 0xFF and head[1] & 0xE6 in (0xE2, 0xE4, 0xE6) and head[2] & 0xF0 != 0xF0:
        return "mp3"
    return None


def _is_transport_stream(head: bytes) -> bool:
    """Return whether sync bytes come every 188 bytes, or every 192 after a 4-byte timecode."""
    return any(
        len(head) > first + size and all(byte == 0x47 for byte in head[first::size][:8])
        for first, size in ((0, 188), (4, 192))
    )
