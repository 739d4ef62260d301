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
from speakervid_dag.models import registry
from speakervid_dag.release.writers import Item
from speakervid_dag.rendering import markdown, pages

if TYPE_CHECKING:
    from markupsafe import Markup

UNSAID = "not stated"


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
    """Return the weights recorded in the commits of the snapshot's rows; licences come from the registry."""
    found: dict[tuple[str, str], set[str]] = {}
    for name, version in snapshot.versions.items():
        for entry in lake.history(TABLES[name], version):
            for word in filter(None, str(entry.get("weights") or "").split(",")):
                weight, _, digest = word.partition("=")
                found.setdefault((weight, digest), set()).add(name)
    known = registry.load_registry()
    return [
        {
            "name": weight,
            "sha256": digest,
            "licence": known[weight].licence if weight in known else UNSAID,
            "tables": ", ".join(sorted(tables)),
        }
        for (weight, digest), tables in sorted(found.items())
    ]


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
    rows = [(m["name"], f"`{m['sha256']}`", m["licence"], m["tables"]) for m in models]
    return _table(["weights", "SHA-256", "licence", "tables"], rows)


def _table(head: Sequence[str], rows: Iterable[Iterable[object]]) -> "Markup":
    """A table whose cells hold no HTML, as the template's other values hold none."""
    from markupsafe import Markup, escape

    return Markup(markdown.table(head, ([escape(cell) for cell in row] for row in rows)))
