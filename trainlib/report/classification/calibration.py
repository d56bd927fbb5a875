"""Reliability diagrams: whether what is said to be 80 % sure is right in 80 % of the cases."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from trainlib.metrics.calibration import Reliability, class_reliability, prediction_reliability, reliability
from trainlib.report.classification.predictions import Predictions
from trainlib.report.curves import Chart
from trainlib.report.formats import fixed
from trainlib.report.palette import ACCENT, INK, MUTED, PAGE
from trainlib.report.svg import drawing, to_svg
from trainlib.words import count

_WIDTH, _HEIGHT = 400, 350  # points


@dataclass(frozen=True)
class Calibration:
    """How far probabilities can be believed.

    Attributes:
        charts: The diagrams.
        classes: Each class with the number of its colour and its expected calibration error.
    """

    charts: list[Chart]
    classes: list[tuple[str, int, str]]


def calibration_of(predictions: Predictions) -> Calibration:
    """Draw the diagrams that suit the task: of all decisions, and of the positive class where there is one."""
    found = class_reliability(
        predictions.probabilities, predictions.targets, predictions.classes, multilabel=predictions.multilabel
    )
    classes = [(name, column, fixed(found[name].error, 3)) for column, name in enumerate(predictions.classes, 1)]
    with drawing():
        if predictions.multilabel:
            pooled = reliability(predictions.probabilities.ravel(), predictions.decisions.labelled.ravel())
            charts = [_draw(pooled, "labels", "All labels together", "probability of a label", "share with the label")]
        else:
            top = prediction_reliability(predictions.probabilities, predictions.targets)
            charts = [_draw(top, "top", "Predicted class", "probability of the predicted class", "share that is right")]
        if predictions.positive is not None:
            name = predictions.classes[predictions.positive]
            charts.append(
                _draw(found[name], "positive", "Positive class", "probability of the positive class", "share of it")
            )
    return Calibration(charts, classes)


def _draw(found: Reliability, key: str, title: str, sure: str, share: str) -> Chart:
    """Draw the diagram above the numbers of cases."""
    figure = Figure(figsize=(_WIDTH / 72, _HEIGHT / 72), dpi=72)
    upper = figure.add_axes((0.115, 0.36, 0.865, 0.62))
    lower = figure.add_axes((0.115, 0.125, 0.865, 0.16))
    width, middles, filled = np.diff(found.edges), (found.edges[:-1] + found.edges[1:]) / 2, found.counts > 0
    upper.bar(middles[filled], found.accuracy[filled], 0.92 * width[filled], color=ACCENT, alpha=0.3, linewidth=0)
    upper.plot([0, 1], [0, 1], color=MUTED, linewidth=0.9, linestyle=(0, (2, 3)))
    upper.plot(
        found.confidence[filled], found.accuracy[filled], color=ACCENT, linewidth=1.4, marker="o", markersize=5,
        markerfacecolor=ACCENT, markeredgecolor=PAGE, clip_on=False,
    )  # fmt: skip
    lower.bar(middles, found.counts, 0.92 * width, color=MUTED, alpha=0.5, linewidth=0)
    for middle, number in zip(middles, found.counts, strict=True):
        if number:
            lower.annotate(
                str(number), (middle, number), (0, 2), textcoords="offset points", ha="center", color=INK, fontsize=8
            )
    for axes in (upper, lower):
        axes.set_xlim(0, 1)
        axes.set_xticks(np.arange(0, 1.01, 0.2))
        axes.tick_params(length=0, pad=5)
        axes.spines["left"].set_visible(False)
        axes.grid(visible=False, axis="x")
    upper.set(ylim=(0, 1.01), ylabel=share)
    lower.set(ylim=(0, 1.25 * max(1, found.counts.max())), xlabel=sure, ylabel="number", yticks=[])
    told = ", ".join(
        f"{low:.1f} to {high:.1f}: {accuracy:.2f} of {number}"
        for low, high, accuracy, number in zip(
            found.edges, found.edges[1:], found.accuracy, found.counts, strict=False
        )
        if number
    )  # fmt: skip
    hint = f"expected calibration error {fixed(found.error, 3)}, {count(int(found.counts.sum()), 'decision')}"
    svg = to_svg(figure, f"calibration-{key}", f"Reliability diagram, {title}: {hint}. {told}.")
    return Chart(title, hint, svg, [])
