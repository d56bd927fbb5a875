"""The confusion matrix as a picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from trainlib.drawing.colours import BACKGROUND, MUTED, TEXT
from trainlib.drawing.text import write

_NAMES = 92  # pixels for the names of the classes beside the matrix
_ABOVE, _BELOW = 44, 6
_LOW, _HIGH = np.array((27, 30, 36)), np.array((56, 128, 196))  # colours of no case and of all cases of a class


def draw_confusion(matrix: NDArray[np.integer], classes: Sequence[str], size: tuple[int, int]) -> Image.Image:
    """Draw a confusion matrix: a row for each true class, shaded by the share of its cases.

    Args:
        matrix: Number of cases, shape (true class, predicted class).
        classes: Names of the classes.
        size: Width and height in pixels.

    Returns:
        The picture; counts are written where they find room.
    """
    picture = Image.new("RGB", size, BACKGROUND)
    draw = ImageDraw.Draw(picture)
    side = min((size[0] - _NAMES) / len(classes), (size[1] - _ABOVE - _BELOW) / len(classes))
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    write(draw, (_NAMES, 4), "predicted", size=12, colour=MUTED)
    write(draw, (0, _ABOVE - 18), "true", size=12, colour=MUTED)
    for row, name in enumerate(classes):
        top = _ABOVE + row * side
        if side >= 12:
            write(draw, (_NAMES - 8, top + side / 2), name, size=12, anchor="rm", width=_NAMES - 8)
        if side >= 40:
            write(draw, (_NAMES + (row + 0.5) * side, _ABOVE - 6), name, size=12, anchor="ms", width=side - 4)
        for column in range(len(classes)):
            left = _NAMES + column * side
            shade = _LOW + (_HIGH - _LOW) * shares[row, column]
            box = (left, top, left + side - 2, top + side - 2)
            draw.rectangle(box, fill=(int(shade[0]), int(shade[1]), int(shade[2])))
            if side >= 24:
                middle = (left + side / 2 - 1, top + side / 2 - 1)
                write(draw, middle, str(matrix[row, column]), size=12, colour=TEXT, anchor="mm")
    return picture
