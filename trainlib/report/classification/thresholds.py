"""Operating points of a binary task: chosen on the validation set, measured on the test set."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from trainlib.metrics.thresholds import OperatingPoint, operating_point, sensitivity_point, youden_point
from trainlib.report.classification.predictions import Predictions
from trainlib.report.formats import NOTHING, SPLITS, fixed

Array = NDArray[Any]

_SENSITIVITY = 0.9


@dataclass(frozen=True)
class ThresholdRow:
    """An operating point.

    Attributes:
        rule: How it was chosen.
        threshold: The probability of the positive class from which on a case is called positive, as text.
        exact: The same to the last digit.
        chosen: What it led to where it was chosen: sensitivity and specificity; empty where it was not chosen.
        measured: Sensitivity, specificity, PPV and NPV where it was measured.
        counts: True and false positives, false and true negatives there.
        missing: Why there is no such threshold; empty where there is.
    """

    rule: str
    threshold: str = ""
    exact: str = ""
    chosen: tuple[str, ...] = ("", "")
    measured: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    missing: str = ""


@dataclass(frozen=True)
class Thresholds:
    """The table of operating points.

    Attributes:
        positive: The positive class.
        chosen_on: The split on which thresholds were chosen, in words.
        measured_on: The split on which they were measured, in words.
        honest: Whether these are two.
        rows: The operating points.
        undefined: Which cases are lacking where they were measured; empty where there are both kinds.
    """

    positive: str
    chosen_on: str
    measured_on: str
    honest: bool
    rows: list[ThresholdRow]
    undefined: str

    @property
    def has_gaps(self) -> bool:
        """Whether a figure is not defined where it was measured."""
        return any(NOTHING in row.measured for row in self.rows)


def thresholds_of(shown: Predictions, validation: Predictions | None) -> Thresholds | None:
    """Choose the thresholds of a binary task; None in other tasks.

    Args:
        shown: The cases that they are measured on.
        validation: The cases that they are chosen on; None takes the same.
    """
    column = shown.positive
    if column is None:
        return None
    basis = validation or shown
    scores, labelled = _of(basis, column)
    rules = {
        "Largest sensitivity + specificity (Youden)": youden_point(scores, labelled),
        f"Sensitivity of at least {100 * _SENSITIVITY:.0f} %": sensitivity_point(scores, labelled, _SENSITIVITY),
    }
    missing = f"not defined: in the {SPLITS[basis.split]} set, {basis.one_sided(column)}"
    rows = [_most_probable(shown, basis, column)]
    for rule, point in rules.items():
        if point is None:
            rows.append(ThresholdRow(rule, missing=missing))
        else:
            rows.append(_row(rule, point, operating_point(*_of(shown, column), point.threshold)))
    return Thresholds(
        positive=shown.classes[column],
        chosen_on=SPLITS[basis.split],
        measured_on=SPLITS[shown.split],
        honest=basis.split != shown.split,
        rows=rows,
        undefined=shown.one_sided(column),
    )


def _of(predictions: Predictions, column: int) -> tuple[Array, Array]:
    return predictions.probabilities[:, column], predictions.decisions.labelled[:, column]


def _most_probable(shown: Predictions, basis: Predictions, column: int) -> ThresholdRow:
    """Measure what all other figures of the report rest on: the most probable class is predicted."""
    points = [
        operating_point(found.decisions.predicted[:, column], found.decisions.labelled[:, column], 1.0)
        for found in (basis, shown)
    ]
    return replace(_row("The more probable class", *points), threshold="above 0.5", exact="")


def _row(rule: str, chosen: OperatingPoint, measured: OperatingPoint) -> ThresholdRow:
    return ThresholdRow(
        rule,
        threshold=f"{chosen.threshold:.4g}",
        exact=repr(chosen.threshold),
        chosen=(fixed(chosen.sensitivity, 3), fixed(chosen.specificity, 3)),
        measured=tuple(fixed(value, 3) for value in measured[1:5]),
        counts=tuple(measured[5:]),
    )
