"""Profiles as printable rows: the list of profiles, each gate's rule and where it is defined; docs/profiles.md.

Belongs here: describing profiles. Does not belong here: validation (profile_check.py) and printing.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from speakervid_dag.config.profile_files import Layer, read_layers
from speakervid_dag.config.profiles import Profile, load_profile, profile_names
from speakervid_dag.lake.schemas.measures import MEASURES
from speakervid_dag.rendering.markdown import table

MISSING_MEANS = {"fail": "fails", "pass": "passes", "hold": "holds out of sft"}


def summaries(names: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Return one row per profile (none named: the packaged ones): gates by mode, and the non-default weights needed."""
    return [_summary(load_profile(name)) for name in names or profile_names()]


def gate_rows(name_or_path: str) -> list[dict[str, Any]]:
    """Return one row per gate, in the profile's order. Raise UserError as `load_profile` does."""
    layers, profile = read_layers(name_or_path), load_profile(name_or_path)
    return [
        {
            "gate": name,
            "measure": gate.measure,
            "rule": gate.rule,
            "unit": gate.unit,
            "level": gate.level,
            "mode": gate.mode,
            "applies_to": gate.applies_to,
            "missing": MISSING_MEANS[gate.not_evaluated],
            "needs_weights": MEASURES[gate.measure].weights,
            "stands_for": gate.stands_for,
            "source": gate.source,
            "from": _origin(layers, name),
        }
        for name, gate in profile.gates.items()
    ]


def removed_gates(name_or_path: str) -> dict[str, str]:
    """Return the inherited gates that a younger layer removed → the place where it did."""
    layers, gates = read_layers(name_or_path), load_profile(name_or_path).gates
    return {
        str(name): layer.place(("gates", str(name)))
        for layer in layers
        for name, gate in (layer.body.get("gates") or {}).items()
        if gate is None and name not in gates
    }


def needing(weights: str | None) -> str:
    """Return the note for a measure that needs weights which are not pulled by default."""
    return f" (needs `{weights}`)" if weights else ""


def _summary(profile: Profile) -> dict[str, Any]:
    modes = Counter(gate.mode for gate in profile.gates.values())
    measures = {gate.measure for gate in profile.gates.values() if gate.mode != "off"}
    weights = {name for m in measures if (name := MEASURES[m].weights)}
    return {
        "profile": profile.name,
        "enforce": modes["enforce"],
        "score_only": modes["score_only"],
        "off": modes["off"],
        "needs_weights": ", ".join(sorted(weights)),
        "what_for": profile.description.strip(),
    }


def _origin(layers: Sequence[Layer], gate: str) -> str:
    """Return where the gate is defined and what younger files changed: `base:220; threshold by mine.yaml:4`."""
    said: list[str] = []
    for layer in layers:
        body = (layer.body.get("gates") or {}).get(gate, ())
        if body is None:
            said = []
        elif body and not said:
            said = [layer.place(("gates", gate))]
        elif body:
            said.append(f"{', '.join(map(str, body))} by {layer.place(('gates', gate))}")
    return "; ".join(said)


def profile_sections() -> str:
    """Return every packaged profile with its gates, as Markdown."""
    return "".join(_section(name) for name in profile_names())


def _section(name: str) -> str:
    columns = ["gate", "measure", "rule", "unit", "level", "mode", "clips", "no value", "source"]
    rows = []
    for row in gate_rows(name):
        measure = f"`{row['measure']}`" + needing(row["needs_weights"])
        instead = f" Stands for `{row['stands_for']}`." if row["stands_for"] else ""
        cells = [f"`{row['gate']}`", measure, row["rule"], row["unit"], row["level"], row["mode"], row["applies_to"]]
        rows.append([*cells, row["missing"], row["source"] + instead])
    return f"\n### `{name}`\n\n{load_profile(name).description.strip()}\n\n{table(columns, rows)}\n"
