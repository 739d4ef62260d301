"""Automatic updates while the Dagster daemon runs (`speakervid ui`): which assets are updated, and when.

Belongs here: automation conditions and the sensor that evaluates them. Does not belong here: jobs that a user starts
and the landing sensor for new files (jobs.py).

Gold is kept current by declared conditions instead of a schedule. It costs seconds and needs no model, so a partition
is recomputed as soon as it is stale, and only that partition. It is stale if a table it reads was committed by a run
that does not recompute it anyway, if its code version changed (SQL, or the profile sections it reads), or if its inputs
have become complete. All stale gold of a tick goes into one run per range of batches, so a new threshold is published
as a whole. Publishing and the statistics follow once nothing upstream is running.

Bronze and silver have no condition: they cost hours and need models. A changed weight file or stage shows as "stale" in
the UI, and the user decides; new files enter through the landing sensor. A refused batch does not start gold: nothing
of it was committed, and a stage refuses an input that is in quarantine.
"""

from typing import cast

import dagster as dg

Condition = dg.AutomationCondition[dg.AssetKey | dg.AssetCheckKey]
_updated = dg.AutomationCondition.any_deps_updated()
_code_changed = cast(Condition, dg.AutomationCondition.code_version_changed())  # typed for assets only
_changed: Condition = _updated | _code_changed | dg.AutomationCondition.newly_missing()
_at_rest: Condition = ~dg.AutomationCondition.any_deps_in_progress() & ~dg.AutomationCondition.in_progress()
# what the daemon requests on this tick comes first: it runs in another run, which may end after the publication
_asked_for: Condition = dg.AutomationCondition.any_deps_match(dg.AutomationCondition.will_be_requested())


def _since_handled(change: Condition, late: Condition) -> Condition:
    """Return a condition that is true from `change` until the asset is requested or materialised.

    Unlike in Dagster's `since_last_handled`, a `late` change counts: one in the same tick that handled the asset. It
    may have come after the asset read its inputs; at worst the asset is computed once more.
    """
    handled = dg.AutomationCondition.newly_requested() | dg.AutomationCondition.newly_updated()
    return change.since((handled & ~late) | dg.AutomationCondition.initial_evaluation())


# a gold table is never late: the run that computed it also computes the gold that depends on it
_late = cast(Condition, _updated.allow(dg.AssetSelection.groups("bronze", "silver"))) | _asked_for
KEEP_CURRENT = (_since_handled(_changed, _late) & ~dg.AutomationCondition.any_deps_missing() & _at_rest).with_label(
    "stale, and its inputs are complete"
)

# an unfinished batch must not block the publication of the others, so a missing partition does not stop it
PUBLISH = (_since_handled(_updated, _updated) & ~_asked_for & _at_rest).with_label("something upstream is new")
FOLLOW = (_since_handled(_updated, _updated) & _at_rest).with_label("a new snapshot is published")

keep_gold_current = dg.AutomationConditionSensorDefinition(
    "keep_gold_current",
    target=dg.AssetSelection.groups("gold", "statistics"),
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=30,
    description="Recomputes stale gold partitions and publishes a snapshot (see assets/automation.py).",
)
