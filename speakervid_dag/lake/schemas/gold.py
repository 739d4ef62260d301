"""Decisions of a profile: gates, tiers, branches.

Belongs here: tables that SQL computes from silver. Does not belong here: their queries (sql/).
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
    "one gate's verdict on one clip under one profile",
    ("profile", "clip_id", "gate"),
    (
        BATCH,
        VIDEO,
        column("clip_id", STRING, "clip"),
        PROFILE,
        column("gate", STRING, "gate of the profile"),
        column("position", INT, "1-based order of the gate in the profile"),
        column("measure", STRING, "score that the gate tests"),
        column("level", STRING, "pretrain | sft"),
        column("mode", STRING, "enforce | score_only"),
        column("not_evaluated", STRING, "effect of a missing value: fail | pass | hold"),
        column("verdict", STRING, "pass | fail | not_evaluated"),
        column("value", FLOAT, "the clip's score, in `unit`", null=True),
        column("keep", STRING, "the clip passes if its value is: > >= < <= == between"),
        column("threshold", FLOAT, "threshold in `unit`; for `between` the lower bound, inclusive", null=True),
        column("upper_threshold", FLOAT, "upper bound of `between`, inclusive, in `unit`", null=True),
        column("unit", STRING, "unit of value and threshold"),
        column("reason", STRING, "why the clip failed or was not evaluated", null=True),
    ),
    partition_by=("batch", "profile"),
)

TIERS = Table(
    "tiers",
    "gold",
    "the tier of one clip under one profile",
    ("profile", "clip_id"),
    (
        BATCH,
        VIDEO,
        column("clip_id", STRING, "clip"),
        PROFILE,
        column("tier", STRING, "sft | pretrain | rejected"),
        column("reasons", STRINGS, "gates that keep the clip out of a better tier"),
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
        column("person_id", STRING, "person who talks"),
        column("duration_s", FLOAT, "length of the clip, s"),
        column("tier", STRING, "tier of the clip"),
    ),
    partition_by=("batch", "profile"),
)

BRANCH_DIALOGUE = Table(
    "branch_dialogue",
    "gold",
    "a pair: the initiator's clip and the responder's clip that answers it",
    ("profile", "pair_id"),
    (
        BATCH,
        VIDEO,
        PROFILE,
        column("pair_id", STRING, "initiator_clip_id>responder_clip_id"),
        column("initiator_clip_id", STRING, "clip that is answered"),
        column("responder_clip_id", STRING, "clip that answers"),
        column("initiator_person_id", STRING, "person in the initiator's clip"),
        column("responder_person_id", STRING, "person in the responder's clip"),
        column("initiator_turn_id", STRING, "turn that is answered"),
        column("responder_turn_id", STRING, "turn that answers"),
        column("gap_s", FLOAT, "start of the answering turn minus end of the answered one, s; negative = overlap"),
        column("is_same_shot", BOOL, "both clips are in the same shot"),
        column("duration_s", FLOAT, "length of both clips together, s"),
        column("tier", STRING, "the worse tier of the two clips"),
    ),
    partition_by=("batch", "profile"),
)

BRANCH_LISTENING = Table(
    "branch_listening",
    "gold",
    "a listener's silent video with the speaker's audio",
    ("profile", "listening_id"),
    (
        BATCH,
        VIDEO,
        PROFILE,
        column("listening_id", STRING, "listener_clip_id<speaker_turn_id"),
        column("speaker_turn_id", STRING, "turn that is heard"),
        column("listener_clip_id", STRING, "clip that is seen"),
        column("listener_person_id", STRING, "person seen"),
        column("speaker_person_id", STRING, "person heard; null if never on screen", null=True),
        column("mode", STRING, "co_present | non_co_present"),
        column("margin", FLOAT, "mean log odds that the speaker's face talks minus those of the listener's", null=True),
        *SPAN,
        column("duration_s", FLOAT, "length of the sample, s"),
        column("tier", STRING, "tier of the listener's clip"),
    ),
    partition_by=("batch", "profile"),
)

BRANCH_MULTI_TURN = Table(
    "branch_multi_turn",
    "gold",
    "a clip of a session, with what came before it",
    ("profile", "mode", "session_id", "turn_index"),
    (
        BATCH,
        VIDEO,
        PROFILE,
        column("session_id", STRING, "video_id-mNNNN"),
        column("turn_index", INT, "0-based order in the session"),
        column("clip_id", STRING, "clip"),
        column("person_id", STRING, "person in the clip"),
        column("mode", STRING, "contextual | sequential"),
        column("gap_s", FLOAT, "start minus the previous clip's end, s; null for the first", null=True),
        column("history", STRING, "contextual mode: words said in the time window before the clip", null=True),
        column("duration_s", FLOAT, "length of the clip, s"),
        column("tier", STRING, "tier of the clip"),
    ),
    partition_by=("batch", "profile"),
)
