"""Data of the report, queried from one published snapshot.

Belongs here: running sql/report and the statistics, limits on how much of a large lake is shown. Does not belong here:
queries (sql/), text and pictures (report, gallery, charts, timeline).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from speakervid_dag.lake.queries.session import Session, query_file, run_sql
from speakervid_dag.report.timeline import VideoRows

Row = dict[str, Any]

SHOWN_VIDEOS = 200
SHOWN_TIMELINES = 24
SHOWN_TIMELINE_S = 600.0  # of each video; the rest is for `speakervid report --timeline`
SHOWN_ITEMS = 12  # of each branch
SHOWN_SESSIONS, SHOWN_TURNS = 6, 4  # of each mode of multi-turn
SHOWN_PEOPLE = 24
BINS = 26
MODES = ("contextual", "sequential")
SHOWN_VALUES = 10  # of each property, the most frequent
SHARES = (  # title, statistic, its column
    ("Length, in the paper's bins (s)", "durations", "duration_bin"),
    ("Language of the talking clips", "languages", "language"),
    ("Framing", "framings", "framing"),
    ("Resolution of the source", "resolutions", "resolution"),
    ("Year of the source", "years", "years"),
    ("Topic of the source", "topics", "topic"),
)


@dataclass(frozen=True)
class GateChart:
    """The gates on one score, and the distribution of the clips' values between `low` and `high`."""

    measure: str
    gates: tuple[Row, ...]
    low: float = 0.0
    high: float = 1.0
    bars: tuple[Mapping[str, int], ...] = ()


@dataclass(frozen=True)
class Share:
    """Number of clips with one value by tier, and the share published in the paper."""

    value: str
    clips: int
    tiers: Mapping[str, int]
    published: float | None


@dataclass(frozen=True)
class Shares:
    """Distribution of the clips over one property; `hidden` is the number of values too rare to be shown."""

    title: str
    whole: int
    parts: tuple[Share, ...]
    hidden: int


@dataclass(frozen=True)
class ReportData:
    """Rows of the queries, for one profile."""

    profile: str
    overview: Row
    branches: list[Row]
    funnel: list[Row]
    rejections: list[Row]
    refused_videos: list[Row]
    stage_gaps: list[Row]
    dropped: list[Row]
    refusals: list[Row]
    duration_bins: list[Row]
    shares: list[Shares]
    people: list[Row]
    costs: list[Row]
    gate_charts: list[GateChart]
    videos: list[Row]
    timelines: list[VideoRows]
    single: list[Row]
    dialogue: list[Row]
    listening: list[Row]
    sessions: dict[str, list[Row]]
    clips: dict[str, Row] = field(default_factory=dict)


def gather(con: Session, profile: str, measure_of: Mapping[str, str]) -> ReportData:
    """Return everything the page needs, bounded however large the lake is.

    Args:
        measure_of: gate → score, if the profile is known; a gate that is not in it gets a separate chart.
    """

    def ask(name: str, **params: Any) -> list[Row]:
        return query_file(con, f"report/{name}", profile=profile, **params).to_dicts()

    videos = ask("videos", limit=SHOWN_VIDEOS)
    single, dialogue = ask("gallery_single", limit=SHOWN_ITEMS), ask("gallery_dialogue", limit=SHOWN_ITEMS)
    listening = ask("gallery_listening", limit=SHOWN_ITEMS)
    sessions = {m: ask("gallery_multi_turn", mode=m, limit=SHOWN_SESSIONS, turns_shown=SHOWN_TURNS) for m in MODES}
    shown = [r["clip_id"] for r in (*single, *sessions["contextual"], *sessions["sequential"])]
    shown += [r["listener_clip_id"] for r in listening]
    shown += [r[f"{side}_clip_id"] for r in dialogue for side in ("initiator", "responder")]
    clips = ask("gallery_clips", clip_ids=list(dict.fromkeys(shown)))
    return ReportData(
        profile=profile,
        overview=ask("overview")[0],
        branches=_statistic(con, "branch_statistics", profile),
        funnel=_statistic(con, "funnel", profile),
        rejections=_statistic(con, "rejections", profile),
        refused_videos=ask("refused_videos"),
        stage_gaps=ask("stage_gaps"),
        dropped=ask("dropped"),
        refusals=ask("refusals", limit=SHOWN_VIDEOS),
        duration_bins=ask("duration_bins"),
        shares=[_shares(con, profile, *told) for told in SHARES],
        people=_statistic(con, "person_statistics", profile)[:SHOWN_PEOPLE],
        costs=_statistic(con, "stage_costs", None),
        gate_charts=_gate_charts(ask("gates"), ask, measure_of),
        videos=videos,
        timelines=video_rows(con, profile, videos[:SHOWN_TIMELINES], SHOWN_TIMELINE_S),
        single=single,
        dialogue=dialogue,
        listening=listening,
        sessions=sessions,
        clips={c["clip_id"]: c for c in clips},
    )


