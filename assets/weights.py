"""Weights before they are used: those that today's stages need must be here and be what they claim to be.

Belongs here: comparing what stages need with the disk and with what the lake was made with; refusing. Does not belong
here: hashes (models/registry.py), the lake's record (lake/used_weights.py), fingerprints (recipes.py).

Weights that the lake never had may be missing: what needs them is not evaluated, and made anew once they arrive.
Weights that made rows of the lake and are gone are an error of this machine: without them those rows would be lost.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from speakervid_dag.assets import backends, recipes
from speakervid_dag.assets.recipes import Recipe
from speakervid_dag.assets.resources import Lakehouse
from speakervid_dag.failures import WeightsUnusable
from speakervid_dag.lake.storage.trained import trained_file
from speakervid_dag.lake.used_weights import MISSING, begin_record, remember, used_weights
from speakervid_dag.models import cotracker, lake_synchrony, registry, vad
from speakervid_dag.stages.stage import Stage

PACKAGED = {
    vad.NAME: "install the package faster-whisper again",
    cotracker.PACKAGE: f"install the package {cotracker.PACKAGE} (docs/scores.md)",
    backends.FACE_PACK: "SPEAKERVID_FACE_PACK names a folder without ONNX files",
}


def require_weights(lakehouse: Lakehouse, needed_by: Iterable[Recipe]) -> None:
    """Raise WeightsUnusable, naming the files and what to do, when these stages must not be computed.

    That is so when weights they need are damaged, or made rows of this lake and are gone. With the setting `allow_loss`
    weights that are gone count as never had; damaged ones are refused all the same.
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
    """Return name → hash found, or `missing`, of the weights a stage needs."""
    return {recipes.base_name(name): recipes.weight_state(name) for name in recipe.weights(lakehouse)}


@contextmanager
def kept(lakehouse: Lakehouse, recipe: Recipe, stage: Stage) -> Iterator[None]:
    """While a stage is computed inside: its weights must stay as they are. Afterwards the lake remembers them.

    Raises:
        WeightsUnusable: weights that were there before are gone or others now. The stage's checkpoints go, since they
            may hold what was measured without them.
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
    if base == lake_synchrony.LakeSynchrony.name:
        if (trained := trained_file(lakehouse.lake)) is not None:
            lake_synchrony.refuse_other(*trained)
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
