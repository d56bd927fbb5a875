"""Which classes are taken for which."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trainlib.metrics.confusion import confusion_matrix, count_outcomes
from trainlib.report.classification.predictions import Predictions

MOST_CLASSES = 150
"""Classes up to which the matrix is shown; it has their square of cells."""
_MOST_PAIRS, _MANY = 15, 10
_STRONGEST = 45  # per cent of colour in the cell of a whole row; the text stays readable on it


@dataclass(frozen=True)
class MatrixCell:
    """A cell of the matrix.

    Attributes:
        count: Number of cases.
        share: Share of the cases of its row, as text; empty where the row has none.
        shade: Per cent of colour.
        right: Whether its cases are predicted rightly.
    """

    count: int
    share: str
    shade: int
    right: bool


@dataclass(frozen=True)
class Confusion:
    """The confusion matrix of a split.

    Attributes:
        classes: Names of the classes.
        rows: For each true class its cells, one for each predicted class; empty where there are too many.
        support: Number of cases of each class.
        pairs: The most frequent confusions of many classes: true class, predicted class, cases, share of the class.
    """

    classes: list[str]
    rows: list[list[MatrixCell]]
    support: list[int]
    pairs: list[tuple[str, str, int, str]]


@dataclass(frozen=True)
class LabelCounts:
    """Right and wrong decisions on a label of a multi-label task.

    Attributes:
        name: The label.
        tone: Number of its colour.
        cells: True positives, false negatives, false positives, true negatives; shares are of the cases with the
            label, or without it.
    """

    name: str
    tone: int
    cells: list[MatrixCell]


def confusion_of(predictions: Predictions) -> Confusion | None:
    """Count the confusions; None in a multi-label task, where no class excludes another."""
    if predictions.multilabel:
        return None
    classes = predictions.classes
    matrix = confusion_matrix(predictions.decisions.predicted.argmax(axis=1), predictions.targets, len(classes))
    shown = len(classes) <= MOST_CLASSES
    rows = [[_cell(int(n), int(row.sum()), i == j) for j, n in enumerate(row)] for i, row in enumerate(matrix)]
    wrong = matrix * (1 - np.eye(len(classes), dtype=matrix.dtype))
    pairs = []
    for place in np.argsort(-wrong, axis=None, kind="stable")[: _MOST_PAIRS if len(classes) > _MANY else 0]:
        i, j = divmod(int(place), len(classes))
        if wrong[i, j]:
            pairs.append((classes[i], classes[j], int(wrong[i, j]), rows[i][j].share))
    return Confusion(classes, rows if shown else [], [int(n) for n in matrix.sum(axis=1)], pairs)


def label_counts_of(predictions: Predictions) -> list[LabelCounts]:
    """Count right and wrong decisions on each label of a multi-label task; none in other tasks."""
    if not predictions.multilabel:
        return []
    counted = []
    for column, (tp, fp, fn, tn) in enumerate(zip(*count_outcomes(predictions.decisions), strict=True)):
        with_label, without = int(tp + fn), int(fp + tn)
        cells = [_cell(int(tp), with_label, True), _cell(int(fn), with_label, False)]
        cells += [_cell(int(fp), without, False), _cell(int(tn), without, True)]
        counted.append(LabelCounts(predictions.classes[column], column + 1, cells))
    return counted


def _cell(count: int, total: int, right: bool) -> MatrixCell:
    share = count / total if total else 0.0
    shade = max(1, round(_STRONGEST * share)) if count else 0
    return MatrixCell(count, f"{100 * share:.1f} %" if total else "", shade, right)
