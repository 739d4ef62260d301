"""What comes up to date by itself while the Dagster daemon runs (`speakervid ui`), and what does not.

Belongs here: automation conditions and the sensor that evaluates them. Does not belong here: what a person starts
(jobs.py) and new files (the landing sensor there).

Gold is kept current by declared conditions rather than by a schedule: it costs seconds and no model, so a partition is
made again as soon as it is stale, and only that partition. Stale means: a table it reads was committed by a run that
does not make it anyway, its code version changed (SQL, or the profile's sections it reads), or its inputs have become
complete. All stale gold of a tick goes into one run a range of batches, so a new threshold lands whole. Publishing and
the statistics follow once nothing upstream is running.

Bronze and silver have no condition: they cost hours and models. A changed weight file or stage shows as "stale" in the
UI, and a person decides; new files come in through the landing sensor. A refused batch does not start gold: nothing of
it was committed, and a stage refuses an input that is in quarantine.
"""

from typing import cast

import dagster as dg

Condition = dg.AutomationCondition[dg.AssetKey | dg.AssetCheckKey]
_updated = dg.AutomationCondition.any_deps_updated()
_code_changed = cast(Condition, dg.AutomationCondition.code_version_changed())  # typed for assets only
_changed: Condition = _updated | _code_changed | dg.AutomationCondition.newly_missing()
_at_rest: Condition = ~dg.AutomationCondition.any_deps_in_progress() & ~dg.AutomationCondition.in_progress()
# what the daemon asks for on this tick comes first: it runs in another run, which may end after the publication
_asked_for: Condition = dg.AutomationCondition.any_deps_match(dg.AutomationCondition.will_be_requested())


def _since_handled(change: Condition, late: Condition) -> Condition:
    """True from `change` on until the asset is asked for or made.

    Unlike with Dagster's `since_last_handled`, a `late` change counts: one in the very tick that handled the asset. It
    may have come after the asset read its inputs; at worst the asset is made once more.
    """
    handled = dg.AutomationCondition.newly_requested() | dg.AutomationCondition.newly_updated()
    return change.since((handled & ~late) | dg.AutomationCondition.initial_evaluation())


# gold that a run has made is never late: the same run made what is below it
_late = cast(Condition, _updated.allow(dg.AssetSelection.groups("bronze", "silver"))) | _asked_for
KEEP_CURRENT = (_since_handled(_changed, _late) & ~dg.AutomationCondition.any_deps_missing() & _at_rest).with_label(
    "stale, and its inputs are complete"
)

# one batch that is not finished must not keep the others from being published, so a missing partition does not stop it
PUBLISH = (_since_handled(_updated, _updated) & ~_asked_for & _at_rest).with_label("something new below")
FOLLOW = (_since_handled(_updated, _updated) & _at_rest).with_label("another snapshot is published")

keep_gold_current = dg.AutomationConditionSensorDefinition(
    "keep_gold_current",
    target=dg.AssetSelection.groups("gold", "statistics"),
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=30,
    description="Makes stale gold partitions again and publishes a snapshot (see assets/automation.py).",
)
