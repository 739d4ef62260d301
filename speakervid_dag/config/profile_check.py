"""What is wrong with a profile: every problem with its place and what would be right.

Belongs here: strict validation of merged layers: unknown keys, types, units, measures, gates that ask nobody. Does not
belong here: reading files (profile_files.py) and the meaning of keys (sections.py).
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


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: `place` is `file:line`, `path` the keys that lead to it."""

    place: str
    path: KeyPath
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {'.'.join(self.path)}: {self.message}" if self.path else f"{self.place}: {self.message}"


def problems(layers: Sequence[Layer], model: type[BaseModel]) -> list[Problem]:
    """All that is wrong with these layers as `model` (a Profile), file by file and line by line; [] when nothing is."""
    body = merged(layers)
    found = [*_repeated(layers), *_vain_removals(layers), *_gathered(list(_invalid(body, model)), body)]
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
    """The place of the key in the youngest layer that has it, or has the nearest key above it."""
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
    return ((path, "stands there twice; only the last one would count") for layer in layers for path in layer.twice)


def _vain_removals(layers: Sequence[Layer]) -> Iterator[Finding]:
    """`gate: null` removes an inherited gate; one that is not inherited is a slip of the pen."""
    for i, layer in enumerate(layers):
        gates = layer.body.get("gates")
        inherited = merged(layers[:i]).get("gates", {}) if i else {}
        for name, gate in gates.items() if isinstance(gates, dict) else ():
            if gate is None and name not in inherited:
                yield ("gates", str(name)), f"removes a gate that is not inherited{_meant(str(name), inherited)}"


def _invalid(body: Mapping[str, Any], model: type[BaseModel]) -> Iterator[Finding]:
    """What pydantic says in strict mode (over JSON: a list is good for a tuple, a text is not good for a number)."""
    try:
        model.model_validate_json(json.dumps(body, default=str), strict=True)
    except ValidationError as problem:
        for error in problem.errors():
            path = tuple(str(part) for part in error["loc"] if part != "[key]")
            yield path, _message(error, path, model)


def _gathered(found: Sequence[Finding], body: Mapping[str, Any]) -> Iterator[Finding]:
    """What a gate lacks, or the whole profile, as one finding each: most often its name is misspelt, or `inherits`."""
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
            yield above, f"a gate of one's own needs also {', '.join(keys)}{_meant(above[-1], others)}"
        elif not any(_meant(str(key), ["inherits"]) for key in body):
            shown = ", ".join(keys[:3]) + f" and {len(keys) - 3} more" * (len(keys) > 3)
            yield ("inherits",), f"is missing, and so are {shown}: add `inherits: laptop`"


def _message(error: ErrorDetails, path: KeyPath, model: type[BaseModel]) -> str:
    kind, given = error["type"], error["input"]
    if kind == "extra_forbidden":
        return f"unknown key{_meant(path[-1], _fields(model, path[:-1]))}"
    if kind == "missing":
        return _MISSING
    if kind == "value_error":
        return error["msg"].removeprefix("Value error, ")
    text = error["msg"].removeprefix("Input should be ")
    shown = "" if isinstance(given, dict | list) else f", not {given!r}"
    return f"must be {text}{shown}{_meant(str(given), error.get('ctx', {}).get('expected', '').split(chr(39))[1::2])}"


def _fields(model: type[BaseModel], path: KeyPath) -> list[str]:
    """Known keys of the section that the path leads to."""
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
    """The measure must be known, the unit must be its unit, and a threshold a value that it can have."""
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
            yield ("gates", name, key), f"{value:g} is no value of {measure.name}, which is {measure.scale_text}"


def _switched_off(scores: Any) -> Iterator[Finding]:
    """What `scores.disabled` names must be a score or a label of clips."""
    from speakervid_dag.lake.schemas import CLIP_SCORES

    known = [name for name in CLIP_SCORES.schema if f"{name}_status" in CLIP_SCORES.schema]
    named = scores.get("disabled") if isinstance(scores, dict) else None
    for name in named if isinstance(named, list) else ():
        if isinstance(name, str) and name not in known:
            yield ("scores", "disabled"), f"there is no score '{name}'{_meant(name, known)}"


def _unasked(gates: Mapping[str, Any]) -> Iterator[Finding]:
    """A clip that no gate asks would be in no tier."""
    asked = {
        gate.get("applies_to", "all") for gate in gates.values() if isinstance(gate, dict) and gate.get("mode") != "off"
    }
    for role in ("talking", "listening"):
        if not asked & {"all", role}:
            yield ("gates",), f"no gate asks {role} clips, so they would be in no tier: give one with applies_to: all"


def _meant(word: str, known: Sequence[str] | Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(word, [str(k) for k in known], 1, 0.6)
    return f"; did you mean '{close[0]}'?" if close else ""
