"""Templates in which every value is escaped and stripped of unprintable characters.

Belongs here: the one Jinja environment and its filters. Does not belong here: contents of pages.
"""

import re
from functools import cache, partial
from importlib import resources
from typing import TYPE_CHECKING, Any

from speakervid_dag.rendering import text

if TYPE_CHECKING:
    from jinja2 import Environment

FILTERS = ("clock", "count", "duration", "figure", "hours", "many", "share", "words")


@cache
def environment(package: str) -> "Environment":
    """Return the environment of a package's templates: always autoescaped; an unknown variable is an error."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    made = Environment(
        loader=FunctionLoader(partial(template_text, package=package)),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update({name: getattr(text, name) for name in FILTERS}, breakable=breakable)
    return made


def breakable(name: str) -> str:
    """Return a file name, escaped, with line breaks allowed only after `_` and `-`."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"([_-])", r"\1<wbr>", str(escape(text.plain(name)))))


def template_text(name: str, package: str) -> str:
    """Return the text of templates/<name> of a package."""
    return (resources.files(package) / "templates" / name).read_text("utf-8")


def _shown(value: Any) -> Any:
    """Return strings without control and direction characters; our own markup unchanged."""
    from markupsafe import Markup

    if value is None:
        return ""
    return text.plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value
