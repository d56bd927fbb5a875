"""The table of every case of a classification."""

from __future__ import annotations

from collections.abc import Iterable

from trainlib.report.cells import CaseTable, Cell, number_cell
from trainlib.report.classification.predictions import Predictions
from trainlib.report.formats import SPLITS, fixed

_MOST_CLASSES = 8  # up to which each has a column


def case_table(splits: Iterable[Predictions | None]) -> CaseTable:
    """Bring the cases of some splits into cells."""
    found = [predictions for predictions in splits if predictions is not None]
    if not found:
        return CaseTable([], [])
    rows = [_row(predictions, row) for predictions in found for row in range(len(predictions.cases))]
    classes, multilabel = found[0].classes, found[0].multilabel
    head = [(name, False) for name in ("Split", "Case", "True", "Predicted", "Outcome")]
    head += [("Wrong labels", True)] if multilabel else [("Of the predicted class", True), ("Of the true class", True)]
    return CaseTable(head + [(f"Probability of {name}", True) for name in _shown(classes)], rows)


def _shown(classes: list[str]) -> list[str]:
    return classes if len(classes) <= _MOST_CLASSES else []


def _row(predictions: Predictions, row: int) -> list[Cell]:
    predicted, labelled = (table[row] for table in predictions.decisions)
    probability = predictions.probabilities[row]
    wrong = int((predicted != labelled).sum())
    cells = [Cell(SPLITS[predictions.split]), Cell(predictions.cases[row], "case")]
    if predictions.multilabel:
        cells += [Cell(_names(predictions, labelled)), Cell(_names(predictions, predicted))]
    else:
        chosen = [int(table.argmax()) for table in (labelled, predicted)]
        cells += [Cell(predictions.classes[column], "class", tone=column + 1) for column in chosen]
    cells.append(Cell("wrong" if wrong else "right", "outcome", bad=wrong > 0))
    if predictions.multilabel:
        cells.append(number_cell(wrong, str(wrong)))
    else:
        cells += [_probability(probability[column]) for column in reversed(chosen)]
    return cells + [_probability(value) for value in probability[: len(_shown(predictions.classes))]]


def _probability(value: float) -> Cell:
    return number_cell(float(value), fixed(float(value), 4))


def _names(predictions: Predictions, chosen: Iterable[bool]) -> str:
    return ", ".join(name for name, held in zip(predictions.classes, chosen, strict=True) if held) or "none"
