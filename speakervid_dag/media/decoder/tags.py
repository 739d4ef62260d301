"""A container's tags: untrusted text, used as data only.

Belongs here: reading tags. Does not belong here: opening a container (container.py).
"""

import re
from collections.abc import Mapping

DATE_TAGS = (
    "date",
    "year",
    "creation_time",
)  # of the content first (downloaders write the upload date), then of the file
DATE = re.compile(r"((?:19|20)\d\d)(?:\d{4})?(?!\d)")  # 2023, 20230115, 2023-01-15T12:00:00Z
UNSET_CLOCKS = (1904, 1970)  # epochs of QuickTime and Unix: a camera whose clock was never set
GENRE_CHARACTERS = 80


def year_and_genre(metadata: Mapping[str, str]) -> tuple[int | None, str | None]:
    """Return year and genre; None for each that the container does not state."""
    tags = {key.lower(): " ".join(text.split()) for key, text in metadata.items()}
    found = (DATE.match(tags.get(name, "")) for name in DATE_TAGS)
    years = [int(date[1]) for date in found if date and int(date[1]) not in UNSET_CLOCKS]
    return next(iter(years), None), tags.get("genre", "")[:GENRE_CHARACTERS] or None
