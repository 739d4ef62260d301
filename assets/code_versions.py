"""Code versions of stages: one digest over every definition that a stage's function reaches, independent of formatting.

Belongs here: the closure over source text, and its digest. Does not belong here: the other inputs of rows (recipes.py).

A *definition* is a function, a class or an assignment at the top level of a module. A stage's closure contains its
function, the definitions it refers to, those they refer to, and so on, except `OUTSIDE`. A string that names one of our
modules refers to the whole module, so the process that decodes media counts. The source is parsed, not executed, so
imports inside functions count.

The digest is over syntax trees. Comments, docstrings, annotations, imports and the names of our own modules are not
part of it: rewording a comment or moving a definition does not make a lake stale.
"""

import ast
import hashlib
import importlib.util
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

from speakervid_dag.lake.schemas import Table

PACKAGE = __name__.partition(".")[0]
# Modules that store, configure, run, check or display rows but compute none: a closure stops there. Everything else
# counts, including new modules. (Settings and weights count by their contents: recipes.py.)
OUTSIDE = (
    *("assets.recipes", "assets.resources", "stages.stage", "stages.progress"),
    *("lake", "config", "processes", "files", "hashing", "places", "user_cache", "failures"),
    *("models.fetch", "models.packaged", "models.registry"),
)
_OUTSIDE = tuple(f"{PACKAGE}.{part}." for part in OUTSIDE)
LOOSE = ""  # key of a module's statements that bind no name
UNSAID = {"ctx", "kind", "type_comment", "type_ignores", "returns"}  # fields of a syntax tree that cannot change rows
OUT_OF_SCOPE = {"args", "decorator_list"}  # defaults and decorators are resolved in the enclosing scope
IMPORTS = (ast.Import, ast.ImportFrom)
SCOPES = (
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda),
    *(ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
)


class Origin(NamedTuple):
    """The referent of a name: a module, or a definition in one."""

    module: str
    name: str | None = None

    @property
    def is_ours(self) -> bool:
        return self.module.partition(".")[0] == PACKAGE

    @property
    def is_outside(self) -> bool:
        """True for our own modules that compute no rows."""
        return f"{self.module}.".startswith(_OUTSIDE)


class Definition(NamedTuple):
    """A name at the top level of one of our modules."""

    module: str
    name: str


@dataclass(frozen=True)
class Module:
    """The source of one of our modules: its imports, and its statements by the names they bind."""

    name: str
    imports: Mapping[str, Origin]
    statements: Mapping[str, Sequence[ast.stmt]]


class Reading:
    """The digest of statements, independent of formatting, and the row-computing definitions that they refer to."""

    def __init__(self, code: "Code", module: Module, statements: Iterable[ast.stmt]) -> None:
        self.reached = {Definition(module.name, LOOSE)} if LOOSE in module.statements else set()
        self._code, self._module = code, module
        self._scopes: list[Mapping[str, Origin | None]] = []  # of the enclosing functions, innermost last
        self._said: list[str] = []
        for statement in statements:
            self._take(statement)
        self.digest = hashlib.sha256("\x1f".join(self._said).encode()).hexdigest()

    def _take(self, node: ast.AST, around: ast.AST | None = None) -> None:
        if isinstance(node, IMPORTS) or _is_docstring(node):
            return
        if isinstance(node, ast.Name | ast.Attribute) and (origin := self._origin(node)) is not None:
            self._refer(origin)
        elif isinstance(node, ast.Constant) and self._code.has_module(node.value):
            self._refer(Origin(node.value))  # a module that `python -m` runs
        else:
            are_values = isinstance(around, ast.ClassDef)  # a dataclass's annotations define its fields
            self._fields(node, frozenset() if are_values else frozenset({"annotation"}))

    def _fields(self, node: ast.AST, unsaid: frozenset[str] = frozenset()) -> None:
        """Digest a node field by field. Empty fields are skipped, because some Python versions omit them."""
        self._said.append(type(node).__name__)
        own = _local(node) if isinstance(node, SCOPES) else {}
        for field, value in ast.iter_fields(node):
            if value is None or value == [] or field in UNSAID | unsaid:
                continue
            self._said.append(field)
            self._scopes.append({} if field in OUT_OF_SCOPE else own)
            for item in value if isinstance(value, list) else [value]:
                if not isinstance(item, ast.AST):
                    self._said.append(repr(item))
                elif field != "decorator_list" or not self._is_wiring(item):
                    self._take(item, node)
            self._scopes.pop()
        self._said.append("end")

    def _is_wiring(self, decorator: ast.AST) -> bool:
        """Return whether a decorator is outside the closure: it only stores or runs what the function computes."""
        origin = self._origin(decorator.func if isinstance(decorator, ast.Call) else decorator)
        return origin is not None and origin.is_outside

    def _origin(self, node: ast.AST) -> Origin | None:
        """Return the referent of a name or of a module's attribute; None: a local or built-in name."""
        if isinstance(node, ast.Attribute):
            base = self._origin(node.value)
            is_of_module = base is not None and base.name is None
            return self._code.resolved(Origin(base.module, node.attr)) if base is not None and is_of_module else None
        if not isinstance(node, ast.Name):
            return None
        for names in reversed(self._scopes):
            if node.id in names:
                imported = names[node.id]
                return None if imported is None else self._code.resolved(imported)
        if node.id in self._module.imports:
            return self._code.resolved(self._module.imports[node.id])
        return Origin(self._module.name, node.id) if node.id in self._module.statements else None

    def _refer(self, origin: Origin) -> None:
        """Record a reference. For our own definitions only the last name counts, so that they can be moved."""
        if not origin.is_ours:
            self._said.append(f"{origin.module}.{origin.name}")
            return
        self._said.append(f"ours {origin.name}")
        if not origin.is_outside:
            whole = self._code.definitions(origin.module)
            self.reached.update([Definition(origin.module, origin.name)] if origin.name else whole)