def video_rows(con: Session, profile: str, videos: Sequence[Row], until_s: float) -> list[VideoRows]:
    """Return the rows of these videos' timelines, up to `until_s` seconds."""
    asked = {"profile": profile, "video_ids": [v["video_id"] for v in videos], "until_s": until_s}
    parts = {}
    for name in ("shots", "tracks", "turns", "clips", "pairs"):
        frame = query_file(con, f"report/timeline_{name}", **asked)
        parts[name] = {str(key[0]): part.to_dicts() for key, part in frame.group_by("video_id", maintain_order=True)}
    return [VideoRows(v, **{name: rows.get(v["video_id"], []) for name, rows in parts.items()}) for v in videos]


def _shares(con: Session, profile: str, title: str, statistic: str, column: str) -> Shares:
    groups: dict[str, list[Row]] = {}
    for row in _statistic(con, statistic, profile):
        groups.setdefault(row[column], []).append(row)
    parts = []
    for value, rows in groups.items():
        tiers = {t: sum(r["clips"] for r in rows if r["tier"] == t) for t in {r["tier"] for r in rows}}
        parts.append(Share(value, sum(tiers.values()), tiers, rows[0].get("published_share")))
    by_value = statistic == "durations"
    parts.sort(key=lambda p: (p.value if by_value else "", -p.clips, p.value))
    return Shares(title, sum(p.clips for p in parts), tuple(parts[:SHOWN_VALUES]), max(len(parts) - SHOWN_VALUES, 0))


def _statistic(con: Session, name: str, profile: str | None) -> list[Row]:
    frame = run_sql(con, f'FROM "{name}"')
    return (frame if profile is None else frame.filter(pl.col("profile") == profile)).to_dicts()


def _gate_charts(gates: list[Row], ask: Any, measure_of: Mapping[str, str]) -> list[GateChart]:
    """Return one chart per score, from its gate with the most scored clips; charts with enforced gates come first."""
    from speakervid_dag.report.charts import axis_for

    groups: dict[str, list[Row]] = {}
    for gate in gates:
        groups.setdefault(measure_of.get(gate["gate"], gate["gate"]), []).append(gate)
    charts: list[GateChart] = []
    widest: dict[str, Row] = {}
    for measure, members in groups.items():
        widest[measure] = max(members, key=lambda g: g["measured"])
        if widest[measure]["measured"]:
            known = [g["threshold_max"] for g in members if g["threshold_max"] is not None]
            axis = axis_for(widest[measure]["low_edge"], widest[measure]["high_edge"], known)
            charts.append(GateChart(measure, tuple(members), axis.low, axis.high))
        else:
            charts.append(GateChart(measure, tuple(members)))
    drawn = [c for c in charts if widest[c.measure]["measured"]]
    edges = {"lows": [c.low for c in drawn], "highs": [c.high for c in drawn], "bins": BINS}
    counted = ask("gate_bins", gates=[widest[c.measure]["gate"] for c in drawn], **edges) if drawn else []
    bars: dict[str, list[dict[str, int]]] = {}
    for row in counted:
        bars.setdefault(row["gate"], [{} for _ in range(BINS)])[row["bin"]][row["tier"]] = row["clips"]
    filled = [
        GateChart(c.measure, c.gates, c.low, c.high, tuple(bars.get(widest[c.measure]["gate"], ()))) for c in charts
    ]
    return sorted(filled, key=lambda c: (not c.bars, all(g["mode"] != "enforce" for g in c.gates), c.measure))
