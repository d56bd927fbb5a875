"""Charts that stand below the pictures of every task."""

from __future__ import annotations

from PIL import Image

from trainlib.callbacks.series import Series
from trainlib.callbacks.views import WIDTH
from trainlib.drawing.colours import MUTED, TEXT
from trainlib.drawing.curves import Curve, draw_curves
from trainlib.drawing.sheet import MARGIN

CHART = ((WIDTH - MARGIN) // 2, 150)
"""Size in pixels of a chart, two of which stand side by side."""


def draw_losses(series: Series, last: int) -> Image.Image:
    """Draw the losses of training and validation.

    Args:
        series: What was logged, by name.
        last: The last epoch of the training.
    """
    tones = (("valid/loss", TEXT), ("train/loss", MUTED))
    return draw_curves([Curve(name, series.get(name, []), tone) for name, tone in tones], CHART, last_x=last)