class Code:
    """Our source, each module read once. `source_of` returns a module's text by its name, None if there is none."""

    def __init__(self, source_of: Callable[[str], str | None]) -> None:
        self._source_of = source_of
        self._modules: dict[str, Module | None] = {}
        self._readings: dict[Definition, Reading] = {}

    def with_module(self, name: str, source: str) -> "Code":
        """Return the same code with one module's text replaced."""
        other = Code(self._source_of)
        other._modules = {**self._modules, name: parsed(name, source)}
        other._readings = {d: reading for d, reading in self._readings.items() if d.module != name}
        return other

    def closure(self, *roots: Definition) -> frozenset[Definition]:
        """Return the row-computing definitions that the roots reach, and the roots. Raise KeyError: no such root."""
        waiting, found = [*roots], set[Definition]()
        while waiting:
            definition = waiting.pop()
            if definition not in found:
                found.add(definition)
                waiting += self.read(definition).reached
        return frozenset(found)

    def digest(self, roots: Iterable[Definition], tables: Iterable[Table], texts: Iterable[str] = ()) -> str:
        """Return the hex SHA-256 over the closure of the roots, the columns of the tables, and further texts."""
        said = sorted(self.read(definition).digest for definition in self.closure(*roots))
        columns = [f"{t.name}.{c.name}: {c.dtype} {c.nullable}" for t in tables for c in t.columns]
        return hashlib.sha256("\x1f".join([*said, *columns, *texts]).encode()).hexdigest()

    def definitions(self, module: str) -> list[Definition]:
        """Return all definitions of a module. Raise KeyError: there is no such module."""
        found = self.module(module)
        if found is None:
            raise KeyError(module)
        return [Definition(module, name) for name in found.statements]

    def has_module(self, name: object) -> TypeGuard[str]:
        """Return whether a value is the name of one of our modules."""
        return isinstance(name, str) and name.startswith(f"{PACKAGE}.") and self.module(name) is not None

    def module(self, name: str) -> Module | None:
        """Return one of our modules; None if there is none of that name."""
        if name not in self._modules:
            source = self._source_of(name)
            self._modules[name] = None if source is None else parsed(name, source)
        return self._modules[name]

    def read(self, definition: Definition) -> Reading:
        """Return a definition's digest and references. Raise KeyError: there is no such definition."""
        if definition not in self._readings:
            module = self.module(definition.module)
            if module is None:
                raise KeyError(definition.module)
            self._readings[definition] = Reading(self, module, module.statements[definition.name])
        return self._readings[definition]

    def resolved(self, origin: Origin) -> Origin:
        """Return the module or definition referred to, through packages that re-export imports and modules.

        A name that its module's source does not define (`__file__`) refers to the whole module.
        """
        if origin.is_outside:
            return origin
        module = self.module(origin.module)
        if origin.name is None or module is None or origin.name in module.statements:
            return origin
        if origin.name in module.imports:
            return self.resolved(module.imports[origin.name])
        within = f"{origin.module}.{origin.name}"
        return Origin(within if self.module(within) is not None else origin.module)


def definition_of(function: Callable[..., Any]) -> Definition:
    """Return the definition of a function at the top level of a module."""
    return Definition(function.__module__, function.__name__)


def sql_said(text: str) -> str:
    """Return SQL without comments, with white space outside quotes collapsed to one space."""
    return re.sub(r"""('(?:[^']|'')*'|"[^"]*")|(?:--[^\n]*|\s)+""", lambda found: found[1] or " ", text).strip()


def installed_source(name: str) -> str | None:
    """Return the text of one of our modules; None if there is none of that name."""
    if name.partition(".")[0] != PACKAGE or not all(part.isidentifier() for part in name.split(".")):
        return None
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError:
        return None
    return None if spec is None or spec.origin is None else Path(spec.origin).read_text(encoding="utf-8")


def parsed(name: str, source: str) -> Module:
    """Parse a module from its source."""
    imports, statements = dict[str, Origin](), dict[str, list[ast.stmt]]()
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING":
            continue
        bound = dict(_bound(statement))
        imports |= {name: origin for name, origin in bound.items() if origin is not None}
        if not isinstance(statement, IMPORTS) and not _is_docstring(statement):
            for own in bound or [LOOSE]:
                statements.setdefault(own, []).append(statement)
    return Module(name, imports, statements)


def _bound(node: ast.AST) -> Iterator[tuple[str, Origin | None]]:
    """Yield the names that a node binds in its scope, with their origin if it imports them."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            top = alias.name.partition(".")[0]
            yield (alias.asname, Origin(alias.name)) if alias.asname else (top, Origin(top))
    elif isinstance(node, ast.ImportFrom):
        assert node.module is not None, "we write no relative imports"
        yield from ((alias.asname or alias.name, Origin(node.module, alias.name)) for alias in node.names)
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name, None
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id, None
    elif isinstance(node, ast.arg):
        yield node.arg, None
    elif not isinstance(node, SCOPES):
        for child in ast.iter_child_nodes(node):
            yield from _bound(child)


def _local(scope: ast.AST) -> dict[str, Origin | None]:
    """Return the local names of a function or comprehension."""
    return {name: origin for child in ast.iter_child_nodes(scope) for name, origin in _bound(child)}


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


CODE = Code(installed_source)
