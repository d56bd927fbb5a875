"""The colours of classes and of everything around the images."""

from __future__ import annotations

import colorsys
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]

BACKGROUND: Colour = (17, 19, 23)
TEXT: Colour = (226, 229, 234)
MUTED: Colour = (138, 145, 158)
LINE: Colour = (58, 63, 73)

# Hues that stay apart on gray images and for colour-blind eyes (Okabe & Ito, "Color Universal Design", 2008).
_FIRST: tuple[Colour, ...] = (
    (240, 110, 40),
    (86, 180, 233),
    (60, 190, 130),
    (240, 228, 66),
    (204, 121, 167),
    (70, 110, 220),
)
_GOLDEN = 0.61803398875


def class_colour(value: int) -> Colour:
    """Return the colour of a class value; gray for the background, hues by the golden ratio for many classes."""
    if value == 0:
        return MUTED
    if value <= len(_FIRST):
        return _FIRST[value - 1]
    red, green, blue = colorsys.hsv_to_rgb(value * _GOLDEN % 1, 0.6, 0.95)
    return round(red * 255), round(green * 255), round(blue * 255)


@cache
def colour_table(count: int) -> NDArray[np.uint8]:
    """Return the colours of the class values 0 to count - 1, shape (count, 3); the background is black."""
    table: NDArray[Any] = np.zeros((max(count, 1), 3), dtype=np.uint8)
    for value in range(1, count):
        table[value] = class_colour(value)
    table.flags.writeable = False
    return table
