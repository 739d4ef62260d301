"""Profile files: YAML read with the line of every key, and inheritance between files.

Belongs here: reading, places of keys, merging. Does not belong here: the meaning of keys (sections/) and validation
(profile_check.py).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

try:
    from yaml import CSafeLoader as SafeLoader  # libyaml: ten times as fast, and every process reads profiles
except ImportError:  # PyYAML was built without libyaml
    from yaml import SafeLoader  # type: ignore[assignment]

from speakervid_dag.failures import UserError

KeyPath = tuple[str, ...]
SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True)
class Layer:
    """One file of a profile's inheritance chain: its content, and the line (from 1) of each key."""

    source: str  # the name of a packaged profile, or the path of a file
    body: Mapping[str, Any]
    lines: Mapping[KeyPath, int]
    twice: tuple[KeyPath, ...]  # keys that are repeated

    def place(self, path: KeyPath) -> str:
        """Return `file:line` of the key, or of its nearest parent key in this file."""
        known = next((path[:n] for n in range(len(path), 0, -1) if path[:n] in self.lines), None)
        return self.source if known is None else f"{self.source}:{self.lines[known]}"


class _Loader(SafeLoader):
    """YAML loader for which only true and false are booleans: `mode: off` is a string, as in YAML 1.2."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))


def profile_names() -> list[str]:
    """Return the sorted names of the packaged profiles (without `base`, which exists only to be inherited)."""
    folder = resources.files("speakervid_dag.config") / "profiles"
    names = [Path(entry.name).stem for entry in folder.iterdir() if entry.name.endswith(".yaml")]
    return sorted(n for n in names if n != "base")


def is_file_name(name_or_path: str) -> bool:
    """Return whether this names a user's own file rather than a packaged profile."""
    return name_or_path.endswith(SUFFIXES)


def read_layers(name_or_path: str) -> list[Layer]:
    """Return the profile and its ancestors, oldest first. A path in `inherits` is relative to the file's folder.

    Raises:
        UserError: no such profile or file, not YAML, not a mapping, or it inherits from itself.
    """
    layers: list[Layer] = []
    seen: list[str] = []
    wanted: str | None = name_or_path
    asked_by = ""
    while wanted is not None:
        if wanted in seen:
            raise UserError(f"{asked_by}profile {name_or_path} inherits from itself ({' → '.join((*seen, wanted))})")
        seen.append(wanted)
        layer = _read(wanted, asked_by)
        layers.insert(0, layer)
        parent = layer.body.get("inherits")
        asked_by = f"{layer.place(('inherits',))}: inherits: "
        if parent is not None and not isinstance(parent, str):
            raise UserError(f"{asked_by}must be one profile's name or path")
        wanted = _from_folder_of(wanted, parent)
    return layers


def merged(layers: Sequence[Layer]) -> dict[str, Any]:
    """Return the merged content of the layers, without `inherits`. A file without `name` is named after itself."""
    body: dict[str, Any] = reduce(_merged, (dict(layer.body) for layer in layers), {})
    body.pop("inherits", None)
    own = layers[-1]
    if "name" not in own.body:
        body["name"] = Path(own.source).stem
    return body


def _merged(parent: dict[str, Any], child: Mapping[str, Any]) -> dict[str, Any]:
    """Merge the child's values over the parent's, key by key. A gate set to null is removed."""
    out = {**parent, **{k: v for k, v in child.items() if not isinstance(v, dict)}}
    for section, values in child.items():
        if isinstance(values, dict):
            out[section] = _section(parent.get(section), values, is_gates=section == "gates")
    return out


def _section(parent: Any, child: Mapping[Any, Any], *, is_gates: bool) -> dict[Any, Any]:
    out = dict(parent) if isinstance(parent, dict) else {}
    for key, value in child.items():
        if is_gates and value is None:
            out.pop(key, None)
        elif isinstance(value, dict) and isinstance(out.get(key), dict):
            out[key] = {**out[key], **value}
        else:
            out[key] = value
    return out


def _from_folder_of(child: str, parent: str | None) -> str | None:
    if parent is None or not is_file_name(parent) or not is_file_name(child):
        return parent
    return str(Path(child).parent / Path(parent).expanduser())


def _read(name_or_path: str, asked_by: str) -> Layer:
    """Read one file. `asked_by` begins the message if there is no such file: the place of the `inherits` that asks."""
    text = _text(name_or_path, asked_by)
    try:
        root = yaml.compose(text, Loader=_Loader)
        body = None if root is None else _Loader("").construct_document(root)
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        where = name_or_path if mark is None else f"{name_or_path}:{mark.line + 1}"
        raise UserError(f"{where}: this is not valid YAML: {getattr(problem, 'problem', None) or problem}") from problem
    if not isinstance(body, dict):
        raise UserError(f"{name_or_path}: a profile must be a mapping of sections")
    lines: dict[KeyPath, int] = {}
    twice: list[KeyPath] = []
    for path, line in _keys(root, ()):
        if path in lines:
            twice.append(path)
        else:
            lines[path] = line
    return Layer(name_or_path, body, lines, tuple(twice))


def _text(name_or_path: str, asked_by: str) -> str:
    if is_file_name(name_or_path):
        path = Path(name_or_path).expanduser()
        if not path.is_file():
            raise UserError(f"{asked_by}there is no profile file {name_or_path}")
        try:
            return path.read_text("utf-8")
        except UnicodeDecodeError as problem:
            raise UserError(f"{name_or_path} is not UTF-8 text") from problem
    packaged = resources.files("speakervid_dag.config") / "profiles" / f"{name_or_path}.yaml"
    if name_or_path not in (*profile_names(), "base"):
        hint = "; a file of your own ends in .yaml" if Path(name_or_path).exists() else ""
        known = ", ".join(profile_names())
        raise UserError(f"{asked_by}there is no profile '{name_or_path}'; there are {known}{hint}")
    return packaged.read_text("utf-8")


def _keys(node: yaml.Node | None, above: KeyPath) -> Iterator[tuple[KeyPath, int]]:
    """Yield every key with its line."""
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        path = (*above, str(key.value))
        yield path, key.start_mark.line + 1
        if len(path) < 4:  # no profile is deeper, and aliases could form a cycle
            yield from _keys(value, path)
