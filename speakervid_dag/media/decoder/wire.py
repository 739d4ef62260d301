"""The messages of a decoding process: a 40-byte header, then a payload.

Belongs here: the layout shared by both ends. Does not belong here: processes and media. Standard library only.
"""

import json
import struct
from dataclasses import dataclass

HEADER = struct.Struct("<4sIdQIIQ")  # magic, kind, time, position, width, height, payload bytes
MAGIC = b"SVD1"
PICTURE, SOUND, RESULT, FAILURE, CLIP, FILE = 1, 2, 3, 4, 5, 6
PULSE = 7  # a sign of life while work is in progress
FULL_PICTURE = 8  # the picture that follows, at full size
MAX_JSON_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Header:
    """Header of a message. A picture sets `time_s`, `position` (number of its stretch of one geometry), `width` and
    `height` in px; a block of sound sets `position` (sample index)."""

    kind: int
    size: int
    time_s: float = 0.0
    position: int = 0
    width: int = 0
    height: int = 0

    def pack(self) -> bytes:
        return HEADER.pack(MAGIC, self.kind, self.time_s, self.position, self.width, self.height, self.size)

    @classmethod
    def unpack(cls, data: bytes) -> "Header":
        """Return the header in `data`. Raises ValueError if it is none."""
        magic, kind, time_s, position, width, height, size = HEADER.unpack(data)
        if magic != MAGIC:
            raise ValueError("not a message header")
        return cls(kind, size, time_s, position, width, height)


def pack_json(kind: int, value: object) -> bytes:
    payload = json.dumps(value).encode()
    return Header(kind, len(payload)).pack() + payload
