"""The rooms of the house: which package may import which, and that no import leads back."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = "speakervid_dag"
BASE = {
    "arrays",
    "dagster_private",
    "failures",
    "files",
    "formats",
    "hashing",
    "places",
    "user_cache",
    "version",
}  # modules of no room: anybody's

# room → the rooms that it may import. Whoever adds an arrow here says in the commit why the arrow is right.
ARROWS: dict[str, set[str]] = {
    "processes": set(),
    "rendering": set(),
    "sql": set(),
    "launcher": {"processes"},
    "event_log": set(),
    "config": {"lake", "rendering"},
    "lake": {"sql"},
    "media": {"config", "processes"},
    "curation": {"config", "lake", "media"},
    "models": {"curation"},
    "quality_checks": {"lake"},
    "tiering": {"config", "lake"},
    "stages": {"config", "curation", "lake", "media", "models", "processes"},
    "demo": {"media", "models"},
    "training": {"config", "curation", "media", "models"},
    "report": {"config", "lake", "media", "rendering"},
    "release": {"config", "curation", "lake", "media", "models", "rendering", "stages"},
    "review": {"lake", "media", "quality_checks", "rendering"},
    "assets": {
        *("config", "curation", "lake", "media", "models", "processes", "quality_checks", "sql", "stages", "tiering"),
    },
    "definitions": {"assets"},
    "runs": {"assets", "config", "definitions", "lake", "media", "processes", "stages"},
    "cli": {
        *("assets", "config", "definitions", "demo", "lake", "media", "models", "release", "rendering", "report"),
        *("review", "runs", "stages", "tiering", "training"),
    },
    PACKAGE: {"config", "lake"},
    "__main__": {"cli"},
}


def sources() -> dict[str, ast.Module]:
    """Module → its syntax tree; `assets` and its like lie beside the package and belong into it."""
    beside = [p for folder in ("assets", "quality_checks", "sql") for p in (REPOSITORY / folder).glob("*.py")]
    found = {}
    for path in [*(REPOSITORY / PACKAGE).rglob("*.py"), *beside]:
        parts = path.relative_to(REPOSITORY).with_suffix("").parts
        parts = (parts if parts[0] == PACKAGE else (PACKAGE, *parts))[: -1 if path.stem == "__init__" else None]
        found[".".join(parts)] = ast.parse(path.read_text(encoding="utf-8"))
    return found


TREES = sources()


def imports(module: str) -> Iterator[str]:
    """Our modules that a module imports, inside functions too, but for typing."""
    waiting: list[ast.AST] = [TREES[module]]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in TREES)
        elif isinstance(node, ast.ImportFrom) and node.module in TREES:
            for alias in node.names:
                within = f"{node.module}.{alias.name}"
                yield within if within in TREES else node.module
        waiting += ast.iter_child_nodes(node)


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else module


@pytest.mark.parametrize("name", sorted({room(module) for module in TREES} - BASE))
def test_a_room_imports_the_rooms_that_it_may(name: str) -> None:
    inside = [module for module in TREES if room(module) == name]
    reached = {room(target) for module in inside for target in imports(module)} - BASE - {name}
    assert reached == ARROWS[name]


def test_base_modules_import_no_room() -> None:
    reached = {room(target) for module in TREES if room(module) in BASE for target in imports(module)}
    assert reached <= BASE


def test_no_import_leads_back() -> None:
    graph = {module: set(imports(module)) - {module} for module in TREES}
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as problem:
        pytest.fail(" → ".join(problem.args[1]))


def test_what_dagster_calls_private_is_imported_in_one_module() -> None:
    found = {
        module
        for module, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dagster._")
    }
    assert found == {f"{PACKAGE}.dagster_private"}
