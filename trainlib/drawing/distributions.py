"""How the probabilities of classes are distributed, as a picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from trainlib.drawing.colours import BACKGROUND, LINE, MUTED, class_colour
from trainlib.drawing.text import write

_BINS = 20
_NAMES, _ABOVE, _BELOW = 92, 26, 20  # pixels around the strips


def draw_distributions(
    probabilities: NDArray[np.floating], labelled: NDArray[np.bool_], classes: Sequence[str], size: tuple[int, int]
) -> Image.Image:
    """Draw for each class a histogram of its probability: upwards for cases of the class, downwards for all others.

    Args:
        probabilities: Shape (cases, classes), from 0 to 1.
        labelled: Which case is of which class, same shape.
        classes: Names of the classes; of many only the first ones find room.
        size: Width and height in pixels.

    Returns:
        The picture. Each histogram is scaled to its own highest bar.
    """
    picture = Image.new("RGB", size, BACKGROUND)
    draw = ImageDraw.Draw(picture)
    shown = min(len(classes), max(1, (size[1] - _ABOVE - _BELOW) // 28))
    height = (size[1] - _ABOVE - _BELOW) / shown
    write(draw, (_NAMES, 4), "probability: of the class ↑, others ↓", size=12, colour=MUTED)
    for value in range(shown):
        middle = _ABOVE + (value + 0.5) * height
        write(draw, (_NAMES - 8, middle), classes[value], size=12, anchor="rm", width=_NAMES - 8)
        draw.line((_NAMES, middle, size[0] - 1, middle), fill=LINE)
        of_class = labelled[:, value]
        for chosen, direction, colour in ((of_class, -1, class_colour(value + 1)), (~of_class, 1, MUTED)):
            _draw_bars(draw, probabilities[chosen, value], middle, direction * (height / 2 - 2), size[0], colour)
    for x, text, anchor in ((_NAMES, "0", "ls"), (size[0] - 1, "1", "rs")):
        write(draw, (x, size[1] - 4), text, size=11, colour=MUTED, anchor=anchor)
    return picture


def _draw_bars(
    draw: ImageDraw.ImageDraw,
    values: NDArray[np.floating],
    middle: float,
    reach: float,
    right: int,
    colour: tuple[int, int, int],
) -> None:
    """Draw a histogram from the middle line; `reach` is the height of its highest bar, negative upwards."""
    counts, _ = np.histogram(values, bins=_BINS, range=(0, 1))
    width = (right - _NAMES) / _BINS
    for i, count in enumerate(counts):
        if count:
            left, end = _NAMES + i * width, middle + reach * count / counts.max()
            draw.rectangle((left + 1, min(middle, end), left + width - 1, max(middle, end)), fill=colour)
