"""Builder of SVG that is well-formed for any input text.

Belongs here: elements, numbers and escaping. Does not belong here: contents (charts, timeline, funnel), colours
(templates/*.css; shapes carry classes).
"""

from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from speakervid_dag.rendering.text import plain

NAMESPACE = "http://www.w3.org/2000/svg"


def canvas(width: float, height: float, label: str) -> Element:
    """Return an <svg> of this size in px, with its text alternative."""
    box = f"0 0 {_number(width)} {_number(height)}"
    attributes = {"viewBox": box, "width": _number(width), "height": _number(height), "role": "img"}
    return Element("svg", {**attributes, "aria-label": plain(label)})


def add(parent: Element, tag: str, text: str | None = None, /, **attributes: str | float) -> Element:
    """Add a child element. `class_` is class, `text_anchor` is text-anchor; numbers are rounded to 0.1 px."""
    made = SubElement(parent, tag, {_name(k): _value(v) for k, v in attributes.items()})
    if text is not None:
        made.text = plain(text)
    return made


def box(parent: Element, x: float, y: float, width: float, height: float, class_: str, tip: str = "") -> Element:
    """Add a rectangle, at least 1 px wide, with a tooltip."""
    made = add(parent, "rect", x=x, y=y, width=max(width, 1.0), height=height, class_=class_)
    if tip:
        add(made, "title", tip)
    return made


def inline(picture: Element) -> str:
    """Return the picture as part of an HTML page."""
    return ElementTree.tostring(picture, encoding="unicode")


def standalone(picture: Element, style: str) -> bytes:
    """Return the picture as a standalone file with its style inside."""
    picture.set("xmlns", NAMESPACE)
    sheet = Element("style")
    sheet.text = style
    picture.insert(0, sheet)
    return bytes(ElementTree.tostring(picture, encoding="utf-8", xml_declaration=True))


def _name(name: str) -> str:
    return name.rstrip("_").replace("_", "-")


def _value(value: str | float) -> str:
    return plain(value) if isinstance(value, str) else _number(value)


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
