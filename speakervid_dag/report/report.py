"""The report: one HTML page about a published snapshot, and one video's timeline as a file.

Belongs here: assembling and writing the page. Does not belong here: queries (sql/report), pictures (charts, timeline,
posters), markup (templates/).
"""

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from speakervid_dag.config.profiles import Profile, load_profile
from speakervid_dag.config.settings import Settings
from speakervid_dag.failures import UserError
from speakervid_dag.files import write_bytes
from speakervid_dag.lake.queries import session
from speakervid_dag.lake.queries.published import choose_profile, open_lake, published_snapshot
from speakervid_dag.lake.queries.session import Session
from speakervid_dag.lake.schemas import CLIP_SCORES
from speakervid_dag.lake.snapshots.snapshots import Snapshot
from speakervid_dag.lake.upkeep.takedown import REPORT
from speakervid_dag.rendering import pages, svg
from speakervid_dag.rendering.text import figure, many
from speakervid_dag.report import charts, gallery, posters
from speakervid_dag.report.report_data import (
    SHOWN_TIMELINE_S,
    GateChart,
    ReportData,
    gather,
    video_rows,
)
from speakervid_dag.report.timeline import VideoRows, timeline
from speakervid_dag.version import VERSION

PACKAGE = "speakervid_dag.report"
POSTER_WALL_S = 120.0
POSTER_WALL_AFTER_RUN_S = 4.0
SHOWN_TURNS = 80  # of each video's transcript


def write_report(
    settings: Settings,
    out: Path | None = None,
    *,
    profile: str | None = None,
    as_of: str | None = None,
    poster_wall_s: float = POSTER_WALL_S,
) -> Path:
    """Write the page to `out` (None: <lake>/report.html) and return its path.

    Args:
        profile: whose decisions to show: a name, or the path of a YAML file; None: the snapshot's.
        as_of: a snapshot's number or an ISO time; None is the newest.
        poster_wall_s: most seconds to spend on posters that are not in the lake yet.

    Raises:
        UserError: no lake, nothing published, no such snapshot or profile.
    """
    snapshot, con = _open(settings, as_of)
    asked = _load(profile) if profile else None
    name = choose_profile(con, asked.name if asked else profile, snapshot.profile)
    known = next((p for p in map(_load, (name, profile, settings.profile)) if p is not None and p.name == name), None)
    data = gather(con, name, {gate: rule.measure for gate, rule in known.gates.items()} if known else {})
    made = posters.posters(settings.lake_dir, list(data.clips.values()), wall_s=poster_wall_s)
    page = render(data, made, snapshot, settings.lake_dir, known)
    target = out or settings.lake_dir / REPORT
    write_bytes(target, page.encode("utf-8", errors="replace"))
    return target


def write_timeline(
    settings: Settings,
    video: str,
    out: Path,
    *,
    start_s: float = 0.0,
    end_s: float | None = None,
    as_of: str | None = None,
    has_words: bool = True,
) -> Path:
    """Write the timeline of a video (given by id or file name) as a standalone SVG file.

    Args:
        has_words: False omits the words, for a picture that may be shared where the video may not.

    Raises:
        UserError: no lake, nothing published, not exactly one video of that name, or it ends before `start_s`.
    """
    snapshot, con = _open(settings, as_of)
    name = choose_profile(con, None, snapshot.profile)
    listed = session.query_file(con, "report/videos", profile=name, limit=2**31).to_dicts()
    found = [v for v in listed if video in (v["video_id"], v["source_name"])]
    if len(found) != 1:
        raise UserError(f"{len(found) or 'no'} videos of this lake are called '{video}': give a video_id")
    rows = video_rows(con, name, found, end_s or float("inf"))[0]
    if start_s >= rows.length_s:
        raise UserError(f"the video ends at {rows.length_s:.1f} s: --from must be earlier")
    if not has_words:
        rows = dataclasses.replace(rows, turns=[{**turn, "text": None} for turn in rows.turns])
    picture = timeline(rows, start_s=start_s, end_s=end_s, has_title=True)
    write_bytes(
        out, svg.standalone(picture, pages.template_text("timeline.css", PACKAGE) + "svg { background: var(--paper); }")
    )
    return out


def render(
    data: ReportData,
    made: Mapping[str, posters.Poster],
    snapshot: Snapshot,
    lake_dir: Path,
    profile: Profile | None,
) -> str:
    """Return the page as HTML text."""
    from markupsafe import Markup

    overview = data.overview
    demo = f"{lake_dir / 'demo'}/"
    seconds: dict[int, dict[str, int]] = {}
    for row in data.duration_bins:
        seconds.setdefault(row["second"], {})[row["tier"]] = row["clips"]
    clips_told = f"Clips by length in whole seconds, stacked by tier: {many(overview['clips'], 'clip')}"
    return (
        pages.environment(PACKAGE)
        .get_template("report.html.jinja")
        .render(
            data=data,
            profile=profile,
            snapshot=snapshot,
            lake_name=lake_dir.name,
            version=VERSION,
            made_at=datetime.now(UTC),
            is_demo=all(str(overview[uri] or "").startswith(demo) for uri in ("first_uri", "last_uri")),
            tiers=charts.TIERS,
            branches=gallery.branches(data, made),
            duration_chart=Markup(svg.inline(charts.durations(seconds, clips_told))),
            gate_charts=[
                (chart, _measure_doc(chart.measure), Markup(_gate_picture(chart))) for chart in data.gate_charts
            ],
            timelines=[(rows, Markup(_video_picture(rows)), rows.turns[:SHOWN_TURNS]) for rows in data.timelines],
            timeline_s=SHOWN_TIMELINE_S,
            styles=Markup(pages.template_text("timeline.css", PACKAGE) + pages.template_text("report.css", PACKAGE)),
        )
    )


def _open(settings: Settings, as_of: str | None) -> tuple[Snapshot, Session]:
    lake = open_lake(settings.lake_dir)
    snapshot = published_snapshot(lake, as_of)
    return snapshot, session.open_session(lake, snapshot, read_only_user_sql=True)


def _load(profile: str | None) -> Profile | None:
    """Return a profile by name or path; None if its file is missing: another machine's profile may have been used."""
    try:
        return load_profile(profile) if profile else None
    except UserError:
        return None


def _measure_doc(measure: str) -> str:
    if measure == "duration_s":
        return "length of the clip, s"
    return next((c.doc for c in CLIP_SCORES.columns if c.name == measure), "")


def _gate_picture(chart: GateChart) -> str:
    if not chart.bars:
        return ""
    lines = [
        charts.Threshold(g["level"], g["keep"], g["threshold_max"], g["mode"] == "enforce")
        for g in chart.gates
        if g["threshold_max"] is not None
    ]
    widest: dict[str, Any] = max(chart.gates, key=lambda g: g["measured"])
    told = f"{figure(widest['low'])} to {figure(widest['high'])}, median {figure(widest['median'])}"
    asked = "; ".join(f"{g['level']} {g['keep']} {figure(g['threshold_max'])}: {g['failed']} fail" for g in chart.gates)
    label = f"Distribution of {chart.measure} over {many(widest['measured'], 'clip')}: {told}. {asked}"
    return svg.inline(charts.distribution(chart.bars, charts.Axis(chart.low, chart.high), lines, label))


def _video_picture(rows: VideoRows) -> str:
    return svg.inline(timeline(rows, end_s=SHOWN_TIMELINE_S)) if rows.shots or rows.turns or rows.tracks else ""
