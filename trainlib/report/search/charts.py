"""Charts of a search: its trials over their epochs, what was best when, and each setting against the result."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from trainlib.folders.searches import Outcome
from trainlib.report.curves import Chart
from trainlib.report.formats import significant
from trainlib.report.palette import ACCENT, CONTRAST, GRID, MUTED, css
from trainlib.report.search.load import SearchContent
from trainlib.report.search.scales import Scale, short_names, spread, written
from trainlib.report.svg import Dot, drawing, to_svg
from trainlib.words import count

_WIDTH, _HEIGHT = 400, 235  # points
_FLAT = 175  # height of the charts of single settings
_MOST_SLICES = 12
_MARGIN = 0.07  # of a range, on both sides, so that no dot lies on an axis


def colour_of(content: SearchContent, outcome: Outcome) -> str:
    """Choose the colour of a trial: the best, those that came to their end, all others."""
    if content.best is not None and outcome.trial.number == content.best.trial.number:
        return CONTRAST
    return ACCENT if outcome.trial.state == "finished" else MUTED


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
    for outcome in content.trials:
        if outcome.reports:
            colour, values = colour_of(content, outcome), [report.value for report in outcome.reports]
            axes.plot(
                [report.epoch for report in outcome.reports], values, color=colour, zorder=order[colour], clip_on=False,
                linewidth=2.4 if colour == CONTRAST else 1.2, alpha=1 if colour == CONTRAST else 0.75,
                marker="o", markevery=[len(values) - 1], markersize=3.5, markeredgewidth=0,
            )  # fmt: skip
    last = max((outcome.reports[-1].epoch for outcome in content.trials if outcome.reports), default=1)
    axes.set_xlim(1, max(last, 1.5))
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
    _finish(axes, "epoch")
    told = [f"trial {outcome.trial.number} came to {significant(outcome.best)}" for outcome in content.ranked[:5]]
    text = f"{content.search.metric} of {count(len(content.trials), 'trial')} over their epochs: {'; '.join(told)}."
    legend = [("best", css(CONTRAST)), ("finished", css(ACCENT)), ("stopped early or failed", css(MUTED))]
    return Chart("Trials over their epochs", content.search.metric, to_svg(figure, "trials", text), legend)


def _history(content: SearchContent) -> Chart:
    figure, axes = _canvas()
    counted = [outcome for outcome in content.trials if outcome.counts]
    numbers, values = [outcome.trial.number for outcome in counted], [outcome.best for outcome in counted]
    dots: list[tuple[float, float, Outcome]] = [(outcome.trial.number, outcome.best, outcome) for outcome in counted]
    last = max((outcome.trial.number for outcome in content.trials), default=0)
    margin = max(0.5, _MARGIN * last)
    if counted:
        best = np.maximum.accumulate(values) if content.higher else np.minimum.accumulate(values)
        axes.step([*numbers, last + 0.5], [*best, best[-1]], where="post", color=CONTRAST, linewidth=1.8)
    axes.set_xlim(-margin, last + margin)
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
    counted = [outcome for outcome in content.trials if outcome.counts]
    places = spread([scale.place(outcome.trial.parameters[key]) for outcome in counted], _bests(counted))
    dots = list(zip(places, _bests(counted), counted, strict=True))
    ticks = scale.ticks()
    axes.set_xticks([place for place, _ in ticks], [text for _, text in ticks])
    axes.set_xlim(-_MARGIN, 1 + _MARGIN)
    _scatter_range(axes, _bests(counted))
    _finish(axes, "")
    text = f"Best {content.search.metric} of {count(len(counted), 'trial')} against {key}."
    svg = to_svg(figure, f"slice-{number}", text, list(_dots(content, axes, dots)))
    return Chart(short_names(content.keys)[key], key, svg, [])


def _bests(counted: Sequence[Outcome]) -> list[float]:
    return [outcome.best for outcome in counted]


def _canvas(height: int = _HEIGHT, below: int = 38) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(_WIDTH / 72, height / 72), dpi=72)
    return figure, figure.add_axes((0.115, below / height, 0.865, 1 - (below + 9) / height))


def _scatter_range(axes: Axes, values: list[float]) -> None:
    low, high = min(values, default=0.0), max(values, default=1.0)
    margin = 0.12 * (high - low) or 0.5
    axes.set_ylim(low - margin, high + margin)


def _finish(axes: Axes, name: str) -> None:
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.6g}".replace("-", "\N{MINUS SIGN}")))
    axes.grid(visible=False, axis="x")
    axes.grid(color=GRID, axis="y")
    axes.tick_params(length=0, pad=5)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(name, labelpad=2)


def _dots(content: SearchContent, axes: Axes, places: list[tuple[float, float, Outcome]]) -> Iterator[Dot]:
    """Place dots that tell of their trial when pointed at, the best last so that it is on top."""
    height = 72 * float(axes.get_figure(root=True).get_size_inches()[1])  # type: ignore[union-attr]
    for x, y, outcome in sorted(places, key=lambda place: colour_of(content, place[2]) == CONTRAST):
        if math.isfinite(y):
            left, up = axes.transData.transform((x, y))
            colour = colour_of(content, outcome)
            radius = 4.2 if colour == CONTRAST else 3.0
            yield Dot(float(left), height - float(up), colour, title_of(content, outcome), radius)


def title_of(content: SearchContent, outcome: Outcome) -> str:
    """Tell of a trial in a line."""
    names = short_names(content.keys)
    settings = ", ".join(f"{names[key]} {written(outcome.trial.parameters[key])}" for key in content.keys)
    return f"trial {outcome.trial.number}: {content.search.metric} {significant(outcome.best, 4)} ({settings})"
