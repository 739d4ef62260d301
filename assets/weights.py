"""Checks of weights before they are used: those that the stages need must be present and undamaged.

Belongs here: comparing what stages need with the disk and with the weights the lake was computed with; refusing. Does
not belong here: hashes (models/registry.py), the lake's record (lake/used_weights.py), data versions (recipes.py).

Weights that the lake never used may be missing: scores that need them are not evaluated, and are recomputed once they
arrive. If rows of the lake were computed with weights that are now missing, that is an error of this machine: without
them those rows would be lost.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from speakervid_dag.assets import backends, recipes
from speakervid_dag.assets.recipes import Recipe
from speakervid_dag.assets.resources import Lakehouse
from speakervid_dag.failures import WeightsUnusable
from speakervid_dag.lake.used_weights import MISSING, begin_record, remember, used_weights
from speakervid_dag.models import cotracker, lip_network, registry, vad
from speakervid_dag.stages.stage import Stage

PACKAGED = {
    vad.NAME: "install the package faster-whisper again",
    cotracker.PACKAGE: f"install the package {cotracker.PACKAGE} (docs/scores.md)",
    backends.FACE_PACK: "SPEAKERVID_FACE_PACK names a folder without ONNX files",
    lip_network.NAME: "install the package speakervid-dag again",
    lip_network.OWN_NAME: "SPEAKERVID_LIP_NETWORK names no file",
}


def require_weights(lakehouse: Lakehouse, needed_by: Iterable[Recipe]) -> None:
    """Raise WeightsUnusable, naming the files and what to do, if these stages must not be computed.

    That is so if weights they need are damaged, if a face pack or a lip network that a setting names is not there, or
    if rows of this lake were computed with weights that are now missing. With the setting `allow_loss`, missing weights
    count as never used; damaged ones are still refused.
    """
    names = sorted({name for recipe in needed_by for name in recipe.weights(lakehouse)})
    for name in names:
        _refuse_damaged(lakehouse, name)
    begin_record(lakehouse.lake, lakehouse.settings.lake_dir)
    used = used_weights(lakehouse.settings.lake_dir)
    missing = [recipes.base_name(name) for name in names if recipes.weight_state(name) == MISSING]
    gone = [name for name in missing if name in used]
    if gone and not lakehouse.settings.allow_loss:
        raise WeightsUnusable(_gone(gone))


def states(lakehouse: Lakehouse, recipe: Recipe) -> dict[str, str]:
    """Return name → hash on disk, or `missing`, for the weights that a stage needs."""
    return {recipes.base_name(name): recipes.weight_state(name) for name in recipe.weights(lakehouse)}


@contextmanager
def kept(lakehouse: Lakehouse, recipe: Recipe, stage: Stage) -> Iterator[None]:
    """Check that a stage's weights do not change while it is computed inside; afterwards the lake records them.

    Raises:
        WeightsUnusable: weights present before are missing or different now. The stage's checkpoints are removed,
            because they may contain rows computed without them.
    """
    before = states(lakehouse, recipe)
    try:
        yield
    finally:
        now = states(lakehouse, recipe)
        changed = [name for name, state in before.items() if state not in (MISSING, now.get(name))]
        if changed:
            stage.forget_checkpoints()
            told = ", ".join(changed)
            raise WeightsUnusable(f"weights changed while {recipe.name} was computed: {told}; run it again")
    remember(lakehouse.settings.lake_dir, before, stage.run_id)


def _refuse_damaged(lakehouse: Lakehouse, name: str) -> None:
    base = recipes.base_name(name)
    settings = lakehouse.settings
    named = {backends.FACE_PACK: settings.face_pack, lip_network.OWN_NAME: settings.lip_network}  # so never optional
    if base in named and recipes.weight_state(name) == MISSING:
        raise WeightsUnusable(f"{PACKAGED[base]}: {named[base]}; nothing was computed")
    elif base == vad.NAME and recipes.weight_state(name) != MISSING:
        vad.network_path()
    elif base == name and (found := registry.examine(name)).is_damaged:
        raise WeightsUnusable(registry.refusal(found))


def _gone(names: list[str]) -> str:
    pulled = [name for name in names if name not in PACKAGED]
    told = [f"{name}: {PACKAGED[name]}" for name in names if name in PACKAGED]
    if pulled:
        options = "" if all(registry.get_weight(name).is_pinned for name in pulled) else " --accept-hash"
        told.insert(
            0,
            f"not in {registry.weights_dir()}: run `speakervid models pull {' '.join(pulled)}{options}`, "
            f"or set {registry.WEIGHTS_ENV} to the folder that holds them",
        )
    return f"weights that made rows of this lake are gone: {', '.join(names)} ({'; '.join(told)}); nothing was computed"
