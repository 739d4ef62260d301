"""Rules for gates, tiers, branches and system tables.

Belongs here: rules that only a person knows, over one or many batches and one profile. Does not belong here: rules that
the schema implies (derived.py).
"""

import polars as pl

from speakervid_dag.quality_checks.rules import (
    ROUNDING_S,
    Link,
    Parents,
    Rule,
    TableRules,
    batch_value,
    between,
    child_link,
    exists,
    holds,
    nothing_missing,
    video_link,
)

DRIFT_BAND = 0.25  # a tier's share may differ by this much from the last promoted batches' before there is a warning
DRIFT_MIN_CLIPS = 30  # with fewer clips a share means nothing

_VIDEO = video_link()
_CLIP = child_link("clip", "clips", "clip_id", "person_id", "duration_s", "role")
_found = pl.col("video__found")


def _tier_link(column: str = "clip_id") -> Link:
    return Link("tiered", "tiers", {"profile": "profile", column: "clip_id"}, ("tier",))


def _clips_missing(frame: pl.DataFrame, parents: Parents, scope: pl.DataFrame) -> pl.DataFrame:
    wanted = parents["clips"].join(scope, on="batch")
    lost = wanted.join(frame, on=["batch", "profile", "clip_id"], how="anti")
    return lost.select("batch", "profile", item="clip_id")


def _gates_missing(frame: pl.DataFrame, parents: Parents, _: pl.DataFrame) -> pl.DataFrame:
    """List missing gates of each clip. Some gates apply to talking or listening clips only, so roles are separate."""
    found = frame.group_by("batch", "profile", "clip_id").agg(pl.col("gate").unique())
    judged = found.join(parents["clips"].select("clip_id", "role").unique("clip_id"), on="clip_id")
    seen = judged.select("profile", "role", "gate").unique().explode("gate")
    gates = pl.concat([seen, parents["asked_gates"]]).unique()
    count = gates.group_by("profile", "role").len("wanted")
    # a clip with the full number of gates has them all; only the others, usually none, are compared gate by gate
    lacking = judged.join(count, on=["profile", "role"]).filter(pl.col("gate").list.len() < pl.col("wanted"))
    wanted = lacking.select("batch", "profile", "role", "clip_id").join(gates, on=["profile", "role"])
    lost = wanted.join(lacking.explode("gate"), on=["profile", "clip_id", "gate"], how="anti")
    return lost.select("batch", "profile", item=pl.format("{} × {}", "clip_id", "gate"))


def _drift(tier: str) -> Rule:
    """Warn if the tier's share of the batch differs too much from its share of the last promoted batches."""

    def find(frame: pl.DataFrame, parents: Parents, _: pl.DataFrame) -> pl.DataFrame:
        share, count = (pl.col("tier") == tier).mean(), pl.len()
        before = parents["earlier_tiers"].group_by("profile").agg(before=share, before_count=count)
        now = frame.group_by("batch", "profile").agg(now=share, count=count).join(before, on="profile")
        judged = now.filter((pl.col("count") >= DRIFT_MIN_CLIPS) & (pl.col("before_count") >= DRIFT_MIN_CLIPS))
        said = pl.format("{} of the batch, {} before", pl.col("now").round(3), pl.col("before").round(3))
        return judged.select("batch", "profile", value=pl.col("now") - pl.col("before"), evidence=said)

    doc = f"the share of {tier} is within ±{DRIFT_BAND} of the last promoted batches"
    return batch_value(f"{tier}_share_drift", -DRIFT_BAND, DRIFT_BAND, doc, find, severity="warning")


def _pair_member(name: str) -> Link:
    on = {"video_id": "video_id", f"{name}_clip_id": "clip_id"}
    return Link(name, "clips", on, ("person_id", "duration_s", "start_s", "end_s"))


def _turn(name: str, column: str) -> Link:
    return child_link(name, "speech_turns", column, parent_column="turn_id")


def _same(name: str, column: str, other: str, doc: str) -> Rule:
    return holds(name, pl.col(column) == pl.col(other), doc, (column, other))


def _near(name: str, column: str, other: pl.Expr, doc: str, evidence: tuple[str, ...]) -> Rule:
    return holds(name, (pl.col(column) - other).abs() <= 1e-6, doc, (column, *evidence))


_PERSON = _same("person_of_clip", "person_id", "clip__person_id", "the person is that of the clip")
_LENGTH = _near(
    "duration_of_clip", "duration_s", pl.col("clip__duration_s"), "duration_s is the clip's", ("clip__duration_s",)
)
_TIER = _same("tier_of_clip", "tier", "tiered__tier", "the tier is that of the clip")
_TALKS = holds("clip_talks", pl.col("clip__role") == "talking", "the clip shows somebody talking", ("clip__role",))

CLIP_GATES = TableRules(
    links=(_VIDEO, _CLIP),
    rules=(
        exists(_VIDEO),
        exists(_CLIP, after=_found),
        holds(
            "value_exactly_when_evaluated",
            (pl.col("verdict") == "not_evaluated") | pl.col("value__raw").is_not_null(),
            "a gate that passed or failed had a value",
            ("verdict", "value", "gate"),
        ),
        holds(
            "reason_exactly_when_not_passed",
            (pl.col("verdict") == "pass") | pl.col("reason").is_not_null(),
            "a gate that did not pass says why",
            ("verdict", "reason", "gate"),
        ),
        nothing_missing("every_clip_is_judged", "each clip of the batch has gates", _clips_missing),
        nothing_missing("every_clip_has_every_gate", "one row a clip × gate of the profile", _gates_missing),
    ),
    reads=("asked_gates",),
)

