"""The figures of a split with their confidence intervals, and why some are not defined."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass

from trainlib.metrics.bootstrap import Interval
from trainlib.metrics.classification_report import CLASS_FIGURES, Row, classification_report
from trainlib.metrics.confusion import count_outcomes
from trainlib.report.classification.names import FIGURES, LOGGED
from trainlib.report.classification.predictions import Predictions
from trainlib.report.content import Content
from trainlib.report.formats import Metric
from trainlib.words import listed

ALL_CLASSES = "all classes (mean)"
"""How the row of all classes is called in ``classification_report.csv``."""
_OVERALL = ("accuracy", "balanced_accuracy")
_REASONS = {
    "absent": "no case of class {}",
    "all": "every case is of class {}",
    "never": "no case is predicted to be {}",
}


@dataclass(frozen=True)
class ClassRow:
    """The figures of a class.

    Attributes:
        name: The class.
        tone: Number of its colour.
        figures: Figure -> its value and interval.
        support: Number of its cases.
    """

    name: str
    tone: int
    figures: dict[str, Interval]
    support: int


@dataclass(frozen=True)
class Headline:
    """One of the figures on the first screen.

    Attributes:
        metric: What it is.
        interval: Its value and interval.
        missing: Why it has no value; empty where it has one.
    """

    metric: Metric
    interval: Interval
    missing: str


@dataclass(frozen=True)
class Figures:
    """The figures of a split.

    Attributes:
        split: The split.
        cases: Number of cases.
        classes: Each class against the rest.
        means: Figure -> mean over the classes.
        overall: Accuracy and balanced accuracy.
        headlines: The figures on the first screen.
        undefined: Sentences on the figures that are not defined.
    """

    split: str
    cases: int
    classes: list[ClassRow]
    means: dict[str, Interval]
    overall: dict[str, Interval]
    headlines: list[Headline]
    undefined: list[str]


def figures_of(content: Content, predictions: Predictions) -> Figures:
    """Compute the figures of a split."""
    report = classification_report(
        predictions.probabilities,
        predictions.targets,
        predictions.classes,
        multilabel=predictions.multilabel,
        resamples=content.resamples,
        seed=content.config.seed,
    )
    rows = [_class_row(row, column + 1) for column, row in enumerate(report.classes)]
    overall = {str(row["figure"]): _interval(row, "value", "low", "high") for row in report.overall}
    means = {name: overall[f"macro_{name}"] for name in CLASS_FIGURES}
    return Figures(
        split=predictions.split,
        cases=len(predictions.cases),
        classes=rows,
        means=means,
        overall={name: overall[name] for name in _OVERALL},
        headlines=_headlines(predictions, rows, means, overall),
        undefined=_undefined(predictions, rows),
    )


def table_rows(figures: Figures) -> list[dict[str, str]]:
    """Write the figures of a split as rows of ``classification_report.csv``."""
    rows = []
    everything = ClassRow(ALL_CLASSES, 0, figures.means | figures.overall, figures.cases)
    for found in (*figures.classes, everything):
        row = {"split": figures.split, "class": found.name}
        for name, interval in found.figures.items():
            ends = {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}
            row |= {column: "" if math.isnan(value) else repr(value) for column, value in ends.items()}
        rows.append(row | {"support": str(found.support)})
    return rows


def table_columns() -> list[str]:
    """List the columns of ``classification_report.csv``; the last ones are of all classes only."""
    of_class, of_all = (
        [f"{figure}{end}" for figure in figures for end in ("", "_low", "_high")]
        for figures in (CLASS_FIGURES, _OVERALL)
    )
    return ["split", "class", *of_class, "support", *of_all]


def _class_row(row: Row, tone: int) -> ClassRow:
    figures = {name: _interval(row, name, f"{name}_low", f"{name}_high") for name in CLASS_FIGURES}
    return ClassRow(str(row["class"]), tone, figures, int(row["support"]))


def _interval(row: Row, *columns: str) -> Interval:
    return Interval(*(float(row[column]) for column in columns))


def _headlines(
    predictions: Predictions, rows: list[ClassRow], means: dict[str, Interval], overall: dict[str, Interval]
) -> list[Headline]:
    """Choose the headline figures: AUROC and F1 of the positive class, if there is one, else means over classes."""
    positive = predictions.positive
    chosen = means if positive is None else rows[positive].figures
    found = {"auroc": chosen["auroc"], "accuracy": overall["accuracy"]}
    found |= {"balanced_accuracy": overall["balanced_accuracy"], "f1": chosen["f1"]}
    return [
        Headline(LOGGED[name], interval, _why_missing(predictions, name) if math.isnan(interval.value) else "")
        for name, interval in found.items()
    ]


def _why_missing(predictions: Predictions, name: str) -> str:
    if predictions.positive is None:
        return "not defined for any class"
    if name == "f1":
        return f"not defined: no case is {predictions.classes[predictions.positive]}, or predicted to be"
    return f"not defined: {predictions.one_sided(predictions.positive)}"


def _undefined(predictions: Predictions, rows: list[ClassRow]) -> list[str]:
    """Say which figures are not defined, and why, classes with the same reason together."""
    groups: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    called = (outcomes := count_outcomes(predictions.decisions)).tp + outcomes.fp
    for row, calls in zip(rows, called, strict=True):
        lacking = [name for name, interval in row.figures.items() if math.isnan(interval.value)]
        never = [name for name in lacking if name == "precision" and not calls]
        rest = [name for name in lacking if name not in never]
        for kind, figures in (("never", never), ("absent" if not row.support else "all", rest)):
            if figures:
                groups[kind, tuple(figures)].append(row.name)
    sentences = []
    for (kind, undefined), classes in groups.items():
        what = listed([FIGURES[name].name for name in undefined])
        verb = "is" if len(undefined) == 1 else "are"
        sentences.append(f"{what} of {listed(classes)} {verb} not defined: {_REASONS[kind].format(_either(classes))}.")
    return sentences


def _either(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
