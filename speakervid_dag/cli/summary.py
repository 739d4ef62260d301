"""The summary of a run: results, rejected videos and their reasons, cost per stage.

Belongs here: choosing and printing. Does not belong here: the queries (sql/statistics) and the run itself.
"""

import shlex

from speakervid_dag.cli.console import print_frame, print_line, say
from speakervid_dag.config.settings import Settings
from speakervid_dag.failures import FAULT
from speakervid_dag.formats import quantity
from speakervid_dag.lake.queries import published, session
from speakervid_dag.lake.snapshots import snapshots
from speakervid_dag.lake.snapshots.losses import as_frame
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.lake.walk import not_read
from speakervid_dag.runs.report import RunReport


def print_summary(settings: Settings, report: RunReport) -> int:
    """Print the summary of the published snapshot. Return the exit status: 1 on an internal error, else 0."""
    # if the very first table failed there is no lake to open; the failure is reported below
    lake = DeltaLake(str(settings.lake_dir)) if report.failed else published.open_lake(settings.lake_dir)
    snapshot = snapshots.latest(lake)
    faults = 0
    if snapshot is not None:
        shown = ("rejections", "branch_statistics")
        connection = session.open_session(lake, snapshot, read_only_user_sql=False, statistics=shown)
        faults = _print_videos(connection, report)
        reasons = session.run_sql(connection, "FROM rejections")
        if reasons.height:
            print_frame(reasons, title="Why clips are not in a better tier")
        print_frame(
            session.run_sql(connection, "SELECT branch, tier, clips, hours, people, profile FROM branch_statistics"),
            title="Branches × tiers",
        )
        print_line(f'More: speakervid sql "FROM funnel" --lake {shlex.quote(str(settings.lake_dir))}')
    for batch in snapshot.held_back if snapshot is not None else ():
        say(f"batch {batch} is incomplete: readers see its last published state, if there is one.")
    for batch, why in report.failed.items():
        say(f"batch {batch} failed: {why}")
    for line in not_read(report.plan.unread):  # again, below what may be hours of output
        say(line)
    for told in report.unreadable:
        say(told)
    if report.vanished:
        names = ", ".join(report.vanished[:5])
        say(f"{quantity(len(report.vanished), 'new file')} disappeared before being read: {names}.")
    if report.held:
        print_frame(
            as_frame(report.held),
            title="Not published: rows that readers would lose, though nothing asked for it",
        )
        say("Readers see the previous state of these batches. Fix the cause and run again, or run with --allow-loss.")
    if report.lost.height:
        print_frame(report.lost, title="Rows that readers lost in this run (--allow-loss)")
    if report.failed:
        say("Finished work is kept: fix the cause and run the same command again, or inspect it with `speakervid ui`.")
    return int(not report.is_clean or faults > 0)


REFUSED = """
SELECT source_name, status, reason, detail FROM videos WHERE batch IN ({}) AND status <> 'ok' ORDER BY ALL
"""
WITHOUT_CLIPS = """
WITH bare AS (
  SELECT video_id, source_name FROM videos
  WHERE batch IN ({}) AND status <> 'rejected' AND video_id NOT IN (SELECT video_id FROM clips)
),
why AS (SELECT video_id, reason, sum(end_s - start_s) AS seconds FROM dropped_spans GROUP BY ALL),
unbound AS (
  SELECT video_id, arg_max(struct_pack(reason, detail), end_s - start_s) AS longest FROM speaker_bindings
  WHERE status <> 'bound' GROUP BY ALL
),
stopped AS (
  SELECT video_id, any_value(stage || ': ' || reason) AS what FROM stage_outcomes
  WHERE status <> 'ok' AND NOT starts_with(reason, 'upstream_') AND stage IN ('speech_turns', 'face_tracks')
  GROUP BY ALL
),
unheard AS (
  SELECT video_id, reason AS why_unheard, detail AS how_unheard FROM stage_outcomes
  WHERE stage = 'speech_turns' AND status = 'ok' AND reason IS NOT NULL
)
SELECT source_name, coalesce(arg_max(why.reason, seconds), any_value(what), 'no_face_tracked') AS reason,
  max(seconds) AS seconds, coalesce(any_value(longest.reason), any_value(why_unheard)) AS speaker,
  coalesce(any_value(longest.detail), any_value(how_unheard)) AS detail
FROM bare LEFT JOIN why USING (video_id) LEFT JOIN unbound USING (video_id) LEFT JOIN stopped USING (video_id)
  LEFT JOIN unheard USING (video_id)
GROUP BY video_id, source_name ORDER BY ALL
"""
FAILED = """
SELECT v.source_name, o.stage, o.status, o.reason, o.detail FROM stage_outcomes o JOIN videos v USING (video_id)
WHERE o.batch IN ({}) AND o.status = 'not_evaluated' ORDER BY ALL
"""
COST = """
SELECT stage, count(*) AS videos, sum(elapsed_s) AS seconds, sum(media_s) AS decoding_s, sum(model_s) AS models_s
FROM stage_outcomes WHERE batch IN ({}) GROUP BY stage ORDER BY seconds DESC
"""


def _print_videos(connection: session.Session, report: RunReport) -> int:
    """Print rejected videos, failed stages and costs of the batches just run. Return the number of internal errors."""
    if not report.done:
        return 0
    chosen = ", ".join(f"'{b}'" for b in report.done)
    asked = (REFUSED, WITHOUT_CLIPS, FAILED, COST)
    refused, bare, failed, cost = (session.run_sql(connection, q.format(chosen)) for q in asked)
    if refused.height:
        print_frame(refused, title="Videos that were rejected or are degraded")
    if bare.height:
        print_frame(
            bare, title="Videos without a clip, and why most of their face time was lost (`speakervid explain NAME`)"
        )
    if failed.height:
        print_frame(failed, title="Stages without a result")
    print_frame(cost, title="Time by stage")
    return failed.filter(failed["reason"] == FAULT).height
