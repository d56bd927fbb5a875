"""Box plots of the scores of each class, with every case on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from trainlib.report.content import Content
from trainlib.report.curves import Chart
from trainlib.report.formats import Metric, line
from trainlib.report.palette import INK, PAGE, tone
from trainlib.report.segmentation.names import METRICS
from trainlib.report.svg import Dot, drawing, to_svg

_WIDTH, _ROW, _FOOT = 400, 46, 30  # points
_HALF = 0.17  # of a box's height, in rows
_GOLDEN = 0.61803398875
MOST_DOTS = 5000
"""Cases and classes up to which each gets a dot; of more, those beyond the whiskers do."""


@dataclass(frozen=True)
class _Box:
    """The five numbers of a box plot; the whiskers reach the furthest case within 1.5 interquartile ranges."""

    low: float
    first: float
    median: float
    third: float
    high: float

    @classmethod
    def of(cls, values: np.ndarray) -> _Box:
        """Compute them (Tukey, "Exploratory Data Analysis", 1977)."""
        first, median, third = (float(quartile) for quartile in np.percentile(values, [25, 50, 75]))
        reach = 1.5 * (third - first)
        inside = values[(values >= first - reach) & (values <= third + reach)]
        return cls(min(float(inside.min()), first), first, median, third, max(float(inside.max()), third))


def draw_boxes(content: Content, split: str) -> list[Chart]:
    """Draw a chart for each metric that the cases of a split have."""
    if not len(content.cases):
        return []
    table = content.cases[content.cases["split"] == split]
    metrics = [metric for key, metric in METRICS.items() if key in table and table[key].notna().any()]
    with drawing():
        return [_draw(content, table.dropna(subset=[metric.key]), metric) for metric in metrics]


def shows_all(content: Content, split: str) -> bool:
    """Tell whether every case of a split gets a dot."""
    return len(content.cases) == 0 or int((content.cases["split"] == split).sum()) <= MOST_DOTS


def _draw(content: Content, table: pd.DataFrame, metric: Metric) -> Chart:
    groups = list(table.groupby("class", sort=False))
    height = _ROW * len(groups) + _FOOT
    figure = Figure(figsize=(_WIDTH / 72, height / 72), dpi=72)
    axes = figure.add_axes((0.02, _FOOT / height, 0.96, 1 - _FOOT / height))
    _set_axes(axes, table[metric.key].to_numpy(), len(groups), metric)
    told: list[str] = []
    dots: list[Dot] = []
    for row, (name, cases) in enumerate(groups):
        values, colour = cases[metric.key].to_numpy(), tone(content.tone(str(name)))
        box = _Box.of(values)
        _draw_box(axes, row, box, float(values.mean()), colour, line(str(name), 48))
        everyone = len(table) <= MOST_DOTS
        for i, (case, value) in enumerate(zip(cases["case"], values, strict=True)):
            if everyone or not box.low <= value <= box.high:
                x, y = axes.transData.transform((value, row + (((i + 1) * _GOLDEN) % 1 - 0.5) * 2.4 * _HALF))
                dots.append(Dot(float(x), float(height - y), colour, f"{line(str(case))}: {metric.show(value)}"))
        told.append(f"{name}: median {metric.show(box.median)}, quartiles {metric.show(box.first)} "
                    f"and {metric.show(box.third)}")  # fmt: skip
    description = f"Box plots of {metric.title}. {'; '.join(told)}."
    return Chart(metric.title, metric.hint, to_svg(figure, f"box-{metric.key}", description, dots), [])


def _draw_box(axes: Axes, row: int, box: _Box, mean: float, colour: str, name: str) -> None:
    """Draw whiskers, box, median and mean, below the name of the class."""
    for start, end in ((box.low, box.first), (box.third, box.high)):
        axes.plot([start, end], [row, row], color=INK, linewidth=0.9, solid_capstyle="butt")
    size = (box.third - box.first, 2 * _HALF)
    axes.add_patch(Rectangle((box.first, row - _HALF), *size, facecolor=colour, alpha=0.22, linewidth=0))
    axes.add_patch(Rectangle((box.first, row - _HALF), *size, fill=False, edgecolor=INK, linewidth=1.1))
    axes.plot([box.median] * 2, [row - _HALF, row + _HALF], color=INK, linewidth=2.2, solid_capstyle="butt")
    diamond = {"linestyle": "none", "marker": "D", "markersize": 4.5, "markerfacecolor": PAGE, "markeredgecolor": INK}
    axes.plot([mean], [row], clip_on=False, **diamond)  # type: ignore[arg-type]
    place = axes.get_yaxis_transform()
    axes.text(0.0, row - 0.42, name, transform=place, parse_math=False, color=INK, fontsize=10, va="center")


def _set_axes(axes: Axes, values: np.ndarray, rows: int, metric: Metric) -> None:
    """Show all values with a margin, a share never beyond 0 and 1, a distance never below 0."""
    margin = max(0.04 * float(values.max() - values.min()), 0.01 if not metric.unit else 0.1)
    low, high = float(values.min()) - margin, float(values.max()) + margin
    axes.set_xlim(max(low, -0.01 if not metric.unit else 0.0), min(high, 1.01) if not metric.unit else high)
    axes.set_ylim(rows - 0.55, -0.62)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.grid(visible=False, axis="y")
    axes.tick_params(length=0, pad=5, labelleft=False)
    axes.spines["left"].set_visible(False)
