"""Gold: gates, tiers and branches in SQL over stored scores.

Belongs here: the SQL and the inputs of each table. Does not belong here: SQL itself (sql/), running it
(speakervid_dag.tiering, gold_asset.py).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from speakervid_dag.assets.code_versions import CODE, definition_of
from speakervid_dag.assets.recipes import CrossBatch, DataVersions, Recipe
from speakervid_dag.lake.queries import session
from speakervid_dag.lake.schemas import (
    ACTIVE_SPEAKER,
    BRANCH_DIALOGUE,
    BRANCH_LISTENING,
    BRANCH_MULTI_TURN,
    BRANCH_SINGLE,
    CLIP_GATES,
    CLIP_SCORES,
    CLIPS,
    FACE_TRACKS,
    PEOPLE,
    SHOTS,
    SPEAKER_BINDINGS,
    SPEECH_TURNS,
    TIERS,
    TRANSCRIPTS,
    Table,
)
from speakervid_dag.lake.storage.slices import data_version_of
from speakervid_dag.sql import measure_view
from speakervid_dag.tiering import gold as gold_sql

if TYPE_CHECKING:
    from speakervid_dag.assets.resources import Lakehouse


def _gold(
    table: Table,
    queries: Sequence[str],
    reads: Sequence[Table],
    sections: Sequence[str],
    cross_batch: CrossBatch | None = None,
) -> Recipe:
    """Return the recipe of a table that the first of the queries computes, with the help of the others."""
    return Recipe(
        name=table.name,
        tables=(table,),
        reads=tuple(reads),
        sections=tuple(sections),
        computed_by=(definition_of(gold_sql.compute_chunks), *CODE.definitions(measure_view.__name__)),
        queries=tuple(queries),
        cross_batch=cross_batch,
    )


def _percentiles(lakehouse: "Lakehouse", recorded: DataVersions, _: str) -> int | None:
    """Return a hash of the current thresholds of all enforced percentile gates; None if the profile has none."""
    if not gold_sql.enforced_percentiles(lakehouse.profile):
        return None

    def of_the_lake() -> int:
        with session.run_session(lakehouse.lake, statistics=()) as connection:
            found = gold_sql.enforced_thresholds(connection, lakehouse.profile)
        return data_version_of(*(f"{name}={value!r}" for name, value in sorted(found.items())))

    return recorded.once("enforced percentiles", of_the_lake)


clip_gates = _gold(
    CLIP_GATES,
    ["gates/clip_gates", "gates/percentile"],
    [CLIP_SCORES, CLIPS],
    ["name", "gates"],
    cross_batch=_percentiles,
)
tiers = _gold(TIERS, ["tiers/tiers"], [CLIP_GATES, CLIPS], ["name", "gates"])
branch_single = _gold(BRANCH_SINGLE, ["branches/single"], [CLIPS, TIERS], ["name", "branches"])
branch_dialogue = _gold(
    BRANCH_DIALOGUE, ["branches/dialogue"], [CLIPS, SHOTS, SPEECH_TURNS, FACE_TRACKS, TIERS], ["name", "branches"]
)
branch_listening = _gold(
    BRANCH_LISTENING,
    ["branches/listening"],
    [CLIPS, SPEECH_TURNS, SPEAKER_BINDINGS, FACE_TRACKS, ACTIVE_SPEAKER, PEOPLE, TRANSCRIPTS, TIERS],
    ["name", "branches"],
)
branch_multi_turn = _gold(BRANCH_MULTI_TURN, ["branches/multi_turn"], [CLIPS, TRANSCRIPTS, TIERS], ["name", "branches"])
