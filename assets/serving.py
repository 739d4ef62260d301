"""Publication: for each batch, readers see its newest rows or those shown before.

Belongs here: deciding that from fingerprints, and publishing it. Does not belong here: recording it
(lake/snapshots/snapshots.py), comparing versions (lake/snapshots/parts.py), what is to be run (freshness.py).

A batch's newest rows are shown only as a whole: all its stages and the profile's gold are computed from one another,
and no loss is unjustified (losses.py). Any other batch stays as in the previous snapshot, and stays hidden if it was
never shown. Gold of another profile stays as long as the rows it was computed from are shown, and is hidden once they
are replaced.
"""

from collections import defaultdict
from collections.abc import Mapping

from speakervid_dag.assets import losses
from speakervid_dag.assets.freshness import is_coherent
from speakervid_dag.assets.graph import gold_recipes, in_order
from speakervid_dag.assets.recipes import Marks
from speakervid_dag.assets.resources import Factory
from speakervid_dag.failures import OperationError
from speakervid_dag.lake.schemas import TABLES
from speakervid_dag.lake.snapshots import parts, snapshots
from speakervid_dag.lake.snapshots.losses import Loss
from speakervid_dag.lake.snapshots.snapshots import Part, Snapshot
from speakervid_dag.lake.upkeep import maintenance, takedown

Pinned = dict[Part, int | None]
Changes = dict[Part, parts.Change]


def publish_next(factory: Factory, run_id: str) -> Snapshot:
    """Publish all tables together: complete batches in their new state, the others as shown before.

    Raises:
        UserError: no table was ever written.
        OperationError: the store refused, other publishers kept winning, or a takedown is unfinished.
    """
    if stopped := takedown.unfinished(factory.lake, factory.settings.lake_dir):
        raise OperationError(
            f"nothing is published: the takedown of {', '.join(stopped)} was interrupted; "
            "repeat `speakervid forget`, or let `speakervid run` finish it"
        )

    def decide(_: Snapshot | None) -> maintenance.Publication:
        return maintenance.Publication(factory.profile.name, *next_snapshot(factory))

    made = maintenance.publish_for_readers(factory.lake, factory.settings.lake_dir, run_id, decide)
    assert made is not None, "there is always something to publish"
    return made


def next_snapshot(factory: Factory) -> tuple[dict[str, int], Pinned]:
    """Return the versions and pins to publish now."""
    versions, by_batch = _changed(factory)
    marks, pins = Marks(factory.lake, versions), Pinned()
    for batch, changes in by_batch.items():
        before = _moved(changes)
        if not factory.settings.allow_loss and _unasked(factory, batch, changes, versions):
            pins |= {part: change.before for part, change in changes.items()}
        elif _is_whole(factory, marks, batch, before):
            pins |= _pins(factory, batch, before, versions)
        else:
            pins |= before
    return versions, pins


def held_losses(factory: Factory) -> list[Loss]:
    """Return the losses because of which batches are held back."""
    versions, by_batch = _changed(factory)
    return [loss for batch, changes in by_batch.items() for loss in _unasked(factory, batch, changes, versions)]


def half_done(factory: Factory) -> set[str]:
    """Return the batches whose stages below gold are in mixed states: gold computed from them would not be shown."""
    versions, by_batch = _changed(factory)
    marks = Marks(factory.lake, versions)
    return {batch for batch, changes in by_batch.items() if not _is_ready(factory, marks, batch, _moved(changes))}


def is_published(factory: Factory) -> bool:
    """Return whether the newest snapshot shows what would be published now (system tables may lag)."""
    newest = snapshots.latest(factory.lake)
    versions, pins = next_snapshot(factory)
    if newest is None:
        return not versions
    data = {name: version for name, version in versions.items() if TABLES[name].layer != "system"}
    return newest.pins == pins and all(newest.versions.get(name) == version for name, version in data.items())


def _changed(factory: Factory) -> tuple[dict[str, int], dict[str, Changes]]:
    """Return the present versions, and the changed parts per batch."""
    versions = snapshots.present_versions(factory.lake)
    by_batch: dict[str, Changes] = defaultdict(dict)
    for part, change in parts.changed(factory.lake, snapshots.latest(factory.lake), versions).items():
        by_batch[part.batch][part] = change
    return versions, by_batch


def _moved(changes: Changes) -> Pinned:
    """Return the parts whose inputs differ from those of the shown rows, each with the version shown."""
    return {part: change.before for part, change in changes.items() if change.has_moved}


def _unasked(factory: Factory, batch: str, changes: Changes, versions: Mapping[str, int]) -> list[Loss]:
    newest = snapshots.latest(factory.lake)
    before = {part: change.before for part, change in changes.items()}
    return losses.unasked(factory, newest, batch, before, versions) if newest is not None else []


def _pins(factory: Factory, batch: str, before: Pinned, versions: Mapping[str, int]) -> Pinned:
    """Return the pins of a batch shown in its new state; `before`: its changed parts, with the versions shown now."""
    profile = factory.profile.name
    others = {part: version for part, version in before.items() if part.profile not in (None, profile)}
    if any(part.table in _gold_inputs() for part in before):
        present = parts.parts_of(factory.lake, versions, batch)
        others |= dict.fromkeys(part for part in present if part.profile not in (None, profile))
    return others


def _is_whole(factory: Factory, marks: Marks, batch: str, before: Pinned) -> bool:
    return _is_ready(factory, marks, batch, before) and all(
        is_coherent(factory, marks, recipe, batch) for recipe in gold_recipes()
    )


def _is_ready(factory: Factory, marks: Marks, batch: str, before: Pinned) -> bool:
    """Return whether the stages below gold are computed from one another.

    If none has changed since the snapshot, they are, though possibly from older settings than the current ones.
    """
    has_moved = any(part.profile is None for part in before)
    below = [r for r in in_order() if r.tables[0].layer != "gold"]
    return not has_moved or all(is_coherent(factory, marks, r, batch) for r in below)


def _gold_inputs() -> set[str]:
    return {table.name for recipe in gold_recipes() for table in recipe.reads if table.layer != "gold"}
