"""ROC and precision-recall curves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from trainlib.metrics.areas import auroc, average_precision
from trainlib.metrics.roc import precision_recall_curve, roc_curve
from trainlib.report.classification.predictions import Predictions
from trainlib.report.curves import Chart
from trainlib.report.formats import fixed, line
from trainlib.report.palette import MUTED, css, tone
from trainlib.report.svg import drawing, to_svg

Array = NDArray[Any]

_WIDTH, _HEIGHT = 400, 370  # points
_FINE, _COARSE = 500, 120  # grid on which points are kept, of few classes and of many
_CHANCE = (0, (2, 3))
MANY = 10
"""Classes up to which each curve is thick and has its line of chance."""


@dataclass(frozen=True)
class _Curve:
    """A curve of a class.

    Attributes:
        name: The class.
        colour: Its placeholder of the palette.
        points: Shape (points, 2).
        area: Area below it.
        chance: Share of the class in the cases.
    """

    name: str
    colour: str
    points: Array
    area: float
    chance: float


def draw_discrimination(predictions: Predictions) -> list[Chart]:
    """Draw how well each class is told from the rest; none where there are no such classes."""
    columns = [column for column in predictions.against_rest if not predictions.one_sided(column)]
    if not columns:
        return []
    grid = _FINE if len(columns) <= MANY else _COARSE
    with drawing():
        return [
            _draw_roc(list(_roc_curves(predictions, columns, grid))),
            _draw_precision_recall(list(_precision_recall_curves(predictions, columns, grid))),
        ]


def without_curve(predictions: Predictions) -> list[str]:
    """List the reasons for which classes have no curve."""
    return [why for column in predictions.against_rest if (why := predictions.one_sided(column))]


def thin(points: Array, grid: int) -> Array:
    """Leave out points of a curve that are not seen: of those in one cell of a grid the first and the last stay.

    Args:
        points: Shape (points, 2), from 0 to 1.
        grid: Cells along each side.
    """
    cells = np.floor(points * grid)
    new = np.append(True, (np.diff(cells, axis=0) != 0).any(axis=1))
    last = np.append(new[1:], True)
    return points[new | last]


def _roc_curves(predictions: Predictions, columns: list[int], grid: int) -> Iterator[_Curve]:
    for column in columns:
        scores, labelled = predictions.probabilities[:, column], predictions.decisions.labelled[:, column]
        curve = roc_curve(scores, labelled)
        points = thin(np.column_stack([curve.false_positive_rate, curve.true_positive_rate]), grid)
        yield _Curve(predictions.classes[column], tone(column + 1), points, auroc(scores, labelled), 0.5)


def _precision_recall_curves(predictions: Predictions, columns: list[int], grid: int) -> Iterator[_Curve]:
    for column in columns:
        scores, labelled = predictions.probabilities[:, column], predictions.decisions.labelled[:, column]
        curve = precision_recall_curve(scores, labelled)
        points = thin(np.column_stack([curve.recall, curve.precision]), grid)
        area, chance = average_precision(scores, labelled), float(labelled.mean())
        yield _Curve(predictions.classes[column], tone(column + 1), points, area, chance)


def _draw_roc(curves: list[_Curve]) -> Chart:
    figure, axes = _square("1 \N{MINUS SIGN} specificity", "sensitivity")
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.9, linestyle=_CHANCE)
    for curve in curves:
        axes.plot(*curve.points.T, color=curve.colour, linewidth=_width(curves), clip_on=False)
    return _chart("roc", "ROC curve", "AUROC", figure, curves)


def _draw_precision_recall(curves: list[_Curve]) -> Chart:
    figure, axes = _square("recall", "precision")
    for curve in curves if len(curves) <= MANY else ():
        axes.plot([0, 1], [curve.chance] * 2, color=curve.colour, linewidth=0.9, linestyle=_CHANCE)
    for curve in curves:
        # In steps, as average precision sums it: a straight line between two points would promise too much.
        axes.plot(
            *curve.points.T, color=curve.colour, linewidth=_width(curves), clip_on=False, drawstyle="steps-pre"
        )  # fmt: skip
    return _chart("pr", "Precision\N{EN DASH}recall curve", "AP", figure, curves)


def _width(curves: list[_Curve]) -> float:
    return 1.8 if len(curves) <= MANY else 0.8


def _chart(key: str, title: str, area: str, figure: Figure, curves: list[_Curve]) -> Chart:
    told = "; ".join(f"{line(curve.name)}: {area} {fixed(curve.area, 3)}" for curve in curves)
    legend = [(f"{line(curve.name, 60)}, {area} {fixed(curve.area, 3)}", css(curve.colour)) for curve in curves]
    return Chart(title, "higher is better", to_svg(figure, key, f"{title}. {told}."), legend)


def _square(x: str, y: str) -> tuple[Figure, Axes]:
    """Make axes from 0 to 1."""
    figure = Figure(figsize=(_WIDTH / 72, _HEIGHT / 72), dpi=72)
    axes = figure.add_axes((0.115, 0.12, 0.865, 0.86))
    axes.set(xlim=(0, 1), ylim=(0, 1.01), xlabel=x, ylabel=y)
    axes.tick_params(length=0, pad=5)
    axes.spines["left"].set_visible(False)
    return figure, axes
