"""Charts of a search: its trials over their epochs, what was best when, and each setting against the result."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from trainlib.report.curves import Chart
from trainlib.report.formats import count, significant
from trainlib.report.palette import ACCENT, CONTRAST, GRID, MUTED, css
from trainlib.report.search.load import Line, SearchContent
from trainlib.report.search.scales import Scale, short_names, written
from trainlib.report.svg import Dot, drawing, to_svg

_WIDTH, _HEIGHT = 400, 235  # points
_FLAT = 175  # height of the charts of single settings
_MOST_SLICES = 12


def colour_of(content: SearchContent, line: Line) -> str:
    """Choose the colour of a trial: the best, those that came to their end, all others."""
    if content.best is not None and line.trial.number == content.best.trial.number:
        return CONTRAST
    return ACCENT if line.trial.state == "finished" else MUTED


def draw_trials(content: SearchContent) -> list[Chart]:
    """Draw the trials over their epochs, and the best result so far over the trials."""
    with drawing():
        return [_curves(content), _history(content)]


def draw_slices(content: SearchContent) -> list[Chart]:
    """Draw the result against each setting."""
    with drawing():
        return [_slice(content, i, key) for i, key in enumerate(content.keys[:_MOST_SLICES])]


def _curves(content: SearchContent) -> Chart:
    figure, axes = _canvas()
    order = {MUTED: 1, ACCENT: 2, CONTRAST: 3}
    for line in content.lines:
        if line.values:
            colour = colour_of(content, line)
            axes.plot(
                line.epochs, line.values, color=colour, zorder=order[colour], clip_on=False,
                linewidth=2.4 if colour == CONTRAST else 1.2, alpha=1 if colour == CONTRAST else 0.75,
                marker="o", markevery=[len(line.values) - 1], markersize=3.5, markeredgewidth=0,
            )  # fmt: skip
    last = max((epoch for line in content.lines for epoch in line.epochs), default=1)
    axes.set_xlim(1, max(last, 1.5))
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
    _finish(axes, "epoch")
    told = [f"trial {line.trial.number} came to {significant(line.best)}" for line in content.ranked[:5]]
    text = f"{content.search.metric} of {count(len(content.lines), 'trial')} over their epochs: {'; '.join(told)}."
    legend = [("best", css(CONTRAST)), ("finished", css(ACCENT)), ("stopped early or failed", css(MUTED))]
    return Chart("Trials over their epochs", content.search.metric, to_svg(figure, "trials", text), legend)


def _history(content: SearchContent) -> Chart:
    figure, axes = _canvas()
    lines = [line for line in content.lines if line.counts]
    numbers, values = [line.trial.number for line in lines], [line.best for line in lines]
    dots: list[tuple[float, float, Line]] = [(line.trial.number, line.best, line) for line in lines]
    if lines:
        best = np.maximum.accumulate(values) if content.higher else np.minimum.accumulate(values)
        axes.step([*numbers, numbers[-1] + 0.5], [*best, best[-1]], where="post", color=CONTRAST, linewidth=1.8)
    axes.set_xlim(-0.5, max((line.trial.number for line in content.lines), default=0) + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
    _scatter_range(axes, values)
    _finish(axes, "trial")
    text = f"Best {content.search.metric} of each trial, and of all up to it."
    svg = to_svg(figure, "history", text, list(_dots(content, axes, dots)))
    legend = [("best so far", css(CONTRAST))]
    return Chart("Progress of the search", f"best {content.search.metric} of each trial", svg, legend)


def _slice(content: SearchContent, number: int, key: str) -> Chart:
    assert content.search.config.tune is not None
    scale = Scale(content.search.config.tune.space[key])
    figure, axes = _canvas(_FLAT, 24)
    lines = [line for line in content.lines if line.counts]
    dots = [(scale.place(line.trial.parameters[key]), line.best, line) for line in lines]
    ticks = scale.ticks()
    axes.set_xticks([place for place, _ in ticks], [text for _, text in ticks])
    axes.set_xlim(-0.04, 1.04)
    _scatter_range(axes, [line.best for line in lines])
    _finish(axes, "")
    text = f"Best {content.search.metric} of {count(len(lines), 'trial')} against {key}."
    svg = to_svg(figure, f"slice-{number}", text, list(_dots(content, axes, dots)))
    return Chart(short_names(content.keys)[key], key, svg, [])


def _canvas(height: int = _HEIGHT, below: int = 38) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(_WIDTH / 72, height / 72), dpi=72)
    return figure, figure.add_axes((0.115, below / height, 0.865, 1 - (below + 9) / height))


def _scatter_range(axes: Axes, values: list[float]) -> None:
    low, high = min(values, default=0.0), max(values, default=1.0)
    margin = 0.08 * (high - low) or 0.5
    axes.set_ylim(low - margin, high + margin)


def _finish(axes: Axes, name: str) -> None:
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.6g}".replace("-", "\N{MINUS SIGN}")))
    axes.grid(visible=False, axis="x")
    axes.grid(color=GRID, axis="y")
    axes.tick_params(length=0, pad=5)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(name, labelpad=2)


def _dots(content: SearchContent, axes: Axes, places: list[tuple[float, float, Line]]) -> Iterator[Dot]:
    """Place dots that tell of their trial when pointed at, the best last so that it is on top."""
    height = 72 * float(axes.get_figure(root=True).get_size_inches()[1])  # type: ignore[union-attr]
    for x, y, line in sorted(places, key=lambda place: colour_of(content, place[2]) == CONTRAST):
        if math.isfinite(y):
            left, up = axes.transData.transform((x, y))
            colour = colour_of(content, line)
            radius = 4.2 if colour == CONTRAST else 3.0
            yield Dot(float(left), height - float(up), colour, title_of(content, line), radius)


def title_of(content: SearchContent, line: Line) -> str:
    """Tell of a trial in a line."""
    names = short_names(content.keys)
    settings = ", ".join(f"{names[key]} {written(line.trial.parameters[key])}" for key in content.keys)
    return f"trial {line.trial.number}: {content.search.metric} {significant(line.best, 4)} ({settings})"
