"""What a profile decided: gates, tiers, branches.

Belongs here: tables that SQL makes from silver. Does not belong here: their queries (sql/).
"""

from speakervid_dag.lake.schemas.columns import (
    BATCH,
    BOOL,
    FLOAT,
    INT,
    PROFILE,
    SPAN,
    STRING,
    STRINGS,
    VIDEO,
    Table,
    column,
)

CLIP_GATES = Table(
    "clip_gates",
    "gold",
    "clip × gate × profile",
    ("profile", "clip_id", "gate"),
    (
        BATCH,
        VIDEO,
        column("clip_id", STRING, "clip"),
        PROFILE,
        column("gate", STRING, "gate of the profile"),
        column("position", INT, "1-based order of the gate in the profile"),
        column("measure", STRING, "what the gate asks"),
        column("level", STRING, "pretrain | sft"),
        column("mode", STRING, "enforce | score_only"),
        column("not_evaluated", STRING, "what a missing value means: fail | pass | hold"),
        column("verdict", STRING, "pass | fail | not_evaluated"),
        column("value", FLOAT, "measured value, in `unit`", null=True),
        column("keep", STRING, "comparison that passes: > >= < <= == between"),
        column("threshold", FLOAT, "in `unit`; of `between` the lower end, inclusive", null=True),
        column("upper_threshold", FLOAT, "of `between` the upper end, inclusive, in `unit`", null=True),
        column("unit", STRING, "unit of value and threshold"),
        column("reason", STRING, "why it failed or was not evaluated", null=True),
    ),
    partition_by=("batch", "profile"),
)

TIERS = Table(
    "tiers",
    "gold",
    "clip × profile",
    ("profile", "clip_id"),
    (
        BATCH,
        VIDEO,
        column("clip_id", STRING, "clip"),
        PROFILE,
        column("tier", STRING, "sft | pretrain | rejected"),
        column("reasons", STRINGS, "every gate that kept the clip from a better tier"),
    ),
    partition_by=("batch", "profile"),
)

BRANCH_SINGLE = Table(
    "branch_single",
    "gold",
    "a talking clip",
    ("profile", "clip_id"),
    (
        BATCH,
        VIDEO,
        PROFILE,
        column("clip_id", STRING, "clip"),
        column("person_id", STRING, "person"),
        column("duration_s", FLOAT, "s"),
        column("tier", STRING, "tier of the clip"),
    ),
    partition_by=("batch", "profile"),
)

BRANCH_DIALOGUE = Table(
    "branch_dialogue",
    "gold",
    "initiator → responder",
    ("profile", "pair_id"),
    (
        BATCH,
        VIDEO,
        PROFILE,
        column("pair_id", STRING, "initiator_clip_id>responder_clip_id"),
        column("initiator_clip_id", STRING, "clip"),
        column("responder_clip_id", STRING, "clip"),
        column("initiator_person_id", STRING, "person"),
        column("responder_person_id", STRING, "person"),
        column("initiator_turn_id", STRING, "turn that is answered"),
        column("responder_turn_id", STRING, "turn that answers"),
        column("gap_s", FLOAT, "start of the answer minus end of the question, s; negative = overlap"),
        column("is_same_shot", BOOL, "both clips lie in one shot"),
        column("duration_s", FLOAT, "both clips together, s"),
        column("tier", STRING, "the worse of the two clips' tiers"),
    ),
    partition_by=("batch", "profile"),
)

BRANCH_LISTENING = Table(
    "branch_listening",
    "gold",
    "listener's silent video + speaker's audio",
    ("profile", "listening_id"),
    (
        BATCH,
        VIDEO,
        PROFILE,
        column("listening_id", STRING, "listener_clip_id<speaker_turn_id"),
        column("speaker_turn_id", STRING, "who is heard"),
        column("listener_clip_id", STRING, "who is seen"),
        column("listener_person_id", STRING, "person seen"),
        column("speaker_person_id", STRING, "person heard; null when off screen all the time", null=True),
        column("mode", STRING, "co_present | non_co_present"),
        column("margin", FLOAT, "Sync-C of the speaker minus that of the listener", null=True),
        *SPAN,
        column("duration_s", FLOAT, "s"),
        column("tier", STRING, "tier of the listener's clip"),
    ),
    partition_by=("batch", "profile"),
)

BRANCH_MULTI_TURN = Table(
    "branch_multi_turn",
    "gold",
    "a clip with its history",
    ("profile", "mode", "session_id", "turn_index"),
    (
        BATCH,
        VIDEO,
        PROFILE,
        column("session_id", STRING, "video_id-mNNNN"),
        column("turn_index", INT, "0-based order in the session"),
        column("clip_id", STRING, "clip"),
        column("person_id", STRING, "person"),
        column("mode", STRING, "contextual | sequential"),
        column("gap_s", FLOAT, "start minus end of the clip before, s; null for the first", null=True),
        column("history", STRING, "contextual: the words said before within the window", null=True),
        column("duration_s", FLOAT, "s"),
        column("tier", STRING, "tier of the clip"),
    ),
    partition_by=("batch", "profile"),
)
