"""Charts of what was logged in each epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from trainlib.report.content import Content
from trainlib.report.formats import Metric, significant
from trainlib.report.palette import ACCENT, INK, MUTED, css, tone
from trainlib.report.svg import drawing, to_svg
from trainlib.report.training import Best
from trainlib.words import count

_WIDTH, _HEIGHT = 400, 215  # points
_MOST_DOTS = 30  # epochs up to which each gets a dot


@dataclass(frozen=True)
class Chart:
    """A chart with what stands around it.

    Attributes:
        title: What it shows.
        hint: Unit, and which direction is better.
        svg: The drawing.
        legend: Names and their colours in CSS.
    """

    title: str
    hint: str
    svg: Markup
    legend: list[tuple[str, str]]


@dataclass(frozen=True)
class Curve:
    """A curve of a chart.

    Attributes:
        name: What it is called; empty where it is the only one.
        column: What was logged.
        colour: Its placeholder of the palette.
        width: Width of the line in points.
    """

    name: str
    column: str
    colour: str
    width: float = 1.4


@dataclass(frozen=True)
class Plan:
    """What a chart is to show.

    Attributes:
        key: A name that no other chart has.
        title: What it shows.
        hint: Unit, and which direction is better.
        curves: Its curves.
    """

    key: str
    title: str
    hint: str
    curves: list[Curve]


def draw_curves(
    content: Content, best: Best | None, metric_plans: Callable[[list[str]], Iterable[Plan]]
) -> list[Chart]:
    """Draw loss, learning rate and the metrics of the validation, each where it was logged.

    Args:
        content: The run.
        best: The best epoch, which is marked.
        metric_plans: Chooses from what was logged the metrics that get a chart.
    """
    if not len(content.epochs):
        return []
    columns = [name for name in content.epochs if np.isfinite(content.epochs[name].to_numpy(dtype=float)).any()]
    logged = [str(name) for name in columns]
    with drawing():
        return [_draw(content, plan, best) for plan in [*_common_plans(logged), *metric_plans(logged)]]


def metric_plan(metric: Metric, logged: list[str], tones: Callable[[str], int]) -> Plan | None:
    """Plan the chart of a metric with its classes and the mean over them; None where it was not logged.

    Args:
        metric: The metric.
        logged: What was logged.
        tones: Gives the number of the colour of a class.
    """
    overall = f"valid/{metric.key}"
    classes = {name: name.split("/", 2)[2] for name in logged if name.startswith(f"{overall}/")}
    curves = [Curve(name, column, tone(tones(name))) for column, name in classes.items()]
    if overall in logged and len(curves) != 1:
        curves.append(Curve("mean over classes" if curves else "", overall, INK, 2.2))
    hint = f"{metric.unit}, {metric.hint}" if metric.unit else metric.hint
    return Plan(metric.key, f"{metric.name} in validation", hint, curves) if curves else None


def _common_plans(logged: list[str]) -> Iterator[Plan]:
    """Plan the charts of losses and learning rates."""
    losses = [Curve("training", "train/loss", MUTED), Curve("validation", "valid/loss", ACCENT, 1.8)]
    if losses := [curve for curve in losses if curve.column in logged]:
        yield Plan("loss", "Loss", "lower is better", losses)
    rates = [name for name in logged if name.startswith("lr-")]
    if len(rates) == 1:
        yield Plan("lr", "Learning rate", rates[0].removeprefix("lr-"), [Curve("", rates[0], ACCENT, 1.8)])
    elif rates:
        curves = [Curve(name.removeprefix("lr-"), name, tone(i)) for i, name in enumerate(rates, 1)]
        yield Plan("lr", "Learning rate", "", curves)


def _draw(content: Content, plan: Plan, best: Best | None) -> Chart:
    figure = Figure(figsize=(_WIDTH / 72, _HEIGHT / 72), dpi=72)
    axes = figure.add_axes((0.115, 0.17, 0.865, 0.79))
    epochs = content.epochs["epoch"].to_numpy(dtype=float) + 1
    if best is not None:
        axes.axvline(best.epoch, color=MUTED, linewidth=0.9, linestyle=(0, (2, 3)))
    told = []
    for curve in plan.curves:
        values = content.epochs[curve.column].to_numpy(dtype=float)
        shown = np.isfinite(values)
        x, y = epochs[shown], values[shown]
        marker = "o" if len(x) <= _MOST_DOTS else None
        axes.plot(
            x, y, color=curve.colour, linewidth=curve.width, marker=marker, markersize=3.2 + curve.width / 3,
            markeredgewidth=0, clip_on=False, solid_joinstyle="round",
        )  # fmt: skip
        told.append(f"{curve.name} {significant(y[0])} in epoch {x[0]:.0f}, {significant(y[-1])} in epoch {x[-1]:.0f}")
    _set_axes(axes, epochs.max())
    description = f"{plan.title} over {count(int(epochs.max()), 'epoch')}: {'; '.join(told)}."
    legend = [(curve.name, css(curve.colour)) for curve in plan.curves if curve.name]
    return Chart(plan.title, plan.hint, to_svg(figure, f"curve-{plan.key}", description), legend)


def _set_axes(axes: Axes, last: float) -> None:
    if last > 1:
        margin = 0.01 * (last - 1) if last <= _MOST_DOTS else 0.0
        axes.set_xlim(1 - margin, last + margin)
    else:
        axes.set_xlim(0.5, 1.5)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.6g}".replace("-", "\N{MINUS SIGN}")))
    axes.grid(visible=False, axis="x")
    axes.tick_params(length=0, pad=5)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("epoch", labelpad=2)
