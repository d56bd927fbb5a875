"""Text in pictures."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import matplotlib
from PIL import ImageDraw, ImageFont

from trainlib.drawing.colours import TEXT, Colour


@cache
def font(size: int, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Load the font that comes with matplotlib, which knows most scripts that names are written in."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name, size)


def write(
    draw: ImageDraw.ImageDraw,
    at: tuple[float, float],
    text: str,
    *,
    size: int = 13,
    colour: Colour = TEXT,
    bold: bool = False,
    anchor: str = "la",
    width: float | None = None,
) -> float:
    """Write a line of text, shortened with an ellipsis where it would be wider than `width`.

    Args:
        draw: The picture.
        at: Where the anchor goes.
        text: The text; control characters become spaces.
        size: Size of the font in pixels.
        colour: Colour of the text.
        bold: Whether the text is bold.
        anchor: Which point of the text is at `at`, in Pillow's two letters.
        width: Room in pixels.

    Returns:
        The width of what was written in pixels.
    """
    face = font(size, bold=bold)
    line = "".join(letter if letter.isprintable() else " " for letter in text)
    shortened = line
    while width is not None and len(line) > 1 and face.getlength(shortened) > width:
        line = line[:-1]
        shortened = line + "…"
    draw.text(at, shortened, font=face, fill=colour, anchor=anchor)
    return face.getlength(shortened)
