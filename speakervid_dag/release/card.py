"""The dataset card: contents of a release, origin, permitted uses, known limits.

Belongs here: the card's figures and text. Does not belong here: files of samples (writers), storage of the manifest
(releases). The Markdown is in templates/card.md.jinja.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from speakervid_dag.config.profiles import Profile
from speakervid_dag.lake.schemas import TABLES
from speakervid_dag.lake.snapshots.snapshots import Snapshot
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.lake.used_weights import MISSING
from speakervid_dag.models import cotracker, lip_network, registry, vad
from speakervid_dag.release.writers import Item
from speakervid_dag.rendering import markdown, pages

if TYPE_CHECKING:
    from markupsafe import Markup

UNSAID = "not stated"
OUTSIDE_REGISTRY = {  # name → what, licence
    vad.NAME: (vad.WHAT, vad.LICENCE),
    lip_network.NAME: (lip_network.WHAT, lip_network.LICENCE),
    lip_network.OWN_NAME: ("talking and lip/sound synchrony per frame, a network of the user's own", UNSAID),
    "face_pack": ("face detection and embedding, a folder of the user's own", UNSAID),
}


def statistics(items: Sequence[Item]) -> list[dict[str, Any]]:
    """Return one row per split: samples, distinct clips, their hours, people."""
    rows = []
    for split in sorted({item.split for item in items}):
        records = {r["key"]: r for item in items if item.split == split for _, _, r in item.clips}
        rows.append(
            {
                "split": split,
                "samples": sum(item.split == split for item in items),
                "clips": len(records),
                "hours": round(sum(r["duration"] for r in records.values()) / 3600, 6),
                "people": len({r["identity_id"] for r in records.values()}),
            }
        )
    return rows


def languages(items: Sequence[Item]) -> dict[str, int]:
    """Return the number of clips by language, most first."""
    records = {r["key"]: r for item in items for _, _, r in item.clips}
    return dict(Counter(r["language"] or "unknown" for r in records.values()).most_common())


def models(lake: DeltaLake, snapshot: Snapshot) -> list[dict[str, str]]:
    """Return the weights that made rows, from the commits of the snapshot's tables: name, what, licence, tables.

    Weights that were missing when the rows were made are not listed, nor is the package that runs CoTracker.
    """
    found: dict[tuple[str, str], set[str]] = {}
    for name, version in snapshot.versions.items():
        for entry in lake.history(TABLES[name], version):
            for weight, digest in _used(str(entry.get("weights") or "")).items():
                found.setdefault((weight, digest), set()).add(name)
    rows = []
    for (weight, digest), tables in sorted(found.items()):
        what, licence = _described(weight)
        told = {"name": weight, "what": what, "sha256": digest, "licence": licence}
        rows.append({**told, "tables": ", ".join(sorted(tables))})
    return rows


def _used(recorded: str) -> dict[str, str]:
    """Return name → hash of the weights in a commit's record `NAME=STATE,NAME@STATE=STATE,…` that could be used."""
    words = (word.partition("=") for word in recorded.split(",") if word)
    states = {name.partition("@")[0]: state for name, _, state in words}
    if states.pop(cotracker.PACKAGE, "") == MISSING:  # without its package the network cannot be run
        states.pop(cotracker.WEIGHTS, None)
    return {name: state for name, state in states.items() if state != MISSING}


def _described(weight: str) -> tuple[str, str]:
    """Return what a network is for, with its proper name, and its licence."""
    if weight in (known := registry.load_registry()):
        return known[weight].what.partition(";")[0], known[weight].licence
    return OUTSIDE_REGISTRY.get(weight, ("", UNSAID))


def render(manifest: Mapping[str, Any], items: Sequence[Item], profile: Profile | None) -> str:
    """Return README.md: YAML front matter for `datasets`, then the card."""
    template = pages.environment("speakervid_dag.release").get_template("card.md.jinja")
    figures = statistics(items)
    found = languages(items)
    text: str = template.render(
        manifest=manifest,
        splits=[row["split"] for row in figures],
        statistics=_table(["split", "samples", "clips", "hours", "people"], [row.values() for row in figures]),
        languages=found,
        iso=sorted(code for code in found if code.isalpha() and len(code) in (2, 3)),
        gates=_thresholds(profile) if profile else None,
        models=_models(manifest["models"]),
    )
    return text


def _thresholds(profile: Profile) -> "Markup":
    """The profile's gates that are asked."""
    from markupsafe import Markup, escape

    rows = [
        (name, gate.measure, Markup(gate.rule) + " " + escape(gate.unit), gate.level, gate.mode, gate.not_evaluated)
        for name, gate in profile.gates.items()
        if gate.mode != "off"
    ]
    return _table(["gate", "measure", "passes when", "level", "mode", "not evaluated"], rows)


def _models(models: Sequence[Mapping[str, str]]) -> "Markup":
    rows = [(m["name"], m["what"], f"`{m['sha256']}`", m["licence"], m["tables"]) for m in models]
    return _table(["weights", "what", "SHA-256", "licence", "tables"], rows)


def _table(head: Sequence[str], rows: Iterable[Iterable[object]]) -> "Markup":
    """A table whose cells hold no HTML, as the template's other values hold none."""
    from markupsafe import Markup, escape

    return Markup(markdown.table(head, ([escape(cell) for cell in row] for row in rows)))
