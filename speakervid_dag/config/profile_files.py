"""Profile files: YAML read with the line of every key, and inheritance from file to file.

Belongs here: reading, places of keys, merging. Does not belong here: what a key means (sections.py) and what is wrong
with it (profile_check.py).
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
    from yaml import CSafeLoader as SafeLoader  # libyaml: a tenth of the time, of every process
except ImportError:  # PyYAML was built without it
    from yaml import SafeLoader  # type: ignore[assignment]

from speakervid_dag.failures import UserError

KeyPath = tuple[str, ...]
SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True)
class Layer:
    """One file of a profile's line of descent: what it says, and on which line (from 1) each key stands."""

    source: str  # the name of a packaged profile, or the path of a file
    body: Mapping[str, Any]
    lines: Mapping[KeyPath, int]
    twice: tuple[KeyPath, ...]  # keys that stand there a second time

    def place(self, path: KeyPath) -> str:
        """`file:line` of the key, or of the nearest key above it that stands here."""
        known = next((path[:n] for n in range(len(path), 0, -1) if path[:n] in self.lines), None)
        return self.source if known is None else f"{self.source}:{self.lines[known]}"


class _Loader(SafeLoader):
    """YAML in which only true and false are truth values: `mode: off` is a word, as in YAML 1.2."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))


def profile_names() -> list[str]:
    """Names of the profiles that come with the package, sorted (`base` is only there to be inherited)."""
    folder = resources.files("speakervid_dag.config") / "profiles"
    names = [Path(entry.name).stem for entry in folder.iterdir() if entry.name.endswith(".yaml")]
    return sorted(n for n in names if n != "base")


def is_file_name(name_or_path: str) -> bool:
    """Whether this names a file of the user's own rather than a packaged profile."""
    return name_or_path.endswith(SUFFIXES)


def read_layers(name_or_path: str) -> list[Layer]:
    """The profile and all it inherits from, the oldest first. A path in `inherits` starts at the file's own folder.

    Raises:
        UserError: no such profile or file, not YAML, no mapping, or it inherits from itself.
    """
    layers: list[Layer] = []
    seen: list[str] = []
    wanted: str | None = name_or_path
    while wanted is not None:
        if wanted in seen:
            raise UserError(f"profile {name_or_path} inherits from itself ({' → '.join((*seen, wanted))})")
        seen.append(wanted)
        layer = _read(wanted)
        layers.insert(0, layer)
        parent = layer.body.get("inherits")
        if parent is not None and not isinstance(parent, str):
            raise UserError(f"{layer.place(('inherits',))}: inherits: must be one profile's name or path")
        wanted = _from_folder_of(wanted, parent)
    return layers


def merged(layers: Sequence[Layer]) -> dict[str, Any]:
    """What the layers say together, without `inherits`. A file that gives no name is named after itself."""
    body: dict[str, Any] = reduce(_merged, (dict(layer.body) for layer in layers), {})
    body.pop("inherits", None)
    own = layers[-1]
    if "name" not in own.body:
        body["name"] = Path(own.source).stem
    return body


def _merged(parent: dict[str, Any], child: Mapping[str, Any]) -> dict[str, Any]:
    """The child's values over the parent's, key by key; a gate that is set to null is removed."""
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


def _read(name_or_path: str) -> Layer:
    text = _text(name_or_path)
    try:
        root = yaml.compose(text, Loader=_Loader)
        body = None if root is None else _Loader("").construct_document(root)
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        where = name_or_path if mark is None else f"{name_or_path}:{mark.line + 1}"
        raise UserError(f"{where}: this is not YAML: {getattr(problem, 'problem', None) or problem}") from problem
    if not isinstance(body, dict):
        raise UserError(f"{name_or_path}: a profile must be a mapping of sections")
    found = list(_keys(root, ()))
    lines: dict[KeyPath, int] = {}
    twice = [path for path, line in found if lines.setdefault(path, line) != line]
    return Layer(name_or_path, body, lines, tuple(twice))


def _text(name_or_path: str) -> str:
    if is_file_name(name_or_path):
        path = Path(name_or_path).expanduser()
        if not path.is_file():
            raise UserError(f"there is no profile file {name_or_path}")
        try:
            return path.read_text("utf-8")
        except UnicodeDecodeError as problem:
            raise UserError(f"{name_or_path} is not UTF-8 text") from problem
    packaged = resources.files("speakervid_dag.config") / "profiles" / f"{name_or_path}.yaml"
    if name_or_path not in (*profile_names(), "base"):
        hint = "; a file of your own ends in .yaml" if Path(name_or_path).exists() else ""
        raise UserError(f"there is no profile '{name_or_path}'; there are {', '.join(profile_names())}{hint}")
    return packaged.read_text("utf-8")


def _keys(node: yaml.Node | None, above: KeyPath) -> Iterator[tuple[KeyPath, int]]:
    """Every key with the line it stands on."""
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        path = (*above, str(key.value))
        yield path, key.start_mark.line + 1
        if len(path) < 4:  # no profile is deeper, and an alias could lead round in a circle
            yield from _keys(value, path)
