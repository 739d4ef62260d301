"""Validation of profiles: every problem with its place and the valid values.

Belongs here: strict validation of merged layers: unknown keys, types, units, measures, clips that no gate tests. Does
not belong here: reading files (profile_files.py) and the meaning of keys (sections/).
"""

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from speakervid_dag.config.profile_files import KeyPath, Layer, merged
from speakervid_dag.config.sections import Gate, Section
from speakervid_dag.config.sections.base import OUT_OF_ORDER


@dataclass(frozen=True)
class Problem:
    """One problem: `place` is `file:line`, `path` the keys that lead to it."""

    place: str
    path: KeyPath
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {'.'.join(self.path)}: {self.message}" if self.path else f"{self.place}: {self.message}"


def problems(layers: Sequence[Layer], model: type[BaseModel]) -> list[Problem]:
    """Return all problems of these layers as `model` (a Profile), by file and line; [] if they are valid."""
    body = merged(layers)
    found = [*_repeated(layers), *_vain_removals(layers), *_gathered(list(_invalid(layers, body, model)), body)]
    found += _switched_off(body.get("scores"))
    gates = body.get("gates")
    if isinstance(gates, dict):
        found += [p for name, gate in gates.items() if isinstance(gate, dict) for p in _measured(str(name), gate)]
        found += _unasked(gates)
    told = [Problem(_place(layers, path), path, message) for path, message in found]
    return sorted(set(told), key=lambda p: (_rank(layers, p.place), p.path))


Finding = tuple[KeyPath, str]
_MISSING = "is missing"


def _place(layers: Sequence[Layer], path: KeyPath) -> str:
    """Return the place of the key in the youngest layer that has it, or that has its nearest parent key."""
    for length in range(len(path), 0, -1):
        for layer in reversed(layers):
            if path[:length] in layer.lines:
                return layer.place(path[:length])
    return layers[-1].source


def _rank(layers: Sequence[Layer], place: str) -> tuple[int, int]:
    source, _, line = place.rpartition(":")
    sources = [layer.source for layer in layers]
    return (-sources.index(source), int(line)) if source in sources and line.isdecimal() else (-len(layers), 0)


def _repeated(layers: Sequence[Layer]) -> Iterator[Finding]:
    return ((path, "is given twice; only the last one would count") for layer in layers for path in layer.twice)


def _vain_removals(layers: Sequence[Layer]) -> Iterator[Finding]:
    """Yield each `gate: null` (which removes an inherited gate) whose gate is not inherited: a likely typo."""
    for i, layer in enumerate(layers):
        gates = layer.body.get("gates")
        inherited = merged(layers[:i]).get("gates", {}) if i else {}
        for name, gate in gates.items() if isinstance(gates, dict) else ():
            if gate is None and name not in inherited:
                yield ("gates", str(name)), f"removes a gate that is not inherited{_meant(str(name), inherited)}"


def _invalid(layers: Sequence[Layer], body: Mapping[str, Any], model: type[BaseModel]) -> Iterator[Finding]:
    """Yield pydantic's findings in strict mode (over JSON: a list is valid for a tuple, a string not for a number)."""
    try:
        model.model_validate_json(json.dumps(body, default=str), strict=True)
    except ValidationError as problem:
        for error in problem.errors():
            path = tuple(str(part) for part in error["loc"] if part != "[key]")
            if error["type"] == "too_short" and error["input"]:
                continue  # all its values are invalid, and told one by one
            if error["type"] == OUT_OF_ORDER:
                yield from (_disorder(layers, path, error["input"], *pair) for pair in error["ctx"]["pairs"])
            else:
                yield path, _message(error, path, model)


def _disorder(
    layers: Sequence[Layer], section: KeyPath, given: Mapping[str, Any], low: str, sign: str, high: str
) -> Finding:
    """Return the finding about two values in the wrong order, at the one of them that was stated last."""
    stated = {key: _rank(layers, _place(layers, (*section, key))) for key in (low, high)}
    files = {key: file for key, (file, _) in stated.items()}
    is_low = files[low] < files[high] or (files[low] == files[high] and stated[low] > stated[high])
    here, other = (low, high) if is_low else (high, low)
    bound = {(True, "<="): "at most", (True, "<"): "less than", (False, "<="): "at least", (False, "<"): "more than"}
    return (*section, here), f"must be {bound[is_low, sign]} {other} ({given[other]}), not {given[here]}"


