"""Parallel coordinates: an axis for each setting and one for the result, and a line for each trial."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trainlib.folders.searches import Outcome
from trainlib.report.curves import Chart
from trainlib.report.palette import ACCENT, CONTRAST, INK, MUTED, PAGE, css
from trainlib.report.search.charts import title_of
from trainlib.report.search.load import SearchContent
from trainlib.report.search.scales import Scale, number, short_names
from trainlib.report.svg import drawing, to_svg
from trainlib.words import count

_WIDTH, _HEIGHT = 840, 300  # points
_UPPER = 0.25  # share of the trials that is in colour


def draw_parallel(content: SearchContent, order: Sequence[str]) -> Chart | None:
    """Draw the trials that came to anything; None where there are fewer than two.

    Args:
        content: The search.
        order: The settings from left to right; the result stands right of them.
    """
    counted = content.ranked
    if len(counted) < 2:
        return None
    with drawing():
        figure = Figure(figsize=(_WIDTH / 72, _HEIGHT / 72), dpi=72)
        axes = figure.add_axes((0.06, 0.06, 0.88, 0.80))
        axes.set_xlim(0, len(order))
        axes.set_ylim(-0.02, 1.02)
        axes.axis("off")
        upper = max(1, round(_UPPER * len(counted)))
        for rank, outcome in reversed(list(enumerate(counted))):
            _draw_line(axes, content, order, outcome, rank, upper)
        _draw_axes(axes, content, order)
        text = f"Settings and result of {count(len(counted), 'trial')}; the best: {title_of(content, counted[0])}."
        svg = to_svg(figure, "parallel", text)
    legend = [("best", css(CONTRAST)), ("best quarter", css(ACCENT)), ("others", css(MUTED))]
    return Chart("Settings and result of every trial", "a line for each trial", svg, legend)


def _draw_line(
    axes: Axes, content: SearchContent, order: Sequence[str], outcome: Outcome, rank: int, upper: int
) -> None:
    assert content.search.config.tune is not None
    space = content.search.config.tune.space
    places = [Scale(space[key]).place(outcome.trial.parameters[key]) for key in order]
    x, y = _smooth([*places, _height(content, outcome.best)])
    colour = CONTRAST if rank == 0 else ACCENT if rank < upper else MUTED
    width, alpha = (2.6, 1.0) if rank == 0 else (1.6, 0.85) if rank < upper else (1.0, 0.4)
    axes.plot(x, y, color=colour, linewidth=width, alpha=alpha, clip_on=False, solid_capstyle="round")


def _smooth(places: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Lead a line level through each axis, so that it can be followed where lines meet."""
    steps = np.linspace(0, 1, 25)
    eased = steps * steps * (3 - 2 * steps)
    x = np.concatenate([i + steps for i in range(len(places) - 1)])
    y = np.concatenate([a + (b - a) * eased for a, b in pairwise(places)])
    return x, y


def _height(content: SearchContent, value: float) -> float:
    values = content.bests()
    low, high = float(values.min()), float(values.max())
    return (value - low) / (high - low) if high > low else 0.5


def _draw_axes(axes: Axes, content: SearchContent, order: Sequence[str]) -> None:
    assert content.search.config.tune is not None
    names, values = short_names(content.keys), content.bests()
    low, high = float(values.min()), float(values.max())
    result = [(0.0, number(low)), (0.5, number((low + high) / 2)), (1.0, number(high))] if high > low else []
    ticks = [Scale(content.search.config.tune.space[key]).ticks() for key in order] + [result]
    for i, (name, marks) in enumerate(zip([*(names[key] for key in order), content.search.metric], ticks, strict=True)):
        last = i == len(order)
        axes.plot([i, i], [0, 1], color=INK if last else MUTED, linewidth=1.6 if last else 1.0, zorder=3)
        axes.text(i, 1.09, name, ha="center", va="bottom", color=INK, fontsize=9.5, fontweight="bold", clip_on=False)
        for place, text in marks:
            label = axes.text(
                i + (0.012 if last else -0.012) * len(order), place, text, ha="left" if last else "right", va="center",
                color=MUTED, fontsize=8.5, zorder=5, clip_on=False,
            )  # fmt: skip
            label.set_bbox({"facecolor": PAGE, "edgecolor": "none", "alpha": 0.75, "pad": 1.2})
