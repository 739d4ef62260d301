"""One score of one clip: its value, or why there is none.

Belongs here: that type. Does not belong here: computing scores.
"""

# value (a number, a label, or None) and status: `ok`, or the reason why there is no value
Measurement = tuple[float | str | None, str]
