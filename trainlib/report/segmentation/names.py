"""What the columns of ``cases.csv`` of a segmentation are called, and how they are shown."""

from __future__ import annotations

from trainlib.report.formats import Metric

METRICS = {
    metric.key: metric
    for metric in (
        Metric("dice", "Dice", higher_is_better=True),
        Metric("nsd", "NSD", higher_is_better=True),
        Metric("hd95", "HD95", "mm", 2, higher_is_better=False),
        Metric("asd", "ASD", "mm", 2, higher_is_better=False),
        Metric("hd", "HD", "mm", 2, higher_is_better=False),
    )
}
"""The scores of a case in the order in which they are shown."""

SIZES = {
    size.key: size
    for size in (
        Metric("label_ml", "Label", "ml", 2),
        Metric("prediction_ml", "Prediction", "ml", 2),
        Metric("label_mm2", "Label", "mm²", 1),
        Metric("prediction_mm2", "Prediction", "mm²", 1),
    )
}
"""The sizes of a structure; a table has those of 3-D or those of 2-D images."""

OUTCOMES = {"found": "found", "missed": "missed", "false_positive": "false positive", "absent": "absent"}
"""Outcome of a structure -> what it is called."""
