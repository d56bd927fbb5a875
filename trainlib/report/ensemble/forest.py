"""Charts with a row for each member, fold and combination: the figure as a dot, its interval as a line."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from trainlib.folders.ensemble import OVER_FOLDS, POOLED
from trainlib.metrics.bootstrap import Interval
from trainlib.report.curves import Chart
from trainlib.report.ensemble.load import EnsembleContent
from trainlib.report.ensemble.names import JOINT, SETS, model_name, shown_metrics
from trainlib.report.formats import Metric, line
from trainlib.report.palette import ACCENT, CONTRAST, GRID, INK, MUTED
from trainlib.report.svg import Dot, drawing, to_svg

_WIDTH, _ROW, _FOOT = 400, 19, 26  # points
_NAMES, _VALUES = 78, 44  # points for names on the left and values on the right


@dataclass(frozen=True)
class _Row:
    """A row of a chart: a head without a figure, or a model."""

    name: str
    interval: Interval | None = None
    colour: str = INK
    strong: bool = False


def draw_forests(content: EnsembleContent) -> list[Chart]:
    """Draw a chart for each figure that any model has, the most important one first."""
    metrics = [metric for metric in shown_metrics(content.task) if _values(_rows(content, metric))]
    with drawing():
        return [_draw(content, metric) for metric in metrics]


def _values(rows: list[_Row]) -> list[float]:
    return [row.interval.value for row in rows if row.interval and not math.isnan(row.interval.value)]


def _rows(content: EnsembleContent, metric: Metric) -> list[_Row]:
    """List the folds with what they come to together, then the members with their combinations."""
    rows = []
    for name, title in SETS.items():
        models = content.models(name)
        if not models:
            continue
        together = [model for model in models if model in (OVER_FOLDS, POOLED, *JOINT)]
        rows.append(_Row(f"{title}, {content.cases(name)} cases"))
        for model in [*(model for model in models if model not in together), *together]:
            strong = model in together
            colour = (ACCENT if name == "cv" else CONTRAST) if strong else MUTED
            rows.append(_Row(model_name(model), content.figure(name, model, metric.key), colour, strong))
    return rows


def _draw(content: EnsembleContent, metric: Metric) -> Chart:
    rows = _rows(content, metric)
    height = _ROW * len(rows) + _FOOT
    figure = Figure(figsize=(_WIDTH / 72, height / 72), dpi=72)
    room = (_NAMES / _WIDTH, _FOOT / height, 1 - (_NAMES + _VALUES) / _WIDTH, 1 - _FOOT / height)
    axes = figure.add_axes(room)
    _set_axes(axes, rows, metric)
    dots = []
    for place, row in enumerate(rows):
        _write(axes, place, row, metric)
        if row.interval and not math.isnan(row.interval.value):
            _draw_interval(axes, place, row)
            x, y = axes.transData.transform((row.interval.value, place))
            told = f"{row.name}: {metric.show(row.interval.value)}"
            if ends := metric.interval(row.interval):
                told += f", 95 % CI {ends}"
            dots.append(Dot(float(x), float(height - y), row.colour, told, 4.2 if row.strong else 3.4))
    _mark_median(axes, rows)
    description = f"{metric.title} of every model. " + "; ".join(dot.name for dot in dots) + "."
    return Chart(metric.title, metric.hint, to_svg(figure, f"forest-{metric.key}", description, dots), [])


def _set_axes(axes: Axes, rows: list[_Row], metric: Metric) -> None:
    """Show all intervals with a margin, a share never beyond 0 and 1, a distance never below 0."""
    ends = [end for row in rows if row.interval for end in row.interval if not math.isnan(end)]
    margin = max(0.05 * (max(ends) - min(ends)), 1e-3 if not metric.unit else 1e-2)
    low, high = min(ends) - margin, max(ends) + margin
    axes.set_xlim(max(low, -0.01 if not metric.unit else 0.0), high if metric.unit else min(high, 1.01))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.grid(visible=False, axis="y")
    axes.tick_params(length=0, pad=4, labelleft=False)
    axes.spines["left"].set_visible(False)


def _write(axes: Axes, place: int, row: _Row, metric: Metric) -> None:
    """Write the name on the left and the value on the right."""
    where = axes.get_yaxis_transform()
    weight = "bold" if row.strong or row.interval is None else "normal"
    style = {"parse_math": False, "va": "center", "fontsize": 9, "fontweight": weight, "transform": where}
    left = -_NAMES / (_WIDTH - _NAMES - _VALUES)
    axes.text(left, place, line(row.name, 40), color=INK, **style)  # type: ignore[arg-type]
    if row.interval is None:
        if place:
            axes.axhline(place - 0.5, xmin=left, xmax=1 - left, color=GRID, linewidth=0.7, clip_on=False)
        return
    right = 1 + _VALUES / (_WIDTH - _NAMES - _VALUES)
    axes.text(right, place, metric.show(row.interval.value), color=INK, ha="right", **style)  # type: ignore[arg-type]


def _draw_interval(axes: Axes, place: int, row: _Row) -> None:
    assert row.interval is not None
    if not math.isnan(row.interval.low):
        ends = [row.interval.low, row.interval.high]
        axes.plot(ends, [place, place], color=row.colour, linewidth=2.4 if row.strong else 1.3, solid_capstyle="butt")


def _mark_median(axes: Axes, rows: list[_Row]) -> None:
    """Draw a dotted line at the median of the members, over the rows of the test set."""
    heads = [place for place, row in enumerate(rows) if row.interval is None and row.name.startswith(SETS["test"])]
    if not heads:
        return
    alone = _values([row for row in rows[heads[0] :] if not row.strong])
    if alone:
        axes.plot(
            [median(alone)] * 2, [heads[0] + 0.5, len(rows) - 0.5], color=MUTED, linewidth=1, linestyle=(0, (1, 2))
        )
