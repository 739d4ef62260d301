"""Values formatted for people, and untrusted text made safe to show.

Belongs here: turning numbers, durations and untrusted text into short strings. Does not belong here: markup (pages,
svg).
"""

import re
import unicodedata

# Neither HTML nor XML may hold C0/C1 controls; direction overrides and isolates would turn the text around them.
UNSHOWN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufdd0-\ufdef\ufffe\uffff]"
)
LONE = re.compile("[\ud800-\udfff]")  # undecodable bytes of a file name
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
MINUTE_S, HOUR_S = 60.0, 3600.0


def plain(text: str) -> str:
    """Return text with unprintable characters, and those that change the reading direction, replaced."""
    return LONE.sub(REPLACEMENT, UNSHOWN.sub(REPLACEMENT, text))


def one_line(text: str) -> str:
    return " ".join(plain(text).split())


def shortened(text: str, width: int) -> str:
    """Return the beginning of `text` in at most `width` columns (wide East Asian ones count two); '' if none fits."""
    columns, kept = 0, list[str]()
    for character in one_line(text):
        columns += 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if columns > width:
            return "".join(kept[:-1]).rstrip() + "…" if len(kept) > 2 else ""
        kept.append(character)
    return "".join(kept)


def count(value: float) -> str:
    return f"{value:,.0f}"


def duration(seconds: float) -> str:
    """Return '42 s', '12.5 min', '3.2 h', '1,240 h'."""
    if seconds < 2 * MINUTE_S:
        return f"{seconds:.1f} s" if 0.05 <= seconds < 10 else f"{seconds:.0f} s"
    if seconds < 2 * HOUR_S:
        return f"{seconds / MINUTE_S:.1f} min"
    return f"{seconds / HOUR_S:,.1f} h" if seconds < 100 * HOUR_S else f"{seconds / HOUR_S:,.0f} h"


def hours(value: float) -> str:
    return duration(value * HOUR_S)


def clock(seconds: float) -> str:
    """Return a time in a video as players show it: '1:05', '1:02:05'."""
    whole = int(seconds)
    minutes, rest = divmod(whole, 60)
    return f"{minutes}:{rest:02d}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def many(number: int, noun: str, plural: str = "") -> str:
    """Return '1 shot', '2 shots', '2 people'."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def share(part: float, whole: float) -> str:
    """Return '12 %', '0.4 %'; a dash if `whole` is 0."""
    if not whole:
        return "–"
    percent = 100 * part / whole
    return f"{percent:.1f} %" if 0 < percent < 9.95 else f"{percent:.0f} %"


def figure(value: float | None) -> str:
    """Return three significant digits, for values of any size; a dash for None."""
    if value is None:
        return "–"
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 0.001 else f"{value:.0e}"


def words(name: str) -> str:
    """Return an identifier as words: 'too short' for 'too_short'."""
    return name.replace("_", " ")
