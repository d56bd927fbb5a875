"""Which figures the report of an ensemble shows, and what sets and models are called."""

from __future__ import annotations

from trainlib.report.classification.names import FIGURES, LOGGED
from trainlib.report.formats import Metric
from trainlib.report.segmentation.names import METRICS

SETS = {"cv": "Cross-validation", "test": "Test set"}
"""Name in ``summary.csv`` -> what it is called."""

JOINT = {"mean": "mean", "vote": "vote", "staple": "STAPLE"}
"""Ways to combine the members -> what they are called."""

_SHOWN = {
    "segmentation": [metric for key, metric in METRICS.items() if key != "hd"],
    "classification": [LOGGED[key] for key in ("auroc", "accuracy", "balanced_accuracy", "f1")],
}
_OF_CLASSES = {
    "segmentation": _SHOWN["segmentation"],
    "classification": [*_SHOWN["classification"], *(FIGURES[key] for key in ("precision", "recall", "specificity"))],
}


def shown_metrics(task: str) -> list[Metric]:
    """Return the figures over all classes that are shown, the most important one first."""
    return _SHOWN[task]


def class_metrics(task: str) -> list[Metric]:
    """Return the figures that are shown of each class, some of which only all classes have."""
    return _OF_CLASSES[task]


def model_name(model: str) -> str:
    """Return what a model is called."""
    return JOINT.get(model, model)
