"""Turn a figure of matplotlib into an SVG that is part of the page: its fonts, its colours, no global styles."""

from __future__ import annotations

import io
import re
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import matplotlib
import matplotlib.style
from markupsafe import Markup
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from trainlib.report.palette import GRID, INK, MUTED, css, with_variables

_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "trainlib",
    "text.usetex": False,
    "font.size": 9.0,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.formatter.use_mathtext": False,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "path.simplify": True,
}
_MANY = 150
_REFERENCE = re.compile(r"#([^)\"']+)")


@dataclass(frozen=True)
class Dot:
    """A dot that tells its name when pointed at.

    Attributes:
        x: Place in points from the left.
        y: Place in points from the top.
        colour: Its placeholder of the palette.
        name: What it tells.
        radius: Its radius in points; a dot among many has another.
    """

    x: float
    y: float
    colour: str
    name: str
    radius: float = 2.4


@contextmanager
def drawing() -> Iterator[None]:
    """Draw with the style of the report, whatever the user's own settings; nothing global stays changed."""
    with matplotlib.style.context(["default", _STYLE]), warnings.catch_warnings():
        # The page's own fonts are used in the end.
        warnings.filterwarnings("ignore", message=".*[Gg]lyph.*")
        yield


def to_svg(figure: Figure, name: str, description: str, dots: Sequence[Dot] = ()) -> Markup:
    """Write a figure as an SVG element.

    Args:
        figure: The figure, drawn in the colours of the palette within `drawing`.
        name: Prefix of the ids, different for each SVG of a page.
        description: What a screen reader says.
        dots: Dots to draw below all else.
    """
    buffer = io.BytesIO()
    FigureCanvasSVG(figure)
    metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(buffer, format="svg", transparent=True, metadata=metadata)
    root = ET.fromstring(buffer.getvalue())
    for attribute in ("width", "height", "version"):
        root.attrib.pop(attribute, None)
    root.attrib |= {"role": "img", "aria-label": description}
    for parent in root.iter():
        for child in [child for child in parent if child.tag.rpartition("}")[2] in ("metadata", "style")]:
            parent.remove(child)  # a style in an SVG would hold for the whole page
    _adapt(root, name)
    for place, colour in enumerate(dict.fromkeys(dot.colour for dot in dots)):
        root.insert(place, _group([dot for dot in dots if dot.colour == colour]))
    return Markup(ET.tostring(root, encoding="unicode"))


def _group(dots: Sequence[Dot]) -> ET.Element:
    """Draw dots of one colour; many are small and pale, so that what is drawn over them is seen."""
    many = len(dots) > _MANY
    group = ET.Element("g", {"class": "dots many" if many else "dots", "style": f"fill:{css(dots[0].colour)}"})
    for dot in dots:
        circle = ET.SubElement(
            group, "circle", {"cx": f"{dot.x:.1f}", "cy": f"{dot.y:.1f}", "r": "1.5" if many else f"{dot.radius:g}"}
        )
        ET.SubElement(circle, "title").text = dot.name
    return group


def _adapt(root: ET.Element, name: str) -> None:
    """Drop namespaces, which HTML does not need, and ids that nothing refers to; let the page decide fonts."""
    texts = [value for element in root.iter() for key, value in element.attrib.items() if key != "id"]
    used = {match for text in texts if "#" in text for match in _REFERENCE.findall(text)}
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        if element.get("id") and element.attrib["id"] not in used:
            del element.attrib["id"]
        for key, value in list(element.attrib.items()):
            del element.attrib[key]
            element.attrib[key.rpartition("}")[2]] = _adapted(key.rpartition("}")[2], value, name)


def _adapted(key: str, value: str, name: str) -> str:
    if key == "id":
        return f"{name}-{value}"
    if key == "href" or "url(#" in value:
        value = value.replace("#", f"#{name}-", 1)
    if key == "style":
        value = re.sub(r"font: ([\d.]+px)[^;]*", r"font-size: \1", value)
        value = re.sub(r"font-family:[^;]*;? ?", "", value)
    return with_variables(value) if key in ("style", "fill", "stroke") else value
