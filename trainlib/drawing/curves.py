"""Small charts of what was logged so far, drawn fast enough for every epoch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from trainlib.drawing.colours import BACKGROUND, LINE, MUTED, Colour
from trainlib.drawing.text import write

Point = tuple[float, float]

_SMOOTH = 2  # lines are drawn at twice the size and shrunk, which smooths their edges
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 10, 26, 20  # room around the axes in pixels


@dataclass(frozen=True)
class Curve:
    """A curve of a chart.

    Attributes:
        name: What it shows.
        points: Epoch, counted from 1, and value; values that are not finite are left out.
        colour: Its colour.
    """

    name: str
    points: Sequence[Point]
    colour: Colour

    @property
    def finite(self) -> list[Point]:
        """The points that can be drawn."""
        return [(x, y) for x, y in self.points if math.isfinite(y)]


@dataclass(frozen=True)
class _Axes:
    size: tuple[int, int]
    last_x: int
    low: float
    high: float

    def place(self, x: float, y: float) -> Point:
        """Return where a point is in the picture."""
        width, height = self.size[0] - _LEFT - _RIGHT, self.size[1] - _TOP - _BOTTOM
        up = (min(max(y, self.low), self.high) - self.low) / (self.high - self.low)
        return _LEFT + (x - 1) / max(self.last_x - 1, 1) * width, _TOP + (1 - up) * height

    @property
    def ticks(self) -> list[float]:
        """The values that get a line."""
        return [self.low, (self.low + self.high) / 2, self.high]


def draw_curves(
    curves: Sequence[Curve], size: tuple[int, int], *, last_x: int, limits: tuple[float, float] | None = None
) -> Image.Image:
    """Draw curves over epochs, with their names above.

    Args:
        curves: The curves; the first is on top.
        size: Width and height in pixels.
        last_x: The last epoch of the axis.
        limits: Lowest and highest value of the axis; by default of the curves.

    Returns:
        The chart.
    """
    axes = _Axes(size, last_x, *(limits or _limits(curves)))
    canvas = Image.new("RGB", (size[0] * _SMOOTH, size[1] * _SMOOTH), BACKGROUND)
    draw = ImageDraw.Draw(canvas)
    for y in axes.ticks:
        draw.line(_enlarged([axes.place(1, y), axes.place(max(last_x, 2), y)]), fill=LINE, width=_SMOOTH)
    for curve in reversed(curves):
        _draw_line(draw, [axes.place(x, y) for x, y in curve.finite], curve.colour)
    chart = canvas.resize(size, Image.Resampling.BOX)
    _write_labels(ImageDraw.Draw(chart), curves, axes)
    return chart


def _limits(curves: Sequence[Curve]) -> tuple[float, float]:
    values = [y for curve in curves for _, y in curve.finite] or [0.0, 1.0]
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _enlarged(points: Sequence[Point]) -> list[Point]:
    return [(x * _SMOOTH, y * _SMOOTH) for x, y in points]


def _draw_line(draw: ImageDraw.ImageDraw, points: Sequence[Point], colour: Colour) -> None:
    """Draw a curve with a dot at its end, so that a single point is seen too."""
    if not points:
        return
    enlarged = _enlarged(points)
    draw.line(enlarged, fill=colour, width=2 * _SMOOTH, joint="curve")
    x, y = enlarged[-1]
    radius = 3 * _SMOOTH
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)


def _write_labels(draw: ImageDraw.ImageDraw, curves: Sequence[Curve], axes: _Axes) -> None:
    """Write names with the last values above the chart, and the ends of the axes beside it."""
    left, end = float(_LEFT), axes.size[0] - _RIGHT
    for curve in curves:
        last = f"  {curve.finite[-1][1]:.3g}" if curve.finite else ""
        if left < end:
            left += 16 + write(draw, (left, 4), curve.name + last, colour=curve.colour, size=12, width=end - left)
    for y in axes.ticks:
        write(draw, (_LEFT - 6, axes.place(1, y)[1]), f"{y:.2g}", size=11, colour=MUTED, anchor="rm")
    below = axes.size[1] - 4
    write(draw, (_LEFT, below), "epoch 1", size=11, colour=MUTED, anchor="ls")
    if axes.last_x > 1:
        write(draw, (end, below), str(axes.last_x), size=11, colour=MUTED, anchor="rs")
