"""Cases with probabilities and labels, and their figures by scikit-learn, nan where they are not defined."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn import metrics

NAN = math.nan
Array = np.ndarray[Any, Any]

SINGLE_LABEL: dict[str, dict[str, Any]] = {
    "two classes": {"cases": 150, "share": [0.6, 0.4]},
    "four classes": {"cases": 200, "share": [0.25] * 4},
    "skewed": {"cases": 300, "share": [0.95, 0.03, 0.02]},
    "two classes, skewed": {"cases": 100, "share": [0.96, 0.04]},
    "a class absent": {"cases": 80, "share": [0.5, 0.0, 0.5, 0.0]},
    "one class only": {"cases": 30, "share": [0.0, 1.0, 0.0]},
    "one class of two only": {"cases": 30, "share": [1.0, 0.0]},
    "one case": {"cases": 1, "share": [0.0, 1.0]},
    "one case, the last of three": {"cases": 1, "share": [0.0, 0.0, 1.0]},
    "two cases": {"cases": 2, "share": [0.5, 0.5]},
}
"""Arguments of `single_label`."""

MULTI_LABEL: dict[str, dict[str, Any]] = {
    "three labels": {"cases": 200, "share": [0.3, 0.5, 0.7]},
    "two labels": {"cases": 90, "share": [0.3, 0.5]},
    "one label": {"cases": 90, "share": [0.3]},
    "skewed": {"cases": 150, "share": [0.02, 0.98, 0.5]},
    "one never and one always": {"cases": 60, "share": [0.0, 1.0, 0.4]},
    "one case": {"cases": 1, "share": [0.0, 1.0]},
}
"""Arguments of `multi_label`."""


def single_label(cases: int, share: Sequence[float], seed: int = 0) -> tuple[Array, Array]:
    """Probabilities with many ties, the true class more probable than chance, and class indices."""
    rng = np.random.default_rng(seed)
    targets = rng.choice(len(share), size=cases, p=share)
    logits = rng.normal(size=(cases, len(share))) + np.eye(len(share))[targets]
    return (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).round(2), targets


def multi_label(cases: int, share: Sequence[float], seed: int = 0) -> tuple[Array, Array]:
    """Probabilities with many ties, some of them 0.5, and a table of 0 and 1."""
    rng = np.random.default_rng(seed)
    targets = (rng.random((cases, len(share))) < share).astype(np.int64)
    return (0.7 * rng.random(targets.shape) + 0.3 * targets).round(1), targets


def single_label_decisions(probabilities: Array, targets: Array) -> tuple[Array, Array]:
    classes = range(probabilities.shape[1])
    best = [list(row).index(max(row)) for row in probabilities]
    return (
        np.array([[k == one for k in classes] for one in best]),
        np.array([[k == one for k in classes] for one in targets]),
    )


def by_scikit(score: Array, predicted: Array, labelled: Array) -> dict[str, float]:
    """All figures of one class against the rest."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        recall = metrics.recall_score(labelled, predicted, zero_division=NAN)
        specificity = metrics.recall_score(~labelled, ~predicted, zero_division=NAN)
        return {
            "precision": metrics.precision_score(labelled, predicted, zero_division=NAN),
            "npv": metrics.precision_score(~labelled, ~predicted, zero_division=NAN),
            "recall": recall,
            "specificity": specificity,
            "f1": metrics.f1_score(labelled, predicted, zero_division=NAN),
            "auroc": metrics.roc_auc_score(labelled, score) if len(set(labelled)) == 2 else NAN,
            "average_precision": metrics.average_precision_score(labelled, score) if labelled.any() else NAN,
            "accuracy": metrics.accuracy_score(labelled, predicted),
            "balanced_accuracy": (recall + specificity) / 2,
        }


def classes_by_scikit(probabilities: Array, predicted: Array, labelled: Array) -> list[dict[str, float]]:
    """`by_scikit` of each class."""
    return [by_scikit(probabilities[:, k], predicted[:, k], labelled[:, k]) for k in range(labelled.shape[1])]


def balanced_accuracy(predicted: Array, labelled: Array) -> float:
    """Balanced accuracy of single-label cases, given as tables of decisions."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return metrics.balanced_accuracy_score(labelled.argmax(axis=1), predicted.argmax(axis=1))


def mean(values: Sequence[float]) -> float:
    defined = [value for value in values if not math.isnan(value)]
    return sum(defined) / len(defined) if defined else NAN
