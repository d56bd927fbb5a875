"""What the figures of a classification are called."""

from __future__ import annotations

from trainlib.report.formats import Metric

FIGURES = {
    figure.key: figure
    for figure in (
        Metric("precision", "Precision", higher_is_better=True),
        Metric("recall", "Recall", higher_is_better=True),
        Metric("specificity", "Specificity", higher_is_better=True),
        Metric("f1", "F1", higher_is_better=True),
        Metric("auroc", "AUROC", higher_is_better=True),
    )
}
"""The figures of a class in the order in which they are shown."""

LOGGED = {
    metric.key: metric
    for metric in (
        FIGURES["auroc"],
        Metric("average_precision", "Average precision", higher_is_better=True),
        FIGURES["f1"],
        Metric("accuracy", "Accuracy", higher_is_better=True),
        Metric("balanced_accuracy", "Balanced accuracy", higher_is_better=True),
    )
}
"""The metrics of the validation in the order in which their charts are shown."""
