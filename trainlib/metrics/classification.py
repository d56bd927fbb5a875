"""The classification scores of a whole split."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics.functional.classification import (
    binary_accuracy,
    binary_f1_score,
    binary_precision_recall_curve,
    binary_recall,
    binary_roc,
    binary_specificity,
)

from trainlib.metrics.decisions import decide
from trainlib.metrics.scores import METRICS


def score_split(
    probabilities: Tensor | NDArray[Any],
    targets: Tensor | NDArray[Any],
    classes: Sequence[str],
    *,
    multilabel: bool = False,
) -> dict[str, float]:
    """Score the predicted probabilities of all cases of a split.

    Each class is scored against the rest. What is not defined is nan and left out of the means, never 0 or 0.5:
    AUROC without cases of the class or without others, average precision without cases of the class, balanced
    accuracy as AUROC, F1 of a class neither labelled nor predicted; everything without cases.

    Over all classes, accuracy is the share of right cases and balanced accuracy the mean of the recall over the
    classes that occur. AUROC, average precision and F1 are those of the second class, the positive one, if there
    are two, else means over the classes. Multi-label: all five are means over the classes, however many.

    Args:
        probabilities: Probabilities from 0 to 1, shape (cases, classes).
        targets: Index of the class of each case, shape (cases,); of multi-label cases 0 or 1, shape (cases, classes).
        classes: Names of the classes, the positive one of two last.
        multilabel: Whether a case may be of several classes or of none. Then every class is predicted whose
            probability is above 0.5; else the most probable one is.

    Returns:
        For each of `METRICS` the figure of all classes, such as "auroc", then those of each class, such as
        "auroc/malignant".

    Raises:
        ValueError: The arguments do not fit each other; see `trainlib.metrics.decisions.decide`.

    Source:
        The functions of `torchmetrics.functional.classification` for binary tasks, whose rates have single precision.
        Average precision as `sklearn.metrics.average_precision_score`, balanced accuracy as
        `sklearn.metrics.balanced_accuracy_score`.
    """
    # In double precision no two probabilities become equal that are not: a tie counts half in AUROC.
    table = torch.as_tensor(probabilities).detach().cpu().double().numpy()
    truth = torch.as_tensor(targets).detach().cpu().numpy()
    decisions = decide(table, truth, len(classes), multilabel=multilabel)
    likely, predicted, labelled = map(torch.from_numpy, (table, *decisions))
    per_class = [_class_scores(likely[:, k], predicted[:, k], labelled[:, k]) for k in range(len(classes))]
    overall = {metric: _mean_defined([scores[metric] for scores in per_class]) for metric in METRICS}
    if not multilabel:
        overall["accuracy"] = int(predicted[labelled].sum()) / len(labelled) if len(labelled) else math.nan
        overall["balanced_accuracy"] = _mean_defined([scores["recall"] for scores in per_class])
        if len(classes) == 2:
            overall |= {metric: per_class[1][metric] for metric in ("auroc", "average_precision", "f1")}
    summary = {}
    for metric in METRICS:
        summary[metric] = overall[metric]
        summary |= {f"{metric}/{name}": scores[metric] for name, scores in zip(classes, per_class, strict=True)}
    return summary


def _class_scores(probability: Tensor, predicted: Tensor, labelled: Tensor) -> dict[str, float]:
    """Score one class against the rest; torchmetrics has 0 for what is not defined, so that is not asked for."""
    positives, negatives = bool(labelled.any()), bool((~labelled).any())
    concerned = bool((predicted | labelled).any())
    called, truth = predicted.long(), labelled.long()
    nan = torch.tensor(math.nan)
    recall = binary_recall(called, truth) if positives else nan
    specificity = binary_specificity(called, truth) if negatives else nan
    scores = {
        "auroc": _auroc(probability, truth) if positives and negatives else nan,
        "average_precision": _average_precision(probability, truth) if positives else nan,
        "accuracy": binary_accuracy(called, truth) if positives or negatives else nan,
        "balanced_accuracy": (recall + specificity) / 2,
        "f1": binary_f1_score(called, truth) if concerned else nan,
        "recall": recall,
    }
    return {name: score.item() for name, score in scores.items()}


# torchmetrics sums the areas in single precision, which makes 0.9999999 or 1.0000001 of a perfect 1.
def _auroc(probability: Tensor, labelled: Tensor) -> Tensor:
    false_positive_rate, true_positive_rate, _ = binary_roc(probability, labelled)
    return torch.trapezoid(true_positive_rate.double(), false_positive_rate.double())


def _average_precision(probability: Tensor, labelled: Tensor) -> Tensor:
    precision, recall, _ = binary_precision_recall_curve(probability, labelled)
    return (-recall.double().diff() * precision.double()[:-1]).sum()


def _mean_defined(scores: Sequence[float]) -> float:
    """Average scores, nan left out, with a correctly rounded sum as in `trainlib.metrics.summary`."""
    defined = [score for score in scores if not math.isnan(score)]
    return math.fsum(defined) / len(defined) if defined else math.nan
