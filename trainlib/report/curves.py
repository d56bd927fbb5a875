"""Charts of what was logged in each epoch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from trainlib.report.content import Content
from trainlib.report.formats import METRICS, count, significant
from trainlib.report.palette import ACCENT, CONTRAST, INK, MUTED, css, tone
from trainlib.report.svg import drawing, to_svg
from trainlib.report.training import Best

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
class _Curve:
    name: str
    column: str
    colour: str
    width: float = 1.4


@dataclass(frozen=True)
class _Plan:
    key: str
    title: str
    hint: str
    curves: list[_Curve]


def draw_curves(content: Content, best: Best | None) -> list[Chart]:
    """Draw loss, learning rate and the metrics of the validation, each where it was logged."""
    if not len(content.epochs):
        return []
    logged = [name for name in content.epochs if np.isfinite(content.epochs[name].to_numpy(dtype=float)).any()]
    with drawing():
        return [_draw(content, plan, best) for plan in _plans(content, [str(name) for name in logged])]


def _plans(content: Content, logged: list[str]) -> Iterator[_Plan]:
    """Choose what gets a chart."""
    losses = [_Curve("training", "train/loss", MUTED), _Curve("validation", "valid/loss", ACCENT, 1.8)]
    if losses := [curve for curve in losses if curve.column in logged]:
        yield _Plan("loss", "Loss", "lower is better", losses)
    rates = [name for name in logged if name.startswith("lr-")]
    if len(rates) == 1:
        yield _Plan("lr", "Learning rate", rates[0].removeprefix("lr-"), [_Curve("", rates[0], ACCENT, 1.8)])
    elif rates:
        curves = [_Curve(name.removeprefix("lr-"), name, tone(i)) for i, name in enumerate(rates, 1)]
        yield _Plan("lr", "Learning rate", "", curves)
    for key, metric in METRICS.items():
        columns = [name for name in logged if name == f"valid/{key}" or name.startswith(f"valid/{key}/")]
        classes = {name: name.split("/", 2)[2] for name in columns if name.count("/") > 1}
        curves = [_Curve(name, column, tone(content.tone(name))) for column, name in classes.items()]
        if f"valid/{key}" in columns and len(curves) != 1:
            curves.append(_Curve("mean over classes" if curves else "", f"valid/{key}", INK, 2.2))
        if curves:
            hint = f"{metric.unit}, {metric.hint}" if metric.unit else metric.hint
            yield _Plan(key, f"{metric.name} in validation", hint, curves)
    counts = [_Curve("missed", "valid/missed", ACCENT, 1.8), _Curve("false positive", "valid/false_positive", CONTRAST)]
    counts = [curve for curve in counts if curve.column in logged]
    if any(content.epochs[curve.column].max() > 0 for curve in counts):
        yield _Plan("counts", "Missed and false-positive structures in validation", "lower is better", counts)


def _draw(content: Content, plan: _Plan, best: Best | None) -> Chart:
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