TIERS = TableRules(
    links=(_VIDEO, _CLIP),
    rules=(
        exists(_VIDEO),
        exists(_CLIP, after=_found),
        holds(
            "reasons_exactly_when_not_best",
            (pl.col("tier") == "sft") | (pl.col("reasons").list.len() > 0),
            "a clip below the best tier says why",
            ("tier",),
        ),
        nothing_missing("every_clip_has_a_tier", "in = sft + pretrain + rejected", _clips_missing),
        *(_drift(tier) for tier in ("sft", "pretrain", "rejected")),
    ),
    reads=("earlier_tiers",),
)

BRANCH_SINGLE = TableRules(
    links=(_VIDEO, _CLIP, _tier_link()),
    rules=(exists(_VIDEO), exists(_CLIP, after=_found), _TALKS, _PERSON, _LENGTH, _TIER),
)

BRANCH_DIALOGUE = TableRules(
    links=(
        _VIDEO,
        _pair_member("initiator"),
        _pair_member("responder"),
        _turn("initiator_turn", "initiator_turn_id"),
        _turn("responder_turn", "responder_turn_id"),
    ),
    rules=(
        exists(_VIDEO),
        exists(_pair_member("initiator"), after=_found),
        exists(_pair_member("responder"), after=_found),
        exists(_turn("initiator_turn", "initiator_turn_id"), after=_found),
        exists(_turn("responder_turn", "responder_turn_id"), after=_found),
        holds(
            "pair_of_two_people",
            pl.col("initiator_person_id") != pl.col("responder_person_id"),
            "nobody answers himself",
            ("initiator_person_id", "responder_person_id"),
        ),
        _same("initiator_of_clip", "initiator_person_id", "initiator__person_id", "the initiator is seen in its clip"),
        holds(
            "responder_of_clip",
            pl.col("responder_person_id") == pl.col("responder__person_id"),
            "the responder is seen in its clip",
            ("responder_person_id", "responder__person_id"),
            after=pl.col("initiator_person_id") != pl.col("responder_person_id"),
        ),
        _near(
            "duration_of_both",
            "duration_s",
            pl.col("initiator__duration_s") + pl.col("responder__duration_s"),
            "duration_s is that of both clips",
            ("initiator__duration_s", "responder__duration_s"),
        ),
    ),
)

_LISTENER = child_link(
    "listener", "clips", "listener_clip_id", "person_id", "start_s", "end_s", parent_column="clip_id"
)
_HEARD = _turn("speaker_turn", "speaker_turn_id")

BRANCH_LISTENING = TableRules(
    links=(_VIDEO, _LISTENER, _HEARD),
    rules=(
        exists(_VIDEO),
        exists(_LISTENER, after=_found),
        exists(_HEARD, after=_found),
        holds("interval_ordered", pl.col("start_s") < pl.col("end_s"), "start_s < end_s", ("start_s", "end_s")),
        holds(
            "pair_of_two_people",
            pl.col("listener_person_id") != pl.col("speaker_person_id"),
            "nobody listens to himself",
            ("listener_person_id", "speaker_person_id"),
        ),
        holds(
            "duration_agrees_with_interval",
            (pl.col("duration_s") - (pl.col("end_s") - pl.col("start_s"))).abs() <= ROUNDING_S,
            "duration_s is end_s - start_s",
            ("duration_s", "start_s", "end_s"),
            after=pl.col("start_s") < pl.col("end_s"),
        ),
        _same("listener_of_clip", "listener_person_id", "listener__person_id", "the listener is seen in the clip"),
        holds(
            "interval_inside_clip",
            (pl.col("start_s") >= pl.col("listener__start_s") - 1e-6)
            & (pl.col("end_s") <= pl.col("listener__end_s") + 1e-6),
            "the listener is in view all the time",
            ("start_s", "end_s", "listener__start_s", "listener__end_s"),
            after=pl.col("start_s") < pl.col("end_s"),
        ),
    ),
)

BRANCH_MULTI_TURN = TableRules(
    links=(_VIDEO, _CLIP, _tier_link()),
    rules=(
        exists(_VIDEO),
        exists(_CLIP, after=_found),
        between("turn_index", 0, None),
        holds(
            "gap_exactly_after_the_first",
            (pl.col("turn_index") == 0) == pl.col("gap_s__raw").is_null(),
            "every turn but the first has a gap",
            ("turn_index", "gap_s"),
        ),
        _PERSON,
        _LENGTH,
        _TIER,
    ),
)

# only our own code writes these system tables: their schemas imply all their rules
QUARANTINE = TableRules()
SNAPSHOTS = TableRules()
SNAPSHOT_PINS = TableRules()
TAKEDOWNS = TableRules()
RELEASES = TableRules()
RELEASE_SPLITS = TableRules()

_KINDS = {"reply": "pair", "listening": "listening"}  # question → kind of its subject; all others are about a clip

REVIEWS = TableRules(
    rules=(
        holds(
            "subject_of_question",
            pl.col("subject_kind") == pl.col("question").replace_strict(_KINDS, default="clip"),
            "a question is asked about its kind of subject",
            ("question", "subject_kind"),
        ),
        holds(
            "measure_of_quality",
            pl.col("measure").is_null() | (pl.col("question") == "quality"),
            "only a question about quality names a measure",
            ("question", "measure"),
        ),
        holds("reviewer_named", pl.col("reviewer").str.contains(r"^[\w.-]{1,40}$"), "a plain name", ("reviewer",)),
    ),
)
