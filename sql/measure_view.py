"""The view `clip_measures`: what gates can ask, one row a clip and measure.

Belongs here: SQL that a function writes, because its columns are a list. Does not belong here: running it.
"""

from collections.abc import Sequence

_DURATIONS = "SELECT batch, video_id, clip_id, 'duration_s' AS measure, duration_s AS value, 'ok' AS status FROM clips"


def of_all(measures: Sequence[str]) -> str:
    """Return the view's SELECT for these measures of all clips.

    Each measure is a SELECT, so that a question about one reads one column. They name the scores through a CTE: DuckDB
    then looks at the files of `clip_scores` once, and not once a measure, to make the view.
    """
    parts = [
        f"SELECT batch, video_id, clip_id, '{m}' AS measure, {m} AS value, {m}_status AS status FROM scored"
        for m in measures
    ]
    return f"WITH scored AS NOT MATERIALIZED (FROM clip_scores) {' UNION ALL '.join([*parts, _DURATIONS])}"


def of_batches(measures: Sequence[str], inside: str) -> str:
    """Return the same of the batches for which the condition `inside` holds, in one pass over their rows.

    The condition stands in each part, since no filter gets below the unnest.
    """
    each = ", ".join(f"{{'measure': '{m}', 'value': {m}, 'status': {m}_status}}" for m in measures)
    scored = f"SELECT batch, video_id, clip_id, unnest([{each}], recursive := true) FROM clip_scores WHERE {inside}"
    return " UNION ALL ".join([*([scored] if measures else []), f"{_DURATIONS} WHERE {inside}"])
