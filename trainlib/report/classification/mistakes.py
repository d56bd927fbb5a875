"""The most confident mistakes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from trainlib.report.classification.predictions import Predictions
from trainlib.report.content import Content
from trainlib.report.reading import Picture, read_picture

MOST = 6


@dataclass(frozen=True)
class Mistake:
    """A wrong case.

    Attributes:
        case: Its name.
        picture: Its image; None where there is none.
        facts: What is true, what was predicted, and how probable each was held.
    """

    case: str
    picture: Picture | None
    facts: list[tuple[str, str]]


def count_mistakes(predictions: Predictions) -> int:
    """Count the cases of which anything is predicted wrongly."""
    predicted, labelled = predictions.decisions
    return int((predicted != labelled).any(axis=1).sum())


def worst_mistakes(content: Content, predictions: Predictions) -> list[Mistake]:
    """Choose the most confident mistakes of a run."""

    def picture(case: str) -> Picture | None:
        path = content.folder.picture(predictions.split, case)
        return read_picture(path, content.folder.pictures, "image/png")

    return choose_mistakes(predictions, picture)


def choose_mistakes(predictions: Predictions, picture: Callable[[str], Picture | None]) -> list[Mistake]:
    """Choose the wrong cases whose wrong class was held most probable, or of several labels the surest wrong one.

    Args:
        predictions: The cases.
        picture: Returns the picture of a case.
    """
    predicted, labelled = predictions.decisions
    likely = predictions.probabilities
    if predictions.multilabel:
        confidence = np.where(predicted != labelled, np.where(predicted, likely, 1 - likely), -1.0)
    else:
        confidence = np.where(predicted & ~labelled, likely, -1.0)
    surest = confidence.max(axis=1)
    order = [int(row) for row in np.argsort(-surest, kind="stable") if surest[row] >= 0]
    return [_mistake(predictions, row, int(confidence[row].argmax()), picture) for row in order[:MOST]]


def _mistake(predictions: Predictions, row: int, wrong: int, picture: Callable[[str], Picture | None]) -> Mistake:
    case, probability = predictions.cases[row], predictions.probabilities[row]
    predicted, labelled = (table[row] for table in predictions.decisions)
    name = predictions.classes[wrong]
    if predictions.multilabel:
        facts = [("True", _names(predictions, labelled)), ("Predicted", _names(predictions, predicted))]
        what = "wrongly predicted" if predicted[wrong] else "missed"
        facts += [("Surest mistake", f"{name}, {what}"), (f"Probability of {name}", f"{probability[wrong]:.4f}")]
    else:
        true = int(labelled.argmax())
        facts = [("True", predictions.classes[true]), ("Predicted", name)]
        facts += [("Probability", f"{probability[wrong]:.4f}"), ("Of the true class", f"{probability[true]:.4f}")]
    return Mistake(case, picture(case), facts)


def _names(predictions: Predictions, chosen: np.ndarray) -> str:
    return ", ".join(name for name, held in zip(predictions.classes, chosen, strict=True) if held) or "none"
