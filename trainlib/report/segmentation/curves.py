"""Which metrics of a segmentation get a chart over the epochs."""

from __future__ import annotations

from collections.abc import Iterator

from trainlib.report.content import Content
from trainlib.report.curves import Curve, Plan, metric_plan
from trainlib.report.palette import ACCENT, CONTRAST
from trainlib.report.segmentation.names import METRICS


def metric_plans(content: Content, logged: list[str]) -> Iterator[Plan]:
    """Plan the charts of all metrics, and of the counts of failures where there are any."""
    for metric in METRICS.values():
        if plan := metric_plan(metric, logged, content.tone):
            yield plan
    counts = [Curve("missed", "valid/missed", ACCENT, 1.8), Curve("false positive", "valid/false_positive", CONTRAST)]
    counts = [curve for curve in counts if curve.column in logged]
    if any(content.epochs[curve.column].max() > 0 for curve in counts):
        yield Plan("counts", "Missed and false-positive structures in validation", "lower is better", counts)
