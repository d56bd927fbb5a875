"""Sheets: pictures with captions, a title above and a legend below."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw

from trainlib.drawing.colours import BACKGROUND, MUTED, class_colour
from trainlib.drawing.text import font, write

MARGIN = 14
_CAPTION = 22  # height of a caption in pixels
_TITLE = 30
_LEGEND = 24
_SQUARE = 12  # side of a class's mark in the legend


def stack(
    pictures: Sequence[Image.Image],
    captions: Sequence[str],
    title: str = "",
    legend: Sequence[str] = (),
    *,
    note: str = "outline: label, fill: prediction",
    width: int = 720,
    columns: int | None = None,
) -> Image.Image:
    """Put pictures below each other, or side by side where there is room, each under its caption.

    Args:
        pictures: The pictures; those that are wider make the sheet wider.
        captions: A line for each; it may be empty.
        title: A line above all.
        legend: Names of the classes, background first; empty for no legend. A class of no name is left out.
        note: What stands behind the legend.
        width: Room for pictures in pixels.
        columns: Pictures side by side, at most; by default as many as there is room for.

    Returns:
        The sheet.
    """
    width = max([width, *(picture.width for picture in pictures)])
    rows = _rows(pictures, width, columns or len(pictures))
    top = MARGIN + (_TITLE if title else 0)
    above = [_CAPTION if any(captions[i] for i in row) else 0 for row in rows]
    heights = [max(pictures[i].height for i in row) + high + MARGIN for row, high in zip(rows, above, strict=True)]
    sheet = Image.new("RGB", (width + 2 * MARGIN, top + sum(heights) + (_LEGEND if legend else 0)), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    if title:
        write(draw, (MARGIN, MARGIN - 2), title, size=16, bold=True, width=width)
    for row, height, caption in zip(rows, heights, above, strict=True):
        left = MARGIN
        for i in row:
            room = pictures[i].width if len(row) > 1 else width
            write(draw, (left, top), captions[i], width=room)
            sheet.paste(pictures[i], (left, top + caption))
            left += pictures[i].width + MARGIN
        top += height
    if legend:
        _draw_legend(draw, top - 2, legend, note, width)
    return sheet


def _rows(pictures: Sequence[Image.Image], width: int, columns: int) -> list[list[int]]:
    """Fill rows of the given width with pictures, in their order."""
    rows: list[list[int]] = []
    room = 0
    for i, picture in enumerate(pictures):
        if not rows or picture.width + MARGIN > room or len(rows[-1]) == columns:
            rows.append([])
            room = width + MARGIN
        rows[-1].append(i)
        room -= picture.width + MARGIN
    return rows


def _draw_legend(draw: ImageDraw.ImageDraw, top: int, names: Sequence[str], note: str, width: int) -> None:
    """Name the colours of the classes in a line; those that find no room are counted."""
    left, end = MARGIN, MARGIN + width - font(12).getlength(note) - 2 * MARGIN
    named = [(value, name) for value, name in enumerate(names) if value and name]
    for done, (value, name) in enumerate(named):
        room = end - left - _SQUARE - 6
        if room < min(font(12).getlength(name), 60):
            write(draw, (left, top), f"+ {len(named) - done}", size=12, colour=MUTED)
            break
        draw.rectangle((left, top + 1, left + _SQUARE, top + 1 + _SQUARE), fill=class_colour(value))
        left += int(_SQUARE + 6 + write(draw, (left + _SQUARE + 6, top), name, size=12, width=room)) + MARGIN
    write(draw, (MARGIN + width, top), note, size=12, colour=MUTED, anchor="ra")