def _gathered(found: Sequence[Finding], body: Mapping[str, Any]) -> Iterator[Finding]:
    """Merge the missing keys of a gate, or of the profile, into one finding: usually a misspelt name or `inherits`."""
    lacking: dict[KeyPath, list[str]] = {}
    for path, message in found:
        above = path[:-1]
        if message == _MISSING and (not above or above[0] == "gates"):
            lacking.setdefault(above, []).append(path[-1])
        else:
            yield path, message
    for above, keys in lacking.items():
        if above:
            others = [str(name) for name in body["gates"] if str(name) != above[-1]]
            yield above, f"a new gate also needs {', '.join(keys)}{_meant(above[-1], others)}"
        elif not any(_meant(str(key), ["inherits"]) for key in body):
            shown = ", ".join(keys[:3]) + f" and {len(keys) - 3} more" * (len(keys) > 3)
            yield ("inherits",), f"is missing, and so are {shown}: add `inherits: laptop`"


def _message(error: ErrorDetails, path: KeyPath, model: type[BaseModel]) -> str:
    kind, given = error["type"], error["input"]
    if kind == "extra_forbidden":
        return f"unknown key{_meant(path[-1], _fields(model, path[:-1]))}"
    if kind == "missing":
        return _MISSING
    if kind == "too_short":
        return "must have a value"
    if kind == "value_error":
        return error["msg"].removeprefix("Value error, ")
    text = error["msg"].removeprefix("Input should be ")
    shown = "" if isinstance(given, dict | list) else f", not {given!r}"
    return f"must be {text}{shown}{_meant(str(given), error.get('ctx', {}).get('expected', '').split(chr(39))[1::2])}"


def _fields(model: type[BaseModel], path: KeyPath) -> list[str]:
    """Return the known keys of the section that the path leads to."""
    if not path:
        return [*model.model_fields, "inherits"]
    for key in path:
        field = model.model_fields.get(key)
        if field is None:
            return list(Gate.model_fields)  # below a mapping of gates
        kinds = [k for k in (field.annotation, *get_args(field.annotation)) if isinstance(k, type)]
        model = next((k for k in kinds if issubclass(k, Section)), model)
    return list(model.model_fields)


def _measured(name: str, gate: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield an unknown measure, a unit that is not the measure's, and thresholds outside the measure's scale."""
    from speakervid_dag.lake.schemas.measures import MEASURES

    for key in ("measure", "stands_for"):
        asked = gate.get(key)
        if isinstance(asked, str) and asked not in MEASURES:
            yield ("gates", name, key), f"there is no measure '{asked}'{_meant(asked, MEASURES)}"
    asked, unit = gate.get("measure"), gate.get("unit")
    measure = MEASURES.get(asked) if isinstance(asked, str) else None
    if measure is not None and isinstance(unit, str) and unit != measure.unit:
        yield ("gates", name, "unit"), f"'{unit}' is not the unit of {asked}, which is '{measure.unit}'"
    for key in ("threshold", "upper_threshold"):
        value = gate.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        if measure is not None and not measure.can_be(value):
            yield ("gates", name, key), f"{value:g} is out of scale for {measure.name}, which is {measure.scale_text}"


def _switched_off(scores: Any) -> Iterator[Finding]:
    """Yield names in `scores.disabled` that are neither a score nor a label of clips."""
    from speakervid_dag.lake.schemas import CLIP_SCORES

    known = [name for name in CLIP_SCORES.schema if f"{name}_status" in CLIP_SCORES.schema]
    named = scores.get("disabled") if isinstance(scores, dict) else None
    for name in named if isinstance(named, list) else ():
        if isinstance(name, str) and name not in known:
            yield ("scores", "disabled"), f"there is no score '{name}'{_meant(name, known)}"


def _unasked(gates: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield roles whose clips no gate tests: they would be in no tier."""
    asked = {
        gate.get("applies_to", "all") for gate in gates.values() if isinstance(gate, dict) and gate.get("mode") != "off"
    }
    for role in ("talking", "listening"):
        if not asked & {"all", role}:
            yield ("gates",), f"no gate tests {role} clips, so they would be in no tier: add one with applies_to: all"


def _meant(word: str, known: Sequence[str] | Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(word, [str(k) for k in known], 1, 0.6)
    return f"; did you mean '{close[0]}'?" if close else ""
