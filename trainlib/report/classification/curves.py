"""Which metrics of a classification get a chart over the epochs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from trainlib.config.schema import Config
from trainlib.report.classification.names import LOGGED
from trainlib.report.curves import Curve, Plan, metric_plan
from trainlib.report.palette import ACCENT, INK

_MANY = 10
_BALANCED = "valid/balanced_accuracy"


def metric_plans(config: Config, logged: list[str]) -> Iterator[Plan]:
    """Plan the charts of the metrics; those of a binary task are of its positive class, with many classes of means."""
    classes = config.data.classes
    binary = not config.multilabel and len(classes) == 2
    overall = [name for name in logged if name.count("/") == 1]
    values = {name: value for value, name in enumerate(classes, 1)}
    for key, metric in LOGGED.items():
        if not config.multilabel and key in ("accuracy", "balanced_accuracy"):
            continue
        shown = overall if binary or len(classes) > _MANY else logged
        if plan := metric_plan(metric, shown, lambda name: values.get(name, len(values) + 1)):
            yield replace(plan, hint=f"of {classes[1]}, {plan.hint}") if binary else plan
    if not config.multilabel:
        curves = [Curve("accuracy", "valid/accuracy", ACCENT, 1.8), Curve("balanced accuracy", _BALANCED, INK, 1.8)]
        if curves := [curve for curve in curves if curve.column in logged]:
            yield Plan("accuracy", "Accuracy in validation", "higher is better", curves)
